"""A report as Markdown, for pull requests, chat and wikis.

Knows Markdown tables. Everything from the data is escaped.
"""

from __future__ import annotations

import re

from kl_drift.judging.policy import Status
from kl_drift.judging.report import ColumnReport, Report
from kl_drift.render import words
from kl_drift.render.numbers import nats

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def to_markdown(report: Report) -> str:
    """Return the report as a Markdown document: summary, table, what was not judged."""
    lines = [f"**{_escape(words.summary(report))}**", ""]
    lines += [f"- {side}: {_escape(text)}" for side, text in words.sides(report)]
    lines += [
        f"- {words.DIRECTION}",
        "",
        "| status | column | KL | reverse | JS | nulls | why, and what moved |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [_row(column) for column in report]
    if report.unjudged:
        lines += ["", "Not judged:", ""]
        lines += [f"- {_escape(words.unjudged(column))}" for column in report.unjudged]
    return "\n".join(lines) + "\n"


def _row(column: ColumnReport) -> str:
    status = str(column.status) if column.status is Status.OK else f"**{column.status}**"
    why = [words.printable(words.reason(column))]
    why += words.moved(column) if column.status is not Status.OK else words.noted(column)
    cells = [
        status,
        _escape(words.printable(column.name)),
        nats(column.kl),
        nats(column.kl_reverse),
        nats(column.jensen_shannon),
        words.nulls(column),
        "<br>".join(_escape(line) for line in why),
    ]
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
