"""The engine of one machine: a source becomes a sample or counts, on a few threads.

Knows how to walk a source's parts in parallel within bounded memory. Has never heard of
divergences, limits or reports.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count as ordinals
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kl_drift.counts.arrays import decoded, level_dictionary, numbers
from kl_drift.counts.binning import LevelSample, NumberSample
from kl_drift.counts.bins import Number
from kl_drift.counts.buffers import from_numpy
from kl_drift.counts.counting import Tally, finite_range, used_levels
from kl_drift.engines.parts import Part, PartCounter, latest_of_part, named, pieces
from kl_drift.engines.reading import (
    LEVEL_LIMIT,
    Columns,
    LevelsWanted,
    NumbersWanted,
    Pair,
    Request,
    Sample,
    Step,
    TooManyLevels,
    later,
)
from kl_drift.engines.source import Source
from kl_drift.errors import KLDriftError

SAMPLE_ROWS = 131_072
"""Rows that edges are fitted on, spread evenly over the whole reference."""

_T = TypeVar("_T")


class LocalSource(Source):
    """A table whose rows are read here, part by part, and counted on a few threads."""

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """Yield all rows, part by part, as few at a time as memory should hold."""

    def tally(
        self, columns: Columns, pairs: Mapping[str, Pair], step: Step | None = None
    ) -> tuple[int, dict[str, Tally]]:
        """Count columns and pairs in one reading of the parts, and only of the columns needed."""
        count = PartCounter(columns, pairs)
        totals = count.empty()
        rows = 0
        for part, sums in walk(self.parts(), lambda _, part: count(part)):
            rows += part.rows
            for name, piece in sums.items():
                totals[name] += piece
            if step:
                step(part.rows)
        return rows, totals

    def sample(self, wanted: Mapping[str, Request], step: Step | None = None) -> dict[str, Sample]:
        """Sample columns in one reading, of every part in proportion to its rows.

        The same source gives the same sample, whatever the number of threads.
        """
        if self.rows is None:
            raise KLDriftError("a stream must be made readable twice before it is sampled")
        sampler = _Sampler(wanted, min(1.0, SAMPLE_ROWS / max(self.rows, 1)))
        for part, seen in walk(self.parts(), sampler.look):
            sampler.add(seen)
            if step:
                step(part.rows)
        return sampler.result()

    def latest(self, columns: Sequence[str]) -> dict[str, int | None]:
        """Return the latest moment in each timestamp column, in one reading."""
        found: dict[str, int | None] = dict.fromkeys(columns)
        for _, results in walk(self.parts(), lambda _, part: latest_of_part(part, columns)):
            for name, moment in results:
                found[name] = later(found[name], moment)
        return found


def walk(parts: Iterator[Part], visit: Callable[[int, Part], _T]) -> Iterator[tuple[Part, _T]]:
    """Visit all parts on a few threads; yield the results in the order of the parts."""
    workers = _workers()
    waiting: deque[tuple[Part, Future[_T]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for ordinal, part in zip(ordinals(), parts, strict=False):
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


class _Sampler:
    """Samples a share of every part; may be shared between threads, but for what it adds up."""

    def __init__(self, wanted: Mapping[str, Request], share: float) -> None:
        self._share = share
        self._readings = {name: want.reading for name, want in wanted.items()}
        self._collectors = {name: _collector(want) for name, want in wanted.items()}

    def look(self, ordinal: int, part: Part) -> dict[str, Any]:
        """Look at a part; called from any thread."""
        picked = _picked_rows(ordinal, part.rows, self._share)
        done = dict.fromkeys(self._readings, 0)
        seen: dict[str, Any] = {name: each.nothing() for name, each in self._collectors.items()}
        for name, array in pieces(part, self._readings):
            start, done[name] = done[name], done[name] + len(array)
            low, high = np.searchsorted(picked, [start, done[name]])
            with named(self._readings[name].column):
                self._collectors[name].look(array, picked[low:high] - start, seen[name])
        return seen

    def add(self, seen: Mapping[str, Any]) -> None:
        """Add what was seen of a part; called from one thread, in order."""
        for name, found in seen.items():
            self._collectors[name].add(found)

    def result(self) -> dict[str, Sample]:
        """Return the samples."""
        return {name: each.result() for name, each in self._collectors.items()}


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


def _collector(want: Request) -> _Numbers | _Levels:
    return _Numbers(want) if isinstance(want, NumbersWanted) else _Levels(want)
