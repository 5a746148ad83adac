"""Some rows of a table, and what is counted of them.

Knows one part at a time, column by column, and how its columns and pairs become tallies. Has never
heard of where parts come from, of threads or of divergences.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from kl_drift.counts.bins import Bins
from kl_drift.counts.clusters import KeyBins
from kl_drift.counts.counting import Cells, Tally, count_pair, counter, sider
from kl_drift.engines.declared import as_declared
from kl_drift.engines.reading import Columns, Pair, Reading, latest_moment
from kl_drift.errors import SnapshotInvalidError

_Key = TypeVar("_Key", bound=Hashable)

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


def part_of(table: pa.Table | pa.RecordBatch) -> Part:
    """Return a table in memory as a part."""

    def read(names: Sequence[str]) -> Column:
        for name in names:
            column, field = table.column(name), table.schema.field(name)
            for array in getattr(column, "chunks", [column]):
                yield name, as_declared(array, field)

    return Part(rows=table.num_rows, read=read)


class PartCounter:
    """Counts the wanted columns and pairs of a part; may be shared between threads."""

    def __init__(self, columns: Columns, pairs: Mapping[str, Pair]) -> None:
        self._counters = {name: counter(bins) for name, (_, bins) in columns.items()}
        self._joint = _Joint(pairs)
        own = {name: reading for name, (reading, _) in columns.items()}
        self._readings = own | self._joint.readings

    def empty(self) -> dict[str, Tally]:
        """Return the tallies of no rows."""
        return {name: each.empty() for name, each in self._counters.items()} | self._joint.empty()

    def __call__(self, part: Part) -> dict[str, Tally]:
        """Return the tallies of all rows of a part, by name."""
        sums: dict[str, Tally] = {}
        together = _Together(self._joint, part.rows)
        for key, array in pieces(part, self._readings):
            with named(self._readings[key].column):
                if isinstance(key, _Side):
                    together.add(key, self._joint.cells(key, array))
                    continue
                piece = self._counters[key].count(array)
            sums[key] = sums[key] + piece if key in sums else piece
        return sums | together.tallies


class _Side(NamedTuple):
    """A column of pairs, read in one way and over one set of bins, for however many pairs."""

    reading: Reading
    bins: Bins | KeyBins


class _Joint:
    """The pairs that are counted: the cells of a whole part on either side, then both together."""

    def __init__(self, pairs: Mapping[str, Pair]) -> None:
        self.bins = {name: pair.bins for name, pair in pairs.items()}
        self.sides = {
            name: [_Side(*side) for side in zip(pair.readings, pair.bins.sides, strict=True)]
            for name, pair in pairs.items()
        }
        self._counters = {s: sider(s.bins) for sides in self.sides.values() for s in sides}

    @property
    def readings(self) -> dict[_Side, Reading]:
        """How the sides are read."""
        return {side: side.reading for side in self._counters}

    def empty(self) -> dict[str, Tally]:
        """Return the tallies of no rows."""
        return {n: Tally(counts=np.zeros(bins.cells, np.int64)) for n, bins in self.bins.items()}

    def cells(self, side: _Side, array: pa.Array) -> Cells:
        """Return the cell of every row of a piece."""
        return self._counters[side].side(array)


class _Together:
    """The pairs of one part, each counted once both sides are whole; cells are then let go."""

    def __init__(self, joint: _Joint, rows: int) -> None:
        self._joint, self._rows = joint, rows
        self._cells: dict[_Side, list[Cells]] = {}
        self._waiting = dict(joint.sides)
        self.tallies: dict[str, Tally] = {}
        if not rows:
            self.tallies, self._waiting = joint.empty(), {}

    def add(self, side: _Side, cells: Cells) -> None:
        """Add a piece of a side."""
        self._cells.setdefault(side, []).append(cells)
        if self._is_whole(side) and len(cells):
            self._count(side)

    def _is_whole(self, side: _Side) -> bool:
        return sum(map(len, self._cells.get(side, ()))) == self._rows

    def _count(self, whole: _Side) -> None:
        for name, sides in list(self._waiting.items()):
            if whole in sides and all(map(self._is_whole, sides)):
                first, second = (np.concatenate(self._cells[side]) for side in sides)
                self.tallies[name] = count_pair(self._joint.bins[name], first, second)
                del self._waiting[name]
        needed = {side for sides in self._waiting.values() for side in sides}
        self._cells = {side: found for side, found in self._cells.items() if side in needed}


def pieces(part: Part, readings: Mapping[_Key, Reading]) -> Iterator[tuple[_Key, pa.Array]]:
    """Read every source column once and hand each piece to all that are counted from it."""
    users: dict[str, list[_Key]] = {}
    for name, reading in readings.items():
        users.setdefault(reading.column, []).append(name)
    for column, array in part.read(list(users)):
        for name in users[column]:
            with named(column):
                read = readings[name](array)
            yield name, read


@contextmanager
def named(column: str) -> Iterator[None]:
    """Name the column in whatever Arrow says about its values."""
    try:
        yield
    except (pa.ArrowException, OverflowError) as error:
        raise SnapshotInvalidError(f"column {column!r}: {error}") from error


def latest_of_part(part: Part, columns: Sequence[str]) -> list[tuple[str, int | None]]:
    """Return the latest moment of every piece of the columns."""
    return [(name, latest_moment(array)) for name, array in part.read(columns)]
