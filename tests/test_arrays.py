from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kl_drift.counts.arrays import (
    LEVELLED,
    NUMERIC,
    TEMPORAL,
    decoded,
    family_of,
    float_level,
    hours_and_weekdays,
    level_dictionary,
    numbers,
    scale_of,
)
from kl_drift.counts.bins import HOURS, WEEKDAYS
from kl_drift.counts.counting import used_levels
from kl_drift.testing import ARROW_TYPES, NESTED_TYPES, arrow_arrays

EPOCH = datetime(1970, 1, 1)
PER_MICROSECOND = {
    "s": Fraction(10**6),
    "ms": Fraction(1000),
    "us": Fraction(1),
    "ns": Fraction(1, 1000),
}
INT64 = 2**63 - 1


def python_values(array):
    """Return what the rows hold, looking through every encoding, by loops of its own."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return python_values(array.storage)
    if pa.types.is_dictionary(kind):
        values = python_values(array.dictionary)
        return [None if i is None else values[i] for i in array.indices.to_pylist()]
    if pa.types.is_run_end_encoded(kind):
        values, ends = python_values(array.values), array.run_ends.to_pylist()
        return [values[bisect_right(ends, array.offset + row)] for row in range(len(array))]
    if pa.types.is_temporal(kind):
        return array.view(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist()
    return array.to_pylist()


def plain_type(kind):
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    return kind


def in_unit(value, kind):
    """Return a value in its domain's unit, by exact arithmetic."""
    if pa.types.is_decimal(kind):
        return int(Fraction(value) * Fraction(10) ** kind.scale)
    if pa.types.is_date64(kind):
        return value // 86_400_000
    if pa.types.is_date32(kind) or not pa.types.is_temporal(kind):
        return value
    factor = PER_MICROSECOND[kind.unit]
    limit = INT64 // max(factor, 1)
    kept = value if kind.unit == "ns" else max(-limit, min(limit, value))
    return math.floor(kept * factor)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in ARROW_TYPES if family_of(k) in NUMERIC], ids=str)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_numbers_are_the_values_in_the_domain_s_unit(kind, data) -> None:
    array = data.draw(arrow_arrays(kind))
    found = numbers(array, family_of(kind), scale_of(kind))
    present = [value for value in python_values(array) if value is not None]
    expected = [in_unit(value, plain_type(kind)) for value in present]
    assert [repr(value) for value in found.tolist()] == [repr(value) for value in expected]


def level_value(level, kind):
    """Read a level back as the value it is the text of."""
    readers = {
        "boolean": {"true": True, "false": False}.__getitem__,
        "integer": int,
        "float": lambda text: written(text, kind),
        "decimal": Decimal,
        "binary": bytes.fromhex,
    }
    return readers.get(family_of(kind), str)(level)


def written(value, kind):
    """Write a float in full, so that NaN equals itself and −0 equals 0; rounded to 32 bits."""
    number = float(plain_type(kind).to_pandas_dtype()(value)) + 0.0
    with np.errstate(over="ignore"):
        narrow = float(np.float32(number))
    fits = np.isfinite(narrow) and abs(narrow) >= np.finfo("f4").tiny and not number.is_integer()
    return repr(narrow if fits else number)


@pytest.mark.parametrize(
    "kind",
    [k for k in ARROW_TYPES if family_of(k) in LEVELLED - {"date"} or family_of(k) == "null"],
    ids=str,
)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_levels_are_the_text_of_the_values(kind, data) -> None:
    array = data.draw(arrow_arrays(kind))
    family = family_of(kind)
    levels, rows = used_levels(level_dictionary(array, "string" if family == "null" else family))
    present = [value for value in python_values(array) if value is not None]
    if family == "float":
        present = [written(value, kind) for value in present]
    texts = levels.to_pylist()
    assert len(set(texts)) == len(texts)
    found = {level_value(level, kind): n for level, n in zip(texts, rows.tolist(), strict=True)}
    assert found == Counter(present)


