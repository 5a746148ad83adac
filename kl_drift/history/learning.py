"""The rule that learns: how far snapshots strayed becomes how far they may.

Knows cube roots of divergences by column and day, calendars and runs of days. Has never heard of
profiles, of counts or of how a divergence is computed.

Of each column, for each number of rows, T snapshots::

    x     = ∛KL                                                          nearly normal
    odd   : |x − median| > 6 · 1.4826 · MAD, unless it is over a fifth   left out, and named
    mean  = of all, or of the day's class where the column follows a calendar, shrunk to that of all
    limit = (mean + t(level) · sd · √(1 + 1/T) · inflation)³

The level is that at which as many of so many days as confirm a drift exceed it by chance in a share
alpha of the checks: first by the normal law, of days that resemble those before them as these do,
then, if that is lower, by what the days of all columns did. Medians and means are those of the
day's class, such as its weekday, where a rank test finds that classes differ.

A day on which far more columns are off than chance allows is a *suspect*: an incident, it seems. It
is no part of the tails.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from kl_drift.history.straying import Scatter
from kl_drift.judging.confirmation import Confirmation
from kl_drift.judging.limits import MIN_SNAPSHOTS, ColumnLimits, LimitPoint
from kl_drift.judging.seasons import CLASSES, SEASONS, Season, SeasonChoice, class_of
from kl_drift.statistics.checks import Flags, Floats
from kl_drift.statistics.ordinary import (
    Classes,
    Ordinary,
    far_quantile,
    fit_ordinary,
    fit_without_each,
    odd_values,
    residuals_from_medians,
    rhythm,
    studentised,
    whole_classes,
)
from kl_drift.statistics.runs import (
    confirmed,
    inflation,
    lag_one_correlation,
    level_of_runs,
    p_values_of_runs,
)
from kl_drift.statistics.scatter import POOLED_RESIDUALS, jointly_off, tail_level

_RHYTHM = 0.01  # a chance below this is a rhythm
_SHORTEST = 28  # snapshots that a calendar is learned from
_DAYS: Mapping[Season, int] = {"weekday": 3, "hour": 3, "month_start": 2}  # of each class, at least
_ASSUMED_ALIKE = 0.3  # correlation of neighbours, where there is too little to estimate it from
_FAR_SHARE = 0.25  # of the budget, for what is a drift at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What was learned of C columns, G numbers of rows and T snapshots.

    Parameters
    ----------
    scatter : Scatter
        What it was learned from.
    seasons : tuple of Season or empty
        The calendar that each column follows.
    odd : ndarray of bool, shape (C, G, T)
        What was left out.
    fitted, others : Ordinary
        Of all that is left; for each snapshot, of all others.
    suspects : ndarray of bool, shape (T,)
        The days on which far more columns were off than chance allows.
    correlation : float
        Of neighbours.
    levels, far : ndarray, shape (G,)
        The level of one day; by how many spreads one must be off to need no confirmation.
    """

    scatter: Scatter
    seasons: tuple[Season | None, ...]
    odd: Flags
    fitted: Ordinary
    others: Ordinary
    suspects: Flags
    correlation: float
    levels: Floats
    far: Floats

    @property
    def limits(self) -> dict[str, ColumnLimits]:
        """The limits of each column."""
        return {
            name: ColumnLimits(
                points=tuple(self._point(c, g) for g in range(len(self.scatter.grid))),
                season=self.seasons[c] or "",
            )
            for c, name in enumerate(self.scatter.names)
        }

    def without(self, c: int, t: int) -> ColumnLimits:
        """Return the limits of a column that all other snapshots set, for the day of this one."""
        return ColumnLimits(
            points=tuple(self._point(c, g, t) for g in range(len(self.scatter.grid)))
        )

    def _point(self, c: int, g: int, t: int | None = None) -> LimitPoint:
        """Return what was learned for one number of rows, from all or from the others."""
        learned, where = (self.fitted, 0) if t is None else (self.others, t)
        size, freedom, sd = (
            float(each[c, g, where]) for each in (learned.size, learned.freedom, learned.sd)
        )
        centers = learned.center[c, g] if t is None else learned.center[c, g, t : t + 1]
        leverages = learned.leverage[c, g] if t is None else learned.leverage[c, g, t : t + 1]
        season = self.seasons[c] if t is None else None
        classes = CLASSES[season] if season else 1
        mean = float(centers[:classes].mean())
        leverage = float(leverages[:classes].max())
        return LimitPoint(
            rows=self.scatter.grid[g],
            snapshots=int(size),
            mean=mean,
            sd=sd,
            level=float(self.levels[g]),
            quantile=_t_quantile(self.levels[g], freedom),
            inflation=_inflation(self.correlation, size, leverage),
            far=float(self.far[g]),
            offsets=tuple((centers[:classes] - mean).tolist()) if season else (),
        )


