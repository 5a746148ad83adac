"""How checks stand: what their runs say of now, of since when, and of what is missing.

Knows runs, and the lines of the pages that show them. Has never heard of databases or of pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from statistics import median

from kl_drift.history.feedback import Feedback
from kl_drift.history.record import Acknowledgement
from kl_drift.history.runs import Brief, Run
from kl_drift.render.checks import NO_DATA, CheckLine, ColumnLine, Note
from kl_drift.render.line import Point

LATE = 1.5
"""A check is due when so many of its usual intervals have passed since it last ran."""
_FEWEST = 3
"""Runs from which an interval can be told."""


def by_check(runs: Iterable[Run]) -> dict[str, tuple[Run, ...]]:
    """Return the runs of each check; they come sorted by check."""
    return {name: tuple(each) for name, each in groupby(runs, key=lambda run: run.check)}


def line_of(
    runs: Sequence[Run],
    latest: Sequence[Brief],
    *,
    now: datetime,
    acknowledged: Acknowledgement | None = None,
) -> CheckLine:
    """Return how a check stands.

    Parameters
    ----------
    runs : sequence of Run
        Its last runs, oldest first, at least one.
    latest : sequence of Brief
        What the last one found.
    now : datetime
        This moment.
    acknowledged : Acknowledgement, optional
        What somebody said of the last one.
    """
    last = runs[-1]
    known = acknowledged
    return CheckLine(
        name=last.check,
        status=NO_DATA if is_late(runs, now) else last.status,
        last=last.day,
        since=_since(runs),
        said=last.said,
        rows=last.rows,
        worst=[each.name for each in sorted(latest, key=_severity) if each.status != "ok"],
        statuses=[run.status for run in runs],
        dag_id=str(last.place.get("dag_id") or ""),
        owner=str(last.place.get("owner") or ""),
        acknowledged=f"acknowledged by {known.by}: {known.note}" if known else "",
    )


def is_late(runs: Sequence[Run], now: datetime) -> bool:
    """Say whether a check is due and has not run: by the usual time between its runs."""
    moments = sorted({_moment(run.created) for run in runs})
    if len(moments) < _FEWEST:
        return False
    usual = timedelta(seconds=median((b - a).total_seconds() for a, b in pairwise(moments)))
    return now - moments[-1] > max(usual * LATE, timedelta(hours=1))


def columns_of(runs: Sequence[Run]) -> list[ColumnLine]:
    """Return what was found in each column over the runs, worst now first."""
    found = [{each.name: each for each in run.columns or ()} for run in runs]
    names = {name for each in found for name in each}
    lines = [
        ColumnLine(
            name=name,
            points=[
                _point(run, each[name]) if name in each else None
                for run, each in zip(runs, found, strict=True)
            ],
        )
        for name in names
    ]
    return sorted(lines, key=_attention)


def notes_of(said: Iterable[Feedback]) -> list[Note]:
    """Return what somebody said of a check, the latest first."""
    latest_first = sorted(said, key=lambda each: each.at, reverse=True)
    return [
        Note(
            day=each.as_of or each.label,
            verb=each.verb,
            column=each.column,
            until=each.until,
            note=each.note,
            by=each.by,
            at=each.at,
        )
        for each in latest_first
    ]


def _point(run: Run, brief: Brief) -> Point:
    return Point(day=run.day, status=brief.status, kl=brief.kl, limit=brief.limit)


_SEVERITY = ("drift", "undecided", "warn", "ok")


def _severity(brief: Brief) -> tuple[int, float, str]:
    return _SEVERITY.index(brief.status), -(brief.kl or 0.0), brief.name


def _attention(line: ColumnLine) -> tuple[int, int, str]:
    """Order columns: by how they stand, then by how often they were not ok, then by name."""
    latest = line.latest
    loud = sum(1 for point in line.points if point and point.status != "ok")
    return _SEVERITY.index(latest.status) if latest else len(_SEVERITY), -loud, line.name


def _since(runs: Sequence[Run]) -> str:
    since = runs[-1].day
    for run in reversed(runs):
        if run.status != runs[-1].status:
            break
        since = run.day
    return since


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
