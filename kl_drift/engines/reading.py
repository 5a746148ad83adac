"""What an engine is asked: which columns, read how, counted over what or sampled for what.

Knows how a counted column comes from a column of the table, and what a sample is taken for. Has
never heard of where the rows are, nor of how they are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from kl_drift.counts.arrays import decoded
from kl_drift.counts.binning import LevelSample, NumberSample
from kl_drift.counts.bins import Bins, Domain, LevelDomain, PairBins
from kl_drift.counts.clusters import GroupedBins

LEVEL_LIMIT = 200_000
"""More distinct levels than this are not counted as categories."""

Step: TypeAlias = Callable[[int], None]
"""Called with the rows of every piece of work that is done."""


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
    presence : bool
        Whether only the nulls are asked for: every value is read as 0, whatever its type.
    """

    column: str
    age_from: int | None = None
    zone: str = ""
    presence: bool = False

    def __call__(self, array: pa.Array) -> pa.Array:
        """Return the values to count."""
        if self.presence:
            there = pa.scalar(0, pa.int8())  # made here: pyarrow loads pandas to make one
            return pc.if_else(pc.is_valid(decoded(array)), there, None)
        if self.zone:
            array = decoded(array)
            if getattr(array.type, "tz", None) not in (None, self.zone):
                return array.cast(pa.timestamp(array.type.unit, self.zone))
        if self.age_from is None:
            return array
        moments = microseconds(decoded(array))
        return pc.subtract(pa.scalar(self.age_from, pa.int64()), moments).cast(pa.duration("us"))


_MICROSECONDS = {"s": 1_000_000, "ms": 1_000}
_NANOSECONDS = 1_000
_LATEST = 2**62


def microseconds(moments: pa.Array) -> pa.Array:
    """Return timestamps as whole microseconds since 1970; beyond 146,000 years, those of then."""
    unit = getattr(moments.type, "unit", "us")
    if unit == "ns":
        return pc.divide(moments.cast(pa.int64()), _NANOSECONDS)
    factor = _MICROSECONDS.get(unit, 1)
    limit = _LATEST // factor  # so that neither the product nor an age can overflow in silence
    ticks = pc.min_element_wise(moments.cast(pa.int64()), limit, skip_nulls=False)
    return pc.multiply(pc.max_element_wise(ticks, -limit, skip_nulls=False), factor)


def latest_moment(moments: pa.Array) -> int | None:
    """Return the latest of timestamps, in microseconds since 1970; ``None`` where all are null."""
    latest: int | None = pc.max(microseconds(decoded(moments))).as_py()
    return latest


def later(one: int | None, two: int | None) -> int | None:
    """Return the later of two moments; ``None`` stands for no moment."""
    return max((moment for moment in (one, two) if moment is not None), default=None)


Columns: TypeAlias = Mapping[str, tuple[Reading, Bins]]
"""What is to be counted, by the name it is counted under."""


class Pair(NamedTuple):
    """Two columns that are counted together: how either is read, and over which cells.

    Over grouped bins the first is the key of rows that belong together.
    """

    readings: tuple[Reading, Reading]
    bins: PairBins | GroupedBins


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


Request: TypeAlias = NumbersWanted | LevelsWanted

Sample: TypeAlias = NumberSample | LevelSample | TooManyLevels
