"""The policy: measured numbers become a verdict.

Knows limits. Never sees rows, arrays, histograms or files, and has never heard of words: a verdict
says what was compared with what, and renderers put that into a sentence. An error is never a drift,
and what could not be judged is never ``ok``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias, get_args

from kl_drift.errors import UsageError
from kl_drift.judging.confirmation import ALONE, Confirmation
from kl_drift.judging.limits import CEILING, Trend


class Status(StrEnum):
    """What is said of a column, and of a report: the worst of its columns."""

    OK = "ok"
    WARN = "warn"
    UNDECIDED = "undecided"
    DRIFT = "drift"

    @property
    def severity(self) -> int:
        """0 for ``ok`` to 3 for ``drift``; not being able to tell outranks a warning."""
        return list(Status).index(self)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst status; of none at all, ``undecided``: nothing was judged."""
    return max(statuses, key=lambda status: status.severity, default=Status.UNDECIDED)


Incomparable: TypeAlias = Literal["missing", "new", "type changed"]
"""Why the values of a column cannot be compared at all."""

Finding: TypeAlias = Literal["", Incomparable, "nulls moved"]
"""What is wrong with a column as a whole; empty where its values could be compared.

``nulls moved``: its values are not judged, and its share of nulls exceeds its limit.
"""


Rule: TypeAlias = Literal["gates", "point"]
"""How limits are applied: to what is certain despite noise, or to KL as it is."""

Statistic: TypeAlias = Literal["kl", "reverse", "jeffreys", "jensen_shannon"]
"""Of what the limits are: KL(current‖reference), or one of its companions."""

Compared: TypeAlias = Statistic | Literal["null", "trend"]
"""What a verdict compared with a limit: a divergence, that of the null flag, or a slow rise."""

Which: TypeAlias = Literal[
    "stated",
    "companion",
    "learned",
    "unconfirmed",
    "irregular",
    "null",
    "noise",
    "rows",
    "finding",
    "trend",
]
"""What decided: a limit of the policy for KL (``stated``), for another statistic (``companion``),
the limit that the column's own snapshots teach (``learned``), the same, but not exceeded often
enough yet (``unconfirmed``) or too high to excuse anything (``irregular``), the limit of the null
flag (``null``), what chance alone gives (``noise``), the number of rows (``rows``), what is wrong
with the column as a whole (``finding``), or how it has been moving for long (``trend``)."""

SideName: TypeAlias = Literal["current", "reference"]

_FEWEST_ROWS = 2  # one row says nothing of a distribution, whatever it holds

