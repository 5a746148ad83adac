"""Awkward files: damaged ones, ones that hardly fit together, and every way to write Parquet."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_files import damage, source_of, values_of, write

from kl_drift.api import compare, fit, scan
from kl_drift.counts.profile import Profile
from kl_drift.engines import parquet
from kl_drift.engines.parts import part_of
from kl_drift.errors import (
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
)
from kl_drift.snapshot import Snapshot

# ---------------------------------------------------------------- files that are none


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0 bytes"),
        (b"PAR1", "file"),
        (b"PAR1" + b"\xff" * 100 + b"PAR1", "file"),
    ],
)
def test_what_is_no_parquet_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    write(tmp_path / "good.parquet")
    (tmp_path / "wrong.parquet").write_bytes(content)
    for path in (tmp_path, tmp_path / "wrong.parquet"):
        with pytest.raises(SnapshotUnreadableError, match=said) as caught:
            fit(path)
        assert "wrong.parquet: cannot be read as Parquet" in str(caught.value)
        assert "check that it was written completely" in str(caught.value)
        assert isinstance(caught.value, OSError)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x,y\n1,2\n" * 100, r"a CSV file; .* convert it with  pandas\.read_csv"),
        (b"\xef\xbb\xbfcity;n\nK\xc3\xb6ln;1\n", "a CSV file"),
        (b'{"x": 1}\n{"x": 2}\n', r"a JSON file; .* pandas\.read_json\(…, lines=True\)"),
        (b"ORC\x00", r"an ORC file; .* pandas\.read_orc"),
        (b"Obj\x01\x00", "an Avro file; kl-drift reads Parquet: write it as Parquet"),
        (b"ARROW1\x00\x00", "an Arrow file"),
        (b"PK\x03\x04\x00", "a zip or Excel file"),
        (b"\x1f\x8b\x08", "a file packed by gzip"),
        (b"SQLite format 3\x00", "an SQLite database"),
    ],
)
def test_another_format_is_named_as_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "wrong.parquet"
    path.write_bytes(content)
    with pytest.raises(SnapshotUnreadableError, match=rf"wrong\.parquet: this is {said}"):
        fit(path)


def _tables(path: Path, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    columns = {name: generator.normal(size=30_000) for name in ("one", "two")}
    return write(path, columns, row_group_size=10_000, use_dictionary=False, compression="none")


@pytest.mark.parametrize("how", ["over it", "in its place"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_file_that_is_replaced_while_it_is_read_is_refused(
    tmp_path: Path, how: str, after: int
) -> None:
    path, other = _tables(tmp_path / "x.parquet", 1), _tables(tmp_path / "y.parquet", 2)
    assert path.stat().st_size == other.stat().st_size
    parts = list(source_of(path).parts())
    for part in parts[:after]:
        assert sum(len(array) for _, array in part.read(["one"])) == 10_000
    if how == "over it":
        path.write_bytes(other.read_bytes())
    else:
        other.replace(path)
    with pytest.raises(SnapshotUnreadableError, match=r"x\.parquet: was replaced or changed while"):
        list(parts[after].read(["one"]))


def test_a_file_that_is_replaced_between_sampling_and_counting_is_refused(tmp_path: Path) -> None:
    path, other = _tables(tmp_path / "x.parquet", 1), _tables(tmp_path / "y.parquet", 2)

    def replace(done: int, _: int | None) -> None:
        if done == 30_000:  # sampled, not yet counted
            other.replace(path)

    with pytest.raises(SnapshotUnreadableError, match=r"x\.parquet: was replaced or changed while"):
        fit(path, progress=replace)


def _flip_a_value(path: Path) -> None:
    """Change one byte of a value, so that the file can still be read in every other respect."""
    chunk = pq.read_metadata(path).row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 3] ^= 0xFF
    path.write_bytes(content)


def test_page_checksums_are_verified_unless_that_is_left_out(tmp_path: Path) -> None:
    plain: dict[str, Any] = {"use_dictionary": False, "compression": "none"}
    path = write(
        tmp_path / "x.parquet", {"x": np.arange(1.0, 999.0)}, write_page_checksum=True, **plain
    )
    reference = fit(path)
    _flip_a_value(path)
    for read in (fit, lambda each: scan(each, like=reference)):
        with pytest.raises(SnapshotUnreadableError, match=r"x\.parquet: .*CRC checksum"):
            read(path)
    unverified = scan(Snapshot(path=str(path), checksums=False), like=reference)
    assert unverified.rows == reference.rows
    assert unverified["x"].histogram != reference["x"].histogram


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, kept: float) -> None:
    path = write(tmp_path / "cut.parquet", {"x": np.arange(10_000)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(SnapshotUnreadableError, match=r"cut\.parquet: cannot be read"):
        fit(path)


def test_a_damaged_page_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "damaged.parquet",
        {"good": np.arange(1000), "bad": np.arange(1000)},
        use_dictionary=False,
        compression="zstd",
    )
    reference = fit(path)
    damage(path, "bad")
    with pytest.raises(SnapshotUnreadableError, match=r"damaged\.parquet: cannot be read"):
        scan(path, like=reference)


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    source = source_of(write(tmp_path / "gone.parquet"))
    (tmp_path / "gone.parquet").unlink()
    with pytest.raises(SnapshotNotFoundError, match=r"gone\.parquet: gone while it was read"):
        values_of(source, "x")


def test_random_damage_is_an_error_of_ours_or_none(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    table = pa.table({"x": generator.normal(size=500), "k": generator.choice(["a", "b"], 500)})
    path = write(tmp_path / "x.parquet", table, compression="snappy")
    reference = fit(path)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            scan(path, like=reference)
        except (SnapshotUnreadableError, SnapshotInvalidError):
            refused += 1
    assert refused > 5


def test_the_index_of_a_data_frame_is_no_feature(tmp_path: Path) -> None:
    path, later = tmp_path / "x.parquet", tmp_path / "later.parquet"
    frame = pd.DataFrame({"x": range(300), "customer": range(300), "y": [1.0, 2.0] * 150})
    frame.set_index("customer").sample(frac=1, random_state=1).to_parquet(path)
    frame.assign(y=2.0).to_parquet(later, index=False)
    frame.sample(frac=1, random_state=1).to_parquet(tmp_path / "unnamed.parquet")
    reference = fit(path)
    assert reference["customer"].kind == "index"
    assert list(fit(path, columns=["customer", "y"]).counted) == ["customer", "y"]
    unnamed = fit(tmp_path / "unnamed.parquet")
    assert unnamed["__index_level_0__"].kind == "index"
    assert fit(pq.read_table(path))["customer"].kind == reference["customer"].kind
    for current, like in ((later, unnamed), (tmp_path / "unnamed.parquet", fit(later))):
        findings = {column.name: column.finding for column in compare(current, like)}
        assert "__index_level_0__" not in findings


PERIODS = ["Y-DEC", "Y-JUN", "Q-DEC", "Q-JAN", "M", "W-SUN", "W-WED", "B", "D", "2D", "h", "15min"]


@pytest.mark.parametrize("frequency", [*PERIODS, "s", "ms", "us", "ns"])
@pytest.mark.filterwarnings("ignore:Period:FutureWarning")  # business days will go
def test_periods_are_their_first_moments(tmp_path: Path, frequency: str) -> None:
    frame = pd.DataFrame({"p": pd.period_range("1968-03-05", periods=40, freq=frequency)})
    frame.loc[3, "p"] = pd.NaT
    frame.to_parquet(tmp_path / "p.parquet")
    firsts = frame["p"].dt.start_time.astype("datetime64[ns]").astype("int64").to_list()
    for array in _unregistered(tmp_path / "p.parquet"), _first_column(pa.Table.from_pandas(frame)):
        moments = array.cast(pa.timestamp("ns")).cast(pa.int64()).fill_null(pd.NaT.value)
        assert moments.to_pylist() == firsts
    assert fit(frame)["p"].kind == "moves by construction"


def _first_column(table: pa.Table) -> pa.Array:
    return next(array for _, array in part_of(table).read(table.column_names[:1]))


def _unregistered(path: Path) -> pa.Array:
    """Return what is read where pandas has not told Arrow of its types."""
    table = pq.ParquetFile(path, arrow_extensions_enabled=False).read()
    return _first_column(table)


def test_intervals_are_what_pandas_writes() -> None:
    frame = pd.DataFrame({"i": pd.cut([1, 5, np.nan, 9.0], [0, 3, 6, 10])})
    text = ["(0, 3]", "(3, 6]", None, "(6, 10]"]
    assert _first_column(pa.Table.from_pandas(frame)).to_pylist() == text
    plain = pd.DataFrame({"i": pd.arrays.IntervalArray.from_breaks([0, 1, 2], closed="left")})
    assert _first_column(pa.Table.from_pandas(plain)).to_pylist() == ["[0, 1)", "[1, 2)"]
    assert fit(plain)["i"].type == "large_string"


def test_moments_beyond_nanoseconds_keep_their_value(tmp_path: Path) -> None:
    forever = datetime(9999, 12, 31, 23, 59, 59, 999999)
    moments = [datetime(1, 1, 1), datetime(2013, 2, 8, 12, 0, 0, 123456), forever, None]
    table = pa.table({"t": pa.array(moments, pa.timestamp("us"))})
    path = write(tmp_path / "x.parquet", table, use_deprecated_int96_timestamps=True)
    assert values_of(source_of(path), "t") == moments
    assert str(fit(path)["t"].range) == "0001-01-01 00:00:00 … 9999-12-31 23:59:59.999999"


@pytest.mark.slow
def test_a_damaged_footer_is_an_error_or_a_finding_never_undecided(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    table = pa.table({"x": generator.normal(size=3_000), "k": generator.choice(["a", "b"], 3_000)})
    path = write(tmp_path / "x.parquet", table, store_schema=False)
    reference = fit(path)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    found: Counter[str] = Counter()
    for place in range(footer, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            report = compare(path, reference)
        except (SnapshotUnreadableError, SnapshotInvalidError):
            found["refused"] += 1
        else:
            found[str(report.status)] += 1
            assert report.status != "drift" or any(column.finding for column in report)
    assert found["refused"] > 20
    assert found["undecided"] == 0


# ---------------------------------------------------------------- one table of several files


def test_part_files_of_other_widths_are_one_table(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"x": pa.array([1, 2], pa.int32())})
    write(tmp_path / "b.parquet", {"x": pa.array([3, 2**40], pa.int64())})
    write(tmp_path / "c.parquet", {"x": pa.array([4], pa.uint8())})
    assert fit(tmp_path).rows == 5
    assert str(fit(tmp_path)["x"].range) == f"1 … {2**40}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([1]), pa.array(["x"])),
        (pa.array([1]), pa.array([1.5])),
        (pa.array([1]), pa.array([{"b": 1}])),
        (pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("us", "UTC"))),
        (pa.array([True]), pa.array([1])),
    ],
)
def test_part_files_of_other_types_are_refused(
    tmp_path: Path, one: pa.Array, other: pa.Array
) -> None:
    write(tmp_path / "first.parquet", {"y": [1], "x": one})
    write(tmp_path / "second.parquet", {"y": [1], "x": other})
    with pytest.raises(SnapshotInvalidError, match="write it as one type") as caught:
        fit(tmp_path)
    for piece in (
        "column 'x'",
        f"is {one.type} in {tmp_path}/first.parquet",
        f"{other.type} in {tmp_path}/second.parquet",
    ):
        assert piece in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2]),
        pa.array([1.5, None]),
        pa.array(["a", "b"]),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([True, False]),
        pa.array([b"a", b"b"]),
        pa.array([1, 2]).cast(pa.decimal128(30, 2)),
        pa.array([1, 2], pa.date32()),
        pa.array([1, 2], pa.duration("us")),
    ],
    ids=lambda values: str(values.type),
)
@pytest.mark.parametrize("empty_first", [True, False])
def test_a_column_without_values_in_one_file_is_null_there(
    tmp_path: Path, values: pa.Array, empty_first: bool
) -> None:
    first, last = ("a", "z") if empty_first else ("z", "a")
    write(tmp_path / f"{first}.parquet", {"x": pa.nulls(3), "y": [1, 1, 1]})
    write(tmp_path / "m.parquet", {"x": values, "y": [1, 1]})
    write(tmp_path / f"{last}.parquet", {"y": [1, 1, 1, 1]})
    profile = fit(tmp_path, columns=["x", "y"], judge=_value(values))
    assert profile.rows == 9
    histogram = profile["x"].histogram
    assert histogram is not None
    assert histogram.nulls == 7 + values.null_count
    assert values_of(source_of(tmp_path), "x").count(None) == 7 + values.null_count
    assert scan(tmp_path, like=profile).counted == profile.counted


def _value(values: pa.Array) -> dict[str, Any] | None:
    return {"x": "value"} if pa.types.is_date(values.type) else None


def test_a_column_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    table = pa.table([[1], [2], [3]], names=["x", "y", "x"])
    path = write(tmp_path / "twice.parquet", table)
    with pytest.raises(SnapshotInvalidError, match=r"twice\.parquet: column 'x' occurs 2 times"):
        fit(path)


ODD_NAMES = ["a.b", "a", "b", "a/b", "ü.é", "", " ", "x\ny", "*", "[a]", "数", "a.b.c", "null"]


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    values = {name: [float(i), float(i), None] for i, name in enumerate(ODD_NAMES)}
    path = write(tmp_path / "odd.parquet", values)
    assert {name: values_of(source_of(path), name) for name in ODD_NAMES} == values
    profile = fit(path)
    assert set(profile.columns) == set(ODD_NAMES)
    for i, name in enumerate(ODD_NAMES):
        assert str(profile[name].range) == f"{i} … {i}"
    assert scan(path, like=profile).counted == profile.counted


def test_a_dotted_name_is_no_field_of_a_struct(tmp_path: Path) -> None:
    table = {"a": pa.array([{"b": 1.5}, {"b": 2.5}]), "a.b": ["x", "y"], "c": [[1], []]}
    path = write(tmp_path / "nested.parquet", table)
    assert values_of(source_of(path), "a.b") == ["x", "y"]
    profile = fit(path)
    assert list(profile.counted) == ["a.b"]
    assert profile["a"].kind == "nested type"
    assert profile["c"].kind == "nested type"


def test_a_table_of_very_many_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.parquet", {f"c{i}": [i] for i in range(2_000)})
    assert len(fit(path, columns=["c1999"]).columns) == 2_000


# ---------------------------------------------------------------- however it was written


@pytest.fixture(scope="module")
def table() -> pa.Table:
    generator = np.random.default_rng(3)
    n = 6_000
    gaps = generator.random(n) < 0.05
    return pa.table(
        {
            "float": pa.array(generator.normal(size=n), mask=gaps),
            "float32": generator.gamma(2, size=n).astype("float32"),
            "integer": pa.array(generator.poisson(4, n), mask=gaps),
            "text": pa.array(generator.choice(["a", "bb", "ç", ""], n), mask=gaps),
            "flag": generator.random(n) < 0.3,
            "decimal": pa.array(generator.integers(0, 900, n)).cast(pa.decimal128(30, 2)),
            "bytes": pa.array([b"\x00\xff" if b else b"q" for b in generator.random(n) < 0.4]),
            "time": pa.array(generator.integers(0, 86_400, n).astype("int32"), pa.time32("s")),
            "many": pa.array([f"level {i}" for i in generator.integers(0, 3_000, n)]),
        }
    )


@pytest.fixture(scope="module")
def reference(table: pa.Table) -> Profile:
    return fit(table)


CODECS = [
    name for name in ("NONE", "SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD") if name == "NONE"
    or pa.Codec.is_available(name.lower())
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        *({"compression": codec} for codec in CODECS),
        {"data_page_version": "2.0"},
        {"data_page_version": "2.0", "compression": "ZSTD", "use_dictionary": False},
        {"use_dictionary": False},
        {"use_dictionary": ["text"]},
        {"dictionary_pagesize_limit": 100},
        {"write_statistics": False},
        {"store_schema": False},
        {"row_group_size": 1},
        {"row_group_size": 7},
        {"row_group_size": 10**9},
        {"version": "1.0"},
        {"data_page_size": 64},
        {"use_dictionary": False, "use_byte_stream_split": ["float", "float32"]},
        {"use_dictionary": False, "column_encoding": {"integer": "DELTA_BINARY_PACKED"}},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": False, "column_encoding": {"many": "DELTA_LENGTH_BYTE_ARRAY"}},
        {"write_page_index": True},
        {"write_page_checksum": True},
    ],
    ids=str,
)
def test_the_same_table_gives_the_same_profile_however_it_is_written(
    tmp_path: Path, table: pa.Table, reference: Profile, options: dict[str, Any]
) -> None:
    if options.get("row_group_size", 10) < 10:  # one row group takes a few milliseconds
        table = table.slice(0, 70 * options["row_group_size"])
        reference = fit(table)
    path = write(tmp_path / "x.parquet", table, **options)
    assert fit(path).counted == reference.counted
    assert scan(path, like=reference).counted == reference.counted


def test_only_columns_of_indices_are_read_as_dictionaries(tmp_path: Path) -> None:
    unique = pa.array([f"a long and unique text {i}" for i in range(200_000)])
    few = pa.array(["a", "b"] * 100_000)
    path = write(tmp_path / "x.parquet", {"unique": unique, "few": few})
    (part,) = source_of(path).parts()
    kinds = {name: array.type for name, array in part.read(["unique", "few"])}
    assert kinds["unique"] == pa.string()
    assert pa.types.is_dictionary(kinds["few"])


def test_empty_files_and_empty_row_groups_add_nothing(tmp_path: Path, table: pa.Table) -> None:
    write(tmp_path / "a.parquet", table.slice(0, 0))
    with pq.ParquetWriter(tmp_path / "b.parquet", table.schema) as writer:
        writer.write_table(table.slice(0, 10))
        writer.write_table(table.slice(0, 0))
        writer.write_table(table.slice(10))
    write(tmp_path / "c.parquet", table.slice(0, 0))
    assert fit(tmp_path).counted == fit(table).counted
    empty = scan(tmp_path / "a.parquet", like=fit(table))
    assert empty.rows == 0
    with pytest.raises(SnapshotInvalidError, match="the reference has no rows"):
        fit(tmp_path / "a.parquet")


def test_a_file_without_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", pa.table({}))
    with pytest.raises(SnapshotInvalidError, match="the reference has no rows"):
        fit(path)
    assert scan(path, like=fit({"x": [1]})).columns == {}


def test_texts_that_stop_repeating_are_all_read(tmp_path: Path) -> None:
    few = [f"few {i % 7}" for i in range(200_000)]
    unique = [f"unique {i}" for i in range(200_000)]
    path = write(
        tmp_path / "x.parquet",
        {"s": [*few, *unique, None, "few 1"]},
        row_group_size=10**9,
        dictionary_pagesize_limit=100_000,
    )
    (part,) = source_of(path).parts()
    arrays = [array for _, array in part.read(["s"])]
    assert pa.types.is_dictionary(arrays[0].type)
    assert arrays[-1].type == pa.string()
    assert values_of(source_of(path), "s") == [*few, *unique, None, "few 1"]


def test_rows_that_the_footer_does_not_promise_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x.parquet", {"x": [1, 2, 3]})
    monkeypatch.setattr(parquet, "_arrays", lambda *_: iter([pa.array([1, 2])]))
    with pytest.raises(SnapshotUnreadableError, match="'x' holds 2 rows, its footer says 3"):
        values_of(source_of(path), "x")


def test_a_column_name_that_is_no_text_is_an_error_of_ours(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"naïve": [1, 2, 3]}, store_schema=False)
    path.write_bytes(path.read_bytes().replace("ï".encode(), b"\xff\xff"))
    with pytest.raises(SnapshotUnreadableError, match=r"x\.parquet: cannot be read"):
        source_of(path)
