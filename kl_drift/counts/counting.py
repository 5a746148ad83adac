"""Arrays meet edges: the only lines where a value falls in a cell.

Knows how to count a column's values exactly and as fast as they decode. Has never heard of files,
snapshots, probabilities or limits.

Numbers are counted on a fine grid. A grid cell that holds no edge lies inside one bin, so a plain
``bincount`` settles all its rows; only rows in the few grid cells that hold an edge are compared
with it. Rounding cannot harm: the map from value to grid cell is monotone, edges go through the
same map, and every row that shares a grid cell with an edge is compared with the edge itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kl_drift.counts.arrays import decoded, float_level, level_dictionary, numbers
from kl_drift.counts.bins import (
    Bins,
    CategoryBins,
    Number,
    NumericBins,
    PairBins,
    level_hash,
    side_cells,
)
from kl_drift.counts.buffers import from_numpy, from_texts, to_numpy
from kl_drift.counts.clusters import GroupedBins, KeyBins, KeyCounter
from kl_drift.counts.profile import ValueRange, merge_unseen

Counts = npt.NDArray[np.int64]
Cells = npt.NDArray[np.uint16]
"""The cell of each row."""

_CHUNK = 32_768  # values and their grid cells stay in the second-level cache
_GRID = 8_192
_PROBES = 64
_COMPARED = 4  # with more edges in one grid cell a search is faster
_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What some rows of one column add up to; tallies over the same bins add.

    Parameters
    ----------
    counts : ndarray of int64, shape (cells,)
        Rows per cell.
    range : ValueRange or None
        Of the finite values.
    unseen : mapping of str to int
        Rows per level that the reference never held, as in ``ColumnProfile``.
    """

    counts: Counts
    range: ValueRange | None = None
    unseen: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        """Add counts, join ranges and levels."""
        ranges = [part.range for part in (self, other) if part.range is not None]
        return Tally(
            counts=self.counts + other.counts,
            range=None if not ranges else ranges[0] if len(ranges) == 1 else ranges[0] | ranges[1],
            unseen=merge_unseen(self.unseen, other.unseen),
        )


class Counter(Protocol):
    """Counts arrays of one column over fixed bins; may be shared between threads."""

    def count(self, array: pa.Array) -> Tally:
        """Count every row of ``array``: the counts sum to its length."""

    def empty(self) -> Tally:
        """Return the tally of no rows."""

    def side(self, array: pa.Array) -> Cells:
        """Return the cell of every row of ``array`` on a side of a pair."""


def counter(bins: Bins) -> Counter:
    """Return what counts a column over ``bins``."""
    return NumericCounter(bins) if isinstance(bins, NumericBins) else LevelCounter(bins)


class Sider(Protocol):
    """Tells the cell of every row on a side of a pair; may be shared between threads."""

    def side(self, array: pa.Array) -> Cells:
        """Return the cell of every row of ``array``."""


def sider(bins: Bins | KeyBins) -> Sider:
    """Return what tells the cells of a side over ``bins``."""
    return KeyCounter() if isinstance(bins, KeyBins) else counter(bins)


def count_pair(bins: PairBins | GroupedBins, first: Cells, second: Cells) -> Tally:
    """Count two columns together, by the cell of every row on either side."""
    cells = first.astype(np.intp) * bins.shape[1] + second
    return Tally(counts=np.bincount(cells, minlength=bins.cells))