_TIMES_KL: Mapping[Statistic, float] = {"reverse": 1.0, "jeffreys": 2.0, "jensen_shannon": 0.25}
"""What each companion is of a small KL: near equality all are multiples of one quadratic form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a divergence is a warning, when it is a drift, and when nobody can tell.

    Parameters
    ----------
    warn, drift : float
        KL(current‖reference) in nats above which a column is a warning, a drift. 0.02 nats is
        about a normal shift of 0.2 standard deviations, 0.05 about 0.32.
    null_drift : float
        KL of the null flag alone above which a column is a drift. A null rate that goes from 1 %
        to 5 % is only 0.041 nats, and would hide behind any limit for values.
    rule : {"gates", "point"}
        ``gates``: a limit is exceeded only if the lower confidence limit of KL exceeds it, and a
        column is undecided where noise alone reaches the warning limit. ``point``: KL itself is
        compared, whatever the rows, as other tools do.
    confidence : float
        Of the upper confidence limit; the lower one errs half as often (97.5 % for 0.95).
    design_effect : float
        How many rows carry the information of one independent row, where rows come in clusters
        (many per customer); at least so many, where the profiles know their clusters.
    min_rows : int
        Fewer rows than this, in the current snapshot or in the reference, decide nothing; a single
        one never does.
    statistic : {"kl", "reverse", "jeffreys", "jensen_shannon"}
        Of what ``warn`` and ``drift`` are limits. An interval is known of KL only: a companion is
        compared as it is, and counts where it exceeds what noise alone reaches; limits learned
        from history are of KL and do not apply to it.
    columns : mapping of str to Policy
        The policy of some columns, where it is another one, by name or pattern (``dep_*``). A full
        name goes before any pattern; of patterns the first that fits is taken.

    Raises
    ------
    UsageError
        If a limit is not positive, the drift limit is below the warn limit, or another value is
        outside its range.
    """

    warn: float = 0.02
    drift: float = 0.05
    null_drift: float = 0.01
    rule: Rule = "gates"
    confidence: float = 0.95
    design_effect: float = 1.0
    min_rows: int = 0
    statistic: Statistic = "kl"
    columns: Mapping[str, Policy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.warn <= self.drift:
            raise UsageError(
                f"limits: expected 0 < warn ≤ drift, got warn {self.warn:g} and drift "
                f"{self.drift:g}; state both"
            )
        for name, holds, expected in (
            ("null_drift", self.null_drift > 0, "above 0"),
            ("rule", self.rule in get_args(Rule), f"one of {', '.join(get_args(Rule))}"),
            ("confidence", 0.5 <= self.confidence < 1, "at least 0.5 and below 1"),
            ("design_effect", self.design_effect >= 1, "at least 1"),
            ("min_rows", self.min_rows >= 0, "at least 0"),
            (
                "statistic",
                self.statistic in get_args(Statistic),
                f"one of {', '.join(get_args(Statistic))}",
            ),
        ):
            if not holds:
                raise UsageError(f"limits: expected {name} {expected}, got {getattr(self, name)}")

    def of(self, column: str) -> Policy:
        """Return the policy of one column."""
        fitting = (each for each in self.columns if fnmatchcase(column, each))
        name = column if column in self.columns else next(fitting, None)
        return self if name is None else self.columns[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured of one column; divergences in nats.

    Parameters
    ----------
    kl, kl_null : float
        KL(current‖reference), and that of the null flag alone.
    current_rows, reference_rows : int
        Rows behind them.
    interval : (float, float)
        Confidence limits of KL.
    null_lower : float
        Lower confidence limit of the KL of the null flag.
    noise_floor : float
        What noise alone reaches once in a thousand, in two cells at least.
    rows_needed : float
        Rows that bring the noise floor under the warning limit.
    history_limit, history_null_limit : float or None
        What the column's own snapshots, and their null flags, stay below; ``None`` where no limit
        was learned.
    at_once : float
        KL above which a learned limit is exceeded so far that it needs no confirmation.
    confirm : Confirmation
        How often a learned limit must be exceeded.
    exceeded : int
        How many of the last snapshots did, this one not counted.
    companions : mapping of Statistic to float
        The companions of KL, for limits that are of one of them.
    trend : Trend or None
        Whether the column has been moving slowly, where that was asked.
    """

    kl: float
    kl_null: float
    current_rows: int
    reference_rows: int
    interval: tuple[float, float] = (0.0, math.inf)
    null_lower: float = 0.0
    noise_floor: float = math.inf
    rows_needed: float = math.inf
    history_limit: float | None = None
    history_null_limit: float | None = None
    at_once: float = math.inf
    confirm: Confirmation = ALONE
    exceeded: int = 0
    companions: Mapping[Statistic, float] = field(default_factory=dict)
    trend: Trend | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A status, and what was compared with what to reach it.

    Parameters
    ----------
    status : Status
        What is said of the column.
    which : Which
        What decided.
    statistic : Compared or None
        What ``value`` is of; ``None`` where nothing was compared (``rows``, ``finding``).
    value : float or None
        What was measured: nats; of a trend, standard deviations.
    limit : float or None
        The limit that ``value`` was compared with, in its unit.
    lower : float or None
        The lower confidence limit, where a limit is exceeded only if this exceeds it.
    learned : float or None
        KL in nats that the column's own snapshots stay below, where that was known.
    noise : float or None
        What chance alone gives (once in a thousand) with so many rows, where that was asked.
    side : {"current", "reference"} or None
        Which snapshot has too few ``rows``.
    rows : int or None
        How many it has.
    rows_needed : float or None
        How many current rows would do; infinite where the reference itself has too few.
    exceeded, needed, among : int or None
        Where a learned limit was exceeded and that needs confirmation: by how many of the last
        ``among`` snapshots, this one included, and by how many it must be.
    alone : Verdict or None
        What was said of this snapshot by itself, where more than it decided (``trend``).
    """

    status: Status
    which: Which
    statistic: Compared | None = None
    value: float | None = None
    limit: float | None = None
    lower: float | None = None
    learned: float | None = None
    noise: float | None = None
    side: SideName | None = None
    rows: int | None = None
    rows_needed: float | None = None
    exceeded: int | None = None
    needed: int | None = None
    among: int | None = None
    alone: Verdict | None = None

    @property
    def exceeds(self) -> bool:
        """Whether what the column's own snapshots stay below is exceeded, often enough or not."""
        if self.alone is not None:
            return self.alone.exceeds
        drifted = self.status is Status.DRIFT and self.learned is not None
        return self.which == "unconfirmed" or drifted


def decide(column: str, evidence: Evidence, policy: Policy) -> Verdict:
    """Judge one column by its limits.

    Parameters
    ----------
    column : str
        Its name, to find its limits.
    evidence : Evidence
        What was measured.
    policy : Policy
        The limits.

    Returns
    -------
    Verdict
        ``undecided`` where either snapshot is too small to tell, otherwise by the limits; a slow
        rise is a warning at least.
    """
    return _with_trend(_by_limits(evidence, policy.of(column)), evidence.trend)


def _with_trend(verdict: Verdict, trend: Trend | None) -> Verdict:
    """Let a slow rise be a warning at least, whatever the snapshot alone says."""
    if trend is None or not trend.exceeds or verdict.status is not Status.OK:
        return verdict
    return Verdict(
        status=Status.WARN,
        which="trend",
        statistic="trend",
        value=trend.statistic,
        limit=trend.limit,
        alone=verdict,
    )


def _by_limits(evidence: Evidence, limits: Policy) -> Verdict:
    if too_small := _too_small(evidence, limits):
        return too_small
    if limits.statistic != "kl":
        return _by_companion(evidence, limits)
    return _by_point(evidence, limits) if limits.rule == "point" else _by_gates(evidence, limits)


def _too_small(evidence: Evidence, limits: Policy) -> Verdict | None:
    sides: tuple[tuple[SideName, int], ...] = (
        ("current", evidence.current_rows),
        ("reference", evidence.reference_rows),
    )
    needed = max(limits.min_rows, _FEWEST_ROWS)
    for side, rows in sides:
        if rows < needed:
            return Verdict(
                status=Status.UNDECIDED, which="rows", side=side, rows=rows, rows_needed=needed
            )
    return None


def _by_point(evidence: Evidence, limits: Policy) -> Verdict:
    """Compare KL as it is with the limits, whatever the rows."""

    def by(status: Status, limit: float) -> Verdict:
        return Verdict(
            status=status, which="stated", statistic="kl", value=evidence.kl, limit=limit
        )

    if evidence.kl > limits.drift:
        return by(Status.DRIFT, limits.drift)
    if evidence.kl_null > limits.null_drift:
        return _by_nulls(evidence, limits)
    return by(Status.WARN if evidence.kl > limits.warn else Status.OK, limits.warn)


def _by_companion(evidence: Evidence, limits: Policy) -> Verdict:
    """Compare a companion of KL with the limits, where it exceeds what noise alone reaches."""
    value = evidence.companions[limits.statistic]
    gates = limits.rule == "gates"
    floor = evidence.noise_floor * _TIMES_KL[limits.statistic] if gates else 0.0

    def by(status: Status, which: Which, limit: float) -> Verdict:
        return Verdict(
            status=status,
            which=which,
            statistic=limits.statistic,
            value=value,
            limit=limit,
            noise=floor if gates else None,
        )

    if value > limits.drift and value > floor:
        return by(Status.DRIFT, "companion", limits.drift)
    if (evidence.null_lower if gates else evidence.kl_null) > limits.null_drift:
        return _by_nulls(evidence, limits)
    if floor > limits.warn:
        return by(Status.UNDECIDED, "noise", limits.warn)
    return by(Status.WARN if value > limits.warn else Status.OK, "companion", limits.warn)


def _by_gates(evidence: Evidence, limits: Policy) -> Verdict:
    """Let a limit count as exceeded only where neither noise nor the column's ways explain it.

    Where a limit was learned from history, the drift limit is the warning limit: what exceeds both
    is news, however small, and what exceeds the learned one alone is not worth anybody's time. The
    learned limit knows the noise of as many rows, so that what stays below it is judged even where
    noise exceeds the warning limit. It must be exceeded as often as it was learned for, or by far;
    one above the ceiling excuses nothing.
    """
    lower, learned = evidence.interval[0], evidence.history_limit
    limit = limits.drift if learned is None else limits.warn
    ordinary = learned is not None and evidence.kl <= learned
    above = lower > limit and not ordinary
    if above and _is_confirmed(evidence):
        return _by_kl(evidence, Status.DRIFT, "stated" if learned is None else "learned", limit)
    if evidence.null_lower > limits.null_drift and not _nulls_are_ordinary(evidence):
        return _by_nulls(evidence, limits)
    if max(lower, evidence.noise_floor) <= limits.warn:
        return _by_kl(evidence, Status.OK, "stated", limits.warn)
    if above:
        return _by_kl(evidence, Status.WARN, "unconfirmed", limit)
    return _by_history(evidence) if ordinary else _by_noise(evidence, limits)


def _by_history(evidence: Evidence) -> Verdict:
    """Judge what is above a limit and below what was learned, unless nothing ever is above that."""
    if (evidence.history_limit or 0.0) > CEILING:
        return _by_kl(evidence, Status.UNDECIDED, "irregular", CEILING)
    return _by_kl(evidence, Status.OK, "learned", evidence.history_limit)


def _by_noise(evidence: Evidence, limits: Policy) -> Verdict:
    if evidence.noise_floor > limits.warn:
        return _by_kl(evidence, Status.UNDECIDED, "noise", limits.warn)
    return _by_kl(evidence, Status.WARN, "stated", limits.warn)


def _is_confirmed(evidence: Evidence) -> bool:
    """Say whether a limit that is exceeded was so often enough, or is by far."""
    often = evidence.exceeded + 1 >= evidence.confirm.needed
    return evidence.history_limit is None or often or evidence.kl > evidence.at_once


def _nulls_are_ordinary(evidence: Evidence) -> bool:
    learned = evidence.history_null_limit
    return learned is not None and evidence.kl_null <= learned


def _by_kl(evidence: Evidence, status: Status, which: Which, limit: float | None) -> Verdict:
    """Return the verdict that KL, its lower limit, noise or history brought about."""
    counted = status in (Status.WARN, Status.DRIFT) and which in ("learned", "unconfirmed")
    confirm = evidence.confirm if counted and not evidence.confirm.alone else None
    return Verdict(
        status=status,
        which=which,
        statistic="kl",
        value=evidence.kl,
        limit=limit,
        lower=evidence.interval[0],
        learned=evidence.history_limit,
        noise=evidence.noise_floor,
        rows_needed=evidence.rows_needed if which == "noise" else None,
        exceeded=evidence.exceeded + 1 if confirm else None,
        needed=confirm.needed if confirm else None,
        among=confirm.among if confirm else None,
    )


def _by_nulls(evidence: Evidence, limits: Policy) -> Verdict:
    return Verdict(
        status=Status.DRIFT,
        which="null",
        statistic="null",
        value=evidence.kl_null,
        limit=limits.null_drift,
        lower=evidence.null_lower if limits.rule == "gates" else None,
        learned=evidence.history_null_limit,
    )


_FINDINGS: Mapping[Incomparable, Status] = {
    "missing": Status.DRIFT,
    "type changed": Status.DRIFT,
    "new": Status.WARN,
}


def decide_nulls(column: str, evidence: Evidence, policy: Policy) -> Verdict | None:
    """Judge the share of nulls of a column that is not judged otherwise.

    Parameters
    ----------
    column : str
        Its name, to find its limits.
    evidence : Evidence
        What was measured of its null flag.
    policy : Policy
        The limits.

    Returns
    -------
    Verdict or None
        ``drift`` where the limit of nulls is exceeded; ``None`` where there is nothing to say.
    """
    limits = policy.of(column)
    moved = evidence.kl_null if limits.rule == "point" else evidence.null_lower
    if _too_small(evidence, limits) or moved <= limits.null_drift:
        return None
    return _by_nulls(evidence, limits)


def decide_finding(finding: Incomparable) -> Verdict:
    """Judge a column whose values cannot be compared: never ``ok``."""
    return Verdict(status=_FINDINGS[finding], which="finding")