def _t_quantile(level: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return -float(stdtrit(freedom, level))


def _inflation(correlation: float, size: float, leverage: float) -> float:
    """Return the inflation over √(1 + 1/T), which a limit states by itself."""
    alike = float(inflation(correlation, np.array(size), np.array(leverage)))
    return alike * math.sqrt((1 + leverage) / (1 + 1 / max(size, 1)))


def study(
    scatter: Scatter,
    *,
    alpha: float,
    confirm: Confirmation,
    season: SeasonChoice = "auto",
    taught: Flags | None = None,
) -> Lesson:
    """Learn how far the snapshots of each column stray.

    Parameters
    ----------
    scatter : Scatter
        How far they strayed.
    alpha : float
        The share of checks that may be false alarms.
    confirm : Confirmation
        What is an alarm.
    season : SeasonChoice
        Which calendar may be learned.
    taught : ndarray of bool, shape (C, T), optional
        Which snapshots are learned from, all by default.

    Returns
    -------
    Lesson
        The same, to the last bit, whatever the order in which snapshots of one moment come.
    """
    roots = scatter.roots
    if taught is not None:
        roots = np.where(taught[:, np.newaxis], roots, np.nan)
    seasons, classes = _follow(roots, scatter.moments, season)
    odd = odd_values(residuals_from_medians(roots, classes))
    for calendar in _calendars(scatter.moments).values():
        odd &= ~whole_classes(odd, ~np.isnan(roots), calendar)
    kept = np.where(odd, np.nan, roots)
    fitted = fit_ordinary(kept, classes)
    others = fit_without_each(kept, fitted, classes)
    residuals = studentised(roots, others)
    suspects = _suspected(scatter, residuals, others)
    usual = np.where(suspects | odd, np.nan, residuals)
    correlation = _correlation(scatter, usual, confirm)
    alike = inflation(correlation, others.size, others.leverage)
    levels, far = _levels(usual / alike, others, alpha, confirm, correlation)
    return Lesson(
        scatter=scatter,
        seasons=seasons,
        odd=odd,
        fitted=fitted,
        others=others,
        suspects=suspects,
        correlation=correlation,
        levels=levels,
        far=far,
    )


def alarms(exceeds: Flags, far: Flags, confirm: Confirmation) -> Flags:
    """Say which days are a drift: confirmed, or far beyond the limit; arrays of shape (..., T)."""
    return np.asarray(far | confirmed(exceeds, confirm.needed, confirm.among))


def _calendars(moments: tuple[str, ...]) -> dict[Season, Classes]:
    """Return the class of each snapshot by every calendar; none, if moments are not stated."""
    found = {season: [class_of(season, moment) for moment in moments] for season in SEASONS}
    return {
        season: np.array(classes, np.int64)
        for season, classes in found.items()
        if classes and None not in classes
    }


def _learnable(season: Season, classes: Classes, moments: tuple[str, ...]) -> bool:
    """Say whether each class was there on enough days."""
    days = np.array([datetime.fromisoformat(moment).toordinal() for moment in moments])
    present = np.unique(classes)
    seen = [np.unique(days[classes == each]).size for each in present]
    return len(moments) >= _SHORTEST and present.size > 1 and min(seen) >= _DAYS[season]


def _follow(
    roots: Floats, moments: tuple[str, ...], choice: SeasonChoice
) -> tuple[tuple[Season | None, ...], Classes]:
    """Return the calendar that each column follows, and its classes, of shape (C, 1, T)."""
    plain = np.zeros((len(roots), 1, len(moments)), np.int64)
    allowed = SEASONS if choice == "auto" else () if choice == "none" else (choice,)
    calendars = {
        season: classes
        for season, classes in _calendars(moments).items()
        if season in allowed and _learnable(season, classes, moments)
    }
    if not calendars or not len(roots):
        return (None,) * len(roots), plain
    names = tuple(calendars)
    one = np.zeros(len(roots), np.int64)
    found = _found_rhythms(roots, calendars) if choice == "auto" else one
    classes = np.stack([*calendars.values(), np.zeros(len(moments), np.int64)])[found]
    followed = tuple(names[place] if place >= 0 else None for place in found.tolist())
    return followed, classes[:, np.newaxis]


def _found_rhythms(roots: Floats, calendars: Mapping[Season, Classes]) -> Classes:
    """Return which calendar each column follows, −1: none. A rank test, or a class that is all odd.

    At the largest number of rows of which every snapshot says something.
    """
    values = roots[:, _fullest(roots)]
    odd = odd_values(residuals_from_medians(values, np.zeros(values.shape[-1], np.int64)))
    there = ~np.isnan(values)
    chances = np.stack(
        [
            np.where(whole_classes(odd, there, each).any(axis=-1), 0.0, rhythm(values, each))
            for each in calendars.values()
        ]
    )
    likely = chances.min(axis=0) * len(calendars) < _RHYTHM
    return np.where(likely, chances.argmin(axis=0), -1)


def _fullest(roots: Floats) -> int:
    """Return the largest number of rows, by place, of which as many snapshots speak as of any."""
    speaking = (~np.isnan(roots)).sum(axis=(0, 2))
    return int(np.flatnonzero(speaking == speaking.max())[-1])


def _p_values(residuals: Floats, others: Ordinary) -> Floats:
    """Return how often a snapshot would be as far off what the others let expect."""
    from scipy.special import stdtr

    return np.asarray(stdtr(others.freedom, -residuals))


def _suspected(scatter: Scatter, residuals: Floats, others: Ordinary) -> Flags:
    """Say of each snapshot whether far more columns were off on it than on the others.

    A snapshot of fewer rows than the others is no judge of itself: all its columns are noisier. And
    where all Sundays are off, none of them is an incident.
    """
    p_values = _p_values(residuals, others)
    off = np.zeros(scatter.rows.shape, bool)
    for g, rows in enumerate(scatter.grid):
        off |= jointly_off(np.where(scatter.rows >= rows, p_values[:, g], np.nan))
    for classes in _calendars(scatter.moments).values():
        off &= ~whole_classes(off, np.ones_like(off), classes)
    return off


def _correlation(scatter: Scatter, residuals: Floats, confirm: Confirmation) -> float:
    """Return how alike neighbours are, pooled over columns.

    Where there are too few to tell, or their order is not known, it is assumed for runs of days.
    """
    pooled = residuals[:, _fullest(residuals)] if residuals.size else residuals
    if np.count_nonzero(~np.isnan(pooled)) >= POOLED_RESIDUALS and all(scatter.moments):
        return lag_one_correlation(pooled)
    return 0.0 if confirm.alone else _ASSUMED_ALIKE


def _levels(
    residuals: Floats, others: Ordinary, alpha: float, confirm: Confirmation, correlation: float
) -> tuple[Floats, Floats]:
    """Return the level of one day, and what is far off, for each of G numbers of rows."""
    ceiling = level_of_runs(alpha, confirm.needed, confirm.among, correlation)
    runs = p_values_of_runs(_p_values(residuals, others), confirm.needed, confirm.among)
    sizes = range(residuals.shape[1])
    levels = [tail_level(runs[:, g], alpha, ceiling) for g in sizes]
    far = [_far(residuals[:, g], alpha * _FAR_SHARE) for g in sizes]
    return np.array(levels), np.array(far)


def _far(residuals: Floats, alpha: float) -> float:
    """Return by how many spreads even odd days are hardly off; of few columns, as t lets expect."""
    if np.count_nonzero(~np.isnan(residuals)) < POOLED_RESIDUALS:
        return _t_quantile(alpha, MIN_SNAPSHOTS - 1)
    return far_quantile(residuals, alpha)


def odd_days(lesson: Lesson) -> Iterator[tuple[int, str, float]]:
    """Yield the days that a column was not learned from: place, column, KL in nats."""
    odd: Flags = np.any(lesson.odd, axis=1)
    for t in range(odd.shape[1]):
        for c in np.flatnonzero(odd[:, t]):
            yield t, lesson.scatter.names[c], float(lesson.scatter.kl[c, 0, t])
