"""The expectations in Data Docs: a sentence, the observed value, a table and charts.

Knows Great Expectations' content blocks and the Vega-Lite that Data Docs load. Has never heard of
how a number was computed, judged or written. Results are plain mappings that may lack anything, and
a renderer that raises would take the page with it: a column that cannot be read is left out. What
comes from the data is escaped here, since Data Docs put text and charts into the page as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

from great_expectations.render import renderedAtomicValueSchema
from great_expectations.render.components import (
    AtomicDiagnosticRendererType,
    AtomicPrescriptiveRendererType,
    CollapseContent,
    LegacyDiagnosticRendererType,
    LegacyRendererType,
    RenderedAtomicContent,
    RenderedGraphContent,
    RenderedStringTemplateContent,
    RenderedTableContent,
)
from great_expectations.render.renderer.renderer import renderer

from kl_drift.judging.loading import column_from_dict
from kl_drift.judging.policy import Status
from kl_drift.judging.report import ColumnReport
from kl_drift.render import words
from kl_drift.render.charts import cells
from kl_drift.render.numbers import ABSENT, nats

_CHARTS = 6  # of a table expectation; the rest stands in its table
_QUIET_ROWS = 20
_WIDTH = 620
_COLOURS = {
    "var(--muted)": "#57606a",
    "var(--line)": "#dde2e6",
    "var(--reference)": "#dfe4ea",
    "var(--reference-line)": "#8b949e",
    "var(--current)": "#1f62c4",
    "var(--contribution)": "#8a4fb8",
}
_STYLES = {"ok": "text-success", "warn": "text-warning", "undecided": "text-info"}
_NAMES = {
    "kl": "KL(current‖reference)",
    "reverse": "KL(reference‖current)",
    "jeffreys": "Jeffreys' divergence",
    "jensen_shannon": "Jensen–Shannon divergence",
}
_HEADER = (
    "Column",
    "Status",
    "Measured",
    "Limit",
    "By chance",
    "Rows, reference → current",
    "Nulls, reference → current",
    "What moved",
)


class Rendered:
    """Draws an expectation and its results; each renderer takes whatever Data Docs hand it."""

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> list[RenderedStringTemplateContent]:
        configuration = configuration or getattr(result, "expectation_config", None)
        runtime = runtime_configuration or {}
        kwargs = getattr(configuration, "kwargs", None) or {}
        template, params = sentence(
            kwargs, with_column=runtime.get("include_column_name") is not False
        )
        return [_text(template, params, runtime.get("styling") or {})]

    @classmethod
    @renderer(renderer_type=AtomicPrescriptiveRendererType.SUMMARY)
    def _prescriptive_summary(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> RenderedAtomicContent:
        configuration = configuration or getattr(result, "expectation_config", None)
        template, params = sentence(getattr(configuration, "kwargs", None) or {}, with_column=True)
        return _atomic(AtomicPrescriptiveRendererType.SUMMARY, template, params)

    @classmethod
    @renderer(renderer_type=AtomicDiagnosticRendererType.OBSERVED_VALUE)
    def _atomic_diagnostic_observed_value(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> RenderedAtomicContent:
        params = {"observed_value": observed(_details(result))}
        return _atomic(AtomicDiagnosticRendererType.OBSERVED_VALUE, "$observed_value", params)

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _diagnostic_observed_value_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> str:
        return escape(observed(_details(result)))

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_STATEMENT)
    def _diagnostic_unexpected_statement_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> list[RenderedStringTemplateContent | CollapseContent]:
        status, said = _said(result)
        classes = [_STYLES.get(status, "text-danger"), "mt-2"]
        styling = {"classes": classes, "styles": {"display": "block"}}
        return [_text("$said", {"said": said}, styling)] if said else []

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_TABLE)
    def _diagnostic_unexpected_table_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> list[Any]:
        columns = columns_of(_details(result))
        if not columns:
            return []
        return [_table(columns), *map(_chart, _charted(columns))]


def sentence(kwargs: Mapping[str, Any], *, with_column: bool) -> tuple[str, dict[str, Any]]:
    """Return what the expectation expects, as a template and its parameters."""
    columns = kwargs.get("columns")
    named = ", ".join(map(str, columns)) if isinstance(columns, list) else _shown(columns)
    subject = "$column: " if with_column and "column" in kwargs else ""
    of = "" if "column" in kwargs else " of $columns" if columns else " of every column"
    limit, shown = _limit(kwargs)
    template = f"{subject}$statistic{of} must not exceed {limit}, noise aside, from $reference."
    if kwargs.get("row_condition"):
        template = f"If $row_condition, then {template}"
    statistic = kwargs.get("statistic") or (kwargs.get("policy") or {}).get("statistic") or "kl"
    params = {
        "column": kwargs.get("column"),
        "columns": named,
        "statistic": _NAMES.get(statistic) if isinstance(statistic, str) else _shown(statistic),
        "reference": _shown(kwargs.get("reference")),
        "row_condition": _condition(kwargs.get("row_condition")),
        "limit": shown,
    }
    return template, {name: str(value) for name, value in params.items() if f"${name}" in template}


def _limit(kwargs: Mapping[str, Any]) -> tuple[str, str]:
    """Return how the limit is called in the sentence, and what it is."""
    if kwargs.get("plan"):
        return "the limits of $limit", _shown(kwargs["plan"])
    policy = kwargs.get("policy")
    drift = policy.get("drift", 0.05) if isinstance(policy, Mapping) else 0.05
    threshold = kwargs.get("threshold")
    return "$limit nats", _shown(drift if threshold is None else threshold)


def _shown(value: object) -> str:
    """Write a value, or the name of the suite parameter that will be it."""
    if isinstance(value, Mapping) and "$PARAMETER" in value:
        return f"{value['$PARAMETER']} (suite parameter)"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _condition(condition: object) -> str:
    """Write a row condition; Great Expectations keeps it as an object or as a mapping."""
    if isinstance(condition, Mapping):
        return str(condition.get("pass_through_filter") or json.dumps(condition, default=str))
    return str(getattr(condition, "pass_through_filter", None) or repr(condition))


def _details(result: Any) -> Mapping[str, Any]:
    details = (getattr(result, "result", None) or {}).get("details")
    return details if isinstance(details, Mapping) else {}


def _said(result: Any) -> tuple[str, str]:
    """Return the status and the sentence of a result, also of one that a metric's error left."""
    details = _details(result)
    if details.get("error"):
        return "error", f"{details['error'].get('kind')}: {details['error'].get('message')}"
    columns = columns_of(details)
    if len(columns) == 1:
        return str(columns[0].status), f"{columns[0].status}: {words.reason(columns[0])}"
    if columns:
        return details.get("status", ""), details.get("summary", "")
    return "error", "; ".join(exception_messages(getattr(result, "exception_info", None)))


