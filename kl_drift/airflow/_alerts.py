"""Alerts: a finding goes out through any Airflow notifier, and never changes the verdict.

Knows notifiers, what is worth telling, and the two names that their templates may use:
``drift_report``, the summary, and ``drift_message``, the same as subject, text, Slack's mrkdwn and
HTML. Has never heard of limits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from kl_drift.airflow._compat import is_last_try
from kl_drift.airflow._messages import message
from kl_drift.airflow._summary import ERROR, Summary, failure_summary
from kl_drift.airflow._whereabouts import absolute, place_of, tab_path
from kl_drift.moments import parse_moment

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

Notifier: TypeAlias = Callable[[Any], Any]
"""An Airflow notifier, or any function of the context."""

RECOVERED = "recovered"
LOUD = ("warn", "undecided", "drift", ERROR, RECOVERED)
"""What is worth an alert: statuses, a check that could not run, and one that is ok again."""


def with_message(context: Mapping[str, Any], summary: Summary) -> dict[str, Any]:
    """Return the context with what templates of alerts may use; links begin at today's address."""
    told = {**summary, "link": absolute(summary.get("link", ""))}
    return {**context, "drift_report": told, "drift_message": message(told, told["link"])}


def alert(
    task: Any, summary: Summary, context: Mapping[str, Any], *, remind: timedelta | None = None
) -> None:
    """Send an alert through every notifier of a task, and log those that cannot deliver it."""
    told = recovered(summary) or summary
    event = RECOVERED if told is not summary else summary.get("heard", summary["status"])
    if event in task.notify_on and not _told_before(summary, remind):
        tell(task.notifiers, told, context, task.log)


def alert_failure(task: Any, check: str, error: Exception, context: Mapping[str, Any]) -> None:
    """Tell that a check could not run, once nobody tries again."""
    if ERROR in task.notify_on and is_last_try(context, error):
        tell(task.notifiers, failure_of(check, error, context), context, task.log)


def failure_of(check: str, error: BaseException | str, context: Mapping[str, Any]) -> Summary:
    """Return what is told of a check that could not run."""
    place = place_of(context)
    return failure_summary(check, error, task=place, link=tab_path(place))


def recovered(summary: Summary) -> Summary | None:
    """Return what is told of a check that is ok again; ``None`` of any other."""
    before = summary.get("before")
    if not before or summary["status"] != "ok" or before["status"] == "ok":
        return None
    over = f"{before['status']} is over: it began {before['began']} and was last {before['day']}"
    return {**summary, "summary": f"ok: {over}"}


def _told_before(summary: Summary, remind: timedelta | None) -> bool:
    """Say whether a check that stays as it was need not be told of again yet.

    It is told when it becomes so, and whenever its age passes a multiple of `remind`: the same in
    every process, and nothing has to be kept.
    """
    before = summary.get("before")
    if remind is None or not before or not before["same"]:
        return False
    began, last = parse_moment(before["began"]), parse_moment(before["day"])
    now = parse_moment(summary["current"]["as_of"] or datetime.now(UTC).isoformat())
    return (now - began) // remind == (last - began) // remind


def tell(
    notifiers: Notifier | Sequence[Notifier],
    summary: Summary,
    context: Mapping[str, Any],
    log: Logger,
) -> None:
    """Send a summary through every notifier, whatever it says."""
    for notifier in [notifiers] if callable(notifiers) else notifiers:
        _send(notifier, summary, context, log)


def _send(notifier: Notifier, summary: Summary, context: Mapping[str, Any], log: Logger) -> None:
    name = type(notifier).__name__
    try:  # with a copy, since rendering fills the templates of a notifier for good
        copy.copy(notifier)(with_message(context, summary))
    except Exception:
        log.exception("The alert through %s could not be delivered; the verdict stands", name)
    else:
        log.info("Sent an alert through %s", name)


def checked_events(notify_on: Collection[str]) -> tuple[str, ...]:
    """Return what is worth an alert as a tuple, also where one word was given."""
    return (notify_on,) if isinstance(notify_on, str) else tuple(notify_on)
