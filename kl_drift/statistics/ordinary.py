"""What is ordinary among numbers of which a few are not: odd values, rhythms, tails.

Knows series of numbers, and classes (a weekday, an hour) that their places belong to. Has never
heard of divergences, of columns or of days.

Series stand in the last axis of an array, NaN where there is no value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kl_drift.statistics.checks import Flags, Floats

Classes: TypeAlias = NDArray[np.int64]

MOST_ODD = 0.2
"""The largest share of a series that may be odd; beyond it nothing is."""

TAIL = 20
"""The tail is the largest 1/20 of pooled residuals,"""

TAIL_LEAST = 10
"""or so many."""

_FAR = 6.0  # in deviations of the middle half: of normal values one in 500 million
_NORMAL = 1.4826  # the deviation of a normal law over its median absolute deviation
_NO_SPREAD = 1e-6  # of the sd with a value, left without it: the others are all alike
_STEEPEST, _FLATTEST = 50.0, 0.1  # tail indices that are told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinary:
    """Centres and deviations of series; arrays of one shape but for the last axis.

    Parameters
    ----------
    center : ndarray, shape (..., K)
        The mean of each class of places, shrunk towards that of all.
    sd : ndarray, shape (..., 1)
        The standard deviation about the centres.
    size : ndarray, shape (..., 1)
        Of how many values.
    freedom : ndarray, shape (..., 1)
        Degrees of freedom of ``sd``.
    leverage : ndarray, shape (..., K)
        The variance of each centre, of ``sd``².
    """

    center: Floats
    sd: Floats
    size: Floats
    freedom: Floats
    leverage: Floats


def odd_values(residuals: Floats) -> Flags:
    """Say which values are too far off to say anything of the others.

    Farther than 6 · 1.4826 · the median absolute residual; none where that would be more than a
    fifth of the series, which is no exception any more.

    Parameters
    ----------
    residuals : ndarray, shape (..., T)
        From the median of their class.

    References
    ----------
    Leys et al. 2013, Detecting outliers: do not use standard deviation around the mean, use
    absolute deviation around the median, DOI 10.1016/j.jesp.2013.03.013.
    """
    size = np.abs(residuals)
    odd = size > _FAR * _NORMAL * _median(size)
    share = odd.sum(axis=-1, keepdims=True) / np.maximum(_count(residuals), 1)
    return np.asarray(odd & (share <= MOST_ODD))


def whole_classes(odd: Flags, there: Flags, classes: Classes) -> Flags:
    """Say which odd values are all that there is of their class, twice or more: a rhythm."""
    member = _members(classes)
    of_class = _by_class(there.astype(np.float64), member)
    whole = (_by_class(odd.astype(np.float64), member) == of_class) & (of_class > 1)
    return np.asarray(odd & _at(whole, classes))


def residuals_from_medians(values: Floats, classes: Classes) -> Floats:
    """Return how far each value is from the median of its class."""
    residuals = np.full_like(values, np.nan)
    for each in np.unique(classes):
        here = np.where(classes == each, values, np.nan)
        residuals = np.where(np.isnan(here), residuals, here - _median(here))
    return residuals


def rhythm(values: Floats, classes: Classes) -> Floats:
    """Return how likely series are to differ as much between classes by chance; shape (...).

    A rank test, so that odd values are no rhythm.

    References
    ----------
    Kruskal & Wallis 1952, Use of ranks in one-criterion variance analysis, DOI
    10.1080/01621459.1952.10483441.
    """
    from scipy.special import chdtrc

    there = ~np.isnan(values)
    member = _members(classes)
    ranks = np.where(there, np.argsort(np.argsort(values, axis=-1), axis=-1), 0.0)
    n, in_class = _count(values), _by_class(there.astype(np.float64), member)
    mean = ranks.sum(axis=-1, keepdims=True) / np.maximum(n, 1)
    means = _by_class(ranks, member) / np.maximum(in_class, 1)
    between = (in_class * (means - mean) ** 2).sum(axis=-1)
    total = np.where(there, (ranks - mean) ** 2, 0.0).sum(axis=-1)
    statistic = (n[..., 0] - 1) * between / np.maximum(total, 1)
    varies = np.max(values, axis=-1, where=there, initial=-np.inf) > np.min(
        values, axis=-1, where=there, initial=np.inf
    )
    freedom = np.maximum((in_class > 0).sum(axis=-1) - 1, 1)
    return np.where(varies, chdtrc(freedom, statistic), 1.0)


def fit_ordinary(values: Floats, classes: Classes) -> Ordinary:
    """Return the centres and deviations of series.

    The mean of each class is shrunk to that of all by B = min(1, 1/F), F the ratio of the variance
    between classes to that within; sd² = B·s²(all) + (1 − B)·s²(within). Of one class, they are
    the mean and the standard deviation.

    Parameters
    ----------
    values : ndarray, shape (..., T)
        Without the odd ones.
    classes : ndarray of int
        From 0; of a shape that is broadcast to that of ``values``.

    References
    ----------
    Morris 1983, Parametric empirical Bayes inference, DOI 10.1080/01621459.1983.10477920.
    """
    there, member = ~np.isnan(values), _members(classes)
    plain = np.where(there, values, 0.0)
    n, in_class = _count(values), _by_class(there.astype(np.float64), member)
    mean = plain.sum(axis=-1, keepdims=True) / np.maximum(n, 1)
    means = np.where(in_class > 0, _by_class(plain, member) / np.maximum(in_class, 1), mean)
    off = np.where(there, values - _at(means, classes), 0.0)
    within = (off**2).sum(axis=-1, keepdims=True)
    between = (in_class * (means - mean) ** 2).sum(axis=-1, keepdims=True)
    used = np.maximum((in_class > 0).sum(axis=-1, keepdims=True), 1)
    freedom = np.maximum(n - used, 1)
    within_each = np.maximum(within / freedom, np.finfo(np.float64).tiny)
    shrunk = 1 / np.maximum(between / np.maximum(used - 1, 1) / within_each, 1)
    shrunk = np.where(used > 1, shrunk, 1.0)
    total = (within + between) / np.maximum(n - 1, 1)
    return Ordinary(
        center=shrunk * mean + (1 - shrunk) * means,
        sd=np.sqrt(shrunk * total + (1 - shrunk) * within / freedom),
        size=n,
        freedom=freedom,
        leverage=shrunk / np.maximum(n, 1) + (1 - shrunk) / np.maximum(in_class, 1),
    )


def fit_without_each(values: Floats, fitted: Ordinary, classes: Classes) -> Ordinary:
    """Return, for each value, what is fitted to the others: arrays of shape (..., T).

    Where there is no value, what is fitted to all. The share B stays that of all.

    References
    ----------
    Cook & Weisberg 1982, Residuals and Influence in Regression, section 2.2.
    """
    there = ~np.isnan(values)
    center, leverage = _at(fitted.center, classes), _at(fitted.leverage, classes)
    rest = np.maximum(1 - leverage, _NO_SPREAD)
    off = np.where(there, values - center, 0.0)
    freedom = np.maximum(fitted.freedom - 1, 1)
    squares = np.maximum(fitted.sd**2 * fitted.freedom - off**2 / rest, 0.0)
    sd = np.sqrt(squares / freedom)
    scatters = (fitted.size > 2) & (sd > _NO_SPREAD * fitted.sd)
    return Ordinary(
        center=center - off * leverage / rest,
        sd=np.where(there, np.where(scatters, sd, 0.0), fitted.sd),
        size=np.where(there, fitted.size - 1, fitted.size),
        freedom=np.where(there, freedom, fitted.freedom),
        leverage=np.where(there, leverage / rest, leverage),
    )


def studentised(values: Floats, others: Ordinary) -> Floats:
    """Return by how many deviations each value is off what the others let expect.

    Normal values give t variables with as many degrees of freedom as the others have.

    Parameters
    ----------
    values : ndarray, shape (..., T)
        NaN where there is none.
    others : Ordinary
        From :func:`fit_without_each`.

    Returns
    -------
    ndarray, shape of ``values``
        NaN where there is no value, fewer than three, or the others do not scatter.
    """
    residuals = np.full(values.shape, np.nan)
    scatters = (others.sd > 0) & ~np.isnan(values)
    spread = others.sd * np.sqrt(1 + others.leverage)
    np.divide(values - others.center, spread, out=residuals, where=scatters)
    return residuals


def far_quantile(residuals: Floats, alpha: float) -> float:
    """Return what ordinary residuals exceed with chance ``alpha``, however heavy their tail.

    A power law through the largest twentieth of them, cut off at the largest: those that were
    farther are left out as odd, and the law must not be taken for lighter by it.

    Parameters
    ----------
    residuals : ndarray
        Studentised, without the odd ones; NaN are ignored.
    alpha : float
        The chance, below one in twenty.

    References
    ----------
    Aban, Meerschaert & Panorska 2006, Parameter estimation for the truncated Pareto distribution,
    DOI 10.1198/016214505000000411.
    """
    values = np.sort(residuals[~np.isnan(residuals)])[::-1]
    inside = max(TAIL_LEAST, values.size // TAIL)
    if values.size <= inside or not values[inside] > 0:
        return np.inf
    edge, tail = values[inside], values[:inside]
    width, mean = float(np.log(tail[0] / edge)), float(np.log(tail / edge).mean())
    if not 0 < mean < width:
        return np.inf
    index = _truncated_index(mean, width)
    share = inside / values.size / -np.expm1(-index * width)
    with np.errstate(over="ignore"):
        return float(edge * np.exp(np.log(share / alpha) / index))


def _truncated_index(mean: float, width: float) -> float:
    """Return the rate of an exponential law cut off at ``width`` that has this mean."""
    low, high = _FLATTEST, _STEEPEST
    for _ in range(50):
        middle = (low + high) / 2
        if 1 / middle - width / np.expm1(min(middle * width, 500)) > mean:
            low = middle
        else:
            high = middle
    return low


def _members(classes: Classes) -> Floats:
    """Return 1 where a place belongs to a class, else 0; shape (..., T, K)."""
    known = np.arange(classes.max(initial=0) + 1)
    return np.asarray(classes[..., np.newaxis] == known, np.float64)


def _by_class(values: Floats, member: Floats) -> Floats:
    """Return the sum of each class, shape (..., K)."""
    return np.asarray((values[..., np.newaxis, :] @ member)[..., 0, :])


def _at(of_class: NDArray[Any], classes: Classes) -> NDArray[Any]:
    """Return, for each place, what is known of its class."""
    shape = (*of_class.shape[:-1], classes.shape[-1])
    return np.take_along_axis(of_class, np.broadcast_to(classes, shape), axis=-1)


def _count(values: Floats) -> Floats:
    return np.asarray((~np.isnan(values)).sum(axis=-1, keepdims=True), np.float64)


def _median(values: Floats) -> Floats:
    """Return the median over the last axis, kept; NaN are ignored, and of nothing it is NaN."""
    ordered = np.sort(values, axis=-1)
    n = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    low, high = (
        np.take_along_axis(ordered, place, axis=-1) for place in (np.maximum(n - 1, 0) // 2, n // 2)
    )
    return np.asarray((low + high) / 2)
