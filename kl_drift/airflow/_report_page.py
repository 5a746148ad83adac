"""The page of the report that a try of a task saved, with the way to its other tries and back.

Knows the folder of reports and which try is the latest. Has never heard of how a report is drawn.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

from kl_drift.airflow import _reports, _storage
from kl_drift.airflow._compat import current_try
from kl_drift.airflow._whereabouts import tab_path
from kl_drift.errors import ArtefactNotFoundError, KLDriftError, MissingExtraError

_BAR = "font: 14px system-ui; margin: 0; padding: .6em 1em; border-bottom: 1px solid #8886"


def answer(
    place: Mapping[str, Any], try_number: int | None, *, base: str, framed: bool
) -> HTMLResponse:
    """Return the report of a try (by default of the latest), or why there is none."""
    bar, saved = "", list[int]()
    try:
        saved = _reports.saved_tries(place)
        shown = try_number or current_try(place) or max(saved, default=1)
        back = "" if framed else f"{base}/{tab_path(place)}"
        bar = _bar(shown, saved, back)
        return HTMLResponse(_below(bar, _page({**place, "try_number": shown})))
    except ArtefactNotFoundError:
        which = f"Try {shown} of this task" if saved else "This task"
        return said(f"{which} has saved no drift report.", 404, bar)
    except MissingExtraError as error:
        return said(f"The report is there. {error} where Airflow's API server runs.", 501, bar)
    except (KLDriftError, OSError) as error:
        return said(f"The report cannot be shown: {error}", 500, bar)


def _page(place: Mapping[str, Any]) -> str:
    from kl_drift.artefact import load_report
    from kl_drift.render.html import render_html

    where = _reports.report_location(place)
    if not where:
        raise ArtefactNotFoundError("reports are not kept: [kl_drift] reports_folder is empty")
    path, options = _storage.located(where)
    return render_html(load_report(path, options))


def _bar(shown: int, saved: Sequence[int], back: str) -> str:
    """Return links to the tries that left a report and, outside Airflow's frame, back to it."""
    links = [f'<a href="{escape(back)}">Back to the task in Airflow</a>'] if back else []
    if saved and list(saved) != [shown]:
        links.append(f"Reports of {' '.join(_link(each, each == shown) for each in saved)}")
    return f'<nav style="{_BAR}">{" · ".join(links)}</nav>' if links else ""


def _link(number: int, here: bool) -> str:
    return f"<b>try {number}</b>" if here else f'<a href="?try_number={number}">try {number}</a>'


def _below(bar: str, page: str) -> str:
    """Put the bar at the top of a page."""
    head, body, rest = page.partition("<body>")
    return f"{head}{body}{bar}{rest}"


def said(message: str, status: int, bar: str = "") -> HTMLResponse:
    """Return a page that says why there is nothing to show."""
    page = (
        "<!doctype html><meta charset='utf-8'><meta name='color-scheme' content='light dark'>"
        f"<title>Drift</title><body style='font: 16px system-ui; margin: 0'>{bar}"
        f"<p style='margin: 3em'>{escape(message)}</p>"
    )
    return HTMLResponse(page, status_code=status)
