"""What a check was before, and what it is told when its history is down.

Knows the history of a plan and the statuses in it. Has never heard of alerts, or of how a status
came about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kl_drift.errors import HistoryError, HistoryTooNewError

if TYPE_CHECKING:
    from kl_drift.counts.profile import Profile
    from kl_drift.history.runs import Run
    from kl_drift.judging.report import Report
    from kl_drift.plan.plan import Plan

_LOOKED_AT = 400
"""Runs before this one that are looked at: a year of days."""


def without_history(plan: Plan, error: HistoryError, *, required: bool) -> Plan:
    """Return the plan as it can be checked without its history, or raise what is wrong with that.

    A check whose reference is fixed and whose limits are stated needs no past.
    """
    from kl_drift.judging.policy import Policy

    stated = plan.policy != Policy() or bool(plan.calibration.limits)
    if required or isinstance(error, HistoryTooNewError) or plan.choice or not stated:
        raise error
    return replace(plan, history="", trend=None)


def before(plan: Plan, profile: Profile, status: str) -> dict[str, Any] | None:
    """Return what the check was before, and since when it is as it is; ``None`` without a past."""
    from kl_drift.history.record import History

    runs = History.open(plan.history).runs_before(plan.name, profile, last=_LOOKED_AT)
    return standing(runs, status) if runs else None


def standing(runs: tuple[Run, ...], status: str) -> dict[str, Any]:
    """Return the status of the latest run and its day, and the first day of the present streak."""
    latest = runs[-1]
    since = None
    for run in reversed(runs):
        if run.status != latest.status:
            break
        since = run.day
    same = latest.status == status
    return {"status": latest.status, "day": latest.day, "began": since, "same": same}


def record(plan: Plan, profile: Profile, report: Report, place: Mapping[str, Any]) -> None:
    """Add what was found to the history."""
    from kl_drift.history.record import History

    History.open(plan.history).add(plan.name, profile, report, place=place)
