"""What a status means for a task: success, failure without a retry, or skipped.

Knows statuses and Airflow's exceptions. Has never heard of how a status came about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from kl_drift.airflow._summary import ERROR, STATUSES, Summary, checked_summary
from kl_drift.airflow._whereabouts import absolute
from kl_drift.airflow.exceptions import DriftDetectedError, DriftUndecidedError
from kl_drift.errors import UsageError

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

_ACTIONS = ("fail", "warn", "skip")
_EVENTS = (*STATUSES, ERROR, "recovered")


def check_actions(*, notify_on: Collection[str] = (), **actions: str) -> None:
    """Refuse an action or a status that is none, before any work is done."""
    for event in [notify_on] if isinstance(notify_on, str) else notify_on:
        if event not in _EVENTS:
            raise UsageError(f"notify_on: expected some of {', '.join(_EVENTS)}, got {event!r}")
    for name, action in actions.items():
        if action not in _ACTIONS:
            raise UsageError(f"{name}: expected one of {', '.join(_ACTIONS)}, got {action!r}")


def publish(summary: Summary, context: Mapping[str, Any]) -> None:
    """Push the summary to XCom now, since a task that fails loses what it would return.

    It also goes into the events of the task's assets. Airflow drops those of a task that fails; a
    check that only warns, and a gate that fails after it, keep them.
    """
    from airflow.sdk import Asset

    context["ti"].xcom_push(key="return_value", value=summary)
    for outlet in context.get("outlets") or ():
        if isinstance(outlet, Asset):
            event = context["outlet_events"][outlet]
            event.extra = {**(event.extra or {}), "kl_drift": summary}


def taken_over(report: object, context: Mapping[str, Any], log: Logger) -> Summary:
    """Return what another task found, logged and published as this task's own."""
    summary = checked_summary(report)
    log.info("%s: %s", summary["check"], summary["summary"])
    publish(summary, context)
    return summary


def conclude(summary: Summary, on_drift: str, on_undecided: str) -> Summary:
    """Return the summary, or raise what makes Airflow fail or skip the task."""
    action = {"drift": on_drift, "undecided": on_undecided}.get(summary["status"], "warn")
    if action == "skip":
        raise AirflowSkipException(summary["summary"])
    if action == "fail":
        failure = DriftDetectedError if summary["status"] == "drift" else DriftUndecidedError
        raise failure(_sentence(summary))
    return summary


def _sentence(summary: Summary) -> str:
    where = absolute(summary.get("link", "")) or summary.get("report")
    return f"{summary['check']}: {summary['summary']}" + (f"; see {where}" if where else "")
