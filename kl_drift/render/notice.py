"""What an alert says, once for every channel: which columns, what was compared, what moved, a link.

Knows reports and three ways of writing: plain text, Slack's mrkdwn and HTML for e-mail. Whatever
comes from the data is escaped. Has never heard of who sends it, or of who is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain

from kl_drift.judging.policy import Status
from kl_drift.judging.report import ColumnReport, Report
from kl_drift.render import words

_EMOJI = {"ok": "✅", "warn": "⚠️", "undecided": "❔", "drift": "🚨", "error": "💥"}
_MOST = 20
_INDENT = " " * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is said of one column.

    Parameters
    ----------
    status, name : str
        Its status and its name.
    reason : str
        What was compared with what.
    moved : tuple of str
        What moved, a phrase each.
    """

    status: str
    name: str
    reason: str
    moved: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it without what moved: ``dest: drift: KL 0.0610 nats …``."""
        return f"{self.name}: {self.status}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is said of one comparison.

    Parameters
    ----------
    heads : tuple of str
        What was compared with what, a line each.
    lines : tuple of Line
        The columns that need attention, worst first.
    more : int
        How many more there are.
    """

    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An alert before anybody has written it.

    Parameters
    ----------
    subject : str
        One line, for whoever sees only that.
    summary : str
        What was found, in one line.
    status : {"ok", "warn", "undecided", "drift", "error"}
        The worst of what was found.
    blocks : tuple of Block
        One for each comparison.
    """

    subject: str
    summary: str
    status: str
    blocks: tuple[Block, ...]


def notice_of(report: Report, *, check: str) -> Notice:
    """Return what an alert says of a report."""
    loud = [column for column in report if column.status is not Status.OK]
    block = Block(
        heads=tuple(f"{side}: {text}" for side, text in words.sides(report)),
        lines=tuple(map(line_of, loud[:_MOST])),
        more=max(len(loud) - _MOST, 0),
    )
    summary = words.summary(report)
    return Notice(
        subject=subject_of(check, summary),
        summary=summary,
        status=str(report.status),
        blocks=(block,),
    )


def subject_of(check: str, summary: str) -> str:
    """Return one line: the check, its status and what drifted."""
    return " ".join(f"[kl-drift] {check}: {summary}".split())


def line_of(column: ColumnReport) -> Line:
    """Return what an alert says of one column."""
    return Line(
        status=str(column.status),
        name=words.printable(column.name),
        reason=words.printable(words.reason(column)),
        moved=tuple(words.moved(column)),
    )


def to_text(notice: Notice, link: str = "", place: str = "the report") -> str:
    """Write a notice as plain text; ``place`` says what the link opens."""
    lines = [notice.summary]
    for block in notice.blocks:
        lines += [*block.heads, ""]
        lines += chain.from_iterable(map(_text_of, block.lines))
        lines += _more(block)
    return "\n".join([*lines, *([f"Open {place}: {link}"] if link else [])])


def _text_of(line: Line) -> list[str]:
    return [str(line), *(f"{_INDENT}{each}" for each in line.moved)]


def to_slack(notice: Notice, link: str = "", place: str = "the report") -> str:
    """Write a notice in Slack's mrkdwn."""
    lines = [f"{_EMOJI[notice.status]} *{_mrkdwn(notice.summary)}*"]
    for block in notice.blocks:
        lines += [*map(_mrkdwn, block.heads), *map(_slack_of, block.lines), *_more(block)]
    return "\n".join([*lines, *([f"<{link}|Open {place}>"] if link else [])])


def _slack_of(line: Line) -> str:
    moved = f" – {_mrkdwn('; '.join(line.moved))}" if line.moved else ""
    return f"• *{_mrkdwn(line.name)}* {line.status}: {_mrkdwn(line.reason)}{moved}"


def to_html(notice: Notice, link: str = "", place: str = "the report") -> str:
    """Write a notice as HTML that every mail program shows: tables, no styles of their own."""
    parts = [f"<p><b>{escape(notice.summary)}</b></p>"]
    parts += chain.from_iterable(map(_html_of, notice.blocks))
    parts += [f'<p><a href="{escape(link)}">Open {escape(place)}</a></p>'] if link else []
    return "\n".join(parts)


def _html_of(block: Block) -> list[str]:
    heads = _cells(("status", "column", "why", "what moved"), "th")
    rows = "".join(f"<tr>{_cells(_values(line), 'td')}</tr>" for line in block.lines)
    table = f"<table border='1' cellpadding='4'><tr>{heads}</tr>{rows}</table>"
    return [
        f"<p>{'<br>'.join(map(escape, block.heads))}</p>",
        *([table] if rows else []),
        *(f"<p>{escape(each)}</p>" for each in _more(block)),
    ]


def _values(line: Line) -> tuple[str, ...]:
    return line.status, line.name, line.reason, "; ".join(line.moved)


def _cells(values: Sequence[str], tag: str) -> str:
    return "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values)


def _more(block: Block) -> list[str]:
    return [f"… and {block.more} more columns; the report names all"] if block.more else []


def _mrkdwn(text: str) -> str:
    """Escape the characters that begin a link, a mention or an entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
