"""Two joint distributions of two columns: what of their divergence neither column alone explains.

Knows tables of probabilities. Has never heard of columns, files, limits or counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError
from kl_drift.statistics.checks import Floats, probabilities
from kl_drift.statistics.divergence import kl_divergence

_ROUNDS = 10_000
_TOLERANCE = 1e-12


def kl_dependence(current: ArrayLike, reference: ArrayLike) -> float:
    """Return the part of KL(current‖reference) that no change of either column alone explains.

    KL(current‖mixed), where *mixed* is the reference re-weighted by a function of the row and one
    of the column until both its marginals are the current ones. It has the dependence of the
    reference (its odds ratios) and is the distribution with the current marginals that is nearest
    to it. By the Pythagorean identity the two parts sum exactly::

        KL(current‖reference) = KL(current‖mixed) + KL(mixed‖reference)

    Neither part is negative. KL(current‖reference) less the KL of both marginals would be, wherever
    the columns depend on each other in the reference and move together: then the two marginals tell
    the same thing twice.

    Parameters
    ----------
    current, reference : array_like, shape (r, c)
        Probabilities of two joint distributions; each table sums to 1.

    Returns
    -------
    float
        In nats, between 0 and KL(current‖reference); infinite where that is. 0 if current is such a
        re-weighting.

    Raises
    ------
    DomainError
        If the two are not tables of the same shape, or not probabilities.

    Notes
    -----
    By iterative proportional fitting, which comes from above: where the reference is so degenerate
    that 10,000 rounds do not end it, the result is too large rather than too small.

    References
    ----------
    Csiszár 1975, I-divergence geometry of probability distributions and minimization problems, DOI
    10.1214/aop/1176996454.
    """
    p, q = _table("current", current), _table("reference", reference)
    if p.shape != q.shape:
        raise DomainError(f"current is a table of {p.shape}, reference one of {q.shape}")
    if ((q == 0) & (p > 0)).any():
        return float("inf")
    mixed = _fitted(q, p.sum(axis=1), p.sum(axis=0))
    whole, part = (float(kl_divergence(p.ravel(), table.ravel())) for table in (q, mixed))
    return min(part, whole)


def _table(what: str, values: ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise DomainError(f"{what} has {table.ndim} dimensions; expected a table, which has 2")
    return probabilities(what, table.ravel()).reshape(table.shape)


def _fitted(table: Floats, rows: Floats, columns: Floats) -> Floats:
    """Scale rows and columns of a table in turn until they have these sums."""
    for _ in range(_ROUNDS):
        table = table * _ratio(rows, table.sum(axis=1))[:, np.newaxis]
        table = table * _ratio(columns, table.sum(axis=0))
        if np.abs(table.sum(axis=1) - rows).max() < _TOLERANCE:
            break
    return table


def _ratio(wanted: Floats, found: Floats) -> Floats:
    return np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0)
