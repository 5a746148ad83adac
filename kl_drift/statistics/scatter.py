"""How numbers of one kind scatter: moments, residuals, tails, and counts made fewer.

Knows arrays of numbers and of counts. Has never heard of divergences, of columns or of limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kl_drift.statistics.checks import Flags, Floats

Counts: TypeAlias = NDArray[np.int64]

POOLED_RESIDUALS = 280
"""From how many residuals on their tail is trusted: 20 columns of 14 snapshots."""

_TAIL = 20  # the tail is the largest 1/20 of the residuals,
_TAIL_LEAST = 10  # or so many
_NO_SPREAD = 1e-6  # of the sd with a value, left without it: the others are all alike
_OFF = 0.05  # a p-value below this is off
_CHANCE = 1e-6
_HYPERGEOMETRIC_ROWS = 10**9  # numpy's limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and standard deviation, and of how many; arrays of one shape."""

    size: Floats
    mean: Floats
    sd: Floats


def moments(x: Floats) -> Moments:
    """Return the moments over the last axis, kept with length 1; NaN are ignored."""
    there = ~np.isnan(x)
    size = there.sum(axis=-1, keepdims=True).astype(np.float64)
    mean = np.where(there, x, 0.0).sum(axis=-1, keepdims=True) / np.maximum(size, 1)
    squares = (np.where(there, x - mean, 0.0) ** 2).sum(axis=-1, keepdims=True)
    return Moments(size=size, mean=mean, sd=np.sqrt(squares / np.maximum(size - 1, 1)))


def without_each(x: Floats) -> Moments:
    """Return, for each value, the moments of the others; where there is no value, of all."""
    every = moments(x)
    there, n, rest = ~np.isnan(x), every.size, np.maximum(every.size - 1, 1)
    off = np.where(there, x - every.mean, 0.0)
    squares = np.maximum(every.sd**2 * rest - off**2 * n / rest, 0.0)
    sd = np.sqrt(squares / np.maximum(n - 2, 1))
    scatters = (n > 2) & (sd > _NO_SPREAD * every.sd)
    return Moments(
        size=np.where(there, n - 1, n),
        mean=every.mean - off / rest,
        sd=np.where(there, np.where(scatters, sd, 0.0), every.sd),
    )


def studentised_residuals(values: ArrayLike) -> Floats:
    """Return by how many standard deviations each value is off what the others let expect.

    (x − m)/(s·√(1 + 1/(T − 1))) with mean m and standard deviation s of the T − 1 others. Normal
    values give t variables with T − 2 degrees of freedom.

    Parameters
    ----------
    values : array_like, shape (..., T)
        NaN where there is none.

    Returns
    -------
    ndarray, shape of ``values``
        NaN where there is no value, fewer than three, or the others do not scatter.

    References
    ----------
    Cook & Weisberg 1982, Residuals and Influence in Regression, section 2.2.
    """
    x = np.asarray(values, dtype=np.float64)
    others = without_each(x)
    residuals = np.full(x.shape, np.nan)
    scatters = (others.sd > 0) & ~np.isnan(x)
    spread = others.sd * np.sqrt(1 + 1 / np.maximum(others.size, 1))
    np.divide(x - others.mean, spread, out=residuals, where=scatters)
    return residuals


def tail_level(p_values: ArrayLike, alpha: float) -> float:
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

    Returns
    -------
    float
        At most alpha: lighter tails than assumed are not trusted. Alpha if there are fewer than
        280 p-values.

    References
    ----------
    Hill 1975, A simple general approach to inference about the tail of a distribution, DOI
    10.1214/aos/1176343247; Weissman 1978, Estimation of parameters and large quantiles based on the
    k largest observations, DOI 10.1080/01621459.1978.10480104.
    """
    values = np.asarray(p_values, dtype=np.float64).ravel()
    values = np.maximum(np.sort(values[~np.isnan(values)]), np.finfo(np.float64).tiny)
    if values.size < POOLED_RESIDUALS:
        return alpha
    inside = max(_TAIL_LEAST, values.size // _TAIL)
    share, edge = inside / values.size, float(values[inside])
    if alpha >= share:
        return min(alpha, float(np.quantile(values, alpha)))
    inverse_index = float(np.log(edge / values[:inside]).mean())  # 1/β
    return min(alpha, float(edge * (alpha / share) ** inverse_index))


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