def exception_messages(info: Any) -> list[str]:
    """Return the messages of a result's exceptions: one, or one for each metric that failed."""
    if not isinstance(info, Mapping):
        return []
    each = [info] if "raised_exception" in info else list(info.values())
    raised = [one for one in each if isinstance(one, Mapping) and one.get("raised_exception")]
    return [str(one.get("exception_message")) for one in raised]


def observed(details: Mapping[str, Any]) -> str:
    """Return what was observed, in a few words."""
    columns = columns_of(details)
    if not columns:
        return "--"
    return words.measured(columns[0]) if len(columns) == 1 else str(details.get("summary"))


def columns_of(details: Mapping[str, Any]) -> list[ColumnReport]:
    """Return the columns of a result; those that cannot be read are left out."""
    found = (_column(each) for each in details.get("columns") or ())
    return [column for column in found if column is not None]


def _column(plain: Any) -> ColumnReport | None:
    try:
        return column_from_dict(plain)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _table(columns: Sequence[ColumnReport]) -> RenderedTableContent:
    loud = [column for column in columns if column.status is not Status.OK]
    quiet = [column for column in columns if column.status is Status.OK]
    rows = [_row(column) for column in (*loud, *quiet[:_QUIET_ROWS])]
    if len(quiet) > _QUIET_ROWS:
        rows.append(
            [f"… and {len(quiet) - _QUIET_ROWS} more that are ok", *[""] * (len(_HEADER) - 1)]
        )
    return RenderedTableContent(
        content_block_type="table",
        header_row=list(_HEADER),
        table=rows,
        styling={"body": {"classes": ["table", "table-sm", "table-bordered", "mt-3"]}},
    )


