"""Whatever a user hands in becomes the source that its engine reads: the one place that knows all.

Knows every engine by name, and imports each where it is used. Has never heard of bins, counts or
divergences.
"""

from __future__ import annotations

from collections.abc import Hashable
from os import PathLike
from typing import Any, TypeAlias, assert_never

import pyarrow as pa

from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.lakes import CATALOG, LakeTable, lake_of, with_version
from kl_drift.engines.source import Source
from kl_drift.engines.tables import StreamSource, TableSource
from kl_drift.errors import SnapshotInvalidError, UsageError
from kl_drift.snapshot import Snapshot
from kl_drift.storage import redacted

Readable: TypeAlias = Any
"""A path, a Snapshot, a data frame, a lazy frame or relation, a table of a lake, a pyarrow Table,
Dataset or reader, RecordBatches, what speaks Arrow's C stream, or the
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
    from kl_drift.engines.lazy import open_lazily

    library = _library(data)
    return _of_library(data, library) or open_lazily(data, library) or _of_arrow(data, library)


def _of_arrow(data: Readable, library: str) -> LocalSource:
    """Return the source behind what can be made an Arrow table or a stream of batches."""
    if hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__len__"):
        return StreamSource(pa.RecordBatchReader.from_stream(data))
    return TableSource(_table(data), "a table" if library == "builtins" else f"a {library} table")


def _of_library(data: Readable, library: str) -> Source | None:
    """Return the source behind an object that an engine of its own reads, if it is one."""
    match library, type(data).__name__:
        case "pyspark", _:
            from kl_drift.engines.spark import SparkTable

            return SparkTable(data)
        case "deltalake", "DeltaTable":
            from kl_drift.engines.delta import DeltaLake

            return DeltaLake(data).source()
        case "pyiceberg", "Table" | "StaticTable":
            from kl_drift.engines.iceberg import IcebergLake

            return IcebergLake(data, data.metadata.current_snapshot_id).source()
        case "pyiceberg", "DataScan":
            from kl_drift.engines.iceberg import scan_source

            return scan_source(data)
        case _:
            return None


def open_snapshot(snapshot: Snapshot | str | PathLike[str]) -> LocalSource:
    """Return the source behind a path, whose rows are read here.

    Raises
    ------
    SnapshotError
        If it leads to no readable Parquet, and to no table of a lake.
    MissingExtraError
        If it is a table of a lake, and what reads it is not installed.
    UsageError
        If it is a table that cannot be read here, or files, and a version is asked for.
    """
    wanted = with_version(snapshot if isinstance(snapshot, Snapshot) else Snapshot.at(snapshot))
    if (lake := open_lake(wanted)) is not None:
        return lake.source()
    if wanted.version:
        raise UsageError(
            f"{redacted(wanted.path)!r} is no Delta or Iceberg table, so it has no version "
            f"{wanted.version}; name the files of the snapshot instead"
        )
    from kl_drift.engines.parquet import open_parquet

    return open_parquet(wanted)


def open_lake(snapshot: Snapshot) -> LakeTable | None:
    """Return the table of a lake behind a path, at the version asked for; ``None``: it is files.

    Raises
    ------
    SnapshotError, MissingExtraError, UsageError
        As for :func:`open_snapshot`.
    """
    wanted = with_version(snapshot)
    lake = lake_of(wanted)
    match lake:
        case "delta":
            from kl_drift.engines.delta import open_delta

            return open_delta(wanted)
        case "iceberg":
            from kl_drift.engines.iceberg import open_iceberg

            return open_iceberg(wanted)
        case "hudi":
            raise UsageError(
                f"{redacted(wanted.path)!r} is a Hudi table, which kl-drift cannot read by itself; "
                "scan a Spark DataFrame of it: spark.read.format('hudi').load(…)"
            )
        case None:
            return None
        case _:
            assert_never(lake)


def fingerprint(location: str) -> Hashable:
    """Return what is equal as long as the rows behind a path, a glob or a URI are the same.

    Raises
    ------
    SnapshotUnreadableError
        If it cannot be listed.
    """
    wanted = with_version(Snapshot.at(location))
    if wanted.path.startswith(CATALOG) and (lake := open_lake(wanted)):
        return lake.name
    from kl_drift.engines import files

    return files.fingerprint(wanted.path)


def _library(data: Readable) -> str:
    """Return the library that the data, or what it is derived from, comes from."""
    libraries = [kind.__module__.partition(".")[0] for kind in type(data).__mro__]
    return "pandas" if "pandas" in libraries else libraries[0]


def _table(data: Readable) -> pa.Table:
    try:
        if _library(data) == "pandas":
            return _of_pandas(data)
        if isinstance(data, pa.Table):
            return data  # by way of C, a name would end at its first zero byte
        if isinstance(data, pa.RecordBatch):
            return pa.Table.from_batches([data])
        if isinstance(data, list) and data and isinstance(data[0], pa.RecordBatch):
            return pa.Table.from_batches(data)
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise SnapshotInvalidError(
            f"cannot read a {type(data).__module__}.{type(data).__name__} as a table: {error}; "
            "expected a path, a Snapshot, a data frame (pandas, polars, dask, Spark), a lazy "
            "frame, a pyarrow Table, Dataset or reader, a DuckDB or Ibis relation, or RecordBatches"
        ) from error


def _of_pandas(frame: Any) -> pa.Table:
    """Convert a data frame; a column that Arrow has no type for spoils itself, not the frame."""
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        if frame.columns.has_duplicates:
            raise
    names = list(map(str, frame.columns))
    arrays = [_of_series(frame[name]) for name in frame.columns]
    return pa.table(arrays, names=names)


def _of_series(series: Any) -> pa.Array:
    """Convert a column; one of mixed values becomes nulls of a type that is never counted."""
    try:
        return pa.Array.from_pandas(series)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        kinds = sorted({type(value).__name__ for value in series.dropna()})
        return pa.nulls(len(series), pa.struct([(f"mixed: {', '.join(kinds)}", pa.null())]))
