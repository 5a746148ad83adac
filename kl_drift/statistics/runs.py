"""What is exceeded again and again: n of the last m, and days that resemble those before them.

Knows flags and p-values in the order of time. Has never heard of limits, of columns or of what a
day is.
"""

from __future__ import annotations

import numpy as np

from kl_drift.statistics.checks import Flags, Floats

_GRID = 401
_REACH = 8.0  # standard deviations
_MOST_ALIKE = 0.9


def lag_one_correlation(residuals: Floats, spent: float = 1.0) -> float:
    """Return how far values resemble those before them, pooled over series.

    Parameters
    ----------
    residuals : ndarray, shape (C, T)
        Of C series in the order of time, each about its own centre; NaN where there is none.
    spent : float
        Parameters that each series' centre took: they make neighbours look less alike, by
        (spent + 3ρ)/T.

    Returns
    -------
    float
        Between 0 and 0.9: that neighbours repel each other is not trusted.

    References
    ----------
    Marriott & Pope 1954, Bias in the estimation of autocorrelations, DOI 10.1093/biomet/41.3-4.390.
    """
    both = residuals[:, 1:] * residuals[:, :-1]
    pairs = np.count_nonzero(~np.isnan(both))
    squares = float(np.nanmean(residuals**2)) if pairs else 0.0
    if not squares:
        return 0.0
    raw = float(np.nansum(both) / pairs / squares)
    length = pairs / max(len(residuals), 1) + 1
    return float(min(max(raw + (spent + 3 * max(raw, 0.0)) / length, 0.0), _MOST_ALIKE))


def inflation(correlation: float, size: Floats, leverage: Floats) -> Floats:
    """Return by how much the deviation of a new value is larger where neighbours are alike.

    √((1 + τ·h)/(1 − τ/T)) over √((1 + h)/(1 − 1/T)), τ = (1 + ρ)/(1 − ρ) values being worth one:
    the mean of T alike values is less certain than their spread says, and the spread itself is
    estimated too small.

    Parameters
    ----------
    correlation : float
        ρ, of neighbours.
    size : ndarray
        T, how many values.
    leverage : ndarray
        h, the variance of the mean over that of a value: 1/T without classes.
    """
    worth = (1 + correlation) / (1 - correlation)
    left = np.maximum(1 - worth / np.maximum(size, 1), 0.2)
    alone = np.maximum(1 - 1 / np.maximum(size, 1), 0.2)
    return np.asarray(np.sqrt((1 + worth * leverage) / (1 + leverage) * alone / left))


def level_of_runs(alpha: float, needed: int, among: int, correlation: float = 0.0) -> float:
    """Return the level of one day at which days are confirmed by chance with probability alpha.

    A day is confirmed if it is above and ``needed`` of the last ``among``, itself included, are.
    Days are normal, each with the same correlation to the one before it and none beyond that.

    Parameters
    ----------
    alpha : float
        How often a day may be confirmed.
    needed, among : int
        1 of 1 gives alpha itself.
    correlation : float
        Of neighbours, from 0 to 0.9.

    References
    ----------
    Champ & Woodall 1987, Exact results for Shewhart control charts with supplementary runs rules,
    DOI 10.1080/00401706.1987.10488266; here by quadrature over the day before.
    """
    from scipy.special import ndtr

    if among == 1:
        return alpha
    low, high = 0.0, 6.0
    for _ in range(40):
        middle = (low + high) / 2
        if _confirmed_by_chance(middle, needed, among, correlation) > alpha:
            low = middle
        else:
            high = middle
    return float(ndtr(-high))


def _confirmed_by_chance(bound: float, needed: int, among: int, correlation: float) -> float:
    """Return the chance that today and needed of among days are above a bound; see there."""
    z = np.linspace(-_REACH, _REACH, _GRID)
    width = z[1] - z[0]
    above = np.clip((z + width / 2 - bound) / width, 0, 1)  # the share of a cell above
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * width
    left = np.sqrt(1 - correlation**2)
    step = np.exp(-(((z[np.newaxis] - correlation * z[:, np.newaxis]) / left) ** 2) / 2)
    step /= step.sum(axis=1, keepdims=True)
    counted = np.zeros((needed + 1, _GRID))  # by how many were above: so many or more
    counted[1] = density * above
    for _ in range(among - 1):
        counted = counted @ step
        more = counted * above
        counted = counted - more
        counted[1:] += more[:-1]
        counted[-1] += more[-1]
    return float(counted[needed].sum())


def confirmed(exceeds: Flags, needed: int, among: int) -> Flags:
    """Say on which days a limit is exceeded by that day and by ``needed`` of the last ``among``.

    Parameters
    ----------
    exceeds : ndarray of bool, shape (..., T)
        In the order of time.
    """
    return np.asarray(exceeds & (_windows(exceeds, among).sum(axis=-1) >= needed))


def p_values_of_runs(p_values: Floats, needed: int, among: int) -> Floats:
    """Return the lowest level at which each day would be confirmed; NaN where there is no value.

    Parameters
    ----------
    p_values : ndarray, shape (..., T)
        Of each day by itself, in the order of time; NaN confirms nothing.
    """
    last = np.nan_to_num(_windows(p_values, among, fill=1.0), nan=1.0)
    return np.asarray(np.maximum(p_values, np.sort(last, axis=-1)[..., needed - 1]))


def _windows(values: Floats | Flags, among: int, fill: float = 0.0) -> Floats:
    """Return the last values of each day, itself included; shape (..., T, among)."""
    before = np.full((*values.shape[:-1], among - 1), fill, np.float64)
    padded = np.concatenate([before, values], axis=-1)
    if not values.size:
        return np.empty((*values.shape, among))
    return np.lib.stride_tricks.sliding_window_view(padded, among, axis=-1)
