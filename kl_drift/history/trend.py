"""Slow ramps: what no single snapshot shows, many in a row do.

Knows learned limits and the snapshots since. Has never heard of files or of statuses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import Profile
from kl_drift.errors import DomainError, UsageError
from kl_drift.history.calibration import learn
from kl_drift.history.past import histogram_of
from kl_drift.judging.limits import MIN_SNAPSHOTS, REMEMBERED, Budget, LearnedLimits, Trend
from kl_drift.judging.measurement import smooth_histograms
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.smoothing import Smoothing

_CLIPPED = 3.0  # sd: what a single snapshot may add


def find_trends(
    earlier: Sequence[Profile],
    current: Profile,
    reference: Profile,
    *,
    budget: Budget,
    smoothing: Smoothing,
    snapshots: int = 20,
    weight: float = 0.2,
) -> dict[str, Trend]:
    """Find slow ramps that end in the current snapshot: each column by :func:`ewma_trend`.

    Parameters
    ----------
    earlier : sequence of Profile
        Those before the current one, oldest first. The last of them are looked at; what is ordinary
        is learned from up to 90 before these, and from at least 14.
    current : Profile
        The snapshot.
    reference : Profile
        What all are compared with: one that stays, or a ramp would carry it along.
    budget : Budget
        How many false alarms are acceptable.
    smoothing : Smoothing
        How counts become probabilities.
    snapshots : int
        How many are looked at, the current one included; fewer as long as history is short.
    weight : float
        Of the last snapshot.

    Returns
    -------
    dict of str to Trend
        The columns of which enough is known.
    """
    first = max(len(earlier) + 1 - snapshots, MIN_SNAPSHOTS)
    if len(earlier) < first:
        return {}
    before = earlier[max(first - REMEMBERED, 0) : first]
    learned = learn(before, reference, budget=budget, smoothing=smoothing)
    since = [*earlier[first:], current]
    found = {
        name: ewma_trend(
            learned, name, *_distances(since, name, histogram, smoothing), weight=weight
        )
        for name, histogram in reference.counted.items()
    }
    return {name: trend for name, trend in found.items() if trend is not None}


def _distances(
    profiles: Sequence[Profile], name: str, reference: Histogram, smoothing: Smoothing
) -> tuple[list[float], list[int]]:
    """Return KL and rows of each snapshot that counted the column."""
    counted = [each for profile in profiles if (each := histogram_of(profile, name)) and each.rows]
    kl = [float(kl_divergence(*smooth_histograms(each, reference, smoothing))) for each in counted]
    return kl, [each.rows for each in counted]


def ewma_trend(
    limits: LearnedLimits,
    column: str,
    kl: Sequence[float],
    rows: Sequence[float],
    *,
    weight: float = 0.2,
    alpha: float | None = None,
) -> Trend | None:
    """Find a slow ramp, which no single day shows.

    Each KL since the limits were learned becomes a z-score: the cube root of KL less the mean of
    the history, over its standard deviation, for as many rows; at most ±3, so that one odd day is
    not taken for a trend. The statistic is E ← weight·z + (1 − weight)·E from E = 0. Its variance
    counts what the mean is uncertain by, and its limit is a quantile of t with T − 1 degrees of
    freedom, because the standard deviation is uncertain too.

    Parameters
    ----------
    limits : LearnedLimits
        Learned from *earlier* snapshots: a ramp that was learned from is hidden in the mean.
    column : str
        Which column.
    kl, rows : sequence of float
        KL in nats and rows of each snapshot since, oldest first.
    weight : float
        Of the last snapshot, above 0 and at most 1. With 0.2 about the last ten count.
    alpha : float, optional
        How often the limit may be exceeded at the last snapshot if nothing moves; the budget's by
        default.

    Returns
    -------
    Trend or None
        ``None`` where nothing was learned of the column, or no snapshot is as large as learned of.

    Raises
    ------
    UsageError
        If weight or alpha are out of range, or there are not as many rows as divergences.
    DomainError
        If a divergence is negative or not a number.

    References
    ----------
    Roberts 1959, Control chart tests based on geometric moving averages, DOI
    10.1080/00401706.1959.10489860; Lucas & Saccucci 1990, Exponentially weighted moving average
    control schemes, DOI 10.1080/00401706.1990.10484583.
    """
    from scipy.special import stdtrit

    alpha = limits.budget.alpha if alpha is None else alpha
    _check_trend(kl, rows, weight, alpha)
    known = limits.columns.get(column)
    points = [known.at(n) if known else None for n in rows]
    days = [(point, value) for point, value in zip(points, kl, strict=True) if point and point.sd]
    if not days:
        return None
    statistic, rising = 0.0, 0
    for point, value in days:
        z = (math.cbrt(value) - point.mean) / point.sd
        statistic += weight * (min(max(z, -_CLIPPED), _CLIPPED) - statistic)
        rising = rising + 1 if statistic > 0 else 0
    history = min(point.snapshots for point, _ in days)
    left = (1 - weight) ** len(days)  # the weight of the start
    variance = weight / (2 - weight) * (1 - left**2) + (1 - left) ** 2 / history
    quantile = -float(stdtrit(history - 1, alpha))
    return Trend(
        statistic=statistic,
        limit=quantile * variance**0.5,
        snapshots=len(days),
        rising=rising,
    )


def _check_trend(kl: Sequence[float], rows: Sequence[float], weight: float, alpha: float) -> None:
    if len(kl) != len(rows):
        raise UsageError(
            f"{len(kl)} divergences and {len(rows)} numbers of rows; give one for each"
        )
    if not (0 < weight <= 1 and 0 < alpha < 1):
        raise UsageError(
            f"expected 0 < weight ≤ 1 and 0 < alpha < 1, got weight {weight:g}, alpha {alpha:g}"
        )
    wrong = [value for value in kl if not value >= 0]
    if wrong:
        raise DomainError(f"kl: expected numbers of at least 0, got {wrong[0]}")
