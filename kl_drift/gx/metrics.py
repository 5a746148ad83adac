"""Great Expectations counts: the profile of a batch, on the engine that holds its rows.

Knows Great Expectations' metrics and execution engines. Has never heard of divergences, limits or
verdicts: :mod:`kl_drift.gx` judges what is counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.execution_engine.sqlalchemy_execution_engine import (
    SqlAlchemyExecutionEngine,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from sqlalchemy import MetaData, Table

from kl_drift.artefact import profile_to_dict
from kl_drift.counts.profile import Profile
from kl_drift.engines.opening import open_source
from kl_drift.engines.profiling import scan_profile
from kl_drift.engines.source import Source
from kl_drift.engines.sql import SqlTable, reflected
from kl_drift.gx.reference import load_reference

if TYPE_CHECKING:
    import pandas as pd

PROFILE_METRIC = "table.kl_drift.profile"


class BatchProfile(TableMetricProvider):
    """The batch's profile over the bins of a reference, as the plain document that is saved.

    One scan, one query or one job for all columns. The value keys are plain JSON:

    - ``reference``: path or URI of a profile or a snapshot;
    - ``columns``: list of column names of the reference; ``None`` for all;
    - ``as_of``: the moment the batch stands for, ISO 8601; ``None`` or ``""`` if not stated.

    The value is what :func:`kl_drift.artefact.profile_to_dict` gives and
    :func:`kl_drift.artefact.profile_from_dict` reads.
    """

    metric_name = PROFILE_METRIC
    value_keys = ("reference", "columns", "as_of")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 - Great Expectations passes the class by this name
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: Mapping[str, Any],
        metric_value_kwargs: Mapping[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        frame = execution_engine.get_domain_records(domain_kwargs=dict(metric_domain_kwargs))
        frame = _narrowed(frame, metric_value_kwargs)
        return _counted(open_source(frame), metric_domain_kwargs, metric_value_kwargs)

    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(
        cls,  # noqa: N805 - Great Expectations passes the class by this name
        execution_engine: SparkDFExecutionEngine,
        metric_domain_kwargs: Mapping[str, Any],
        metric_value_kwargs: Mapping[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        frame = execution_engine.get_domain_records(domain_kwargs=dict(metric_domain_kwargs))
        return _counted(open_source(frame), metric_domain_kwargs, metric_value_kwargs)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,  # noqa: N805 - Great Expectations passes the class by this name
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: Mapping[str, Any],
        metric_value_kwargs: Mapping[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        domain = dict(metric_domain_kwargs)
        rows = execution_engine.get_domain_records(domain_kwargs=domain)
        with execution_engine.get_connection() as connection:
            table = SqlTable(connection, rows, columns=_columns(execution_engine, domain))
            return _counted(table, domain, metric_value_kwargs)


def _columns(
    engine: SqlAlchemyExecutionEngine, domain: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the types of the table behind the batch; ``None`` where a query is behind it."""
    batches: Any = engine.batch_manager
    batch = batches.batch_data_cache[domain.get("batch_id") or batches.active_batch_data_id]
    table, schema = batch.source_table_name, batch.source_schema_name
    if table is None and isinstance(batch.selectable, Table):
        table, schema = batch.selectable.name, batch.selectable.schema
    if table is None:
        return None
    with engine.get_connection() as connection:
        return reflected(connection, Table(table, MetaData(), schema=schema))


def _narrowed(frame: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Leave out what is not counted: another column of mixed objects could not become Arrow."""
    if values.get("columns") is None:
        return frame
    like = load_reference(values["reference"], values["columns"])
    needed = {part for name, each in like.columns.items() for part in (name, each.derived_from)}
    return frame.loc[:, [name in needed for name in frame.columns]]


def _counted(
    source: Source, domain: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Count the rows of a domain over the reference's bins."""
    columns = values.get("columns")
    like = load_reference(values["reference"], columns)
    profile = scan_profile(source, like, values.get("as_of") or "")
    if columns is not None:
        profile = replace(profile, columns=_of(like, profile))
    return profile_to_dict(replace(profile, sources=(domain.get("batch_id") or source.name,)))


def _of(like: Profile, profile: Profile) -> dict[str, Any]:
    """Return the columns that were asked for, not those that are new besides."""
    return {name: each for name, each in profile.columns.items() if name in like.columns}
