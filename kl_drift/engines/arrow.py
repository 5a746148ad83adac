"""The engine of one machine: a source becomes a sample or counts, on a few threads.

Knows how to walk a source's parts in parallel within bounded memory. Has never heard of
divergences, limits or reports.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as ordinals
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kl_drift.counts.arrays import decoded, level_dictionary, numbers
from kl_drift.counts.binning import LevelSample, NumberSample
from kl_drift.counts.bins import Bins, Domain, LevelDomain, Number, PairBins
from kl_drift.counts.buffers import from_numpy
from kl_drift.counts.counting import Cells, Tally, count_pair, counter, finite_range, used_levels
from kl_drift.engines.source import Part, Source
from kl_drift.errors import KLDriftError, SnapshotInvalidError

Progress = Callable[[int], None]
"""Called with the rows of every part that is done; twice as many in all when fitting."""

SAMPLE_ROWS = 131_072
"""Rows that edges are fitted on, spread evenly over the whole reference."""

LEVEL_LIMIT = 200_000
"""More distinct levels than this are not counted as categories."""

_T = TypeVar("_T")
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a counted column comes from a source's column.

    Parameters
    ----------
    column : str
        The source's column.
    age_from : int, optional
        Microseconds since 1970 from which the age of timestamps is counted; ``None``: no age.
    zone : str
        The zone in which moments are read, if they have one; empty: their own.
    """

    column: str
    age_from: int | None = None
    zone: str = ""

    def __call__(self, array: pa.Array) -> pa.Array:
        """Return the values to count."""
        if self.zone:
            array = decoded(array)
            if getattr(array.type, "tz", None) not in (None, self.zone):
                return array.cast(pa.timestamp(array.type.unit, self.zone))
        if self.age_from is None:
            return array
        moments = decoded(array)
        return pc.subtract(pa.scalar(self.age_from, pa.int64()), _microseconds(moments)).cast(
            pa.duration("us")
        )


def _microseconds(moments: pa.Array) -> pa.Array:
    kind = pa.timestamp("us", getattr(moments.type, "tz", None))
    return moments.cast(kind, safe=False).cast(pa.int64())


class Pair(NamedTuple):
    """Two columns that are counted together: how either is read, and over which cells."""

    readings: tuple[Reading, Reading]
    bins: PairBins


def tally(
    source: Source,
    wanted: Mapping[str, tuple[Reading, Bins]],
    progress: Progress | None = None,
    pairs: Mapping[str, Pair] | None = None,
) -> tuple[int, dict[str, Tally]]:
    """Count columns of a source over bins.

    Parameters
    ----------
    source : Source
        Read once, only the columns asked for.
    wanted : mapping of str to (Reading, Bins)
        What to count, under which name.
    progress : callable, optional
        Told of the rows that are done.
    pairs : mapping of str to Pair, optional
        What to count together, under which name.

    Returns
    -------
    (int, dict of str to Tally)
        The rows, and the tallies by name; the counts of each sum to the rows.
    """
    count = PartCounter(wanted, pairs or {})
    totals = count.empty()
    rows = 0
    for part, sums in _walk(source, lambda _, part: count(part)):
        rows += part.rows
        for name, piece in sums.items():
            totals[name] += piece
        if progress:
            progress(part.rows)
    return rows, totals


class PartCounter:
    """Counts the wanted columns and pairs of a part; may be shared between threads."""

    def __init__(
        self, wanted: Mapping[str, tuple[Reading, Bins]], pairs: Mapping[str, Pair]
    ) -> None:
        self._counters = {name: counter(bins) for name, (_, bins) in wanted.items()}
        self._joint = _Joint(pairs)
        own = {name: reading for name, (reading, _) in wanted.items()}
        self._readings = own | self._joint.readings

    def empty(self) -> dict[str, Tally]:
        """Return the tallies of no rows."""
        return {name: each.empty() for name, each in self._counters.items()} | self._joint.empty()

    def __call__(self, part: Part) -> dict[str, Tally]:
        """Return the tallies of all rows of a part, by name."""
        sums: dict[str, Tally] = {}
        cells = self._joint.nothing()
        for key, array in _pieces(part, self._readings):
            with _named(self._readings[key].column):
                if isinstance(key, _Side):
                    cells[key].append(self._joint.cells(key, array))
                    continue
                piece = self._counters[key].count(array)
            sums[key] = sums[key] + piece if key in sums else piece
        return sums | self._joint.count(cells)


class _Side(NamedTuple):
    """A column of pairs, read in one way and over one set of bins, for however many pairs."""

    reading: Reading
    bins: Bins


