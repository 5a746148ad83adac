"""The policy: measured numbers become a status and a sentence.

Knows limits. Never sees rows, arrays, histograms or files. An error is never a drift, and what
could not be judged is never ``ok``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias, get_args

from kl_drift.errors import UsageError
from kl_drift.judging.limits import Trend


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


Finding: TypeAlias = Literal["", "missing", "new", "type changed"]
"""What is wrong with a column as a whole; empty where its values could be compared."""


Rule: TypeAlias = Literal["gates", "point"]
"""How limits are applied: to what is certain despite noise, or to KL as it is."""

Statistic: TypeAlias = Literal["kl", "reverse", "jeffreys", "jensen_shannon"]
"""Of what the limits are: KL(current‖reference), or one of its companions."""

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
        Of the lower confidence limit.
    design_effect : float
        How many rows carry the information of one independent row, where rows come in clusters
        (many per customer).
    min_rows : int
        Fewer rows than this, in the current snapshot or in the reference, decide nothing.
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
        What noise alone reaches once in a thousand.
    rows_needed : float
        Rows that bring the noise floor under the warning limit.
    detected : bool
        Whether the two distributions certainly differ, by however little.
    history_limit, history_null_limit : float or None
        What the column's own snapshots, and their null flags, stay below; ``None`` where no limit
        was learned.
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
    detected: bool = False
    history_limit: float | None = None
    history_null_limit: float | None = None
    companions: Mapping[Statistic, float] = field(default_factory=dict)
    trend: Trend | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A status and the sentence that explains it."""

    status: Status
    reason: str


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
    if trend is None or not trend.exceeds:
        return verdict
    if verdict.status is Status.OK:
        return Verdict(status=Status.WARN, reason=f"{trend}; this snapshot alone: {verdict.reason}")
    return replace(verdict, reason=f"{verdict.reason}; {trend}")


def _by_limits(evidence: Evidence, limits: Policy) -> Verdict:
    if too_small := _too_small(evidence, limits):
        return too_small
    if limits.statistic != "kl":
        return _by_companion(evidence, limits)
    return _by_point(evidence, limits) if limits.rule == "point" else _by_gates(evidence, limits)


def _too_small(evidence: Evidence, limits: Policy) -> Verdict | None:
    for which, rows in (
        ("current", evidence.current_rows),
        ("reference", evidence.reference_rows),
    ):
        if rows < max(limits.min_rows, 1):
            needed = f", at least {limits.min_rows:,} are needed" if limits.min_rows else ""
            return Verdict(
                status=Status.UNDECIDED,
                reason=f"too few rows to tell: the {which} snapshot has {rows:,}{needed}",
            )
    return None


def _by_point(evidence: Evidence, limits: Policy) -> Verdict:
    """Compare KL as it is with the limits, whatever the rows."""
    kl = f"KL {nats(evidence.kl)} nats"
    if evidence.kl > limits.drift:
        return Verdict(status=Status.DRIFT, reason=f"{kl}, above the limit {limits.drift:g}")
    if evidence.kl_null > limits.null_drift:
        return _null_drift(evidence, limits)
    if evidence.kl > limits.warn:
        return Verdict(status=Status.WARN, reason=f"{kl}, above the warning limit {limits.warn:g}")
    return Verdict(status=Status.OK, reason=f"{kl}, below the limit {limits.warn:g}")


def _by_companion(evidence: Evidence, limits: Policy) -> Verdict:
    """Compare a companion of KL with the limits, where it exceeds what noise alone reaches."""
    value = evidence.companions[limits.statistic]
    floor = evidence.noise_floor * _TIMES_KL[limits.statistic] if limits.rule == "gates" else 0.0
    said = f"{limits.statistic.replace('_', '–').title()} {nats(value)} nats"
    noise = f"; noise at these sizes is {nats(floor)}" if floor else ""
    null = evidence.null_lower if limits.rule == "gates" else evidence.kl_null
    if value > limits.drift and value > floor:
        return Verdict(
            status=Status.DRIFT, reason=f"{said}, above the limit {limits.drift:g}{noise}"
        )
    if null > limits.null_drift:
        return _null_drift(evidence, limits)
    if floor > limits.warn:
        return Verdict(
            status=Status.UNDECIDED,
            reason=f"too few rows to tell: noise alone reaches {nats(floor)} nats, above the "
            f"limit {limits.warn:g}",
        )
    if value > limits.warn:
        return Verdict(
            status=Status.WARN, reason=f"{said}, above the warning limit {limits.warn:g}{noise}"
        )
    return Verdict(status=Status.OK, reason=f"{said}, below the limit {limits.warn:g}")


