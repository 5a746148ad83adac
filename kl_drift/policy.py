"""The policy: measured numbers become a status and a sentence.

Knows limits. Never sees rows, arrays, histograms or files. An error is never a drift, and what
could not be judged is never ``ok``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from kl_drift.errors import UsageError


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
    min_rows : int
        Fewer rows than this, in the current snapshot or in the reference, decide nothing.
    columns : mapping of str to Policy
        The policy of single columns, where it is another one.

    Raises
    ------
    UsageError
        If a limit is not positive, or the drift limit is below the warn limit.
    """

    warn: float = 0.02
    drift: float = 0.05
    null_drift: float = 0.01
    min_rows: int = 1_000
    columns: Mapping[str, Policy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.warn <= self.drift:
            raise UsageError(
                f"limits: expected 0 < warn ≤ drift, got warn {self.warn:g} and drift "
                f"{self.drift:g}; state both"
            )
        if not self.null_drift > 0:
            raise UsageError(f"limits: expected null_drift above 0, got {self.null_drift:g}")

    def of(self, column: str) -> Policy:
        """Return the policy of one column."""
        return self.columns.get(column, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured of one column.

    Parameters
    ----------
    kl : float
        KL(current‖reference) in nats.
    kl_null : float
        KL of the null flag alone, in nats.
    current_rows, reference_rows : int
        Rows behind them.
    """

    kl: float
    kl_null: float
    current_rows: int
    reference_rows: int


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
        ``undecided`` where either snapshot is too small, otherwise by the limits.
    """
    limits = policy.of(column)
    for which, rows in (
        ("current", evidence.current_rows),
        ("reference", evidence.reference_rows),
    ):
        if rows < limits.min_rows:
            return Verdict(
                status=Status.UNDECIDED,
                reason=f"too few rows to tell: the {which} snapshot has {rows:,}, "
                f"at least {limits.min_rows:,} are needed",
            )
    kl = f"KL {nats(evidence.kl)} nats"
    if evidence.kl > limits.drift:
        return Verdict(status=Status.DRIFT, reason=f"{kl}, above the limit {limits.drift:g}")
    if evidence.kl_null > limits.null_drift:
        return Verdict(
            status=Status.DRIFT,
            reason=f"the share of nulls moved: KL of the null flag {nats(evidence.kl_null)} nats, "
            f"above its limit {limits.null_drift:g}",
        )
    if evidence.kl > limits.warn:
        return Verdict(
            status=Status.WARN,
            reason=f"{kl}, above the warning limit {limits.warn:g}, below {limits.drift:g}",
        )
    return Verdict(status=Status.OK, reason=f"{kl}, below the limit {limits.warn:g}")


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
