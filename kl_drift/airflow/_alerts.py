"""Alerts: a finding goes out through any Airflow notifier, and never changes the verdict.

Knows notifiers and the two names that their templates may use: ``drift_report``, the summary, and
``drift_message``, the same as subject, text, Slack's mrkdwn and HTML. Has never heard of limits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from kl_drift.airflow._messages import message
from kl_drift.airflow._summary import Summary

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

Notifier: TypeAlias = Callable[[Any], Any]
"""An Airflow notifier, or any function of the context."""

LOUD = ("warn", "undecided", "drift")
"""Statuses that are worth an alert."""


def with_message(context: Mapping[str, Any], summary: Summary) -> dict[str, Any]:
    """Return the context with what templates of alerts may use."""
    link = summary.get("link", "")
    return {**context, "drift_report": summary, "drift_message": message(summary, link)}


def alert(
    notifiers: Notifier | Sequence[Notifier],
    summary: Summary,
    context: Mapping[str, Any],
    log: Logger,
    *,
    on: Collection[str] = LOUD,
) -> None:
    """Send an alert through every notifier, and log those that cannot deliver it."""
    if summary["status"] in on:
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