def _row(column: ColumnReport) -> list[str]:
    cells = (
        column.name,
        str(column.status),
        words.measured(column),
        words.limit(column),
        nats(column.noise_floor),
        f"{column.reference_rows:,} → {column.current_rows:,}",
        words.nulls(column) or ABSENT,
        "; ".join(words.moved(column)) or ABSENT,
    )
    return [escape(cell) for cell in cells]


def _charted(columns: Sequence[ColumnReport]) -> list[ColumnReport]:
    """Return the columns to draw: the one there is, or the first that need attention."""
    drawn = [column for column in columns if column.cells]
    if len(columns) == 1:
        return drawn
    return [column for column in drawn if column.status is not Status.OK][:_CHARTS]


def _chart(column: ColumnReport) -> RenderedGraphContent:
    return RenderedGraphContent(
        graph=_for_script(chart(column)),
        header=_text(
            "$column: reference (outlined) and current (solid), and what each cell adds to KL",
            {"column": column.name},
            {"classes": ["small"]},
        ),
        styling={"classes": ["mt-2"], "body": {"styles": {"overflow-x": "auto"}}},
    )


def chart(column: ColumnReport) -> dict[str, Any]:
    """Return the Vega-Lite specification of a column's cells, data and colours included."""
    spec: dict[str, Any] = json.loads(_specification())
    rows = [
        {
            "cell": place,
            "label": label,
            "reference": reference,
            "current": current,
            "contribution": contribution,
        }
        for place, (label, reference, current, contribution, _) in enumerate(cells(column))
    ]
    step = min(44, max(8, _WIDTH // max(len(rows), 1)))
    for panel in spec["vconcat"]:
        panel["width"] = {"step": step}
    if step < 16:  # as the HTML report does
        spec["config"]["axisX"] |= {
            "labelAngle": -90,
            "labelFontSize": 10,
            "labelOverlap": "parity",
        }
    spec["datasets"] = {"cells": rows}
    spec["params"][0]["value"] = [row["label"] for row in rows]
    return spec


@cache
def _specification() -> str:
    """Return the chart of the HTML report, as JSON, in colours instead of a page's variables."""
    from kl_drift.render.charts import specification

    text = json.dumps(specification())
    for variable, colour in _COLOURS.items():
        text = text.replace(variable, colour)
    return text


def _for_script(spec: Mapping[str, Any]) -> str:
    """Return JSON that Data Docs can put into a script: Python's dict would be no JavaScript.

    A level may be called ``</script>``.
    """
    return json.dumps(spec).replace("<", "\\u003c")


def _text(
    template: str, params: Mapping[str, str], styling: Mapping[str, Any]
) -> RenderedStringTemplateContent:
    """Return a text; what comes from the data is among the parameters, which Data Docs escape."""
    return RenderedStringTemplateContent(
        content_block_type="string_template",
        string_template={
            "template": template,
            "params": dict(params),
            "styling": json.loads(json.dumps(styling)),  # Data Docs write into it
        },
    )


def _atomic(name: str, template: str, params: Mapping[str, str]) -> RenderedAtomicContent:
    value = renderedAtomicValueSchema.load(
        {
            "template": template,
            "params": {
                key: {"schema": {"type": "string"}, "value": value} for key, value in params.items()
            },
            "schema": {"type": "com.superconductive.rendered.string"},
        }
    )
    return RenderedAtomicContent(name=name, value=value, value_type="StringValueType")
