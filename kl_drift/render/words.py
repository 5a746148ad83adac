"""A report in words: the phrases that terminal, Markdown and page have in common.

Knows how to say what moved. Has never heard of colours, tables or markup. Names come from the data
and may hold anything: :func:`printable` makes them safe to print.
"""

from __future__ import annotations

from collections.abc import Sequence

from kl_drift.counts.bins import level_text
from kl_drift.counts.profile import UNSEEN_NAMES
from kl_drift.judging.report import ColumnReport, LevelChange, Report, Unjudged, percent

DIRECTION = (
    "KL(current‖reference) in nats: the extra nats per row that the current data costs "
    "when coded for the reference"
)

_NAMES = 5


def printable(text: str) -> str:
    """Return ``text`` with control characters written out, so that it cannot steer a terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def moved(column: ColumnReport, most: int = 2) -> list[str]:
    """Say what moved in a column, a phrase each."""
    phrases = [column.together] if column.together else []
    phrases += [printable(str(cell)) for cell in column.top_cells[:most]]
    if column.new_levels:
        phrases.append(f"new: {_new_share(column)}{levels(column.new_levels)}")
    return phrases + support(column)


def _new_share(column: ColumnReport) -> str:
    """Say how many rows have new levels, and how many were to be expected; empty if not known."""
    if column.new_share is None or column.expected_new_share is None:
        return ""
    found, expected = percent(column.new_share), percent(column.expected_new_share)
    return f"{found} of rows, {expected} expected: "


def noted(column: ColumnReport) -> list[str]:
    """Say what is worth a phrase although the column is ok."""
    return ([column.together] if column.together else []) + support(column)


def support(column: ColumnReport) -> list[str]:
    """Say which values came or went against chance, a phrase each; whatever the status."""
    phrases = [printable(str(each)) for each in column.beyond if each.unlikely]
    if column.vanished_levels:
        phrases.insert(0, f"vanished: {levels(column.vanished_levels)}")
    return phrases


def levels(changes: Sequence[LevelChange]) -> str:
    """Name categories with their shares, the first few."""
    shown = ", ".join(f"{level_text(c.level)} ({percent(c.share)})" for c in changes[:_NAMES])
    more = f"{len(changes) - _NAMES}{' or' if len(changes) == UNSEEN_NAMES else ''} more"
    return f"{shown} and {more}" if len(changes) > _NAMES else shown


def nulls(column: ColumnReport) -> str:
    """Say how the share of nulls went: ``1.9 % → 5.1 %``; empty where there never was one."""
    if not column.current_nulls and not column.reference_nulls:
        return ""
    return f"{_share(column.reference_nulls)} → {_share(column.current_nulls)}"


def unjudged(column: Unjudged) -> str:
    """Say why a column was not judged, and its range then and now."""
    parts = [f"{printable(column.name)} ({column.type}): {column.reason}"]
    if column.reference_range or column.current_range:
        parts.append(f"{column.reference_range or '–'} → {column.current_range or '–'}")
    if column.reference_nulls or column.current_nulls:
        parts.append(f"null {_share(column.reference_nulls)} → {_share(column.current_nulls)}")
    return "; ".join(parts)


def sides(report: Report) -> list[tuple[str, str]]:
    """Say what was compared with what."""
    return [
        ("current", f"{printable(report.current.source)}, {report.current.rows:,} rows"),
        ("reference", f"{printable(report.reference.source)}, {report.reference.rows:,} rows"),
    ]


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)
