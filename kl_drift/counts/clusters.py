"""Rows that belong together, such as those of one customer: which group their key falls in.

Knows keys as text. Has never heard of files or of what is told by groups.

A key has one of 64 groups, by a hash of its text, so that all rows of a key are in one group,
whatever the order of the rows, the part they are in or the engine. Counts by group and cell are
bounded, and those of parts add up to those of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kl_drift.counts.arrays import family_of, level_dictionary
from kl_drift.counts.bins import Bins, LevelDomain, level_hash, side_cells
from kl_drift.counts.buffers import to_numpy
from kl_drift.counts.profile import GROUPS
from kl_drift.errors import ColumnTypeError


@dataclass(frozen=True, slots=True)
class KeyBins:
    """The groups that keys fall in, on a side of counts: one cell for each, then null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedBins:
    """Cells for a column by group: each group of keys with each cell of the column.

    Parameters
    ----------
    sides : (KeyBins, NumericBins or CategoryBins)
        The groups, and the cells of the column as on a side of a pair, which run fastest.
    """

    sides: tuple[KeyBins, Bins]

    @property
    def shape(self) -> tuple[int, int]:
        """How many cells either side has."""
        return GROUPS + 1, side_cells(self.sides[1])

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.shape[0] * self.shape[1]

    def groups(self, counts: npt.NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
        """Return counts by group and cell; rows without a key are in no group."""
        return tuple(map(tuple, counts.reshape(self.shape)[:GROUPS].tolist()))


class KeyCounter:
    """Tells the group of every row."""

    def side(self, array: pa.Array) -> npt.NDArray[np.uint16]:
        """Return the group of every row of ``array`` by its key."""
        encoded = level_dictionary(array, key_domain(array.type))
        levels: list[str | None] = encoded.dictionary.to_pylist()
        group_of = np.array([*map(_group, levels), GROUPS], np.uint16)
        places = to_numpy(encoded.indices.cast(pa.int64()).fill_null(len(levels)))
        groups: npt.NDArray[np.uint16] = group_of[places]
        return groups


def _group(key: str | None) -> int:
    return GROUPS if key is None else level_hash(key)[-1] % GROUPS


def key_domain(kind: pa.DataType, name: str = "") -> LevelDomain:
    """Return the domain in which keys of a type are told apart.

    Raises
    ------
    ColumnTypeError
        If values of that type are no keys.
    """
    family = family_of(kind)
    if family == "null":
        return "string"
    if family not in get_args(LevelDomain):
        raise ColumnTypeError(
            f"cluster: column {name!r} is {kind}, and rows that belong together share text, a "
            "number or a date; name such a column"
        )
    return cast("LevelDomain", family)
