"""OpenLineage: which snapshots were compared, and what was found, as data-quality facets.

Knows a report and OpenLineage's words for it. Imports them when asked; without the provider there
is nobody to ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kl_drift.airflow._summary import Findings
    from kl_drift.judging.report import Report


def facets(findings: Findings | None) -> Any | None:
    """Return the lineage of a check; ``None`` where it found nothing, or nobody wants to know.

    The current snapshot is an input whose facet holds an assertion per column; the reference is an
    input, too.
    """
    if findings is None:
        return None
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import InputDataset
    except ImportError:
        return None
    report = findings.report
    current = InputDataset(
        *_dataset(report.current.source), inputFacets={"dataQualityAssertions": _quality(report)}
    )
    return OperatorLineage(inputs=[current, InputDataset(*_dataset(report.reference.source))])


def _quality(report: Report) -> Any:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    return quality.DataQualityAssertionsDatasetFacet(
        assertions=[
            quality.Assertion(
                assertion="kl_drift", success=column.status in ("ok", "warn"), column=column.name
            )
            for column in report
        ]
    )


def _dataset(source: str) -> tuple[str, str]:
    """Return OpenLineage's namespace and name of a source: bucket and key, or file and path."""
    scheme, slashes, rest = source.partition("://")
    if not slashes:
        return "file", source
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key or "/"
