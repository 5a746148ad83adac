"""The words of an alert: which columns, how far, above which limit, what moved, where to read on.

Knows a summary and three ways of writing: plain text, Slack's mrkdwn and HTML for e-mail. Whatever
comes from the data is escaped. Has never heard of who sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from kl_drift.airflow._summary import Summary
from kl_drift.airflow._whereabouts import heads

_EMOJI = {"error": "💥", "ok": "✅", "warn": "⚠️", "undecided": "❔", "drift": "🚨"}


def message(summary: Summary, link: str = "") -> dict[str, str]:
    """Return ``subject``, ``text``, ``slack`` and ``html`` of an alert."""
    return {
        "subject": subject(summary),
        "text": text(summary, link),
        "slack": slack(summary, link),
        "html": html(summary, link),
    }


def subject(summary: Summary) -> str:
    """Return one line: the status, the check and what drifted."""
    return " ".join(f"[kl-drift] {summary['check']}: {summary['summary']}".split())


def text(summary: Summary, link: str = "") -> str:
    """Return the message as plain text."""
    lines = [summary["summary"], *_sides(summary), ""]
    for column in summary["columns"]:
        lines.append(f"{column['status']:<9} {column['name']}: {_numbers(column)}")
        lines += [f"          {each}" for each in column["moved"]]
    return "\n".join([*lines, *_more(summary), *([f"In Airflow: {link}"] if link else [])])


def slack(summary: Summary, link: str = "") -> str:
    """Return the message in Slack's mrkdwn."""
    lines = [f"{_EMOJI[summary['status']]} *{_mrkdwn(summary['summary'])}*"]
    lines += [_mrkdwn(line) for line in _sides(summary)]
    for column in summary["columns"]:
        moved = "; ".join(column["moved"])
        lines.append(
            f"• *{_mrkdwn(column['name'])}* {column['status']}: {_numbers(column)}"
            + (f" – {_mrkdwn(moved)}" if moved else "")
        )
    return "\n".join([*lines, *_more(summary), *([f"<{link}|Open it in Airflow>"] if link else [])])


def html(summary: Summary, link: str = "") -> str:
    """Return the message as HTML that every mail program shows: a table, no styles of its own."""
    heads = ("status", "column", "KL (nats)", "interval", "limit", "what moved")
    rows = "".join(_row(column) for column in summary["columns"])
    table = f"<table border='1' cellpadding='4'><tr>{_cells(heads, 'th')}</tr>{rows}</table>"
    parts = [f"<p><b>{escape(summary['summary'])}</b></p>"]
    parts += [f"<p>{'<br>'.join(escape(line) for line in _sides(summary))}</p>"]
    parts += [table] if summary["columns"] else []
    parts += [f"<p>{escape(line)}</p>" for line in _more(summary)]
    parts += [f'<p><a href="{escape(link)}">Open it in Airflow</a></p>'] if link else []
    return "\n".join(parts)


def _sides(summary: Summary) -> list[str]:
    place = heads(summary["task"]) if "task" in summary else []
    sides = (
        f"{side}: {summary[side]['source']}, {summary[side]['rows']:,} rows"
        for side in ("current", "reference")
        if side in summary
    )
    notes = summary.get("notes", ())
    return [f"check: {summary['check']}", *place, *sides, *notes]


def _more(summary: Summary) -> list[str]:
    more = summary["more_columns"]
    return [f"… and {more} more columns; the report names all"] if more else []


def _numbers(column: Mapping[str, Any]) -> str:
    if column["kl"] is None:
        return str(column["reason"])
    return f"KL {_nats(column['kl'])} nats{_between(column)}, limit {column['limit']:g}"


def _between(column: Mapping[str, Any]) -> str:
    return f" ({_interval(column)})" if column["interval"] else ""


def _interval(column: Mapping[str, Any]) -> str:
    return "–".join(_nats(each) for each in column["interval"] or ())


def _nats(value: float | None) -> str:
    return "∞" if value is None else f"{value:.3g}"


def _row(column: Mapping[str, Any]) -> str:
    moved = "; ".join(column["moved"]) or column["reason"]
    kl = "–" if column["kl"] is None else _nats(column["kl"])
    values = (
        column["status"], column["name"], kl, _interval(column) or "–", f"{column['limit']:g}",
        moved,
    )  # fmt: skip
    return f"<tr>{_cells(values, 'td')}</tr>"


def _cells(values: tuple[str, ...], tag: str) -> str:
    return "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values)


def _mrkdwn(text: str) -> str:
    """Escape the characters that begin a link, a mention or an entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
