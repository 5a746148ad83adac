"""Exact limits where a reference holds next to nothing: what is new there, and how certainly.

Knows rows in a cell and in total. Has never heard of columns, files or bins.

Merging cells until each expects some rows hides a flood of a new value behind a large reference:
2 % of 10,000 rows where a million rows had none vanish in the cell they are merged with. Two cells
are enough to see it (in, and not in), and of two cells everything is known exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics.checks import Floats

_NORMAL_99 = 2.33  # the 99 % quantile
_RULE_OF_THREE = 3.0  # rows: what showed none of them has fewer, 95 times in 100


def two_cell_limit(
    current: ArrayLike,
    current_rows: float,
    reference: ArrayLike,
    reference_rows: float,
    *,
    confidence: ArrayLike = 0.95,
    at_least: ArrayLike = 0.0,
) -> Floats:
    """Return a lower confidence limit of the KL of a cell against all others, in nats.

    The KL of (p, 1 − p) and (q, 1 − q), p the exact lower limit of the current share and q the
    exact upper limit of the reference's, each at a level of half of 1 − ``confidence``. Merging all
    other cells only lowers KL, so that it is a limit for the cells as they are, too.

    Parameters
    ----------
    current, reference : array_like
        Rows in the cell, of ``current_rows`` and ``reference_rows``; they need not be whole. One
        cell or several, each by itself.
    confidence : array_like
        Between 0 and 1.
    at_least : array_like
        A share that the reference's upper limit does not fall below; see :func:`new_share_limit`.

    Returns
    -------
    ndarray, the common shape
        At least 0; 0 where p does not exceed q.

    Raises
    ------
    DomainError
        If rows are negative, or more in a cell than in total, or there are none.
    UsageError
        If ``confidence`` is not between 0 and 1.

    References
    ----------
    Clopper & Pearson 1934, The use of confidence or fiducial limits, DOI 10.1093/biomet/26.4.404.
    """
    from scipy.special import betaincinv, rel_entr

    certain = np.asarray(confidence, dtype=np.float64)
    if not ((certain > 0) & (certain < 1)).all():
        raise UsageError(f"confidence: expected a number between 0 and 1, got {confidence!r}")
    ours = _within("current", current, current_rows)
    theirs = _within("reference", reference, reference_rows)
    level, some, not_all = (1 - certain) / 2, ours > 0, theirs < reference_rows
    p = betaincinv(np.where(some, ours, 1), current_rows - ours + 1, level)
    q = betaincinv(theirs + 1, np.where(not_all, reference_rows - theirs, 1), 1 - level)
    q = np.maximum(q, at_least)
    limit = rel_entr(p, q) + rel_entr(1 - p, 1 - q)
    return np.where(some & not_all & (p > q), limit, 0.0)


def _within(side: str, rows: ArrayLike, total: float) -> Floats:
    cells = np.asarray(rows, dtype=np.float64)
    if not (0 < total < math.inf and (cells >= 0).all() and (cells <= total).all()):
        raise DomainError(f"{side}: expected 0 to {total:g} rows in a cell, got {rows!r}")
    return cells


def new_share_limit(rows: float, singletons: float, doubletons: float) -> float:
    """Return an upper limit of the share of rows that will show what ``rows`` rows never showed.

    (s + 2.33·√(s + 2·d) + 3)/m, at most 1: what Good and Turing expect, s/m, and what it may be off
    by at 99 %; with neither singletons nor doubletons the rule of three.

    Parameters
    ----------
    rows : float
        m, above 0.
    singletons, doubletons : float
        How many values, levels or cells the rows showed exactly once, and exactly twice.

    Raises
    ------
    DomainError
        If there are no rows, or a number is negative.

    References
    ----------
    Good 1953, DOI 10.1093/biomet/40.3-4.237; Robbins 1968, Estimating the total probability of the
    unobserved outcomes of an experiment, DOI 10.1214/aoms/1177698526.
    """
    if not (rows > 0 and singletons >= 0 and doubletons >= 0):
        raise DomainError(
            f"expected rows above 0 and nothing negative, got {rows:g} rows, {singletons:g} "
            f"singletons and {doubletons:g} doubletons"
        )
    error = _NORMAL_99 * math.sqrt(singletons + 2 * doubletons)
    return min(1.0, (singletons + error + _RULE_OF_THREE) / rows)
