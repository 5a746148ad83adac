"""The chart of the HTML page: one drawing for every column, and the cells each column feeds it.

Knows Vega-Lite, through altair. Has never heard of pages, of limits or of how a share was counted.

The specification is made once and holds no data: the page hands it each column's cells when that
column comes into view. Colours are CSS variables of the page, so light and dark need no second
drawing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from kl_drift.judging.report import ColumnReport

if TYPE_CHECKING:
    import altair as alt

Cell: TypeAlias = tuple[str, float, float, float | None, float | None]
"""Label, reference share, current share, contribution and signed term; ``None`` is infinite."""

FONT = "system-ui, sans-serif"
_DIGITS = 6
_SHARES_HEIGHT, _CONTRIBUTIONS_HEIGHT = 170, 64
_STYLE: Mapping[str, Any] = {
    "aria": False,  # the page describes the chart, and lists its numbers in a table
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "color": "var(--muted)",
        "fontSize": 12,
        "fontWeight": "normal",
        "offset": 8,
    },
    "axis": {"labelColor": "var(--muted)", "labelFontSize": 11, "title": None},
    "axisX": {
        "domainColor": "var(--line)",
        "labelAngle": -50,
        "labelLimit": 100,
        "labelOverlap": False,
        "labelPadding": 6,
        "ticks": False,
    },
    "axisY": {"domain": False, "gridColor": "var(--line)", "minExtent": 44, "ticks": False},
}


def cells(column: ColumnReport) -> list[Cell]:
    """Return a column's cells, in order, as the page's script takes them.

    Parameters
    ----------
    column : ColumnReport
        One of the columns of a report.

    Returns
    -------
    list of (label, reference, current, contribution, signed)
        Shares of rows; contributions in nats, ``None`` where infinite. Six significant digits.
    """
    return [
        (
            cell.label,
            _rounded(cell.reference),
            _rounded(cell.current),
            _maybe_rounded(cell.contribution),
            _maybe_rounded(cell.signed),
        )
        for cell in column.cells
    ]


def specification() -> dict[str, Any]:
    """Return the Vega-Lite specification, for Vega-Lite 5 and 6.

    It draws a dataset ``cells`` with the fields ``cell`` (0, 1, …), ``label``, ``reference``,
    ``current`` and ``contribution``, and writes element ``i`` of its parameter ``labels`` below
    cell ``i``: labels need not differ, and cells are never sorted by them.
    """
    import altair as alt

    chart = alt.vconcat(_shares(), _contributions(), data=alt.NamedData("cells"), spacing=14)
    drawn = chart.add_params(alt.param(name="labels", value=[])).to_dict()
    del drawn["$schema"]  # it would tie the page to altair's version of Vega-Lite
    return drawn | {"config": _STYLE}  # instead of whichever altair theme is enabled


def libraries() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script that defines ``vegaEmbed``."""
    import vl_convert

    return vl_convert.javascript_bundle()  # type: ignore[call-arg] # its stub omits the default


def _shares() -> alt.LayerChart:
    """Draw the reference as wide outlined bars and the current rows as narrow solid ones on top."""
    import altair as alt

    base = alt.Chart(height=_SHARES_HEIGHT).encode(x=_cell(labelled=False))
    axis = alt.Axis(format="~%", tickCount=4)
    reference = base.mark_bar(
        fill="var(--reference)",
        stroke="var(--reference-line)",
        strokeWidth=1,
        width=alt.RelativeBandSize(band=0.86),
    ).encode(y=alt.Y("reference:Q", axis=axis))
    current = base.mark_bar(fill="var(--current)", width=alt.RelativeBandSize(band=0.42)).encode(
        y=alt.Y("current:Q", axis=axis)
    )
    return alt.LayerChart(layer=[reference, current, _pointer(base)], title="Share of rows")


def _contributions() -> alt.LayerChart:
    """Draw what each cell adds to KL; an infinite contribution is written, having no height."""
    import altair as alt

    base = alt.Chart(height=_CONTRIBUTIONS_HEIGHT).encode(x=_cell(labelled=True))
    finite = base.mark_bar(
        fill="var(--contribution)", width=alt.RelativeBandSize(band=0.86)
    ).encode(y=alt.Y("contribution:Q", axis=alt.Axis(format="~g", tickCount=3)))
    infinite = (
        base.mark_text(text="∞", fill="var(--contribution)", fontSize=16, baseline="top")
        .transform_filter("datum.contribution === null")
        .encode(y=alt.value(0))
    )
    return alt.LayerChart(
        layer=[finite, infinite, _pointer(base)], title="Contribution to KL, nats"
    )


def _cell(*, labelled: bool) -> alt.X:
    import altair as alt

    axis = alt.Axis(labels=labelled, labelExpr="labels[datum.value]")
    return alt.X("cell:O", axis=axis, scale=alt.Scale(paddingInner=0, paddingOuter=0.15))


def _pointer(base: alt.Chart) -> alt.Chart:
    """Give each cell a tooltip over the panel's full height: many a bar is too low to point at."""
    import altair as alt

    pointer: alt.Chart = (
        base.mark_bar(opacity=0, width=alt.RelativeBandSize(band=1))
        .transform_calculate(
            nats="datum.contribution === null ? '∞' : format(datum.contribution, '.4f')"
        )
        .encode(
            y=alt.value(0),
            y2=alt.value("height"),
            tooltip=[
                alt.Tooltip("label:N", title="cell"),
                alt.Tooltip("reference:Q", title="reference", format=".2%"),
                alt.Tooltip("current:Q", title="current", format=".2%"),
                alt.Tooltip("nats:N", title="nats of KL"),
            ],
        )
    )
    return pointer


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _maybe_rounded(value: float) -> float | None:
    return _rounded(value) if math.isfinite(value) else None