DAYS = st.integers((date.min - EPOCH.date()).days, (date.max - EPOCH.date()).days)


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
@given(st.lists(st.none() | DAYS, max_size=20))
@settings(max_examples=20, deadline=None)
def test_levels_of_dates_are_iso_8601(kind, days) -> None:
    array = pa.array(days, pa.int32()).view(pa.date32()).cast(kind)
    found = level_dictionary(array, "date").to_pylist()
    assert found == [d if d is None else str(EPOCH.date() + timedelta(d)) for d in days]


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        (pa.int8(), "integer"),
        (pa.uint64(), "integer"),
        (pa.float16(), "float"),
        (pa.decimal128(5, 2), "decimal"),
        (pa.decimal256(50, 2), "decimal"),
        (pa.bool_(), "boolean"),
        (pa.string_view(), "string"),
        (pa.binary(16), "binary"),
        (pa.binary_view(), "binary"),
        (pa.date32(), "date"),
        (pa.date64(), "date"),
        (pa.time32("s"), "time"),
        (pa.time64("ns"), "time"),
        (pa.timestamp("ns"), "timestamp"),
        (pa.timestamp("s", "+02:00"), "instant"),
        (pa.duration("ms"), "duration"),
        (pa.null(), "null"),
        (pa.dictionary(pa.int32(), pa.timestamp("us", "UTC")), "instant"),
        (pa.run_end_encoded(pa.int16(), pa.dictionary(pa.int8(), pa.bool_())), "boolean"),
        (pa.month_day_nano_interval(), None),
        (pa.dictionary(pa.int8(), pa.list_(pa.int8())), None),
        (pa.dense_union([pa.field("x", pa.int8())]), None),
        *((kind, None) for kind in NESTED_TYPES),
    ],
    ids=str,
)
def test_the_family_of_a_type(kind, family) -> None:
    assert family_of(kind) == family


def test_every_type_of_the_helpers_has_a_family() -> None:
    assert None not in {family_of(kind) for kind in ARROW_TYPES}
    assert {family_of(kind) for kind in NESTED_TYPES} == {None}


def test_extension_types_are_their_storage() -> None:
    uuids = pa.array([b"0" * 16, None], pa.uuid())
    assert family_of(uuids.type) == "binary"
    assert level_dictionary(uuids, "binary").to_pylist() == ["30" * 16, None]
    flags = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 0], pa.int8()))
    assert family_of(flags.type) == "integer"
    assert numbers(flags, "integer").tolist() == [1, 0]
    json = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}']))
    assert level_dictionary(json, "string").to_pylist() == ['{"a":1}']


def runs(values, ends=(2, 3, 6)):
    return pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), values)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", "b", None]),
        pa.array(["a", "b", None], pa.string_view()),
        pa.array(["a", "b", None]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, 2]), pa.array(["b", "a", None])),
        runs(pa.array(["a", "b", None]), (1, 2, 3)),
    ],
    ids=["string", "view", "dictionary", "null in the dictionary", "runs of runs"],
)
def test_run_ends_are_looked_through_whatever_they_hold(values) -> None:
    array = runs(values)
    assert level_dictionary(array, "string").to_pylist() == ["a", "a", "b", None, None, None]
    assert level_dictionary(array.slice(1, 3), "string").to_pylist() == ["a", "b", None]
    assert level_dictionary(array.slice(6), "string").to_pylist() == []


def test_runs_of_numbers() -> None:
    array = runs(pa.array([7, None, 9]))
    assert numbers(array, "integer").tolist() == [7, 7, 9, 9, 9]
    assert decoded(array.slice(1, 3)).to_pylist() == [7, None, 9]


@pytest.mark.parametrize("index", [pa.int8(), pa.uint8(), pa.uint32(), pa.int64(), pa.uint64()])
def test_dictionaries_may_repeat_values_and_hold_nulls_and_dictionaries(index) -> None:
    indices = pa.array([0, 1, 2, None, 3, 0], index)
    array = pa.DictionaryArray.from_arrays(indices, pa.array(["x", "y", "x", None, "unused"]))
    levels, rows = used_levels(level_dictionary(array, "string"))
    assert dict(zip(levels.to_pylist(), rows.tolist(), strict=True)) == {"x": 3, "y": 1}
    nested = pa.DictionaryArray.from_arrays(indices, array.dictionary.dictionary_encode())
    assert level_dictionary(nested, "string").to_pylist() == ["x", "y", "x", None, None, "x"]
    numeric = pa.DictionaryArray.from_arrays(indices, pa.array([5, 6, 5, None]))
    assert numbers(numeric, "integer").tolist() == [5, 6, 5, 5]


