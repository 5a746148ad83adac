"""The summary: what a check found, small and plain enough for XCom and asset events.

Knows a report. Has never heard of Airflow. The full report is a file; the summary
says where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from kl_drift.errors import UsageError

if TYPE_CHECKING:
    from kl_drift.counts.profile import Profile
    from kl_drift.judging.report import ColumnReport, Report
    from kl_drift.plan.plan import Plan

Summary: TypeAlias = dict[str, Any]
"""Plain JSON types only, none of them NaN or infinite, which XCom refuses."""

VERSION = 1
STATUSES = ("ok", "warn", "undecided", "drift")
ERROR = "error"
"""The status of a check that could not run; no report has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a check found, whole: for those who tell others of it when the task has ended."""

    plan: Plan
    report: Report


_MOST_COLUMNS = 20
_NEEDED = {"version", "check", "status", "summary"}


def summary_of(report: Report, *, check: str, saved: Mapping[str, str], **more: Any) -> Summary:
    """Return the summary of a report.

    Parameters
    ----------
    report : Report
        The findings.
    check : str
        The name of the check.
    saved : mapping of str to str
        Where report, page and profile were written.
    **more
        What else to say, as plain values.
    """
    from kl_drift.judging.report import plain
    from kl_drift.render import words

    loud = [column for column in report if column.status != "ok"]
    return {
        "version": VERSION,
        "status": str(report.status),
        **({"heard": str(report.heard), "quiet": dict(report.quiet)} if report.quiet else {}),
        "summary": words.summary(report),
        "check": check,
        "current": _side(report.current),
        "reference": _side(report.reference),
        "counts": {str(status): n for status, n in Counter(c.status for c in report).items()},
        "drifted": list(report.drifted),
        "columns": [plain(_column(column)) for column in loud[:_MOST_COLUMNS]],
        "more_columns": max(len(loud) - _MOST_COLUMNS, 0),
        **{key: where for key, where in saved.items() if where},
        **{key: value for key, value in more.items() if value is not None},
    }


def failure_summary(check: str, error: BaseException | str, **more: Any) -> Summary:
    """Return what is told of a check that could not run: which, and why."""
    kind = "" if isinstance(error, str) else f"{type(error).__name__}: "
    return {
        "version": VERSION,
        "status": ERROR,
        "summary": f"could not run: {kind}{error}",
        "check": check,
        "columns": [],
        "more_columns": 0,
        "drifted": [],
        **more,
    }


def _side(side: Any) -> dict[str, Any]:
    return {"source": side.source, "rows": side.rows, "as_of": side.as_of}


def _column(column: ColumnReport) -> dict[str, Any]:
    from kl_drift.render import words

    verdict = column.verdict
    return {
        "name": column.name,
        "status": str(column.status),
        "kl": column.kl,
        "interval": column.interval,
        "which": verdict.which,
        "statistic": verdict.statistic,
        "value": verdict.value,
        "limit": verdict.limit,
        "learned": verdict.learned,
        "reason": words.reason(column),
        "moved": words.moved(column),
    }


def profile_summary(profile: Profile, saved: str) -> Summary:
    """Return what XCom says of a saved profile: where it is, and of how many rows."""
    from kl_drift.artefact import profile_to_dict

    return {
        "version": VERSION,
        "profile": saved,
        "rows": profile.rows,
        "columns": len(profile.counted),
        "sources": list(profile.sources[:_MOST_COLUMNS]),
        "as_of": profile.as_of,
        "digest": profile_to_dict(profile)["digest"],
    }


def checked_summary(value: object) -> Summary:
    """Return a summary that came from XCom, or refuse what is none.

    Raises
    ------
    UsageError
        If it is no summary, or one of a later kl-drift.
    """
    if not isinstance(value, Mapping) or not value.keys() >= _NEEDED:
        raise UsageError(
            f"expected what a drift check returned, got {type(value).__name__}; write  "
            "report=check.output  where check is a DriftCheckOperator"
        )
    if value["version"] != VERSION:
        raise UsageError(
            f"a drift check returned a summary of version {value['version']}, this kl-drift reads "
            f"version {VERSION}; run the same kl-drift on all workers"
        )
    if value["status"] not in STATUSES:
        raise UsageError(
            f"expected what a drift check returned, with a status of {', '.join(STATUSES)}; got "
            f"{value['status']!r}"
        )
    return dict(value)