class _Joint:
    """Counts pairs: the cells of a whole part on either side, then both together."""

    def __init__(self, pairs: Mapping[str, Pair]) -> None:
        self._bins = {name: pair.bins for name, pair in pairs.items()}
        self._sides = {
            name: [_Side(*side) for side in zip(pair.readings, pair.bins.sides, strict=True)]
            for name, pair in pairs.items()
        }
        self._counters = {s: counter(s.bins) for sides in self._sides.values() for s in sides}

    @property
    def readings(self) -> dict[_Side, Reading]:
        """How the sides are read."""
        return {side: side.reading for side in self._counters}

    def empty(self) -> dict[str, Tally]:
        """Return the tallies of no rows."""
        return {
            name: Tally(counts=np.zeros(bins.cells, np.int64)) for name, bins in self._bins.items()
        }

    def nothing(self) -> dict[_Side, list[Cells]]:
        """Return what is known of a part before any piece of it."""
        return {side: [np.empty(0, np.uint16)] for side in self._counters}

    def cells(self, side: _Side, array: pa.Array) -> Cells:
        """Return the cell of every row of a piece."""
        return self._counters[side].side(array)

    def count(self, cells: Mapping[_Side, list[Cells]]) -> dict[str, Tally]:
        """Count the pairs of a part whose pieces have all been read."""
        whole = {side: np.concatenate(pieces) for side, pieces in cells.items()}
        return {
            name: count_pair(self._bins[name], whole[first], whole[second])
            for name, (first, second) in self._sides.items()
        }


def _pieces(part: Part, readings: Mapping[_Key, Reading]) -> Iterator[tuple[_Key, pa.Array]]:
    """Read every source column once and hand each piece to all that are counted from it."""
    users: dict[str, list[_Key]] = {}
    for name, reading in readings.items():
        users.setdefault(reading.column, []).append(name)
    for column, array in part.read(list(users)):
        for name in users[column]:
            with _named(column):
                read = readings[name](array)
            yield name, read


@contextmanager
def _named(column: str) -> Iterator[None]:
    """Name the column in whatever Arrow says about its values."""
    try:
        yield
    except (pa.ArrowException, OverflowError) as error:
        raise SnapshotInvalidError(f"column {column!r}: {error}") from error


