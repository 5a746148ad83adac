"""What an engine reads: a table in parts, column by column.

Knows Arrow tables, data frames and streams of batches; Parquet lives next door. Has never heard of
bins, counts or divergences.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar
from weakref import WeakSet

import pyarrow as pa

from kl_drift.engines.remote import Remote
from kl_drift.errors import SnapshotInvalidError, SnapshotUnreadableError, UsageError
from kl_drift.snapshot import Snapshot

Readable: TypeAlias = Any
"""A path, a Snapshot, a data frame, a pyarrow Table or reader, or what speaks Arrow's C stream."""

_PART_ROWS = 1_048_576

_T = TypeVar("_T")

Column: TypeAlias = Iterator[tuple[str, pa.Array]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of a source, read by one thread.

    Parameters
    ----------
    rows : int
        How many.
    read : callable
        ``read(names)`` yields ``(name, array)`` piece by piece, one column after the other; the
        pieces of every column have ``rows`` rows together.
    """

    rows: int
    read: Callable[[Sequence[str]], Column]


class Source(Protocol):
    """A table that can be read in parts."""

    @property
    def name(self) -> str:
        """What messages and profiles call it."""

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and their types."""

    @property
    def partition_keys(self) -> frozenset[str]:
        """The columns that are told by the folder's name, not by the file."""

    @property
    def rows(self) -> int | None:
        """How many rows there are; ``None`` for a stream."""

    def parts(self) -> Iterator[Part]:
        """Yield all rows, part by part."""


def checked_schema(schema: pa.Schema, name: str) -> dict[str, pa.DataType]:
    """Return the columns by name; refuse a name that stands twice."""
    column, times = next(iter(Counter(schema.names).most_common(1)), ("", 0))
    if times > 1:
        raise SnapshotInvalidError(
            f"{name}: column {column!r} occurs {times} times; rename all but one of them"
        )
    return dict(zip(schema.names, schema.types, strict=True))


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table in memory (or mapped into it)."""

    table: pa.Table
    name: str = "a table in memory"

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and their types."""
        return checked_schema(self.table.schema, self.name)

    @property
    def partition_keys(self) -> frozenset[str]:
        """None: a table has no folders."""
        return frozenset()

    @property
    def rows(self) -> int | None:
        """How many rows there are."""
        return int(self.table.num_rows)

    def parts(self) -> Iterator[Part]:
        """Yield slices of the table."""
        for start in range(0, self.table.num_rows, _PART_ROWS):
            yield part_of(self.table.slice(start, _PART_ROWS))


def part_of(table: pa.Table | pa.RecordBatch) -> Part:
    """Return a table in memory as a part."""

    def read(names: Sequence[str]) -> Column:
        for name in names:
            column = table.column(name)
            for array in getattr(column, "chunks", [column]):
                yield name, array

    return Part(rows=table.num_rows, read=read)


_spent: WeakSet[pa.RecordBatchReader] = WeakSet()
"""Readers that were read: Arrow itself would hand out no rows the second time, and no error."""


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Batches that come by once."""

    reader: pa.RecordBatchReader
    name: str = "a stream of batches"

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and their types."""
        return checked_schema(self.reader.schema, self.name)

    @property
    def partition_keys(self) -> frozenset[str]:
        """None: a stream has no folders."""
        return frozenset()

    @property
    def rows(self) -> int | None:
        """Not known before the stream has ended."""
        return None

    def parts(self) -> Iterator[Part]:
        """Yield the batches as they come, each a part; see :meth:`batches`."""
        return map(part_of, self.batches())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches as they come.

        Raises
        ------
        UsageError
            The second time: the rows are gone.
        SnapshotUnreadableError
            If the stream breaks.
        """
        if self.reader in _spent:
            raise UsageError(f"{self.name} was read already; open it anew")
        _spent.add(self.reader)
        try:
            yield from self.reader
        except (OSError, pa.ArrowException) as error:
            raise SnapshotUnreadableError(f"{self.name} broke off: {error}") from error


def open_source(data: Readable) -> Source | Remote:
    """Return the source behind whatever a user may hand in.

    A table of a database or a Spark DataFrame is remote: it is counted where it is.

    Raises
    ------
    SnapshotError
        If a path leads to no readable Parquet, or an object holds no table.
    """
    if isinstance(data, str | PathLike):
        data = Snapshot.at(data)
    if isinstance(data, Snapshot):
        from kl_drift.engines.parquet import open_parquet

        return open_parquet(data)
    if isinstance(data, Remote):
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


def read_here(source: Source | Remote) -> Source:
    """Return a source that can be read row by row.

    Raises
    ------
    UsageError
        If it is remote.
    """
    if isinstance(source, Remote):
        raise UsageError(
            f"{source.name}: bins are fitted on rows, and its rows stay where they are; fit to a "
            "Parquet snapshot of it, or to its rows read into a data frame; then scan it"
        )
    return source


@contextmanager
def rereadable(source: _T) -> Iterator[_T | TableSource]:
    """Give a source that can be read twice: a stream is first written to a temporary file."""
    if not isinstance(source, StreamSource):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="kl-drift-") as folder:
        path = Path(folder) / "stream.arrows"
        with (
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_stream(file, source.reader.schema) as writer,
        ):
            for batch in source.batches():
                writer.write_batch(batch)  # a stream, since a file holds one dictionary per column
        with pa.memory_map(str(path)) as file:
            yield TableSource(pa.ipc.open_stream(file).read_all(), source.name)