def _by_gates(evidence: Evidence, limits: Policy) -> Verdict:
    """Let a limit count as exceeded only where neither noise nor the column's ways explain it.

    Where a limit was learned from history, the drift limit is the warning limit: what exceeds both
    is news, however small, and what exceeds the learned one alone is not worth anybody's time. The
    learned limit knows the noise of as many rows, so that what stays below it is judged even where
    noise exceeds the warning limit.
    """
    lower, upper = evidence.interval
    kl = f"KL {nats(evidence.kl)} nats ({nats(lower)}–{nats(upper)})"
    noise = f"noise at these sizes is {nats(evidence.noise_floor)}"
    learned = evidence.history_limit
    limit, beyond = limits.drift, ""
    if learned is not None:
        limit = limits.warn
        beyond = f" and {nats(learned)}, which its own snapshots stay below"
    ordinary = learned is not None and evidence.kl <= learned
    if lower > limit and not ordinary:
        return Verdict(
            status=Status.DRIFT, reason=f"{kl}, above the limit {limit:g}{beyond}; {noise}"
        )
    if evidence.null_lower > limits.null_drift and not _nulls_are_ordinary(evidence):
        return _null_drift(evidence, limits)
    if evidence.noise_floor > limits.warn and not ordinary:
        return Verdict(status=Status.UNDECIDED, reason=_too_noisy(evidence, limits))
    if lower > limits.warn and not ordinary:
        return Verdict(
            status=Status.WARN,
            reason=f"{kl}, above the warning limit {limits.warn:g}; {noise}",
        )
    return Verdict(status=Status.OK, reason=_why_ok(kl, lower, evidence, limits))


def _nulls_are_ordinary(evidence: Evidence) -> bool:
    learned = evidence.history_null_limit
    return learned is not None and evidence.kl_null <= learned


def _why_ok(kl: str, lower: float, evidence: Evidence, limits: Policy) -> str:
    learned = evidence.history_limit
    if learned is not None and (lower > limits.warn or evidence.noise_floor > limits.warn):
        return f"{kl}, ordinary for this column: its own snapshots reach {nats(learned)}"
    if evidence.detected:
        return f"certain but small: {kl}, about {math.sqrt(2 * evidence.kl):.1g} sd"
    return f"{kl}, not certainly above {limits.warn:g}"


def _null_drift(evidence: Evidence, limits: Policy) -> Verdict:
    return Verdict(
        status=Status.DRIFT,
        reason=f"the share of nulls moved: KL of the null flag {nats(evidence.kl_null)} nats, "
        f"above its limit {limits.null_drift:g}",
    )


def _too_noisy(evidence: Evidence, limits: Policy) -> str:
    needed = (
        "the reference itself has too few"
        if math.isinf(evidence.rows_needed)
        else f"about {float(f'{evidence.rows_needed:.1e}'):,.0f} are needed"
    )
    return (
        f"too few rows to tell: noise alone reaches {nats(evidence.noise_floor)} nats, "
        f"above the limit {limits.warn:g}; {needed}"
    )


_FINDINGS: Mapping[Finding, Status] = {
    "missing": Status.DRIFT,
    "type changed": Status.DRIFT,
    "new": Status.WARN,
}


def decide_finding(finding: Finding, detail: str) -> Verdict:
    """Judge a column whose values cannot be compared: never ``ok``."""
    return Verdict(status=_FINDINGS[finding], reason=detail)


def nats(value: float) -> str:
    """Write a divergence so that its first digits show: 0.0312, 1.24, 2.1e-05."""
    return (
        f"{value:.2e}"
        if 0 < abs(value) < 1e-4
        else f"{value:.3g}"
        if value >= 1
        else f"{value:.4f}"
    )
