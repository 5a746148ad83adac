"""The laws of an engine: cell for cell, it counts what the core counts on the same rows.

Knows rows that engines like to get wrong (collations, midnights, the ends of every type), and what
any engine must make of them. Has never heard of any engine but the core's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kl_drift.counts.binning import Categories, LevelSample, NumberSample
from kl_drift.counts.profile import Profile
from kl_drift.counts.selection import Selection
from kl_drift.engines.opening import Readable, open_source
from kl_drift.engines.profiling import fit_profile, scan_profile
from kl_drift.engines.reading import LevelsWanted, NumbersWanted, Reading, Request, Sample
from kl_drift.engines.source import Source
from kl_drift.engines.tables import TableSource
from kl_drift.errors import UsageError
from kl_drift.testing.comparing import assert_profiles_equal

Row: TypeAlias = tuple[Any, ...]

_MIDNIGHT = datetime(2013, 3, 10)  # New York puts its clocks forward at two
_MOMENTS = [
    *(_MIDNIGHT.replace(hour=hour, minute=30) for hour in (0, 5, 6, 7, 8)),
    *(datetime(2013, 3, 10, 23, 59, 59, 999_999), datetime(1970, 1, 1), datetime(1900, 2, 28, 4)),
    *(datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2038, 1, 19, 3, 14, 7, 1)),
    *(_MIDNIGHT, datetime(9999, 12, 31, 23, 59, 59, 999_999)),
]
_WORDS = ["a", "A", "a ", " a", "", "b", "B", "é", "e\u0301", "ß", "ss", "ẞ", "I", "ı", "ö"]
_WORDS += ["😀", "null", "NULL", "NaN", "it's", 'say "x"', "100%", ":bind", "line\nbreak", "\\"]

POOLS: dict[str, tuple[pa.DataType, Sequence[Any]]] = {
    "an integer": (pa.int64(), [0, 1, 2, 3, -1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]),
    "short": (pa.int16(), [0, 1, -1, 7, -(2**15), 2**15 - 1]),
    "level_of integer": (pa.int32(), [0, 1, 2, 3, -5, 2**31 - 1]),
    "real": (
        pa.float64(),
        [0.0, -0.0, 0.1, 0.2, 0.1 + 0.2, 0.3, 5e-324, 1e308, -1e308, 1.5, math.inf, -math.inf],
    ),
    "single": (pa.float32(), [float(np.float32(each)) for each in (0, 0.1, 0.2, 1e30, -7.5)]),
    "level of real": (pa.float64(), [0.0, -0.0, 0.1, 1e16, 1e-5, 12345678.9, 3.0]),
    'de"cimal': (pa.decimal128(20, 4), [Decimal(each) for each in ("0", "1.5", "-1.5", "0.0001")]),
    "Level of decimal": (
        pa.decimal128(9, 2),
        [Decimal(each) for each in ("1.50", "2.00", "-0.10")],
    ),
    "wörd": (pa.string(), _WORDS),
    "flag": (pa.bool_(), [True, False]),
    "bytes; --": (pa.binary(), [b"", b"\x00\xff", b"abc"]),
    "day": (pa.date32(), [each.date() for each in _MOMENTS]),
    "level of day": (pa.date32(), [date(2013, 1, 1), date(2013, 1, 2), date(1969, 12, 31)]),
    "moment": (pa.timestamp("us"), _MOMENTS),
    "a.zoned.moment": (pa.timestamp("us", "UTC"), [m.replace(tzinfo=UTC) for m in _MOMENTS]),
    "clock": (pa.time64("us"), [time(0), time(12, 30, 1), time(23, 59, 59, 999_999)]),
    "nothing": (pa.int32(), [None]),
}
"""The columns of the laws' tables: their types, and the values that are drawn."""

_NANS = ("real", "single", "level of real")

_SELECTION = Selection(
    bins={
        **{name: Categories(top=2) for name in POOLS if "level" in name.lower()},
        "wörd": Categories(top=4),
    },
    judge={
        "day": ("value", "weekday"),
        "level of day": ("value",),
        "moment": ("value", "hour", "weekday", "age"),
        "a.zoned.moment": ("value", "hour", "weekday", "age"),
    },
)

_SAMPLED: dict[str, Request] = {
    "an integer": NumbersWanted(reading=Reading(column="an integer"), domain="integer"),
    "real": NumbersWanted(reading=Reading(column="real"), domain="float"),
    "wörd": LevelsWanted(reading=Reading(column="wörd"), domain="string"),
}


