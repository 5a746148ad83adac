"""Parquet files of which some rows are live: what a table's log leaves of them.

Knows rows that were deleted, columns that a file holds under another name, has not, or has of a
narrower type, and columns whose value is the same in all rows of a file. Has never heard of logs,
bins, counts or divergences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kl_drift.counts.arrays import family_of
from kl_drift.counts.buffers import from_numpy
from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.parquet import ParquetSource
from kl_drift.engines.parts import Column, Part

Kept = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFile:
    """A file of a table.

    Parameters
    ----------
    source : ParquetSource
        The file alone.
    constants : mapping of str to pyarrow.Scalar
        Columns that the file does not hold, with the value that they have in all its rows.
    names : mapping of str to str
        Under which name the file holds a column, where it is not the column's own.
    kept : array of bool, optional
        Which of its rows are live, from the first on; what it does not reach is live.
    """

    source: ParquetSource
    constants: Mapping[str, pa.Scalar] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    kept: Kept | None = None

    def parts(self) -> Iterator[tuple[Part, Kept | None]]:
        """Yield the row groups, each with which of its rows are live (``None``: all)."""
        start = 0
        for part in self.source.parts():
            yield part, self._kept(start, part.rows)
            start += part.rows

    def _kept(self, start: int, rows: int) -> Kept | None:
        if self.kept is None:
            return None
        known = self.kept[start : start + rows]
        return np.append(known, np.ones(rows - len(known), bool))


class LiveSource(LocalSource):
    """A table in Parquet files of which some rows are live.

    Parameters
    ----------
    name : str
        What messages and profiles call it.
    files : tuple of LiveFile
        The files.
    schema : mapping of str to pyarrow.DataType
        The columns of the table, whichever of them a file holds.
    partition_keys : frozenset of str
        Those that tell its partitions apart.
    """

    def __init__(
        self,
        name: str,
        files: tuple[LiveFile, ...],
        schema: Mapping[str, pa.DataType],
        partition_keys: frozenset[str],
    ) -> None:
        self._name = name
        self._files = files
        self._schema = schema
        self._partition_keys = partition_keys

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns of the table and their types."""
        return self._schema

    @property
    def partition_keys(self) -> frozenset[str]:
        """The columns that the table is partitioned by."""
        return self._partition_keys

    @property
    def rows(self) -> int | None:
        """How many rows are live."""
        return sum(part.rows for part in self.parts())

    def parts(self) -> Iterator[Part]:
        """Yield the live rows of every row group."""
        for file in self._files:
            for part, kept in file.parts():
                rows = part.rows if kept is None else int(kept.sum())
                yield Part(rows=rows, read=self._reader(file, part, kept, rows))

    def _reader(
        self, file: LiveFile, part: Part, kept: Kept | None, rows: int
    ) -> Callable[[Sequence[str]], Column]:
        def read(names: Sequence[str]) -> Column:
            own = {file.names.get(name, name): name for name in names if name not in file.constants}
            inside = [physical for physical in own if physical in file.source.schema]
            for name in {*names} - {own[physical] for physical in inside}:
                yield name, self._constant(file, name, rows)
            done = dict.fromkeys(inside, 0)
            for physical, array in part.read(inside):
                start, done[physical] = done[physical], done[physical] + len(array)
                live = array if kept is None else _live(array, kept[start : start + len(array)])
                yield own[physical], _declared(live, self._schema[own[physical]])

        return read

    def _constant(self, file: LiveFile, name: str, rows: int) -> pa.Array:
        """Return a column that the file does not hold: its one value, or null."""
        kind = self._schema[name]
        value = file.constants.get(name)
        if value is None or not value.is_valid:
            return pa.nulls(rows, kind)
        return pa.repeat(value, rows).cast(kind)


def _live(array: pa.Array, kept: Kept) -> pa.Array:
    return array.filter(from_numpy(kept))


def _declared(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return values as those of the column's type, which may be wider than the file's."""
    own = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if own == kind or family_of(own) == family_of(kind) != "decimal":
        return array
    return array.cast(kind)
