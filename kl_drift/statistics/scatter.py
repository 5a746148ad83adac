"""How numbers of one kind scatter: tails pooled over series, and counts made fewer.

Knows arrays of numbers and of counts. Has never heard of divergences, of columns or of limits.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kl_drift.statistics.checks import Flags
from kl_drift.statistics.ordinary import TAIL, TAIL_LEAST

Counts: TypeAlias = NDArray[np.int64]

POOLED_RESIDUALS = 280
"""From how many residuals on their tail is trusted: 20 columns of 14 snapshots."""

_OFF = 0.05  # a p-value below this is off
_CHANCE = 1e-6
_HYPERGEOMETRIC_ROWS = 10**9  # numpy's limit


def tail_level(p_values: ArrayLike, alpha: float, ceiling: float | None = None) -> float:
    """Return the level at which p-values must be taken for a share ``alpha`` to be below it.

    If the p-values are uniform it is alpha itself. If their law has a heavier tail than assumed,
    more than alpha of them are below alpha, and the level is smaller. Where alpha is smaller than
    p-values are many, the level follows from a power law P(p-value < u) ∝ u^β through the smallest
    twentieth of them, β by Hill's estimator.

    Parameters
    ----------
    p_values : array_like
        Between 0 and 1; NaN are ignored.
    alpha : float
        The share.
    ceiling : float, optional
        The level if the assumptions hold; alpha by default, as for uniform p-values.

    Returns
    -------
    float
        At most the ceiling: lighter tails than assumed are not trusted. The ceiling itself if there
        are fewer than 280 p-values.

    References
    ----------
    Hill 1975, A simple general approach to inference about the tail of a distribution, DOI
    10.1214/aos/1176343247; Weissman 1978, Estimation of parameters and large quantiles based on the
    k largest observations, DOI 10.1080/01621459.1978.10480104.
    """
    values = np.asarray(p_values, dtype=np.float64).ravel()
    values = np.maximum(np.sort(values[~np.isnan(values)]), np.finfo(np.float64).tiny)
    most = alpha if ceiling is None else ceiling
    if values.size < POOLED_RESIDUALS:
        return most
    inside = max(TAIL_LEAST, values.size // TAIL)
    share, edge = inside / values.size, float(values[inside])
    if alpha >= share:
        return min(most, float(np.quantile(values, alpha)))
    inverse_index = float(np.log(edge / values[:inside]).mean())  # 1/β
    return min(most, float(edge * (alpha / share) ** inverse_index))


def jointly_off(p_values: ArrayLike) -> Flags:
    """Say on which occasions far more series are off than the other occasions let expect.

    Off is a p-value below 0.05. That as many as k of n are off at once would happen once in a
    million, were each of them off as often as on all other occasions, or at least one time in
    twenty, independently: such an occasion says something of itself, not of the series' tails.

    Parameters
    ----------
    p_values : array_like, shape (C, T)
        Of C series on T occasions; NaN where there is none.

    Returns
    -------
    ndarray of bool, shape (T,)
        A binomial test, so it takes five series or more to be sure.
    """
    from scipy.special import bdtrc

    values = np.asarray(p_values, dtype=np.float64)
    there, off = (~np.isnan(values)).sum(axis=0), (values < _OFF).sum(axis=0)
    elsewhere = (off.sum() - off) / np.maximum(there.sum() - there, 1)
    by_chance = bdtrc(off - 1, there, np.maximum(elsewhere, _OFF))
    return np.asarray((off > 0) & (by_chance < _CHANCE))


def thin(counts: ArrayLike, rows: int, generator: np.random.Generator) -> Counts:
    """Return what a smaller snapshot of that day would have counted.

    Parameters
    ----------
    counts : array_like of int, shape (k,)
        Rows per cell.
    rows : int
        How many rows to draw without replacement; counts that hold no more are returned as they
        are.
    generator : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    ndarray of int, shape (k,)
        No cell gains. Of 10⁹ rows and more, rows are drawn with replacement, and a cell may.
    """
    whole = np.asarray(counts, dtype=np.int64)
    total = int(whole.sum())
    if total <= rows:
        return whole
    if total < _HYPERGEOMETRIC_ROWS:
        return generator.multivariate_hypergeometric(whole, rows, method="marginals")
    return generator.multinomial(rows, whole / total)