def _walk(source: Source, visit: Callable[[int, Part], _T]) -> Iterator[tuple[Part, _T]]:
    """Visit all parts on a few threads; yield the results in the order of the parts."""
    workers = _workers()
    waiting: deque[tuple[Part, Future[_T]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for ordinal, part in zip(ordinals(), source.parts(), strict=False):
                waiting.append((part, pool.submit(visit, ordinal, part)))
                if len(waiting) > workers:
                    done, result = waiting.popleft()
                    yield done, result.result()
            for done, result in waiting:
                yield done, result.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _workers() -> int:
    """Return how many threads this process may keep busy."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersWanted:
    """Ask for a sample of an ordered column."""

    reading: Reading
    domain: Domain
    scale: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelsWanted:
    """Ask for the levels of a categorical column."""

    reading: Reading
    domain: LevelDomain


@dataclass(frozen=True, slots=True)
class TooManyLevels:
    """A categorical column that has more levels than are counted.

    Parameters
    ----------
    unique : bool
        Whether no value had occurred twice when the limit was reached.
    """

    unique: bool


def sample(
    source: Source,
    wanted: Mapping[str, NumbersWanted | LevelsWanted],
    progress: Progress | None = None,
) -> dict[str, NumberSample | LevelSample | TooManyLevels]:
    """Sample the columns of a source, every part of it in proportion to its rows.

    The same source gives the same sample, whatever the number of threads.

    Parameters
    ----------
    source : Source
        Read once; its number of rows must be known.
    wanted : mapping of str to NumbersWanted or LevelsWanted
        What to sample, under which name.
    progress : callable, optional
        Told of the rows that are done.

    Returns
    -------
    dict of str to NumberSample, LevelSample or TooManyLevels
        Extremes, rows and levels are exact.
    """
    if source.rows is None:
        raise KLDriftError("a stream must be made readable twice before it is sampled")
    share = min(1.0, SAMPLE_ROWS / max(source.rows, 1))
    collectors = {name: _collector(want) for name, want in wanted.items()}
    readings = {name: want.reading for name, want in wanted.items()}

    def collect(ordinal: int, part: Part) -> dict[str, Any]:
        picked = _picked_rows(ordinal, part.rows, share)
        done = dict.fromkeys(readings, 0)
        seen: dict[str, Any] = {name: each.nothing() for name, each in collectors.items()}
        for name, array in _pieces(part, readings):
            start, done[name] = done[name], done[name] + len(array)
            low, high = np.searchsorted(picked, [start, done[name]])
            with _named(readings[name].column):
                collectors[name].look(array, picked[low:high] - start, seen[name])
        return seen

    for part, seen in _walk(source, collect):
        for name, found in seen.items():
            collectors[name].add(found)
        if progress:
            progress(part.rows)
    return {name: each.result() for name, each in collectors.items()}


def _picked_rows(ordinal: int, rows: int, share: float) -> npt.NDArray[np.int64]:
    """Return the rows of a part that go into the sample, sorted."""
    if share == 1.0:
        return np.arange(rows)
    generator = np.random.default_rng([ordinal, rows])
    return np.sort(generator.choice(rows, size=int(np.ceil(rows * share)), replace=False))


class _Seen(NamedTuple):
    """What one piece holds of an ordered column."""

    chosen: npt.NDArray[Any]
    present: int
    extremes: tuple[Number, Number] | None


class _Numbers:
    """Collects the sample, the count and the extremes of an ordered column."""

    def __init__(self, want: NumbersWanted) -> None:
        self._want = want
        self._values: list[npt.NDArray[Any]] = []
        self._present = 0
        self._extremes: list[Number] = []

    def nothing(self) -> list[_Seen]:
        """Return what is seen of a part before any piece of it."""
        return []

    def look(self, array: pa.Array, rows: npt.NDArray[np.int64], seen: list[_Seen]) -> None:
        """Look at one piece of a part; called from any thread."""
        domain, scale = self._want.domain, self._want.scale
        values = numbers(array, domain, scale)
        chosen = (
            values[rows]
            if len(values) == len(array)
            else numbers(decoded(array).take(from_numpy(rows)), domain, scale)
        )
        seen.append(_Seen(chosen, len(values), finite_range(values)))

    def add(self, seen: list[_Seen]) -> None:
        """Add what was seen of a part; called from one thread, in order."""
        for piece in seen:
            self._values.append(piece.chosen)
            self._present += piece.present
            self._extremes += piece.extremes or ()

    def result(self) -> NumberSample:
        """Return the sample."""
        return NumberSample(
            domain=self._want.domain,
            values=np.concatenate(self._values) if self._values else np.empty(0),
            present=self._present,
            minimum=min(self._extremes, default=None),
            maximum=max(self._extremes, default=None),
            scale=self._want.scale,
        )


class _Levels:
    """Collects all levels of a categorical column, until there are too many."""

    def __init__(self, want: LevelsWanted) -> None:
        self._domain = want.domain
        self._rows: dict[str, int] = {}
        self._overflow: TooManyLevels | None = None

    def nothing(self) -> dict[str, int]:
        """Return what is seen of a part before any piece of it."""
        return {}

    def look(self, array: pa.Array, _: npt.NDArray[np.int64], seen: dict[str, int]) -> None:
        """Look at one piece of a part, unless it has too many; called from any thread."""
        if self._overflow or len(seen) > LEVEL_LIMIT:
            return
        levels, rows = used_levels(level_dictionary(array, self._domain))
        for level, count in zip(levels.to_pylist(), rows.tolist(), strict=True):
            seen[level] = seen.get(level, 0) + count

    def add(self, seen: Mapping[str, int]) -> None:
        """Add what was seen of a part; called from one thread, in order."""
        if self._overflow:
            return
        for level, rows in seen.items():
            self._rows[level] = self._rows.get(level, 0) + rows
        if len(self._rows) > LEVEL_LIMIT:
            self._overflow = TooManyLevels(max(self._rows.values()) == 1)
            self._rows = {}

    def result(self) -> LevelSample | TooManyLevels:
        """Return the levels."""
        return self._overflow or LevelSample(domain=self._domain, rows=self._rows)


def _collector(want: NumbersWanted | LevelsWanted) -> _Numbers | _Levels:
    return _Numbers(want) if isinstance(want, NumbersWanted) else _Levels(want)


def latest(source: Source, columns: Sequence[str]) -> dict[str, int | None]:
    """Return the latest moment in each timestamp column, in microseconds since 1970."""
    found: dict[str, int | None] = dict.fromkeys(columns)
    for _, results in _walk(source, lambda _, part: latest_of_part(part, columns)):
        for name, moment in results:
            found[name] = later(found[name], moment)
    return found


def latest_of_part(part: Part, columns: Sequence[str]) -> list[tuple[str, int | None]]:
    """Return the latest moment of every piece of the columns."""
    return [
        (name, pc.max(_microseconds(decoded(array))).as_py()) for name, array in part.read(columns)
    ]


def later(one: int | None, two: int | None) -> int | None:
    """Return the later of two moments; ``None`` stands for no moment."""
    return max((moment for moment in (one, two) if moment is not None), default=None)