NANO = 10**9


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([-1, 0, 1], pa.int64()).view(pa.timestamp("s")), [-(10**6), 0, 10**6]),
        (pa.array([-1, 1], pa.int64()).view(pa.timestamp("ms")), [-1000, 1000]),
        (pa.array([-1, 999, 1000], pa.int64()).view(pa.timestamp("ns")), [-1, 0, 1]),
        (pa.array([-1, 999, 1000], pa.int64()).view(pa.duration("ns")), [-1, 0, 1]),
        (pa.array([-1, 0], pa.int64()).view(pa.date64()), [-1, 0]),
        (pa.array([INT64], pa.int64()).view(pa.timestamp("us")), [INT64]),
        (pa.array([INT64], pa.int64()).view(pa.timestamp("s")), [INT64 // 10**6 * 10**6]),
        (pa.array([-INT64 - 1], pa.int64()).view(pa.timestamp("ms")), [-(INT64 // 1000) * 1000]),
        (pa.array([-(2**31)], pa.int32()).view(pa.date32()), [-(2**31)]),
        (pa.array([86_399], pa.int32()).view(pa.time32("s")), [86_399 * 10**6]),
    ],
)
def test_times_are_microseconds_and_dates_are_days(array, expected) -> None:
    assert numbers(array, family_of(array.type)).tolist() == expected
    # the offset of a slice, and nulls before it, are honoured
    padded = pa.concat_arrays([pa.nulls(3, array.type), array, pa.nulls(2, array.type)])
    assert numbers(padded.slice(2), family_of(array.type)).tolist() == expected


@pytest.mark.parametrize(
    ("text", "kind", "scale", "expected"),
    [
        ("1.50", pa.decimal128(5, 2), 2, 150),
        ("1.50", pa.decimal128(5, 2), 4, 15_000),
        ("1.59", pa.decimal128(5, 2), 1, 15),
        ("-1.51", pa.decimal128(5, 2), 1, -16),
        ("-0.01", pa.decimal128(5, 2), 0, -1),
        ("5000", pa.decimal128(5, -3), -3, 5),
        ("5000", pa.decimal128(5, -3), 2, 500_000),
        ("-5000", pa.decimal128(5, -3), -4, -1),
        ("9" * 18, pa.decimal128(18, 0), 0, 10**18 - 1),
        ("9" * 18, pa.decimal128(18, 0), 1, 10**19 - 10),
        ("9223372036854775807", pa.decimal128(38, 0), 0, 2**63 - 1),
        ("9223372036854775808", pa.decimal128(38, 0), 0, 2**63),
        ("-9223372036854775808", pa.decimal128(38, 0), 0, -(2**63)),
        ("-9223372036854775809", pa.decimal128(38, 0), 0, -(2**63) - 1),
        ("-9223372036854775808", pa.decimal128(38, 0), 1, -(2**63) * 10),
        ("18446744073709551616", pa.decimal128(38, 0), 0, 2**64),
        ("-18446744073709551616", pa.decimal256(50, 0), 0, -(2**64)),
        ("9" * 76, pa.decimal256(76, 0), 0, 10**76 - 1),
        ("-" + "9" * 76, pa.decimal256(76, 38), 0, None),
        ("1E-25", pa.decimal128(10, 30), 2, 0),
        ("-1E-25", pa.decimal128(10, 30), 2, -1),
        ("1.25", pa.decimal128(10, 2), 30, 125 * 10**28),
    ],
)
def test_decimals_are_exact_at_any_scale(text, kind, scale, expected) -> None:
    if expected is None:
        text, expected = f"-{'9' * 38}.{'9' * 38}", -(10**38)
    wide = pa.array([None, Decimal(text), Decimal(0)], pa.decimal256(76, kind.scale))
    for array in (wide, wide.cast(kind), wide.cast(kind).slice(1)):
        assert numbers(array, "decimal", scale).tolist() == [expected, 0]


def test_decimals_that_fit_64_bits_come_as_such() -> None:
    array = pa.array([Decimal("12.50"), Decimal("-0.01")], pa.decimal128(38, 2))
    assert numbers(array, "decimal", 2).dtype == np.int64
    assert numbers(array, "decimal", 30).dtype == object


NARROW = [kind for kind in ARROW_TYPES if pa.types.is_decimal(kind) and kind.bit_width <= 64]


@pytest.mark.parametrize("kind", NARROW, ids=str)
def test_narrow_decimals(kind) -> None:
    array = pa.array([Decimal("1.5"), None, Decimal("-1.5")], kind)
    assert numbers(array, "decimal", 1).tolist() == [15, -15]
    assert level_dictionary(array, "decimal").to_pylist() == ["1.5", None, "-1.5"]


@pytest.mark.parametrize(
    ("text", "kind", "level"),
    [
        ("12.50", pa.decimal128(9, 2), "12.5"),
        ("12.50", pa.decimal128(38, 10), "12.5"),
        ("1200", pa.decimal128(9, 2), "1200"),
        ("1200", pa.decimal128(5, -2), "1200"),
        ("0", pa.decimal128(5, 3), "0"),
        ("-0.001", pa.decimal128(5, 3), "-0.001"),
        ("9" * 38, pa.decimal128(38, 0), "9" * 38),
    ],
)
def test_the_level_of_a_decimal_does_not_depend_on_its_scale(text, kind, level) -> None:
    assert level_dictionary(pa.array([Decimal(text)], kind), "decimal").to_pylist() == [level]


def test_levels_of_floats() -> None:
    for dtype in ("f2", "f4", "f8"):
        array = pa.array(np.array([0.0, -0.0, 1.0, -0.5, np.nan, np.inf, -np.inf], dtype))
        levels, rows = used_levels(level_dictionary(array, "float"))
        assert dict(zip(levels.to_pylist(), rows.tolist(), strict=True)) == (
            {"0": 2, "1": 1, "-0.5": 1, "nan": 1, "inf": 1, "-inf": 1}
        )


def test_the_level_of_a_float_does_not_depend_on_its_width() -> None:
    wide = [0.3, 0.1 + 0.2, 2.5, 1e10, 16_777_217.0, 1e300, 1e-300, -0.7]
    text = ["0.3", "0.3", "2.5", "1e+10", "16777217", "1e+300", "1e-300", "-0.7"]
    assert level_dictionary(pa.array(wide), "float").to_pylist() == text
    narrow = pa.array(np.array([0.3, 2.5, 1e10, -0.7], "f4"))
    assert level_dictionary(narrow, "float").to_pylist() == ["0.3", "2.5", "1e+10", "-0.7"]


@given(st.floats(-(2.0**53), 2.0**53).filter(lambda number: not number.is_integer()))
@example(33_972_150.5)  # 32 bits hold the whole number 33972152 of it
@example(-16_777_217.5)
@example(0.999_999_999)
@settings(deadline=None)
def test_the_level_of_a_fraction_is_that_of_what_32_bits_hold_of_it(number) -> None:
    narrow = np.float32(number)
    assume(abs(narrow) >= np.finfo("f4").tiny)
    [level] = level_dictionary(pa.array([number]), "float").to_pylist()
    assert level_dictionary(pa.array([narrow]), "float").to_pylist() == [level]
    assert level_dictionary(pa.array([float(narrow)]), "float").to_pylist() == [level]
    assert np.float32(level) == narrow
    assert float_level(level) == level


def not_utf8(kind=None):
    offsets = pa.py_buffer(np.array([0, 2, 4, 5], "i4"))
    array = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"\xff\xfeab\xe9")])
    return array if kind is None else array.cast(kind)


