"""Whatever a user hands in becomes the source that its engine reads: the one place that knows all.

Knows every engine by name, and imports each where it is used. Has never heard of bins, counts or
divergences.
"""

from __future__ import annotations

from os import PathLike
from typing import Any, TypeAlias

import pyarrow as pa

from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.source import Source
from kl_drift.engines.tables import StreamSource, TableSource
from kl_drift.errors import SnapshotInvalidError
from kl_drift.snapshot import Snapshot

Readable: TypeAlias = Any
"""A path, a Snapshot, a data frame, a pyarrow Table or reader, what speaks Arrow's C stream, or the
:class:`~kl_drift.engines.source.Source` of an engine."""


def open_source(data: Readable) -> Source:
    """Return the source behind whatever a user may hand in.

    Raises
    ------
    SnapshotError
        If a path leads to no readable Parquet, or an object holds no table.
    """
    if isinstance(data, str | PathLike | Snapshot):
        return open_snapshot(data)
    if isinstance(data, Source):
        return data
    if isinstance(data, pa.RecordBatchReader):
        return StreamSource(data)
    library = _library(data)
    if library == "pyspark":
        from kl_drift.engines.spark import SparkTable

        return SparkTable(data)
    if hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__len__"):
        return StreamSource(pa.RecordBatchReader.from_stream(data))
    return TableSource(_table(data), "a table" if library == "builtins" else f"a {library} table")


def open_snapshot(snapshot: Snapshot | str | PathLike[str]) -> LocalSource:
    """Return the source behind a path, whose rows are read here.

    Raises
    ------
    SnapshotError
        If it leads to no readable Parquet.
    """
    from kl_drift.engines.parquet import open_parquet

    return open_parquet(snapshot if isinstance(snapshot, Snapshot) else Snapshot.at(snapshot))


def _library(data: Readable) -> str:
    """Return the library that the data, or what it is derived from, comes from."""
    libraries = [kind.__module__.partition(".")[0] for kind in type(data).__mro__]
    return "pandas" if "pandas" in libraries else libraries[0]


def _table(data: Readable) -> pa.Table:
    try:
        if _library(data) == "pandas":
            return pa.Table.from_pandas(data, preserve_index=False)
        if isinstance(data, pa.Table):
            return data  # by way of C, a name would end at its first zero byte
        if isinstance(data, pa.RecordBatch):
            return pa.Table.from_batches([data])
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise SnapshotInvalidError(
            f"cannot read a {type(data).__module__}.{type(data).__name__} as a table: {error}; "
            "expected a path, a Snapshot, a pandas or polars DataFrame (of a LazyFrame: "
            ".collect()), a pyarrow Table or reader (of a Dataset: .scanner().to_reader())"
        ) from error
