"""Limits learned from history: how far a column's own snapshots stray, in numbers.

Knows limits per column and number of rows, how often they may be exceeded, and their plain form.
Has never heard of profiles, of counts or of how a limit is learned
(:mod:`kl_drift.history.calibration`).

Divergences are in nats. Means and standard deviations are those of the cube root of KL, which is
nearly normal where KL is a scaled χ² (Wilson & Hilferty 1931, The distribution of chi-square, DOI
10.1073/pnas.17.12.684)::

    limit = (mean + quantile · sd · √(1 + 1/T) · inflation)³        T snapshots of history

Where a column follows a calendar, the mean is that of the snapshot's class: its weekday, say.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from kl_drift.errors import UsageError
from kl_drift.judging.confirmation import ALONE, Confirmation
from kl_drift.judging.seasons import Season, class_of
from kl_drift.judging.unlearned import Unlearned

MIN_SNAPSHOTS = 14
"""The shortest history that a limit is learned from."""

REMEMBERED = 90
"""How many snapshots of a history limits are learned from, the latest."""

CEILING = 1.0
"""A learned limit above this many nats excuses nothing: the history is too irregular to learn from.

One nat is a normal shift of 1.4 standard deviations.
"""

AT_ONCE = 3.0
"""How many times its limit a KL must be, at least, to be a drift without confirmation."""

_MOST_OFTEN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many false alarms are acceptable in how many checks of a column.

    Parameters
    ----------
    false_alarms : float
        How many, on average.
    checks : float
        Of one column in one snapshot. The default is 100 columns on 30 days.

    Raises
    ------
    UsageError
        If either is not above 0, or more than one check in ten may be a false alarm.
    """

    false_alarms: float = 1.0
    checks: float = 3_000.0

    def __post_init__(self) -> None:
        for name, value in (("false_alarms", self.false_alarms), ("checks", self.checks)):
            if not 0 < value < math.inf:
                raise UsageError(f"budget: expected {name} above 0, got {value:g}")
        if self.alpha > _MOST_OFTEN:
            raise UsageError(
                f"budget: {self.false_alarms:g} false alarms in {self.checks:g} checks is more "
                f"than one in ten; allow fewer false alarms, or count all checks that share them"
            )

    @classmethod
    def monthly(
        cls, false_alarms: float, *, columns: int, checks_per_month: float = 30.0
    ) -> Budget:
        """Return the budget of so many false alarms a month, over all columns together."""
        return cls(false_alarms=false_alarms, checks=columns * checks_per_month)

    @property
    def alpha(self) -> float:
        """How often one check of one column may be a false alarm."""
        return self.false_alarms / self.checks


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPoint:
    """What was learned for snapshots of one size.

    Parameters
    ----------
    rows : float
        The size; larger snapshots of the history were thinned to it.
    snapshots : int
        T, how many of the history it was learned from.
    mean, sd : float
        Of the cube roots of their KL, in nats^⅓.
    level : float
        How often a t variable exceeds the quantile: the budget's alpha, or less where the
        residuals pooled over columns have heavier tails than a t variable.
    quantile : float
        Of t, with T − 1 degrees of freedom or, where a calendar was learned, so many fewer as it
        has classes.
    inflation : float
        By how much the spread is wider than that of T independent snapshots about one mean:
        neighbours are alike, and the means of a calendar's classes are less certain.
    far : float
        By how many ``spread`` even odd snapshots hardly exceed the mean: what is farther is a drift
        without confirmation. Infinite where odd ones are too common to say.
    offsets : tuple of float
        What the mean of each class of the calendar adds to ``mean``; empty without one.
    """

    rows: float
    snapshots: int
    mean: float
    sd: float
    level: float
    quantile: float
    inflation: float = 1.0
    far: float = math.inf
    offsets: tuple[float, ...] = ()

    @property
    def spread(self) -> float:
        """The standard deviation of a new snapshot about the mean of T others."""
        return self.sd * math.sqrt(1 + 1 / self.snapshots) * self.inflation

    @property
    def limit(self) -> float:
        """The KL, in nats, that the column's own snapshots stay below."""
        return (self.mean + self.quantile * self.spread) ** 3

    @property
    def at_once(self) -> float:
        """The KL, in nats, above which a drift needs no confirmation; at least 3 limits."""
        if not self.spread or math.isinf(self.far):
            return math.inf if math.isinf(self.far) else AT_ONCE * self.limit
        return max((self.mean + self.far * self.spread) ** 3, AT_ONCE * self.limit)

    def of_class(self, place: int) -> LimitPoint:
        """Return the point of one class of the calendar."""
        return replace(self, mean=self.mean + self.offsets[place], offsets=())

    def z_score(self, kl: float) -> float:
        """Return by how many ``spread`` the cube root of a KL in nats exceeds the mean.

        0 where the history does not scatter and ``kl`` does not differ from it, ±inf where it does.
        """
        off = math.cbrt(kl) - self.mean
        if self.spread:
            return off / self.spread
        return math.copysign(math.inf, off) if off else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLimits:
    """The limit of one column as a function of the rows of the snapshot.

    Parameters
    ----------
    points : tuple of LimitPoint
        By increasing rows. Between two, their numbers are linear in log rows; beyond the last, they
        stay as they are there.
    season : Season or empty
        The calendar that the column follows.

    Raises
    ------
    UsageError
        If there is no point, or rows do not increase.
    """

    points: tuple[LimitPoint, ...]
    season: Season | Literal[""] = ""

    def __post_init__(self) -> None:
        rows = [point.rows for point in self.points]
        if not rows or rows != sorted(set(rows)):
            raise UsageError(f"limits: expected points by increasing rows, got rows {rows}")

    def at(self, rows: float, as_of: str = "") -> LimitPoint | None:
        """Return what was learned for a snapshot of ``rows`` that stands for the moment ``as_of``.

        ``None`` below the first point, and where the column follows a calendar and the moment is
        not stated.
        """
        point = self._at(rows)
        if point is None or not self.season:
            return point
        place = class_of(self.season, as_of)
        return None if place is None else point.of_class(place)

    def _at(self, rows: float) -> LimitPoint | None:
        if not rows >= self.points[0].rows:
            return None
        following = bisect_right(self.points, rows, key=lambda point: point.rows)
        low = self.points[following - 1]
        if following == len(self.points) or low.rows == rows:
            return replace(low, rows=rows)
        high = self.points[following]
        share = math.log(rows / low.rows) / math.log(high.rows / low.rows)

        def between(one: float, other: float) -> float:
            return (1 - share) * one + share * other

        return LimitPoint(
            rows=rows,
            snapshots=min(low.snapshots, high.snapshots),
            mean=between(low.mean, high.mean),
            sd=between(low.sd, high.sd),
            level=min(low.level, high.level),
            quantile=between(low.quantile, high.quantile),
            inflation=between(low.inflation, high.inflation),
            far=max(low.far, high.far),
            offsets=tuple(map(between, low.offsets, high.offsets)),
        )

    def limit(self, rows: float, as_of: str = "") -> float | None:
        """Return the limit in nats; ``None`` where :meth:`at` is."""
        point = self.at(rows, as_of)
        return None if point is None else point.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Whether a column has been moving slowly.

    Parameters
    ----------
    statistic : float
        The exponentially weighted mean of the z-scores of the cube roots of KL: by how many
        standard deviations the last snapshots together exceed what was ordinary before.
    limit : float
        What it stays below where nothing moves.
    snapshots : int
        How many went into it.
    rising : int
        Since how many snapshots it has been above 0: where a ramp began, about.
    """

    statistic: float
    limit: float
    snapshots: int
    rising: int

    @property
    def exceeds(self) -> bool:
        """Whether the limit is exceeded."""
        return self.statistic > self.limit

    def __str__(self) -> str:
        """Write it for a person: ``slow rise over the last 9 snapshots: …``."""
        return (
            f"slow rise over the last {self.rising} snapshots: their KL to the fixed reference is "
            f"{self.statistic:.2g} sd above what is ordinary, weighted; the limit is "
            f"{self.limit:.2g}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedLimits:
    """What a history of snapshots says about every column.

    Parameters
    ----------
    columns : mapping of str to ColumnLimits
        Of the KL of each column that was learned.
    nulls : mapping of str to ColumnLimits
        Of the KL of its null flag, where the column has nulls.
    unlearned : mapping of str to Unlearned
        Why the other columns of the reference have no limit.
    budget : Budget
        How often the limits may be exceeded without reason.
    smoothing : str
        How counts became probabilities; limits hold for divergences smoothed alike.
    bins_digest : str
        Of the reference's bins.
    choice : str
        How the reference of each snapshot was chosen; empty: it is the one the bins are fitted on.
    snapshots : tuple of str
        What was learned from, as the snapshots are called.
    suspects : tuple of str
        Those of them on which far more columns were off than chance allows: incidents, it seems.
    odd : mapping of str to mapping of str to float
        Those of them that columns were not learned from, each being too far off all others of that
        column: by snapshot, then column, its KL in nats.
    confirm : Confirmation
        How often the limits must be exceeded before it is a drift; they are the lower, the more.
    correlation : float
        How far snapshots resemble those before them, from 0 to 1.
    left_out : mapping of str to Unlearned
        Snapshots of the history that were not learned from, and why.
    created, created_by : str
        When, UTC, ISO 8601, and by which kl-drift. Not part of equality.
    """

    columns: Mapping[str, ColumnLimits]
    nulls: Mapping[str, ColumnLimits] = field(default_factory=dict)
    unlearned: Mapping[str, Unlearned] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    smoothing: str = "jeffreys"
    bins_digest: str = ""
    choice: str = ""
    snapshots: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    odd: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    confirm: Confirmation = ALONE
    correlation: float = 0.0
    left_out: Mapping[str, Unlearned] = field(default_factory=dict)
    created: str = field(default="", compare=False)
    created_by: str = field(default="", compare=False)

    def limit(self, column: str, rows: float, as_of: str = "") -> float | None:
        """Return the KL in nats that ``column`` stays below in a snapshot of ``rows``.

        ``None`` where nothing was learned: an unknown column, too short a history, fewer rows than
        any limit was learned for, or a column that follows a calendar and no ``as_of``.
        """
        point = self.point(column, rows, as_of)
        return None if point is None else point.limit

    def point(self, column: str, rows: float, as_of: str = "") -> LimitPoint | None:
        """Return all that was learned of it; ``None`` where :meth:`limit` is."""
        found = self.columns.get(column)
        return None if found is None else found.at(rows, as_of)

    def null_limit(self, column: str, rows: float, as_of: str = "") -> float | None:
        """Return the same for the KL of the null flag."""
        found = self.nulls.get(column)
        return None if found is None else found.limit(rows, as_of)

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as plain JSON types, without when and by whom they were made."""
        return {
            "columns": {name: _column_to_dict(each) for name, each in self.columns.items()},
            "nulls": {name: _column_to_dict(each) for name, each in self.nulls.items()},
            "unlearned": _reasons_to_dict(self.unlearned),
            "budget": asdict(self.budget),
            "confirm": str(self.confirm),
            "correlation": self.correlation,
            "smoothing": self.smoothing,
            "bins_digest": self.bins_digest,
            "choice": self.choice,
            "snapshots": list(self.snapshots),
            "suspects": list(self.suspects),
            "odd": {name: dict(columns) for name, columns in self.odd.items()},
            "left_out": _reasons_to_dict(self.left_out),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LearnedLimits:
        """Rebuild the limits from :meth:`to_dict`, or from a saved document around it.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the document is not one.
        """
        written = document.get("written", {"at": "", "by": ""})
        return cls(
            columns={name: _column(each) for name, each in document["columns"].items()},
            nulls={name: _column(each) for name, each in document["nulls"].items()},
            unlearned=_reasons(document["unlearned"]),
            budget=Budget(**document["budget"]),
            confirm=Confirmation.parse(document.get("confirm", "1 of 1")),
            correlation=document.get("correlation", 0.0),
            smoothing=document["smoothing"],
            bins_digest=document["bins_digest"],
            choice=document["choice"],
            snapshots=tuple(document["snapshots"]),
            suspects=tuple(document["suspects"]),
            odd={name: dict(columns) for name, columns in document.get("odd", {}).items()},
            left_out=_reasons(document["left_out"]),
            created=written["at"],
            created_by=written["by"],
        )


def _reasons_to_dict(reasons: Mapping[str, Unlearned]) -> dict[str, Any]:
    return {name: why.to_dict() for name, why in reasons.items()}


def _reasons(plain: Mapping[str, Any]) -> dict[str, Unlearned]:
    return {name: Unlearned.from_dict(why) for name, why in plain.items()}


def _column_to_dict(column: ColumnLimits) -> dict[str, Any]:
    """Write the limit beside what it follows from, for whoever reads the file without kl-drift."""
    points = [
        {
            **asdict(point),
            "limit": point.limit,
            "far": point.far if math.isfinite(point.far) else None,
            "offsets": list(point.offsets),
        }
        for point in column.points
    ]
    return {"season": column.season, "points": points}


def _column(plain: Mapping[str, Any] | list[Mapping[str, Any]]) -> ColumnLimits:
    """Read the limits of a column; in format 1 they are its points, and no more."""
    if isinstance(plain, list):
        return ColumnLimits(points=tuple(map(_point, plain)))
    return ColumnLimits(points=tuple(map(_point, plain["points"])), season=plain["season"])


def _point(plain: Mapping[str, Any]) -> LimitPoint:
    stated = {key: value for key, value in plain.items() if key != "limit"}
    far = stated.pop("far", None)
    offsets = tuple(stated.pop("offsets", ()))
    return LimitPoint(**stated, far=math.inf if far is None else far, offsets=offsets)
