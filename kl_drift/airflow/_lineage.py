"""OpenLineage: which data sets a task read and wrote, and what it found, as data-quality facets.

Knows operators by their attributes, a report, and OpenLineage's words for both. Imports them when
asked; without the provider there is nobody to ask. Data sets go by where they are, never by labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kl_drift.airflow import _storage
from kl_drift.errors import UsageError
from kl_drift.storage import is_uri, redacted

if TYPE_CHECKING:
    from kl_drift.airflow._summary import Findings
    from kl_drift.judging.report import ColumnReport, Report

_READ = ("snapshot", "reference", "profiles", "current")
_WRITTEN = ("report", "html")


def facets(task: Any, findings: Findings | None = None) -> Any | None:
    """Return the lineage of a task, or ``None`` where nobody wants to know.

    What was read are inputs, what was written are outputs. The facets of the current snapshot say
    what a check found; one that failed before it found anything has the data sets alone.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import InputDataset, OutputDataset
    except ImportError:
        return None
    current, others = _inputs(task)
    quality = _quality(findings) if findings else {}
    return OperatorLineage(
        inputs=[
            *(InputDataset(*each, inputFacets=quality) for each in _datasets(current)),
            *(InputDataset(*each) for each in _datasets(others)),
        ],
        outputs=[OutputDataset(*each) for each in _datasets(_outputs(task))],
    )


def _inputs(task: Any) -> tuple[list[object], list[object]]:
    """Return what a task judges, and what else it reads; of a plan, what the plan names."""
    plan = getattr(task, "plan_checked", None)
    stated = [getattr(task, name, None) for name in _READ]
    current = [stated.pop()]
    if plan is not None:
        current = [current[0] if current[0] is not None else plan.current]
        stated = [plan.reference, *plan.closest.values()]
    if hasattr(task, "pointer") and not hasattr(task, "current"):
        stated.append(task.profile)  # it is read, and the pointer is written
    return current, stated


def _outputs(task: Any) -> list[object]:
    promotes = hasattr(task, "pointer") and not hasattr(task, "current")
    written = task.pointer if promotes else getattr(task, "profile", None)
    return [*(getattr(task, name, None) for name in _WRITTEN), written]


def _datasets(values: Iterable[object]) -> list[tuple[str, str]]:
    """Return OpenLineage's namespaces and names of what values name, each once."""
    found: dict[tuple[str, str], None] = {}
    for value in values:
        for each in value if isinstance(value, list | tuple) else [value]:
            if _storage.is_named(each):
                found[_dataset(str(_storage.snapshot_keys(each)["path"]))] = None
    return list(found)


def _dataset(location: str) -> tuple[str, str]:
    """Return bucket and key, or file and path."""
    try:
        location = _storage.located(location)[0] if "@" not in location else _bare(location)
    except UsageError:  # it holds credentials, and the task was refused
        location = redacted(location)
    if not is_uri(location):
        return "file", str(Path(location).absolute())
    scheme, _, rest = location.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key or "/"


def _bare(location: str) -> str:
    """Return a location without the name of its connection, which is not asked for."""
    return redacted(location)


def _quality(findings: Findings) -> dict[str, Any]:
    from openlineage.client.facet_v2 import (
        data_quality_assertions_dataset,
        data_quality_metrics_input_dataset,
    )

    report = findings.report
    metrics = data_quality_metrics_input_dataset
    return {
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[_assertion(column) for column in report]
        ),
        "dataQualityMetrics": metrics.DataQualityMetricsInputDatasetFacet(
            rowCount=report.current.rows, columnMetrics=_nulls(report, metrics.ColumnMetrics)
        ),
    }


def _assertion(column: ColumnReport) -> Any:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    from kl_drift.render import words

    return quality.Assertion(
        assertion="kl_drift",
        success=column.status in ("ok", "warn"),
        column=column.name,
        severity="warn" if column.status == "warn" else "error",
        description=words.reason(column),
        expected=words.limit(column),
        actual=words.value(column.verdict),
    )


def _nulls(report: Report, metrics: Any) -> dict[str, Any]:
    return {
        column.name: metrics(nullCount=round(column.current_nulls * column.current_rows))
        for column in report
        if column.current_nulls is not None
    }
