"""Tables in memory and streams of batches as sources.

Knows Arrow tables and readers. Has never heard of files, bins, counts or divergences.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from weakref import WeakSet

import pyarrow as pa

from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.declared import index_columns
from kl_drift.engines.parts import Part, part_of
from kl_drift.engines.source import Source, checked_schema
from kl_drift.errors import SnapshotUnreadableError, UsageError

_PART_ROWS = 1_048_576


class TableSource(LocalSource):
    """A table in memory (or mapped into it)."""

    def __init__(self, table: pa.Table, name: str = "a table in memory") -> None:
        self._table = table
        self._name = name

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and their types."""
        return checked_schema(self._table.schema, self.name)

    @property
    def index_columns(self) -> frozenset[str]:
        """Those that the metadata name, as pandas writes them."""
        return index_columns(self._table.schema)

    @property
    def rows(self) -> int | None:
        """How many rows there are."""
        return int(self._table.num_rows)

    def parts(self) -> Iterator[Part]:
        """Yield slices of the table."""
        for start in range(0, self._table.num_rows, _PART_ROWS):
            yield part_of(self._table.slice(start, _PART_ROWS))


class ReopenedSource(LocalSource):
    """Batches that come by again each time they are asked for.

    Parameters
    ----------
    reopen : callable
        Returns a new reader of the same rows.
    rows : int
        How many.
    name : str
        What messages and profiles call them.
    """

    def __init__(self, reopen: Callable[[], pa.RecordBatchReader], rows: int, name: str) -> None:
        self._reopen = reopen
        self._rows = rows
        self._name = name

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @cached_property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and their types."""
        return checked_schema(self._reopen().schema, self.name)

    @property
    def rows(self) -> int | None:
        """How many rows there are."""
        return self._rows

    def parts(self) -> Iterator[Part]:
        """Yield the batches as they come, each a part."""
        return StreamSource(self._reopen(), self.name).parts()


_spent: WeakSet[pa.RecordBatchReader] = WeakSet()
"""Readers that were read: Arrow itself would hand out no rows the second time, and no error."""


class StreamSource(LocalSource):
    """Batches that come by once."""

    def __init__(self, reader: pa.RecordBatchReader, name: str = "a stream of batches") -> None:
        self._reader = reader
        self._name = name

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and their types."""
        return checked_schema(self._reader.schema, self.name)

    @property
    def index_columns(self) -> frozenset[str]:
        """Those that the metadata name, as pandas writes them."""
        return index_columns(self._reader.schema)

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
        if self._reader in _spent:
            raise UsageError(f"{self.name} was read already; open it anew")
        _spent.add(self._reader)
        try:
            yield from self._reader
        except (OSError, pa.ArrowException) as error:
            raise SnapshotUnreadableError(f"{self.name} broke off: {error}") from error

    @contextmanager
    def rereadable(self) -> Iterator[Source]:
        """Give the rows as a table that is mapped from a temporary file, and then removed."""
        with tempfile.TemporaryDirectory(prefix="kl-drift-") as folder:
            path = Path(folder) / "stream.arrows"
            with (
                pa.OSFile(str(path), "wb") as file,
                pa.ipc.new_stream(file, self._reader.schema) as writer,
            ):
                for batch in self.batches():
                    writer.write_batch(batch)  # a stream: a file holds one dictionary per column
            with pa.memory_map(str(path)) as file:
                yield TableSource(pa.ipc.open_stream(file).read_all(), self.name)
