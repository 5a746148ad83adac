"""The report as one HTML file that opens offline: words, numbers and a chart for every column.

Knows reports and jinja2. Has never heard of how a number was computed or why a
limit is where it is.

The page asks the network for nothing, and its own policy forbids it to: only its two scripts run,
named by their hashes. Whatever comes from the data is escaped, in markup and in the charts' JSON.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, TypeGuard

from kl_drift.artefact import report_to_dict
from kl_drift.counts.bins import level_text
from kl_drift.counts.profile import UNSEEN_NAMES
from kl_drift.errors import MissingExtraError
from kl_drift.judging.policy import Status
from kl_drift.judging.report import ColumnReport, Report
from kl_drift.render import charts, numbers, words

if TYPE_CHECKING:
    from jinja2 import Template


def render_html(report: Report) -> str:
    """Return a report as one self-contained HTML page.

    Parameters
    ----------
    report : Report
        A report, new or read by :func:`kl_drift.load_report`. Equal reports give equal pages.

    Returns
    -------
    str
        The page, worst columns first; to be written as UTF-8. About 1 MB of it are the scripts
        that draw the charts.

    Raises
    ------
    MissingExtraError
        If altair, jinja2 or vl-convert-python is not installed.
    """
    try:
        template, specification = _template(), charts.specification()
        scripts = [charts.libraries(), _packaged("report.js")]
    except ImportError as error:
        raise MissingExtraError("report", "The HTML report") from error
    return template.render(
        report=report,
        digest=report_to_dict(report)["digest"],
        tally=Counter(column.status for column in report),
        largest=max((column.kl for column in report if _is_finite(column.kl)), default=0.0),
        specification=specification,
        style=_packaged("report.css"),
        scripts=scripts,
    )


def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kl_drift.render"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        direction=words.DIRECTION, most_levels=UNSEEN_NAMES, statuses=list(reversed(Status))
    )
    environment.filters.update(
        beyond=words.beyond,
        bits=numbers.bits,
        cells=charts.cells,
        finite=_is_finite,
        left_out=words.left_out,
        level=level_text,
        many=numbers.many,
        moment=numbers.moment,
        moved=_moved,
        nats=numbers.nats,
        part=_part,
        policy=_policy,
        reason=words.reason,
        share=numbers.percent,
        summary=words.summary,
        uncounted=words.uncounted,
    )
    return environment.get_template("report.html.jinja")


def _packaged(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _printable(value: object) -> object:
    """Write out the control characters of plain strings; escaped markup passes as it is."""
    if type(value) is not str:
        return value
    return words.printable(value).replace(" %", "\N{NO-BREAK SPACE}%")


def _policy(scripts: list[str]) -> str:
    """Return a Content-Security-Policy under which these scripts run and nothing else does."""
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _part(value: float, largest: float) -> float:
    """Return the length of a bar beside the largest finite one."""
    return (value / largest if largest else 0.0) if _is_finite(value) else 1.0


def _moved(column: ColumnReport) -> str:
    """Say in one phrase what moved most in a column."""
    if column.finding:
        return words.reason(column)
    return words.change(column.top_cells[0]) if column.top_cells else numbers.ABSENT
