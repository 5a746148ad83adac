"""The words of an alert, from the summary that XCom holds.

Knows a summary, and how a notice is made of it. Has never heard of who sends it, or of how a notice
is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kl_drift.airflow._summary import Summary
from kl_drift.airflow._whereabouts import heads

if TYPE_CHECKING:
    from kl_drift.render.notice import Notice

_PLACE = "it in Airflow"


def message(summary: Summary, link: str = "") -> dict[str, str]:
    """Return ``subject``, ``text``, ``slack`` and ``html`` of an alert."""
    from kl_drift.render.notice import to_html, to_slack, to_text

    notice = _notice(summary)
    return {
        "subject": notice.subject,
        "text": to_text(notice, link, _PLACE),
        "slack": to_slack(notice, link, _PLACE),
        "html": to_html(notice, link, _PLACE),
    }


def _notice(summary: Summary) -> Notice:
    from kl_drift.render.notice import Block, Line, Notice, subject_of

    lines = (
        Line(
            status=column["status"],
            name=column["name"],
            reason=column["reason"],
            moved=tuple(column["moved"]),
        )
        for column in summary["columns"]
    )
    block = Block(heads=_heads(summary), lines=tuple(lines), more=summary["more_columns"])
    return Notice(
        subject=subject_of(summary["check"], summary["summary"]),
        summary=summary["summary"],
        status=summary["status"],
        blocks=(block,),
    )


def _heads(summary: Summary) -> tuple[str, ...]:
    place = heads(summary["task"]) if "task" in summary else []
    sides = (
        f"{side}: {summary[side]['source']}, {summary[side]['rows']:,} rows"
        for side in ("current", "reference")
        if side in summary
    )
    return (f"check: {summary['check']}", *place, *sides, *summary.get("notes", ()))