class NumericCounter:
    """Counts numbers, times and decimals over numeric bins."""

    def __init__(self, bins: NumericBins) -> None:
        self.bins = bins
        self._search = EdgeSearch(bins.edges)

    def empty(self) -> Tally:
        """Return the tally of no rows."""
        return Tally(counts=np.zeros(self.bins.cells, np.int64))

    def count(self, array: pa.Array) -> Tally:
        """Count every row of ``array``: the counts sum to its length."""
        bins = self.bins
        values = numbers(array, bins.domain, bins.scale)
        counts = np.zeros(bins.cells, np.int64)
        counts[: bins.value_cells], nans = self._search.count(values)
        if bins.nan_cell is not None:
            counts[bins.nan_cell] = nans
        counts[bins.null_cell] = len(array) - len(values)
        found = finite_range(values)
        return Tally(
            counts=counts,
            range=None
            if found is None
            else ValueRange(
                domain=bins.domain, minimum=found[0], maximum=found[1], scale=bins.scale
            ),
        )

    def side(self, array: pa.Array) -> Cells:
        """Return the cell of every row of ``array`` on a side of a pair."""
        bins, plain = self.bins, decoded(array)
        values = numbers(plain, bins.domain, bins.scale)
        places = self._search.places(values).astype(np.uint16)
        if bins.nan_cell is not None:
            places[np.isnan(values)] = bins.nan_cell
        if len(places) == len(plain):
            return places
        cells = np.full(len(plain), bins.null_cell, np.uint16)
        cells[to_numpy(plain.is_valid())] = places
        return cells


def finite_range(values: npt.NDArray[Any]) -> tuple[Number, Number] | None:
    """Return the smallest and the largest finite value as Python numbers, ``None`` if none is."""
    if not len(values):
        return None
    if values.dtype.kind == "f":
        low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = values[np.isfinite(values)]
            return finite_range(finite) if len(finite) else None
        return low + 0.0, high + 0.0  # a negative zero is written as zero
    return int(values.min()), int(values.max())


