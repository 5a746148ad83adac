"""The report as one HTML file that opens offline: words, numbers and a chart for every column.

Knows the document of a report and jinja2. Has never heard of how a number was computed or why a
limit is where it is.

The page asks the network for nothing, and its own policy forbids it to: only its two scripts run,
named by their hashes. Whatever comes from the data is escaped, in markup and in the charts' JSON.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from kl_drift.artefact import report_to_dict
from kl_drift.counts.bins import level_text
from kl_drift.counts.profile import UNSEEN_NAMES
from kl_drift.errors import MissingExtraError
from kl_drift.judging.policy import Status, nats
from kl_drift.judging.report import Beyond, Report, percent
from kl_drift.render import charts, words

if TYPE_CHECKING:
    from jinja2 import Template

_ABSENT = "–"


def render_html(report: Report | Mapping[str, Any]) -> str:
    """Return a report as one self-contained HTML page.

    Parameters
    ----------
    report : Report or mapping
        A report, or its document: what :func:`kl_drift.artefact.load_report` reads. Equal
        documents give equal pages.

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
    document = report_to_dict(report) if isinstance(report, Report) else report
    try:
        template, specification = _template(), charts.specification()
        scripts = [charts.libraries(), _packaged("report.js")]
    except ImportError as error:
        raise MissingExtraError("report", "The HTML report") from error
    return template.render(
        report=document,
        tally=Counter(column["status"] for column in document["columns"]),
        largest=max((column["kl"] or 0.0 for column in document["columns"]), default=0.0),
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
        beyond=_beyond,
        bits=_bits,
        cells=charts.cells,
        level=level_text,
        many=_many,
        moment=_moment,
        moved=_moved,
        nats=_nats,
        policy=_policy,
        share=_share,
        verdict=_verdict,
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


def _many(count: int, noun: str) -> str:
    """Count things: ``1 row``, ``27,004 rows``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _moment(moment: str) -> str:
    """Write a UTC moment for a person: ``2013-02-08 06:30:00 UTC``."""
    return moment.replace("T", " ").replace("+00:00", " UTC")


def _nats(value: float | None) -> str:
    """Write a divergence with four decimals at least: cross-entropy − entropy shows as KL."""
    if value is None:
        return "∞"
    return f"{value:.4f}" if value >= 1 else nats(value)


def _bits(value: float | None) -> str:
    return _nats(None if value is None else value / math.log(2))


def _share(share: float | None) -> str:
    return _ABSENT if share is None else percent(share)


def _verdict(summary: str) -> str:
    """Return a report's summary without the status it begins with."""
    return summary.partition(": ")[2]


def _beyond(column: Mapping[str, Any]) -> list[str]:
    """Say what lies beyond the reference's range against chance."""
    found = [Beyond(**each) for each in column["beyond"]]
    return [str(each) for each in found if each.unlikely]


def _moved(column: Mapping[str, Any]) -> str:
    """Say in one phrase what moved most in a column."""
    if not column["top_cells"]:
        return column["reason"] if column["finding"] else _ABSENT
    cell = column["top_cells"][0]
    return f"{cell['label']}: {percent(cell['reference'])} → {percent(cell['current'])}"
