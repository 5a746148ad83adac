"""Which cells came or went: exact p-values of emptied cells and of rows beyond all others.

Knows numbers of rows. Has never heard of columns, files or limits. A ``design_effect`` says how
many rows carry the information of one independent row, see :mod:`kl_drift.statistics.inference`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError
from kl_drift.statistics.checks import (
    Numbers,
    bracketed,
    check_amounts,
    check_design,
    check_shares,
    first,
    unwrapped,
)
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.special import stirling_remainder


def p_value_vanished(
    reference_share: ArrayLike, current_rows: ArrayLike, *, design_effect: float = 1.0
) -> Numbers:
    """Return the probability that a cell with that share stays empty: (1 − q)ⁿ, exactly.

    D(current‖reference) hardly sees an emptied cell (it adds at most q nats), this does.

    Parameters
    ----------
    reference_share : float or array_like
        q, between 0 and 1. The reference is taken at its word: use a smoothed share.
    current_rows : float or array_like
        n, ≥ 0.
    design_effect : float
        As the module says.

    Returns
    -------
    float or ndarray
        The p-value of H₀: the cell still has its share, given that no row is in it.

    Raises
    ------
    DomainError
        If the share is not between 0 and 1 or the rows are negative or not finite.
    UsageError
        If ``design_effect`` is not above 0.
    """
    from scipy.special import xlog1py

    check_design(design_effect)
    share = check_shares("reference_share", reference_share)
    rows = check_amounts("current_rows", current_rows) / design_effect
    return unwrapped(np.exp(xlog1py(rows, -share)))


def p_value_beyond(
    beyond: ArrayLike,
    current_rows: ArrayLike,
    reference_rows: ArrayLike,
    *,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the probability that the j largest of all rows are all current, exactly.

    ∏_{i<j} (n − i)/(n + m − i): if nothing drifts, any j of the n + m rows are equally likely to be
    the largest. Distribution-free; ties must be counted as not beyond.

    Parameters
    ----------
    beyond : float or array_like
        j, the current rows above the reference's maximum (or below its minimum), 0 ≤ j ≤ n.
    current_rows, reference_rows : float or array_like
        n and m, finite, ≥ 0.
    design_effect : float
        As the module says; j is divided by it too.

    Returns
    -------
    float or ndarray
        The p-value of H₀: one continuous distribution. 1 if j or m is 0.

    Raises
    ------
    DomainError
        If a number is negative or not finite, or ``beyond`` exceeds ``current_rows``.
    UsageError
        If ``design_effect`` is not above 0.

    Notes
    -----
    Differences of lgamma would lose every digit at 1e12 rows. With Stirling's series in n + ½ and
    m + n + ½, the leading terms are −(n + m + ½) times the mutual information of the table of
    (beyond or not) × (current or reference), which has no cancellation.

    References
    ----------
    Rosenbaum 1954, Tables for a nonparametric test of location, Ann. Math. Statist. 25, 146–150.
    """
    check_design(design_effect)
    j, n, m = np.broadcast_arrays(
        check_amounts("beyond", beyond) / design_effect,
        check_amounts("current_rows", current_rows) / design_effect,
        check_amounts("reference_rows", reference_rows) / design_effect,
    )
    if (j > n).any():
        where = first(j > n)
        raise DomainError(
            f"beyond{bracketed(where)}: {j[where] * design_effect:g} rows lie beyond the "
            f"reference, but current_rows is {n[where] * design_effect:g}; expected at most that "
            "many"
        )
    rows, total = n + 0.5, n + m + 0.5
    table = np.stack([j, np.zeros_like(j), rows - j, m], axis=-1) / total[..., np.newaxis]
    rest = total - j
    margins = np.stack([j * rows, j * m, rest * rows, rest * m], axis=-1)
    information = kl_divergence(table, margins / (total * total)[..., np.newaxis])
    exponent = -total * information + (
        stirling_remainder(rows)
        - stirling_remainder(rows - j)
        - stirling_remainder(total)
        + stirling_remainder(rest)
    )
    return unwrapped(np.exp(np.minimum(exponent, 0.0)))