def _table(rows: Sequence[Row]) -> pa.Table:
    """Make a table of rows, each a tuple of values in the order of the pools."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in POOLS)
    return pa.table(
        {
            name: pa.array(list(values), kind)
            for (name, (kind, _)), values in zip(POOLS.items(), columns, strict=True)
        }
    )


@cache
def many_rows() -> pa.Table:
    """Return 400 rows with the values of each pool, repeated unevenly."""
    random = np.random.default_rng(7)
    pools = [pool for _, pool in POOLS.values()]
    return _table(
        [
            tuple(pool[int(random.integers(len(pool)) ** 1.2) % len(pool)] for pool in pools)
            for _ in range(400)
        ]
    )


@cache
def _reference() -> Profile:
    """Fit bins to many rows, with a clock in New York."""
    rows = many_rows()
    place = rows.schema.get_field_index("a.zoned.moment")
    local = rows["a.zoned.moment"].cast(pa.timestamp("us", "America/New_York"))
    return fit_profile(TableSource(rows.set_column(place, "a.zoned.moment", local)), _SELECTION)


_TABLES = st.lists(
    st.tuples(
        *(
            st.sampled_from([*pool, None, *([math.nan] if name in _NANS else [])])
            for name, (_, pool) in POOLS.items()
        )
    ),
    max_size=12,
).map(_table)


class EngineLaws:
    """What every engine must do: derive a test class from it, and pytest runs the laws.

    Attributes
    ----------
    samples : bool
        Whether bins can be fitted on what the engine holds. Where not, it must say so.
    pairs : bool
        Whether it counts pairs of columns. Where not, it must say so.

    Examples
    --------
    >>> from kl_drift.engines.tables import TableSource
    >>> from kl_drift.testing import EngineLaws
    >>> class TestTables(EngineLaws):
    ...     def open(self, table):
    ...         return TableSource(table)
    """

    samples: ClassVar[bool] = True
    pairs: ClassVar[bool] = True

    def open(self, table: pa.Table) -> Readable:
        """Return the engine's source (or what is opened as one) that holds the rows of a table."""
        raise NotImplementedError(f"{type(self).__name__} must say how a table is opened")

    def close(self, opened: Readable) -> None:
        """Remove what :meth:`open` has made; nothing by default."""

    def expected(self, table: pa.Table) -> pa.Table:
        """Return the rows as the engine can hold them: by default, as they are.

        Leave out columns whose type it has not, and cast what it keeps as another.
        """
        return table

    @contextmanager
    def _opened(self, table: pa.Table) -> Iterator[Source]:
        opened = self.open(table)
        try:
            yield open_source(opened)
        finally:
            self.close(opened)

    def _assert_counted_alike(self, table: pa.Table) -> None:
        there = self.expected(table)
        with self._opened(there) as source:
            counted = scan_profile(source, _reference())
        expected = scan_profile(TableSource(there), _reference())
        assert_profiles_equal(replace(counted, sources=()), replace(expected, sources=()))

    @given(table=_TABLES)
    @settings(
        max_examples=8,
        deadline=None,
        suppress_health_check=[
            HealthCheck.differing_executors,  # each class that derives runs them, as it should
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
        ],
    )
    def test_it_counts_any_rows_as_the_core_does(self, table: pa.Table) -> None:
        """A value lies in the same cell wherever it is counted."""
        self._assert_counted_alike(table)

    def test_it_counts_many_rows_as_the_core_does(self) -> None:
        """So do many."""
        self._assert_counted_alike(many_rows())

    def test_it_counts_no_rows(self) -> None:
        """An empty table has tallies of nothing."""
        self._assert_counted_alike(_table([]))

    def test_it_knows_its_columns_and_rows(self) -> None:
        """The schema names every column; rows are told, or not known."""
        there = self.expected(many_rows())
        with self._opened(there) as source:
            _assert_equal("the columns", set(source.schema), set(there.schema.names))
            if self.samples:
                with source.rereadable() as readable:
                    _assert_equal("the rows", readable.rows, there.num_rows)

    def test_it_tells_of_the_rows_that_are_done(self) -> None:
        """Steps sum to the rows."""
        there = self.expected(many_rows())
        steps: list[int] = []
        with self._opened(there) as source:
            counted = source.tally({}, {}, steps.append)
        _assert_equal("rows and tallies", counted, (there.num_rows, {}))
        _assert_equal("the sum of the steps", sum(steps), there.num_rows)

    def test_it_knows_the_latest_moments(self) -> None:
        """To the microsecond; ``None`` where there is none."""
        there = self.expected(many_rows())
        names = [name for name in there.schema.names if pa.types.is_timestamp(POOLS[name][0])]
        for table in (there, there.slice(0, 0)):
            with self._opened(table) as source:
                _assert_equal("latest", source.latest(names), TableSource(table).latest(names))

    def test_it_counts_pairs_or_says_that_it_does_not(self) -> None:
        """A pair has the cells of both its columns."""
        there = self.expected(many_rows())
        reference = fit_profile(TableSource(there), Selection(pairs=(("real", "flag"),)))
        with self._opened(there) as source:
            if self.pairs:
                found = scan_profile(source, reference)["real × flag"]
                _assert_equal("the pair", found, reference["real × flag"])
            else:
                _assert_refused(source, lambda: scan_profile(source, reference))

    def test_it_hands_out_samples_or_says_that_it_does_not(self) -> None:
        """Of a small table all values; extremes, rows and levels are exact."""
        there = self.expected(many_rows())
        with self._opened(there) as source:
            if not self.samples:
                _assert_refused(source, lambda: source.sample(_SAMPLED))
                return
            with source.rereadable() as readable:
                found = readable.sample(_SAMPLED)
        for name, expected in TableSource(there).sample(_SAMPLED).items():
            _assert_equal(f"the sample of {name!r}", _plain(found[name]), _plain(expected))

    def test_it_leaves_no_row_out_where_all_are_null(self) -> None:
        """Nulls are rows."""
        nulls = pa.table({name: pa.nulls(9, kind) for name, (kind, _) in POOLS.items()})
        self._assert_counted_alike(nulls)


def _assert_equal(what: str, found: object, expected: object) -> None:
    """Assert with a message of its own: pytest explains only what stands in tests."""
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, expected {expected!r}")


def _assert_refused(source: Source, call: Callable[[], object]) -> None:
    """Assert that a call is a mistake of usage, said in a message that names the source."""
    try:
        call()
    except UsageError as error:
        if source.name in str(error):
            return
        raise AssertionError(f"the message does not name {source.name!r}: {error}") from error
    raise AssertionError(f"{source.name} must refuse by a UsageError what it says it cannot do")


def _plain(sample: Sample) -> Any:
    """Return a sample without the order of its rows, which an engine need not keep."""
    if isinstance(sample, NumberSample):
        ends = (sample.minimum, sample.maximum)
        return sample.domain, sorted(sample.values.tolist()), sample.present, ends
    return (sample.domain, dict(sample.rows)) if isinstance(sample, LevelSample) else sample
