"""A report for a terminal: a coloured table where a person watches, plain text elsewhere.

Knows rich. Has never heard of how a number was computed.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from kl_drift.judging.policy import Status
from kl_drift.judging.report import ColumnReport, Report
from kl_drift.render import words
from kl_drift.render.numbers import nats

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

_STYLES = {
    Status.OK: "green",
    Status.WARN: "yellow",
    Status.UNDECIDED: "cyan",
    Status.DRIFT: "bold red",
}
_MARKS = {Status.OK: "✓", Status.WARN: "!", Status.UNDECIDED: "?", Status.DRIFT: "✗"}
_QUIET_SHOWN = 20
_PLAIN_WIDTH = 160
_WIDE = 110


def print_report(report: Report, console: Console) -> None:
    """Print a report: the summary, the table, what was not judged."""
    console.print(renderable(report, wide=console.width >= _WIDE))


def to_text(report: Report, width: int = _PLAIN_WIDTH) -> str:
    """Return the report as plain text, without colour."""
    from rich.console import Console

    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    print_report(report, console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO above
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def renderable(report: Report, *, wide: bool = True) -> Group:
    """Return what rich prints for a report; without its lesser numbers where there is no room."""
    from rich.console import Group
    from rich.text import Text

    lines: list[Text | Table] = [Text(words.summary(report), _STYLES[report.status])]
    lines += [Text(f"{side:<9} {text}", "dim") for side, text in words.sides(report)]
    lines += [Text(words.DIRECTION, "dim"), _table(report, wide)]
    lines += [Text(line, "dim") for line in _footnotes(report)]
    return Group(*lines)


def _shown(report: Report) -> list[ColumnReport]:
    """Return the columns to list: all that need attention, and a few of the quiet ones."""
    loud = [column for column in report if column.status is not Status.OK]
    quiet = [column for column in report if column.status is Status.OK]
    return loud + quiet[:_QUIET_SHOWN]


def _footnotes(report: Report) -> list[str]:
    hidden = len(report.columns) - len(_shown(report))
    notes = [f"… and {hidden} more columns that are ok"] if hidden else []
    if report.unjudged:
        notes.append("Not judged:")
        notes += [f"  {words.unjudged(column)}" for column in report.unjudged]
    return notes


def _table(report: Report, wide: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("status", no_wrap=True)
    table.add_column("column", overflow="fold")
    for number in ("KL", "reverse", "JS", "nulls") if wide else ("KL",):
        table.add_column(number, justify="right", no_wrap=True)
    table.add_column("why, and what moved", ratio=1, overflow="fold")
    for column in _shown(report):
        table.add_row(*_row(column, wide))
    return table


def _row(column: ColumnReport, wide: bool) -> list[Text]:
    from rich.text import Text

    style = _STYLES[column.status]
    lesser = (nats(column.kl_reverse), nats(column.jensen_shannon), words.nulls(column))
    return [
        Text(f"{_MARKS[column.status]} {column.status}", style),
        Text(words.printable(column.name), style if column.status is Status.DRIFT else ""),
        Text(nats(column.kl)),
        *(Text(number) for number in lesser if wide),
        Text(_explanation(column), "" if column.status is not Status.OK else "dim"),
    ]


def _explanation(column: ColumnReport) -> str:
    tell = words.noted if column.status is Status.OK else words.moved
    return "\n".join([words.printable(words.reason(column)), *tell(column)])
