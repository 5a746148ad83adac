"""Slow ramps: what no single snapshot shows, many in a row do.

Knows learned limits and the divergences since. Has never heard of profiles or of counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kl_drift.errors import DomainError, UsageError
from kl_drift.limits import LearnedLimits

_CLIPPED = 3.0  # sd: what a single snapshot may add


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Whether a column has been moving slowly.

    Parameters
    ----------
    statistic : float
        The exponentially weighted mean of daily z-scores.
    limit : float
        What it stays below where nothing moves.
    snapshots : int
        How many went into it.
    """

    statistic: float
    limit: float
    snapshots: int

    @property
    def exceeds(self) -> bool:
        """Whether the limit is exceeded."""
        return self.statistic > self.limit


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
    statistic = 0.0
    for point, value in days:
        z = (float(np.cbrt(value)) - point.mean) / point.sd
        statistic += weight * (min(max(z, -_CLIPPED), _CLIPPED) - statistic)
    history = min(point.snapshots for point, _ in days)
    left = (1 - weight) ** len(days)  # the weight of the start
    variance = weight / (2 - weight) * (1 - left**2) + (1 - left) ** 2 / history
    quantile = -float(stdtrit(history - 1, alpha))
    return Trend(statistic=statistic, limit=quantile * variance**0.5, snapshots=len(days))


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
