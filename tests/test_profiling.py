"""From a source to a profile: which columns are counted, and what is said of the others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kl_drift.api import compare, fit, scan
from kl_drift.counts.binning import Categories, Edges
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import ColumnProfile, Profile, merge
from kl_drift.counts.selection import Selection
from kl_drift.engines import arrow
from kl_drift.errors import ColumnTypeError, SnapshotInvalidError, UsageError
from kl_drift.render import words
from kl_drift.snapshot import Snapshot
from kl_drift.version import __version__

N = 4_000
NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(2)


def rows_of(profile: Profile, name: str) -> dict[str, int]:
    """Return the cells of a column that hold rows, by label."""
    histogram = profile[name].histogram
    assert histogram is not None
    labelled = {histogram.bins.label(cell): n for cell, n in enumerate(histogram.counts)}
    return {label: n for label, n in labelled.items() if n}


# ---------------------------------------------------------------- identifiers


def identifiers() -> dict[str, Any]:
    generator = np.random.default_rng(7)
    return {
        "running": np.arange(N) + 10**6,
        "running, shuffled": generator.permutation(N),
        "running, with gaps": np.cumsum(generator.integers(1, 3, N)),
        "running, some null": pa.array(np.arange(N), mask=np.arange(N) % 9 == 0),
        "hash": generator.choice(2**62, N, replace=False),
        "unsigned": pa.array(np.arange(N), pa.uint32()),
        "uuid": [str(UUID(int=int(i))) for i in generator.choice(2**62, N, replace=False)],
        "text": [f"order {i}" for i in range(N)],
        "bytes": [int(i).to_bytes(8, "big") for i in range(N)],
        "text, some null": [None if i % 3 else f"order {i}" for i in range(N)],
        "dictionary": pa.array([f"order {i}" for i in range(N)]).dictionary_encode(),
    }


@pytest.mark.parametrize("name", identifiers())
def test_identifiers_are_set_aside_and_named(name: str) -> None:
    values = identifiers()[name]
    profile = fit({name: values})
    assert profile.counted == {}
    assert profile[name].kind is Kind.IDENTIFIER
    report = compare(profile, profile)
    assert [column.name for column in report.unjudged] == [name]
    assert report.status == "undecided", "nothing was judged"
    for kept in (
        fit({name: values}, columns=[name]),
        fit({name: values}, bins={name: Categories() if "text" in name else Edges(edges=(7,))})
        if name.startswith(("text", "running"))
        else fit({name: values}, columns=[name]),
    ):
        assert list(kept.counted) == [name]


def test_a_pattern_names_no_identifier() -> None:
    profile = fit({"id": np.arange(N), "x": np.arange(N) % 7}, columns=["i*", "x"])
    assert profile["id"].kind is Kind.IDENTIFIER


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=N),
        np.random.default_rng(1).normal(size=N).astype("float32"),
        np.arange(N) / 7,
        np.arange(N) // 2,
        np.append(np.arange(N), 5),
        np.arange(49),
        np.random.default_rng(1).choice(10**9, 900, replace=False),
        [f"{i}" for i in range(49)],
        [f"{i}" for i in [*range(N), 5]],
        [None] * 60,
        [Decimal(i) for i in range(100)],
    ],
    ids=[
        "a measurement", "a measurement, float32", "equal steps", "twice each", "one repeated",
        "few", "900 sparse ones", "few texts", "one text repeated", "all null", "decimals",
    ],
)  # fmt: skip
def test_what_is_no_identifier_is_judged(values: Any) -> None:
    assert list(fit({"x": values}).counted) == ["x"]


def test_an_identifier_is_noticed_in_a_large_reference(tmp_path: Path) -> None:
    n = 300_000  # more than are sampled, in both senses
    table = pa.table({"id": np.arange(n), "text": np.arange(n).astype(str), "x": np.arange(n) % 9})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=30_000)
    profile = fit(tmp_path / "x.parquet")
    assert list(profile.counted) == ["x"]
    assert profile["id"].kind is profile["text"].kind is Kind.IDENTIFIER
    assert str(profile["id"].range) == f"0 … {n - 1}"


@pytest.mark.slow
def test_more_levels_than_are_counted() -> None:
    n = 450_000
    profile = fit({"often": [f"v{i // 2}" for i in range(n)], "k": np.arange(n) % 3})
    assert list(profile.counted) == ["k"]
    assert profile["often"].why == Uncounted(kind=Kind.TOO_MANY_LEVELS, most=200_000)
    named = fit({"unique": [f"v{i}" for i in range(n)], "k": np.arange(n) % 3}, columns=["unique"])
    assert named["unique"].kind is Kind.TOO_MANY_LEVELS


def test_almost_as_many_levels_as_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "LEVEL_LIMIT", 2_000)
    levels = [f"v{i % 2_000}" for i in range(5_000)]
    profile = fit({"k": levels})
    histogram = profile["k"].histogram
    assert histogram is not None
    assert len(histogram.bins.known) == 8 * 2_000
    assert scan({"k": levels}, like=profile)["k"].histogram == histogram
    new = scan({"k": ["v1", "new", "newer", None]}, like=profile)["k"]
    assert new.unseen == {"new": 1, "newer": 1}


# ---------------------------------------------------------------- moments


def moments(n: int = N, seed: int = 0) -> pa.Table:
    """Return moments within January 2013; the last is 2013-01-31 23:59:59."""
    seconds = np.random.default_rng(seed).integers(0, 31 * 86_400 - 1, n)
    seconds[0] = 31 * 86_400 - 1
    start = int(datetime(2013, 1, 1, tzinfo=UTC).timestamp())
    naive = pa.array(seconds + start, pa.timestamp("s"))
    return pa.table(
        {
            "t": naive,
            "zoned": naive.cast(pa.timestamp("us", "UTC")),
            "day": naive.cast(pa.date32()),
            "clock": pa.array((seconds % 86_400).astype("int32"), pa.time32("s")),
            "wait": pa.array(seconds, pa.duration("s")),
            "x": np.arange(n) % 5,
        }
    )


def test_moments_are_told_with_their_range_and_not_judged() -> None:
    profile = fit(moments())
    assert sorted(profile.counted) == ["clock", "wait", "x"]
    for name in ("t", "zoned", "day"):
        assert profile[name].kind is Kind.MOVES
    assert str(profile["t"].range).endswith("2013-01-31 23:59:59")
    assert str(profile["zoned"].range).endswith("2013-01-31 23:59:59Z")
    assert str(profile["day"].range) == "2013-01-01 … 2013-01-31"
    left = {column.name: column for column in compare(profile, profile).unjudged}
    assert left["day"].current_range == "2013-01-01 … 2013-01-31"
    assert left["day"].reference_nulls == left["day"].current_nulls == 0.0


def test_nulls_of_what_is_not_judged_are_known() -> None:
    table = pa.table(
        {
            "t": [None, NOON] * 50,
            "never": pa.nulls(100, pa.timestamp("us")),
            "id": [None if i % 2 else str(i) for i in range(100)],
        }
    )
    report = compare(table, table)
    nulls = {column.name: column.current_nulls for column in report.unjudged}
    assert nulls == {"t": 0.5, "never": 1.0, "id": 0.5}


def test_hours_and_weekdays_are_judged_when_asked() -> None:
    table = pa.table({"t": [NOON + timedelta(hours=i) for i in range(24 * 7)]})
    profile = fit(table, judge={"t": ["hour", "weekday"]})
    assert sorted(profile.counted) == ["hour(t)", "weekday(t)"]
    assert set(rows_of(profile, "hour(t)").values()) == {7}
    assert len(rows_of(profile, "hour(t)")) == 24
    assert set(rows_of(profile, "weekday(t)").values()) == {24}
    assert profile["hour(t)"].derived_from == "t"
    assert profile["t"].why == Uncounted(kind=Kind.JUDGED_AS, parts=("hour", "weekday"))
    assert "2013-01-01 12:00:00" in str(profile["t"].range)
    nights = pa.table({"t": [NOON + timedelta(hours=12)] * 2_000})
    report = compare(nights, fit(pa.concat_tables([table] * 12), judge={"t": "hour"}))
    assert report.drifted == ("hour(t)",)


def test_an_hour_is_that_of_its_own_zone() -> None:
    zoned = pa.array([NOON] * 60).cast(pa.timestamp("us", "America/New_York"))
    profile = fit({"t": zoned}, judge={"t": "hour"})
    (label,) = rows_of(profile, "hour(t)")
    assert "07" in label


def test_the_value_of_a_moment_is_judged_when_asked() -> None:
    profile = fit(moments(), judge={"day": "value", "t": ("value", "weekday")})
    assert {"day", "t", "weekday(t)"} <= set(profile.counted)


@pytest.mark.parametrize(
    ("as_of", "youngest"),
    [
        ("2013-02-01", timedelta(seconds=1)),
        ("2013-02-01T00:00:00+00:00", timedelta(seconds=1)),
        ("2013-02-01T01:00:00+01:00", timedelta(seconds=1)),
        ("2013-01-31T23:59:59", timedelta()),
        ("2013-01-31", timedelta(seconds=-86_399)),
        ("", timedelta()),
    ],
)
@pytest.mark.parametrize("column", ["t", "zoned"])
def test_age_is_counted_from_the_moment_the_snapshot_stands_for(
    tmp_path: Path, as_of: str, youngest: timedelta, column: str
) -> None:
    pq.write_table(moments(), tmp_path / "x.parquet", row_group_size=500)
    snapshot = Snapshot(path=str(tmp_path), as_of=as_of)
    profile = fit(snapshot, judge={column: "age"})
    assert profile.as_of == as_of
    age = profile[f"age({column})"].range
    assert age is not None
    assert age.domain == "duration"
    assert age.minimum == youngest // timedelta(microseconds=1)
    assert scan(snapshot, like=profile).counted == profile.counted


def test_age_does_not_move_as_time_passes() -> None:
    january = moments()
    february = january.set_column(
        0,
        "t",
        pa.array([None if t is None else t + timedelta(28) for t in january["t"].to_pylist()]),
    )
    reference = fit(january, judge={"t": "age"})
    assert scan(february, like=reference)["age(t)"].histogram == reference["age(t)"].histogram
    late = fit(january, judge={"t": "value"})
    assert compare(february, late)["t"].status == "drift"


def test_age_of_a_stream_is_counted_from_its_own_latest_moment() -> None:
    reference = fit(moments().to_reader(max_chunksize=300), judge={"t": "age"})
    scanned = scan(moments(seed=1).to_reader(max_chunksize=300), like=reference)
    assert scanned.counted == scan(moments(seed=1), like=reference).counted


def test_age_where_there_is_no_moment() -> None:
    reference = fit(moments(), judge={"t": ["age", "hour", "weekday"]})
    gone = scan({"t": pa.nulls(10, pa.timestamp("s"))}, like=reference)
    assert rows_of(gone, "age(t)") == {"null": 10}
    untyped = scan({"t": pa.nulls(10)}, like=reference)
    for name in ("age(t)", "hour(t)", "weekday(t)"):
        assert rows_of(untyped, name) == {"null": 10}
    assert fit({"t": pa.nulls(10, pa.timestamp("s"))}, judge={"t": "age"}).rows == 10


@pytest.mark.parametrize("as_of", ["yesterday", "2013-02-30", "28.02.2013"])
def test_a_moment_that_is_none_is_refused(tmp_path: Path, as_of: str) -> None:
    pq.write_table(moments(), tmp_path / "x.parquet")
    snapshot = Snapshot(path=str(tmp_path), as_of=as_of)
    with pytest.raises(
        UsageError, match=f"as_of '{as_of}' is not a date or time; write it like 2013-02-28"
    ):
        fit(snapshot, judge={"t": "age"})


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ({"day": "hour"}, "column 'day' is date32.*a date has no hour"),
        ({"day": "age"}, "column 'day' is date32.*a date has no age"),
        ({"x": "hour"}, "column 'x' is int64: judge is for dates and timestamps"),
        ({"clock": "weekday"}, "column 'clock' is time32.*judge is for dates and timestamps"),
    ],
)
def test_what_cannot_be_judged_so_is_refused(judge: dict[str, Any], said: str) -> None:
    with pytest.raises(ColumnTypeError, match=said):
        fit(moments(), judge=judge)


# ---------------------------------------------------------------- what a profile says


def test_a_profile_says_where_it_is_from(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "x.parquet")
    before = datetime.now(UTC).replace(microsecond=0)
    profile = fit(tmp_path / "x.parquet")
    assert profile.sources == (str(tmp_path / "x.parquet"),)
    assert before <= datetime.fromisoformat(profile.created) <= datetime.now(UTC)
    assert profile.created_by == __version__


def test_every_column_sums_to_the_rows(generator: np.random.Generator) -> None:
    n = 20_000
    table = pa.table(
        {
            "x": pa.array(generator.normal(size=n), mask=generator.random(n) < 0.2),
            "inf": generator.choice([np.nan, np.inf, -np.inf, 1.0], n),
            "k": pa.array(generator.choice(["a", "b"], n), mask=generator.random(n) < 0.2),
            "d": [date(2013, 1, 1)] * n,
        }
    )
    profile = fit(table, judge={"d": "weekday"})
    for histogram in profile.counted.values():
        assert histogram.rows == n
    assert profile["x"].nulls == table["x"].null_count
    assert str(profile["inf"].range) == "1 … 1", "of the finite values"


def test_nothing_can_be_fitted_on_no_rows() -> None:
    with pytest.raises(SnapshotInvalidError, match="has no rows; bins are fitted on it"):
        fit({"x": pa.array([], pa.float64())})


def test_a_reference_of_one_row_of_nulls_or_of_one_value() -> None:
    for values in ([1.5], [None], ["a"], pa.array([None], pa.string()), [True], [np.nan]):
        profile = fit({"x": values})
        assert profile["x"].histogram is not None
        assert profile["x"].histogram.rows == 1
        assert scan({"x": values}, like=profile)["x"].histogram == profile["x"].histogram


def test_a_selection_by_type() -> None:
    profile = fit(moments(), columns=Selection(types=("integer",)))
    assert list(profile.counted) == ["x"]
    assert profile["wait"].kind is Kind.NOT_SELECTED
    assert compare(moments(), profile).unjudged == (), "and is not spoken of"


# ---------------------------------------------------------------- scans


def test_a_scan_leaves_out_what_is_missing_and_keeps_what_it_cannot_count() -> None:
    reference = fit({"x": [1.0, 2.0], "gone": [1, 2], "typed": [1, 2], "k": ["a", "b"]})
    current = scan({"x": [1.5], "typed": ["1"], "k": [None], "new": [1]}, like=reference)
    assert list(current.columns) == ["k", "new", "typed", "x"]
    assert current["typed"].why == Uncounted(kind=Kind.TYPE_CHANGED, reference_type="int64")
    assert current["new"] == ColumnProfile(type="int64", why=Uncounted(kind=Kind.NEW))
    assert rows_of(current, "k") == {"null": 1}


@pytest.mark.parametrize(
    ("then", "now", "changed"),
    [
        (pa.int8(), pa.int64(), False),
        (pa.int64(), pa.uint16(), False),
        (pa.float64(), pa.float32(), False),
        (pa.string(), pa.large_string(), False),
        (pa.string(), pa.dictionary(pa.int8(), pa.string()), False),
        (pa.decimal128(30, 2), pa.decimal128(30, 5), False),
        (pa.timestamp("s"), pa.timestamp("ns"), False),
        (pa.date32(), pa.date64(), False),
        (pa.int64(), pa.null(), False),
        (pa.timestamp("s"), pa.null(), False),
        (pa.int64(), pa.float64(), True),
        (pa.int64(), pa.string(), True),
        (pa.string(), pa.binary(), True),
        (pa.bool_(), pa.int8(), True),
        (pa.timestamp("s"), pa.timestamp("s", "UTC"), True),
        (pa.timestamp("s"), pa.date32(), True),
        (pa.timestamp("s"), pa.string(), True),
        (pa.int64(), pa.list_(pa.int64()), True),
    ],
    ids=str,
)
def test_which_change_of_type_is_one(then: pa.DataType, now: pa.DataType, changed: bool) -> None:
    moment = pa.types.is_timestamp(then) or pa.types.is_date(then)
    reference = {"x": _some(then), "y": [1] * 3_000}
    current = {"x": _some(now), "y": [1] * 3_000}
    references = [fit(reference, judge={"x": "value"} if moment else {})]
    if moment:
        references.append(fit(reference))  # its range tells the type, although it is not judged
    for profile in references:
        report = compare(current, profile)
        findings = {c.name: c.finding for c in report if c.finding not in ("", "nulls moved")}
        assert findings == ({"x": "type changed"} if changed else {})
        if changed:
            assert report["x"].status == "drift"
            assert f"{then} in the reference, {now} in the current" in words.reason(report["x"])


def _some(kind: pa.DataType) -> pa.Array:
    """Return 3,000 zeros and ones of a type."""
    numbers = pa.array([1, 0, 1] * 1_000, pa.int32())
    if pa.types.is_null(kind):
        return pa.nulls(3_000)
    if pa.types.is_list(kind):
        return pa.array([[1]] * 3_000, kind)
    if pa.types.is_binary(kind) or pa.types.is_dictionary(kind):
        return numbers.cast(pa.string()).cast(kind)
    if pa.types.is_temporal(kind) and not pa.types.is_date32(kind):
        return numbers.cast(pa.date32()).cast(kind)
    return numbers.cast(kind)


def test_the_change_of_an_identifiers_type_is_noticed() -> None:
    reference = fit({"id": np.arange(60), "y": [1] * 60})
    report = compare({"id": [str(i) for i in range(60)], "y": [1] * 60}, reference)
    assert report["id"].finding == "type changed"


def test_a_derived_column_whose_moment_became_text_has_changed_its_type() -> None:
    reference = fit(moments(), judge={"t": ["hour", "age"]})
    report = compare({"t": ["2013"] * 2_000, "x": [1] * 2_000}, reference)
    for name in ("hour(t)", "age(t)", "t"):
        assert report[name].finding == "type changed"
        assert "timestamp[s] in the reference, string in the current" in words.reason(report[name])
    gone = compare({"x": [1] * 2_000}, reference)
    assert gone["hour(t)"].finding == gone["t"].finding == "missing"


def test_parts_that_are_scanned_alone_add_up_to_the_whole(generator: np.random.Generator) -> None:
    n = 9_000
    table = pa.table(
        {
            "x": pa.array(generator.normal(size=n), mask=generator.random(n) < 0.1),
            "k": generator.choice(["a", "b", "c", "new"], n),
            "t": moments(n)["t"],
            "id": np.arange(n),
        }
    )
    reference = fit(table.slice(0, 3_000), judge={"t": ["age", "hour", "value"]})
    as_one = scan(table, like=reference)
    for size in (1_000, 2_500, 8_999):
        parts = [table.slice(start, size) for start in range(0, n, size)]
        merged = merge(scan(part, like=reference) for part in parts)
        ageless = {name: h for name, h in merged.counted.items() if name != "age(t)"}
        assert ageless == {name: h for name, h in as_one.counted.items() if name != "age(t)"}
        assert merged["k"].unseen == as_one["k"].unseen
        assert merged["t"].range == as_one["t"].range
        assert merged.rows == n


def test_progress_reaches_the_number_of_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": np.arange(1_000) % 7}), tmp_path / "x.parquet", row_group_size=90)
    seen: list[tuple[int, int | None]] = []
    reference = fit(tmp_path / "x.parquet", progress=lambda *done: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == (2_000, 2_000), "it is read twice"
    seen.clear()
    scan(tmp_path / "x.parquet", like=reference, progress=lambda *done: seen.append(done))
    assert seen[-1] == (1_000, 1_000)
    seen.clear()
    table = pa.table({"x": [1, 2, 3]})
    scan(table.to_reader(), like=reference, progress=lambda *done: seen.append(done))
    assert seen == [(3, None)]
