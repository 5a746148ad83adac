"""How little rows tell that belong together: counts by group of clusters in, a design effect out.

Knows tables of groups by cells. Has never heard of keys, columns, files or limits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError
from kl_drift.statistics.checks import Floats, nonnegative


def design_effect(groups: ArrayLike) -> float:
    """Return how many rows of a clustered sample carry the information of one independent row.

    With N_gc rows in group g and cell c, n_g rows in group g, p_c the share of cell c, and k cells
    and G groups that hold rows::

        δ = 1/(k − 1) · Σ_c Σ_g (N_gc − n_g·p_c)² · G/(G − 1) / (n·p_c)

    the mean, over cells, of the variance of a share to what it would be of independent rows. 5,000
    rows of customers with 50 rows each that are much alike may tell as much as 880.

    Parameters
    ----------
    groups : array_like, shape (g, k)
        Rows per group and cell, ≥ 0. Each cluster lies in one group, whole; groups of many clusters
        give the same on average, since the variances of independent clusters add (the method of
        random groups), with a relative standard error of about √(2/((G − 1)(k − 1))).

    Returns
    -------
    float
        From 1, also where rows of a cluster are less alike than chance makes them, to n. 1 where
        all rows are in one cell, which leaves nothing to tell; n, all rows but one for nothing,
        where all are in one group of more than one row: how groups differ is then unknown.

    Raises
    ------
    DomainError
        If it is no table, or counts are negative or not finite, or there is no row.

    References
    ----------
    Rao & Scott 1981, The analysis of categorical data from complex sample surveys, DOI
    10.1080/01621459.1981.10477633 (the mean generalised design effect); Wolter 2007, Introduction
    to Variance Estimation, ch. 2, DOI 10.1007/978-0-387-35099-8 (random groups).
    """
    table = _table(groups)
    rows, cells = table.sum(axis=1, keepdims=True), table.sum(axis=0)
    total = float(cells.sum())
    if len(cells) < 2:
        return 1.0
    if len(rows) < 2:
        return max(1.0, total)
    deviations = ((table - rows * (cells / total)) ** 2).sum(axis=0)
    spread = float((deviations / cells).sum()) / (len(cells) - 1)
    return min(max(1.0, spread * len(rows) / (len(rows) - 1)), max(1.0, total))


def flag_design_effect(groups: ArrayLike, cell: int) -> float:
    """Return the design effect of one cell against all others; see :func:`design_effect`.

    What one customer alone does may be common to all of that customer's rows, however little the
    rows of customers are alike otherwise.
    """
    table = np.asarray(groups, np.float64)
    inside = table[:, cell]
    return design_effect(np.stack([inside, table.sum(axis=1) - inside], axis=1))


def _table(groups: ArrayLike) -> Floats:
    """Return the groups and cells that hold rows."""
    table = np.asarray(groups, np.float64)
    if table.ndim != 2:
        raise DomainError(f"groups has {table.ndim} dimensions; expected a table, which has 2")
    table = nonnegative("groups", table)
    if not table.any():
        raise DomainError("groups: expected some rows, got none")
    return table[np.ix_(table.any(axis=1), table.any(axis=0))]