@pytest.mark.parametrize("kind", [None, pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_bytes_that_are_no_utf_8_are_escaped(kind) -> None:
    found = level_dictionary(not_utf8(kind), "string").to_pylist()
    assert found == [r"\xff\xfe", "ab", r"\xe9"]


def test_a_parquet_file_may_hold_text_that_is_no_utf_8(tmp_path) -> None:
    pq.write_table(pa.table({"x": not_utf8()}), tmp_path / "latin1.parquet")
    read = pq.read_table(tmp_path / "latin1.parquet")["x"].chunk(0)
    assert level_dictionary(read, "string").to_pylist() == [r"\xff\xfe", "ab", r"\xe9"]


def test_any_text_is_a_level() -> None:
    texts = ["", " ", "\0", "é", "e\u0301", "🦆", "\uffff", "\U0010ffff", "a\nb", "\\xff"]
    assert level_dictionary(pa.array(texts), "string").to_pylist() == texts


def test_any_bytes_are_a_level() -> None:
    array = pa.array([b"", b"\x00", b"\xff\xfe", None, "\ud800".encode("utf-8", "surrogatepass")])
    assert level_dictionary(array, "binary").to_pylist() == ["", "00", "fffe", None, "eda080"]


def test_levels_are_wide_text() -> None:
    # a table in memory may hold more than 2 GiB of distinct text
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert level_dictionary(pa.array(["a"], kind), "string").dictionary.type == (
            pa.large_string()
        )


ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
SECONDS = st.integers(-2_200_000_000, 2_145_000_000)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@given(st.lists(st.none() | SECONDS, max_size=20))
@settings(max_examples=15, deadline=None)
def test_hours_and_weekdays_are_those_of_the_clock_on_the_wall(unit, zone, seconds) -> None:
    array = (
        pa.array(seconds, pa.int64()).view(pa.timestamp("s", zone)).cast(pa.timestamp(unit, zone))
    )
    there = [
        None if s is None else (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
        for s in seconds
    ]
    there = [moment and moment.astimezone(ZoneInfo(zone)) for moment in there]
    hours = [moment and f"{moment.hour:02d}" for moment in there]
    weekdays = [moment and moment.strftime("%A") for moment in there]
    assert hours_and_weekdays(array, "hour").to_pylist() == hours
    assert hours_and_weekdays(array, "weekday").to_pylist() == weekdays


@pytest.mark.parametrize(
    ("utc", "hour", "weekday"),
    [
        ("2013-03-10T06:59:59", "01", "Sunday"),
        ("2013-03-10T07:00:00", "03", "Sunday"),
        ("2013-11-03T05:30:00", "01", "Sunday"),
        ("2013-11-03T06:30:00", "01", "Sunday"),
        ("2013-11-03T07:00:00", "02", "Sunday"),
        ("2013-02-08T04:59:59", "23", "Thursday"),
    ],
)
def test_summer_time_in_new_york(utc, hour, weekday) -> None:
    moment = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    array = pa.array([moment, None], pa.timestamp("us", "America/New_York"))
    assert hours_and_weekdays(array, "hour").to_pylist() == [hour, None]
    assert hours_and_weekdays(array, "weekday").to_pylist() == [weekday, None]


def test_timestamps_without_zone_and_with_an_offset() -> None:
    noon = [datetime(2013, 2, 8, 12, 30)]
    assert hours_and_weekdays(pa.array(noon), "hour").to_pylist() == ["12"]
    offset = pa.array(noon, pa.timestamp("us", "+05:30"))
    assert hours_and_weekdays(offset, "hour").to_pylist() == ["18"]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_dates_are_midnights(kind) -> None:
    array = pa.array([date(2013, 2, 8), None, date(1969, 12, 31)]).cast(kind)
    assert hours_and_weekdays(array, "weekday").to_pylist() == ["Friday", None, "Wednesday"]
    assert hours_and_weekdays(array, "hour").to_pylist() == ["00", None, "00"]


def test_nulls_have_neither_hour_nor_weekday() -> None:
    assert hours_and_weekdays(pa.nulls(2), "hour").to_pylist() == [None, None]
    assert level_dictionary(pa.nulls(2), "weekday").to_pylist() == [None, None]


@pytest.mark.parametrize("kind", [k for k in ARROW_TYPES if family_of(k) in TEMPORAL], ids=str)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_every_moment_has_an_hour_and_a_weekday_however_far_away(kind, data) -> None:
    array = data.draw(arrow_arrays(kind))
    for part, names in (("hour", HOURS), ("weekday", WEEKDAYS)):
        found = hours_and_weekdays(array, part)
        assert found.null_count == pc.count(decoded(array), mode="only_null").as_py()
        assert {level for level in found.to_pylist() if level is not None} <= set(names)


@pytest.mark.parametrize("rows", [0, 3])
def test_arrays_may_be_empty_or_nothing_but_null(rows) -> None:
    for kind in ARROW_TYPES:
        family = family_of(kind)
        array = decoded(pa.nulls(rows, kind)) if rows else pa.array([], plain_type(kind))
        if family in NUMERIC:
            assert len(numbers(array, family, scale_of(kind))) == 0
        if family in LEVELLED:
            assert level_dictionary(array, family).null_count == rows


def test_a_time_of_day_does_not_move_by_construction() -> None:
    assert "time" not in TEMPORAL