class EdgeSearch:
    """Counts, for each bin between sorted edges, the values in it, as ``searchsorted`` would.

    Parameters
    ----------
    edges : sequence of int or float
        Strictly increasing. Integers of any size are compared exactly with integers of any width,
        never by way of a float.
    """

    def __init__(self, edges: tuple[Number, ...]) -> None:
        self._edges = edges
        self._grids: dict[np.dtype[Any], _Grid] = {}

    def count(self, values: npt.NDArray[Any]) -> tuple[Counts, int]:
        """Return the counts of the ``len(edges) + 1`` bins, and how many values were NaN."""
        if values.dtype == object:
            return self._count_objects(values), 0
        if values.dtype.kind == "f":
            return self._count_floats(values)
        first, edges = self._representable(values.dtype)
        counts = np.zeros(len(self._edges) + 1, np.int64)
        counts[first : first + len(edges) + 1] = self._count(values, edges)
        return counts, 0

    def places(self, values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """Return the bin of each value; a NaN comes after all others."""
        if values.dtype == object:
            return np.searchsorted(np.asarray(self._edges, object), values, side="right")
        if values.dtype.kind == "f":
            return np.searchsorted(np.asarray(self._edges, np.float64), values, side="right")
        first, edges = self._representable(values.dtype)
        return first + np.searchsorted(edges, values, side="right")

    def _count_floats(self, values: npt.NDArray[Any]) -> tuple[Counts, int]:
        missing = np.isnan(values)
        nans = int(np.count_nonzero(missing))
        present = values[~missing] if nans else values
        return self._count(present, np.asarray(self._edges, np.float64)), nans

    def _count_objects(self, values: npt.NDArray[Any]) -> Counts:
        return np.bincount(self.places(values), minlength=len(self._edges) + 1)

    def _representable(self, dtype: np.dtype[Any]) -> tuple[int, npt.NDArray[Any]]:
        """Return the edges that the integer type can hold, and how many lie below them all."""
        limits = np.iinfo(dtype)
        below = sum(edge <= limits.min for edge in self._edges)
        within = [edge for edge in self._edges if limits.min < edge <= limits.max]
        return below, np.asarray(within, dtype)

    def _count(self, values: npt.NDArray[Any], edges: npt.NDArray[Any]) -> Counts:
        if not len(edges):
            return np.array([len(values)], np.int64)
        grid = self._grids.get(values.dtype)
        if grid is None:
            grid = self._grids.setdefault(values.dtype, _Grid(edges))
        return grid.count(values)


class _Grid:
    """The fine grid over some edges: which cells are settled, and how to search the others."""

    def __init__(self, edges: npt.NDArray[Any]) -> None:
        self._edges = edges
        floats = _between_integers(edges) if edges.dtype.kind != "f" else edges
        maps = [grid for make in (_UniformMap, _BitMap) if (grid := make.over(floats)) is not None]
        self._map = min(maps, key=lambda grid: _ambiguity(grid, floats))
        cells = self._map(floats)
        self._bin_of = np.searchsorted(cells, np.arange(_GRID), side="left")
        edges_in = np.bincount(cells, minlength=_GRID)
        self._ambiguous = edges_in > 0
        most = edges_in.max() if edges_in.max() <= _COMPARED else 0
        self._next_edges = [edges.take(self._bin_of + nth, mode="clip") for nth in range(most)]

    def count(self, values: npt.NDArray[Any]) -> Counts:
        """Count values without NaN over the bins between the edges."""
        hits = np.zeros(_GRID, np.int64)
        counts = np.zeros(len(self._edges) + 1, np.int64)
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            cells = self._map(chunk.astype(np.float64, copy=False))
            hits += np.bincount(cells, minlength=_GRID)
            unsettled = np.flatnonzero(self._ambiguous[cells])
            if len(unsettled):
                places = self._places(chunk[unsettled], cells[unsettled])
                counts += np.bincount(places, minlength=len(counts))
        hits[self._ambiguous] = 0
        np.add.at(counts, self._bin_of, hits)
        return counts

    def _places(
        self, values: npt.NDArray[Any], cells: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        """Return the bins of values whose cells hold edges: compare with each, or search."""
        if not self._next_edges:
            return np.searchsorted(self._edges, values, side="right")
        places = self._bin_of[cells]
        for edges in self._next_edges:
            places += values >= edges[cells]
        return np.minimum(places, len(self._edges), out=places)  # the last edge stands repeated


def _between_integers(edges: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Move integer edges half a step down, so that no integer value shares a cell with an edge.

    Beyond 2⁵² a float has no halves; there the edges stay, and their cells are searched.
    """
    floats = edges.astype(np.float64)
    return np.where(np.abs(floats) < 2**52, floats - 0.5, floats)


def _ambiguity(grid: _UniformMap | _BitMap, edges: npt.NDArray[np.float64]) -> float:
    """Estimate the share of rows in cells that hold an edge, if every bin held as many rows."""
    if len(edges) < 2:
        return 0.0
    steps = (np.arange(_PROBES) + 0.5) / _PROBES
    probes = edges[:-1, None] * (1 - steps) + edges[1:, None] * steps
    return float(np.isin(grid(probes.ravel()), grid(edges)).mean())


@dataclass(frozen=True, slots=True)
class _UniformMap:
    """Value → one of equally wide cells; best where bins are of like width."""

    low: float
    scale: float

    @classmethod
    def over(cls, edges: npt.NDArray[np.float64]) -> _UniformMap | None:
        """Return the map for these edges, ``None`` where their span is nothing or overflows."""
        with np.errstate(over="ignore", divide="ignore"):
            scale = (_GRID - 3) / (edges[-1] - edges[0])
        return cls(float(edges[0]), float(scale)) if 0 < scale < np.inf else None

    def __call__(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        with np.errstate(over="ignore"):  # an infinite offset is clipped like any large one
            places = values - self.low
            places *= self.scale
        places += 1
        np.clip(places, 0, _GRID - 1, out=places)
        return places.astype(np.intp)


@dataclass(frozen=True, slots=True)
class _BitMap:
    """Value → its leading bits, which grow with its logarithm; best for heavy tails."""

    base: int
    shift: int

    @classmethod
    def over(cls, edges: npt.NDArray[np.float64]) -> _BitMap:
        """Return the finest map that spans these edges."""
        low, high = (int(key) for key in _sortable_bits(edges[[0, -1]]))
        shift = max(0, (high - low).bit_length() - _GRID.bit_length() + 1)
        while (high >> shift) - (low >> shift) > _GRID - 3:
            shift += 1
        return cls((low >> shift) - 1, shift)

    def __call__(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        keys = _sortable_bits(values)
        keys >>= self.shift
        np.clip(keys, self.base, self.base + _GRID - 1, out=keys)
        keys -= self.base
        return keys.astype(np.intp, copy=False)


def _sortable_bits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the bit patterns as integers that sort like the values; −0 becomes +0."""
    keys = (values + 0.0).view(np.int64)
    keys ^= (keys >> 63) & _MAGNITUDE
    return keys


class LevelCounter:
    """Counts the levels of a categorical column over category bins."""

    def __init__(self, bins: CategoryBins) -> None:
        self.bins = bins
        floats = bins.domain == "float"
        self._levels = from_texts([*map(float_level, bins.levels)] if floats else bins.levels)

    @cached_property
    def _known(self) -> frozenset[bytes]:
        known = self.bins.known
        return frozenset(known[i : i + 8] for i in range(0, len(known), 8))

    def empty(self) -> Tally:
        """Return the tally of no rows."""
        return Tally(counts=np.zeros(self.bins.cells, np.int64))

    def count(self, array: pa.Array) -> Tally:
        """Count every row of ``array``: the counts sum to its length."""
        levels, rows = used_levels(level_dictionary(array, self.bins.domain))
        return self.count_levels(levels, rows, nulls=len(array) - int(rows.sum()))

    def count_levels(self, levels: pa.Array, rows: Counts, nulls: int) -> Tally:
        """Count levels, each once and as its text, of which the rows are known already."""
        kept = pc.index_in(levels, value_set=self._levels)
        counts = np.zeros(self.bins.cells, np.int64)
        counts[self.bins.null_cell] = nulls
        inside = to_numpy(kept.is_valid())
        places = to_numpy(kept.drop_null())
        np.add.at(counts, places, rows[inside])
        others = levels.filter(pc.is_null(kept))
        return Tally(counts=counts, unseen=self._count_others(others, rows[~inside], counts))

    def side(self, array: pa.Array) -> Cells:
        """Return the cell of every row of ``array`` on a side of a pair."""
        encoded = level_dictionary(array, self.bins.domain)
        rest, null = self.bins.other_cell, side_cells(self.bins) - 1
        kept = pc.index_in(encoded.dictionary, value_set=self._levels).fill_null(rest)
        cell_of = np.append(to_numpy(kept), null).astype(np.uint16)
        cell_of[:-1][~to_numpy(encoded.dictionary.is_valid())] = null
        cells: Cells = cell_of[to_numpy(encoded.indices.cast(pa.int64()).fill_null(len(kept)))]
        return cells

    def _count_others(self, levels: pa.Array, rows: Counts, counts: Counts) -> dict[str, int]:
        """Add the levels that are not kept to ``other`` or ``unseen``; return the unseen ones."""
        unseen: dict[str, int] = {}
        for level, count in zip(levels.to_pylist(), rows.tolist(), strict=True):
            if level_hash(level) in self._known:
                counts[self.bins.other_cell] += count
            else:
                counts[self.bins.unseen_cell] += count
                unseen[level] = count
        return merge_unseen(unseen, {})


def used_levels(array: pa.DictionaryArray) -> tuple[pa.Array, Counts]:
    """Return the values that a dictionary array uses, each once and not null, with their rows."""
    indices = array.indices
    if indices.null_count:
        indices = indices.drop_null()
    places = to_numpy(indices).astype(np.intp, copy=False)
    rows = np.bincount(places, minlength=len(array.dictionary))
    used = (rows > 0) & to_numpy(array.dictionary.is_valid())
    levels, rows = array.dictionary.filter(from_numpy(used)), rows[used]
    if len(levels.unique()) == len(levels):
        return levels, rows
    merged = levels.dictionary_encode()  # two values of one text, or a dictionary with repeats
    sums = np.zeros(len(merged.dictionary), np.int64)
    np.add.at(sums, to_numpy(merged.indices), rows)
    return merged.dictionary, sums
