"""Two pages: all checks, what is red first; and one check, its columns over its runs.

Knows jinja2 and what is to be shown, as plain values. Has never heard of databases, of Airflow or
of how anything was found. Pages ask the network for nothing and run one script, named by its hash;
whatever comes from the data is escaped.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from kl_drift.render.heatmap import heatmap
from kl_drift.render.line import Point, line
from kl_drift.render.sparkline import sparkline
from kl_drift.render.words import printable

if TYPE_CHECKING:
    from jinja2 import Environment

NO_DATA = "no data"
"""The status of a check that is due and has not run."""
_ORDER = ("drift", "error", NO_DATA, "undecided", "warn", "ok")
"""Worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """One check in the list.

    Parameters
    ----------
    name, status : str
        The check, and how it stands: the status of its last run, or ``no data``.
    last, since : str
        The day of its last run, and since when it has this status.
    said : str
        Why it could not run; empty if it could.
    rows : int
        Of the last snapshot.
    worst : sequence of str
        The columns that are not ok, worst first.
    statuses : sequence of str
        Of the last runs, oldest first.
    dag_id, owner : str
        Of the last run; empty where nobody said.
    acknowledged : str
        Who knows of it, and why; empty where nobody does.
    """

    name: str
    status: str
    last: str
    since: str
    said: str
    rows: int
    worst: Sequence[str]
    statuses: Sequence[str]
    dag_id: str
    owner: str
    acknowledged: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run on the page of a check: ``link`` leads to its report, empty where there is none."""

    day: str
    created: str
    status: str
    rows: int
    said: str
    profile: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLine:
    """One column on the page of a check: its points, oldest first; ``None`` in a run without it."""

    name: str
    points: Sequence[Point | None]

    @property
    def latest(self) -> Point | None:
        """The last run that has it."""
        return next((point for point in reversed(self.points) if point), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody said: of which snapshot or column, what and until when, why, who, when."""

    day: str
    verb: str
    column: str
    until: str
    note: str
    by: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPage:
    """All that the page of a check shows."""

    line: CheckLine
    runs: Sequence[RunLine]
    columns: Sequence[ColumnLine]
    notes: Sequence[Note]
    chosen: str = ""
    may_acknowledge: bool = False


def render_checks(lines: Sequence[CheckLine], *, title: str, home: str) -> str:
    """Return the list of checks: worst first, and of one status the newest first.

    Parameters
    ----------
    lines : sequence of CheckLine
        The checks.
    title : str
        What list it is.
    home : str
        The address below which the pages are.
    """
    newest_first = sorted(lines, key=lambda each: each.last, reverse=True)
    ordered = sorted(newest_first, key=lambda each: _ORDER.index(each.status))
    return _rendered("checks.html.jinja", lines=ordered, title=title, home=home)


def render_check(page: CheckPage, *, home: str) -> str:
    """Return the page of one check.

    Parameters
    ----------
    page : CheckPage
        What it shows.
    home : str
        The address below which the pages are.
    """
    grid = [[point.status if point else "" for point in each.points] for each in page.columns]
    chosen = next((each for each in page.columns if each.name == page.chosen), None)
    known = [point for point in chosen.points if point] if chosen else []
    return _rendered(
        "check.html.jinja",
        page=page,
        home=home,
        grid=heatmap(grid),
        island=_island(page),
        chart=line(known) if known else "",
    )


def content_policy() -> str:
    """Return the Content-Security-Policy under which the pages work and nothing else does."""
    digest = b64encode(sha256(_packaged("checks.js").encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    )


def _island(page: CheckPage) -> str:
    """Return what the script asks of the heat map, safe inside a script element."""
    told = {
        "check": page.line.name,
        "columns": [each.name for each in page.columns],
        "days": [each.day[:10] for each in page.runs],
        "kl": [
            [None if p is None or p.kl is None else float(f"{p.kl:.3g}") for p in each.points]
            for each in page.columns
        ],
    }
    return json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")


def _rendered(name: str, **values: Any) -> str:
    template = _environment().get_template(name)
    return template.render(style=_packaged("checks.css"), script=_packaged("checks.js"), **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kl_drift.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["sparkline"] = sparkline
    return environment


@cache
def _packaged(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
