"""The engine of one machine: every source, within bounded memory, the same whatever the threads."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from counted import cells

from kl_drift.api import fit, scan
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import Profile
from kl_drift.engines import arrow
from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.opening import open_snapshot
from kl_drift.engines.parquet import open_parquet
from kl_drift.engines.parts import Part
from kl_drift.engines.reading import LevelsWanted, NumbersWanted, Reading, TooManyLevels
from kl_drift.engines.tables import StreamSource, TableSource
from kl_drift.errors import KLDriftError, SnapshotInvalidError, SnapshotUnreadableError, UsageError
from kl_drift.snapshot import Snapshot


def numbers_table(n: int = 5_000, seed: int = 0) -> pa.Table:
    generator = np.random.default_rng(seed)
    gaps = generator.random(n) < 0.1
    return pa.table(
        {
            "x": pa.array(generator.normal(size=n), mask=gaps),
            "i": generator.poisson(3, n),
            "k": pa.array(generator.choice(["a", "b", "c"], n), mask=gaps),
            "b": generator.random(n) < 0.5,
        }
    )


class Stream:
    """Speaks Arrow's C stream and nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, schema: object = None) -> object:
        return self._table.__arrow_c_stream__(schema)


# ---------------------------------------------------------------- whatever a user hands in


SOURCES: dict[str, Callable[[pa.Table, Path], Any]] = {
    "Table": lambda table, _: table,
    "chunked Table": lambda table, _: pa.concat_tables([table.slice(0, 7), table.slice(7)]),
    "RecordBatch": lambda table, _: table.combine_chunks().to_batches()[0],
    "reader": lambda table, _: table.to_reader(max_chunksize=999),
    "C stream": lambda table, _: Stream(table),
    "dataset's reader": lambda table, _: ds.dataset(table).scanner().to_reader(),
    "dataset": lambda table, folder: ds.dataset(_split(table, folder)),
    "dataset in memory": lambda table, _: ds.dataset(table),
    "scanner": lambda table, _: ds.dataset(table).scanner(),
    "fragment": lambda table, folder: next(
        ds.dataset(_written(table, folder / "x.parquet")).get_fragments()
    ),
    "ParquetFile": lambda table, folder: pq.ParquetFile(
        _written(table, folder / "x.parquet", 1_000)
    ),
    "list of batches": lambda table, _: table.to_batches(max_chunksize=999),
    "generator of batches": lambda table, _: iter(table.to_batches(max_chunksize=999)),
    "generator of tables": lambda table, _: (
        table.slice(i, 999) for i in range(0, len(table), 999)
    ),
    "polars, lazy": lambda table, _: pl.from_arrow(table).lazy(),
    "polars, lazy from files": lambda table, folder: pl.scan_parquet(
        _written(table, folder / "x.parquet", 1_000)
    ),
    "DuckDB": lambda table, _: duckdb.from_arrow(table),
    "Ibis": lambda table, _: ibis.polars.connect().create_table("t", table),
    "dask": lambda table, _: dd.from_pandas(table.to_pandas(), npartitions=3),
    "pandas": lambda table, _: table.to_pandas(),
    "pandas, nullable": lambda table, _: table.to_pandas(types_mapper=_nullable().get),
    "pandas, Arrow": lambda table, _: table.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas, categorical": lambda table, _: table.to_pandas().astype({"k": "category"}),
    "pandas, other index": lambda table, _: table.to_pandas().set_index(np.arange(len(table)) * 2),
    "a kind of pandas": lambda table, _: Frame(table.to_pandas().set_index(np.arange(len(table)))),
    "polars": lambda table, _: pl.from_arrow(table),
    "polars, categorical": lambda table, _: pl.from_arrow(table).with_columns(
        pl.col("k").cast(pl.Categorical)
    ),
    "dict": lambda table, _: table.to_pydict(),
    "file": lambda table, folder: _written(table, folder / "x.parquet"),
    "path text": lambda table, folder: str(_written(table, folder / "x.parquet")),
    "small row groups": lambda table, folder: _written(table, folder / "x.parquet", 100),
    "Snapshot": lambda table, folder: Snapshot(path=str(_split(table, folder)), label="x"),
    "folder": lambda table, folder: str(_split(table, folder)),
}


class Frame(pd.DataFrame):
    """Somebody's subclass."""


def _nullable() -> dict[pa.DataType, Any]:
    return {
        pa.float64(): pd.Float64Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.string(): pd.StringDtype(),
        pa.bool_(): pd.BooleanDtype(),
    }


def _written(table: pa.Table, path: Path, row_group_size: int = 10**6) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def _split(table: pa.Table, folder: Path) -> Path:
    for part, start in enumerate(range(0, len(table), 1_700)):
        _written(table.slice(start, 1_700), folder / f"d{part % 2}" / f"part-{part}.parquet")
    return folder


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_profile_cell_for_cell(kind: str, tmp_path: Path) -> None:
    table, later = numbers_table(), numbers_table(3_000, seed=1)
    later = later.set_column(2, "k", pa.array(["a", "new", None] * 1_000))
    expected = fit(table)
    fitted = fit(SOURCES[kind](table, tmp_path / "reference"))
    assert cells(fitted) == cells(expected)
    scanned = scan(SOURCES[kind](later, tmp_path / "current"), like=fitted)
    assert cells(scanned) == cells(scan(later, like=expected))
    assert scanned["k"].unseen == {"new": 1_000}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (5, "builtins.int"),
        (None, "builtins.NoneType"),
        (b"flights", "builtins.bytes"),
        ([{"x": 1}], "builtins.list"),
        ({"x": 1}, "builtins.dict"),
        ({"x": [1, 2], "y": [1]}, "expected length 2 but got length 1"),
        (np.zeros(3), "numpy.ndarray"),
        (pd.Series([1.0]), "pandas.*Series"),
        (pa.array([1]), "pyarrow.lib.Int64Array"),
        (pl.Series([1]), "polars.*Series"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "(?i)duplicate column names"),
        (object, "builtins.type"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_table_is_refused_by_its_name(data: object, said: str) -> None:
    with pytest.raises(SnapshotInvalidError, match=said) as caught:
        fit(data)
    assert "expected a path, a Snapshot, a data frame (pandas, polars, dask, Spark)" in str(
        caught.value
    )
    with pytest.raises(SnapshotInvalidError):
        scan(data, like=fit({"x": [1]}))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (iter([{"x": 1}]), "yields a dict; yield pyarrow RecordBatches"),
        (iter([]), "yields nothing"),
    ],
    ids=["dict", "nothing"],
)
def test_an_iterator_yields_batches(data: object, said: str) -> None:
    with pytest.raises(SnapshotInvalidError, match=said):
        fit(data)


def test_a_column_of_mixed_values_spoils_itself_and_not_the_frame() -> None:
    frame = pd.DataFrame({"mixed": [1, "a", 2.5] * 5, "x": range(15), 7: [object()] * 15})
    fitted = fit(frame, columns=["*"])
    assert set(fitted.counted) == {"x"}
    for name, kinds in (("mixed", "float, int, str"), ("7", "object")):
        assert fitted[name].type == f"struct<mixed: {kinds}: null>"
        assert fitted[name].why == Uncounted(kind=Kind.NESTED)
    reference = fit(pd.DataFrame({"mixed": range(15), "x": range(15)}), columns=["*"])
    scanned = scan(frame, like=reference)
    assert scanned["mixed"].histogram is None
    assert scanned["x"].histogram == reference["x"].histogram


def test_columns_of_pandas_may_be_labelled_by_whole_numbers() -> None:
    frame = pd.DataFrame(np.arange(60).reshape(20, 3) % 7)
    assert set(fit(frame, columns=[0, 2]).counted) == {"0", "2"}
    assert fit(frame, columns=["0"])["0"] == fit(frame, columns=[0])["0"]


def test_a_column_name_that_stands_twice_is_refused() -> None:
    table = pa.table([[1], [2]], names=["x", "x"])
    for data in (table, table.to_reader()):
        with pytest.raises(SnapshotInvalidError, match="column 'x' occurs 2 times"):
            fit(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"x": [1]}, "a table"),
        (pa.table({"x": [1]}), "a pyarrow table"),
        (pd.DataFrame({"x": [1]}), "a pandas table"),
        (Frame({"x": [1]}), "a pandas table"),
        (pl.DataFrame({"x": [1]}), "a polars table"),
        (pa.table({"x": [1]}).to_reader(), "a stream of batches"),
        (Stream(pa.table({"x": [1]})), "a stream of batches"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tables_in_memory_have_a_name(data: object, name: str) -> None:
    assert fit(data).sources == (name,)


def test_nan_is_null_in_pandas_as_when_pandas_writes_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, np.nan, 2.0], "s": ["a", None, np.nan], "t": [pd.NaT] * 3})
    frame.to_parquet(tmp_path / "x.parquet")
    fitted, written = fit(frame, judge={"t": "value"}), fit(tmp_path / "x.parquet")
    assert fitted["x"].nulls == written["x"].nulls == 1
    assert fitted["s"].nulls == written["s"].nulls == 2
    assert fitted["t"].nulls == 3
    arrow_table = fit({"x": [1.0, float("nan"), None]})["x"]
    assert arrow_table.nulls == 1, "elsewhere NaN is a value of its own"
    assert arrow_table.histogram is not None
    assert arrow_table.histogram.counts[-2] == 1


# ---------------------------------------------------------------- streams


@pytest.mark.parametrize("read", [fit, lambda data: scan(data, like=fit({"x": [1]}))])
@pytest.mark.parametrize("again", [fit, lambda data: scan(data, like=fit({"x": [1]}))])
def test_a_stream_is_read_once(read: Callable[..., Profile], again: Callable[..., Profile]) -> None:
    reader = pa.table({"x": [1, 2, 3]}).to_reader()
    assert read(reader).rows == 3
    with pytest.raises(UsageError, match="a stream of batches was read already; open it anew"):
        again(reader)


def test_an_empty_stream_is_no_error_when_scanned() -> None:
    reader = pa.table({"x": pa.array([], pa.int64())}).to_reader()
    assert scan(reader, like=fit({"x": [1]})).rows == 0


def test_a_stream_whose_batches_have_other_dictionaries() -> None:
    batches = [
        pa.record_batch({"k": pa.array([f"v{i}", "v0"] * 10).dictionary_encode()}) for i in range(9)
    ]
    reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    column = fit(reader)["k"]
    assert column.histogram is not None
    assert column.histogram.counts == (100, *[10] * 8, 0, 0, 0)


def test_a_fitted_stream_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen: list[list[Path]] = []
    fit(numbers_table().to_reader(), progress=lambda *_: seen.append(list(tmp_path.rglob("*"))))
    assert seen[0], "it is written to a temporary file"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError):
        fit(numbers_table().to_reader(), progress=lambda *_: 1 // 0)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_breaks_off_says_so() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": [1, 2]})
        yield pa.record_batch({"x": ["not a number"]})

    def reader() -> pa.RecordBatchReader:
        good = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())
        return pa.RecordBatchReader.from_stream(good)

    for read in (fit, lambda data: scan(data, like=fit({"x": [1]}))):
        with pytest.raises(SnapshotUnreadableError, match="a stream of batches broke off"):
            read(reader())


def test_an_error_of_the_users_own_generator_comes_through() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": [1, 2]})
        raise ConnectionAbortedError("the warehouse is gone")

    for read in (fit, lambda data: scan(data, like=fit({"x": [1]}))):
        reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())
        with pytest.raises(OSError, match="the warehouse is gone"):
            read(reader)


def test_a_stream_holds_few_batches_at_a_time() -> None:
    alive: list[int] = []
    n = 50_000

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(50):
            alive.append(pa.total_allocated_bytes() - before)
            yield pa.record_batch({"x": pa.array(np.zeros(n)).cast(pa.float32())})

    before = pa.total_allocated_bytes()
    reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.float32()}), batches())
    assert scan(reader, like=fit({"x": pa.array([0.0], pa.float32())})).rows == 50 * n
    assert max(alive) < 10 * 4 * n


# ---------------------------------------------------------------- threads


def _part(rows: int, read: Callable[[Sequence[str]], Any] | None = None) -> Part:
    return Part(rows=rows, read=read or (lambda names: iter([])))


@pytest.fixture(params=[1, 2, 5])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(arrow, "_workers", lambda: request.param)
    return int(request.param)


def test_results_come_in_the_order_of_the_parts(workers: int) -> None:
    gate = threading.Event()

    def visit(ordinal: int, _: Part) -> int:
        if ordinal == 0 and workers > 1:
            gate.wait(5)
        else:
            gate.set()
        return ordinal

    parts = iter([_part(1) for _ in range(20)])
    assert [result for _, result in arrow.walk(parts, visit)] == list(range(20))


def test_no_more_parts_are_under_way_than_workers_and_one(workers: int) -> None:
    taken: list[int] = []

    def parts() -> Iterator[Part]:
        for i in range(30):
            taken.append(i)
            yield _part(1)

    for done, _ in enumerate(arrow.walk(parts(), lambda *_: None)):
        assert len(taken) <= done + workers + 1


def test_an_error_in_a_part_ends_the_walk_and_its_threads(workers: int) -> None:
    before = threading.active_count()
    visited: list[int] = []

    def visit(ordinal: int, _: Part) -> None:
        visited.append(ordinal)
        if ordinal == 3:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(arrow.walk((_part(1) for _ in range(1000)), visit))
    assert threading.active_count() == before
    assert len(visited) <= 4 + workers + 1


def test_an_error_between_parts_ends_the_walk_and_its_threads(workers: int) -> None:
    before = threading.active_count()

    def parts() -> Iterator[Part]:
        yield _part(1)
        yield _part(1)
        raise OSError("no more parts")

    with pytest.raises(OSError, match="no more parts"):
        list(arrow.walk(parts(), lambda *_: None))
    assert threading.active_count() == before


def test_a_consumer_that_stops_early_leaves_no_threads(workers: int) -> None:
    before = threading.active_count()
    closed = threading.Event()

    def parts() -> Iterator[Part]:
        try:
            for _ in range(1000):
                yield _part(1)
        finally:
            closed.set()

    walk = arrow.walk(parts(), lambda *_: None)
    next(walk)
    walk.close()
    assert threading.active_count() == before
    assert closed.is_set()


def test_a_progress_that_raises_leaves_no_threads(workers: int, tmp_path: Path) -> None:
    path = _written(numbers_table(), tmp_path / "x.parquet", 100)
    before = threading.active_count()

    def stop(rows: int, _: int | None) -> None:
        if rows > 500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(path, progress=stop)
    assert threading.active_count() == before


def test_the_same_profile_whatever_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(4)
    n = 300_000  # more than the sample, so that which rows are picked matters
    table = pa.table({"x": generator.normal(size=n), "k": generator.integers(0, 99, n).astype(str)})
    path = _written(table, tmp_path / "x.parquet", 20_000)
    profiles = []
    for workers in (1, 2, 7):
        monkeypatch.setattr(arrow, "_workers", lambda workers=workers: workers)
        profiles += [fit(path), fit(path)]
    assert all(profile == profiles[0] for profile in profiles)


# ---------------------------------------------------------------- samples


def _numbers(source: LocalSource, column: str = "x") -> Any:
    want = NumbersWanted(reading=Reading(column=column), domain="integer")
    return source.sample({column: want})[column]


@pytest.mark.parametrize("rows", [1, 7, 1_000, 250_000])
def test_a_sample_is_spread_evenly_over_all_parts(rows: int, tmp_path: Path) -> None:
    n = 300_000
    path = _written(pa.table({"x": np.arange(n)}), tmp_path / "x.parquet", max(rows, n // 300))
    taken = _numbers(open_parquet(Snapshot.at(path)))
    assert (taken.present, taken.minimum, taken.maximum) == (n, 0, n - 1)
    assert len(np.unique(taken.values)) == len(taken.values)
    assert arrow.SAMPLE_ROWS <= len(taken.values) <= arrow.SAMPLE_ROWS + 300
    tenths = np.bincount(taken.values // (n // 10), minlength=10) / len(taken.values)
    assert abs(tenths - 0.1).max() < 0.005


def test_nulls_take_their_share_of_the_sample() -> None:
    n = 200_000
    table = pa.table({"x": pa.array(np.arange(n), mask=np.arange(n) % 4 == 0)})
    taken = _numbers(TableSource(table))
    assert taken.present == n * 3 // 4
    assert len(taken.values) == pytest.approx(arrow.SAMPLE_ROWS * 3 / 4, rel=0.01)
    assert not (taken.values % 4 == 0).any()


def test_a_small_table_is_its_own_sample() -> None:
    assert _numbers(TableSource(pa.table({"x": [5, 3, 4]}))).values.tolist() == [5, 3, 4]


def test_a_stream_is_not_sampled() -> None:
    with pytest.raises(KLDriftError, match="readable twice"):
        _numbers(StreamSource(pa.table({"x": [1]}).to_reader()))


@pytest.mark.parametrize("order", ["sorted", "reversed", "by time", "blocks"])
def test_edges_of_a_sorted_reference_are_those_of_a_shuffled_one(
    order: str, tmp_path: Path
) -> None:
    n = 400_000
    generator = np.random.default_rng(8)
    values = generator.gamma(2, size=n)
    arranged = {
        "sorted": np.sort(values),
        "reversed": np.sort(values)[::-1],
        "by time": values[np.argsort(values + generator.normal(0, 0.5, n))],
        "blocks": np.concatenate(np.array_split(np.sort(values), 40)[::-1]),
    }[order]
    path = _written(pa.table({"x": arranged}), tmp_path / "x.parquet", 50_000)
    histogram = fit(path)["x"].histogram
    assert histogram is not None
    exact = np.quantile(values, np.linspace(0.05, 0.95, 19))
    ranks = np.searchsorted(np.sort(values), histogram.bins.edges) / n
    wanted = np.searchsorted(np.sort(values), exact) / n
    worst = max(abs(ranks - one).min() for one in wanted)
    assert worst < 0.005, "every twentieth has an edge"


def test_too_many_levels_are_noticed_whatever_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "LEVEL_LIMIT", 500)
    unique = pa.table({"k": [str(i) for i in range(3_000)]})
    twice = pa.table({"k": [str(i // 2) for i in range(3_000)]})
    want = {"k": LevelsWanted(reading=Reading(column="k"), domain="string")}
    for table, expected in ((unique, True), (twice, False)):
        for size in (1, 100, 700, 10_000):
            source = open_snapshot(_written(table.slice(0, 1_200), tmp_path / "x.parquet", size))
            assert source.sample(want)["k"] == TooManyLevels(expected)
    levels: Any = TableSource(unique.slice(0, 500)).sample(want)["k"]
    assert levels.rows == dict.fromkeys(map(str, range(500)), 1)


# ---------------------------------------------------------------- memory


MEASURE = """
import json, re, resource, sys
from pathlib import Path
from kl_drift import api
from kl_drift.engines import arrow, parquet

def peak():
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage begins with the peak of the parent process
        return int(re.search("VmHWM: *\\t* *([0-9]+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

path, before = sys.argv[1], peak()
reference = api.fit(path)
profile = api.scan(path, like=reference)
print(json.dumps([peak() - before, profile.rows, sorted(reference.counted)]))
"""


def _grown(path: Path) -> tuple[int, int, list[str]]:
    """Fit and scan in a process of its own; return by how much its peak memory grew."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True
    )
    grown, rows, counted = json.loads(done.stdout)
    return grown, rows, counted


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_row_groups(tmp_path: Path) -> None:
    path, groups, n = tmp_path / "many.parquet", 32, 250_000
    generator = np.random.default_rng(1)
    few = pa.array([f"one of few levels, number {i}" for i in range(30)])
    block = pa.table(
        {
            **{f"f{i}": generator.normal(size=n).round(1) for i in range(4)},
            **{f"i{i}": generator.integers(0, 9 * 10**i, n) for i in range(3)},
            "s": few.take(pa.array(generator.integers(0, 30, n))),
        }
    )
    with pq.ParquetWriter(path, block.schema, use_dictionary=["s"]) as writer:
        for _ in range(groups):
            writer.write_table(block, row_group_size=n)
    grown, rows, counted = _grown(path)
    assert rows == groups * n
    assert len(counted) == 8
    assert groups * block.nbytes > 600_000_000
    assert 20_000_000 < grown < 180_000_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_size_of_a_row_group(tmp_path: Path) -> None:
    n = 5_000_000
    generator = np.random.default_rng(1)
    table = pa.table(
        {
            "id": pa.array(np.arange(n)).cast(pa.string()),
            **{f"y{i}": generator.integers(0, 10**i, n) for i in range(1, 6)},
        }
    )
    path = tmp_path / "one.parquet"
    pq.write_table(table, path, row_group_size=n, use_dictionary=["id"])
    assert pq.read_metadata(path).num_row_groups == 1
    grown, rows, counted = _grown(path)
    assert rows == n
    assert counted == ["y1", "y2", "y3", "y4", "y5"], "and not the identifier"
    assert table.nbytes > 250_000_000
    assert 20_000_000 < grown < 180_000_000, (
        "as Python texts the identifiers alone would take 300 MB"
    )


LAZY = """
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import duckdb
def lazily(kind, path):
    if kind == "polars":
        return pl.scan_parquet(path)
    if kind == "duckdb":
        duckdb.execute("set memory_limit = '100MB'")  # what it caches is its own affair
        return duckdb.read_parquet(path)
    if kind == "dataset":
        return ds.dataset(path)
    return pq.ParquetFile(path)
reference = api.fit(pq.ParquetFile(small))
opened = lazily(kind, path)
profile = api.scan(lazily(kind, small), like=reference)
before = peak()
profile = api.scan(opened, like=reference)
print(json.dumps([peak() - before, profile.rows]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["polars", "duckdb", "dataset", "file"])
def test_memory_does_not_grow_with_what_is_read_lazily(kind: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    block = pa.table({f"f{i}": generator.normal(size=250_000) for i in range(8)})
    small, large, groups = tmp_path / "small.parquet", tmp_path / "large.parquet", 32
    pq.write_table(block.slice(0, 5_000), small)
    with pq.ParquetWriter(large, block.schema, compression="none") as writer:
        for _ in range(groups):
            writer.write_table(block)
    code = MEASURE.partition("path, before =")[0] + "small, path, kind = sys.argv[1:]\n" + LAZY
    done = subprocess.run(
        [sys.executable, "-c", code, small, large, kind],
        capture_output=True,
        text=True,
        check=True,
    )
    grown, rows = json.loads(done.stdout.splitlines()[-1])  # DuckDB prints how far it is
    assert rows == groups * 250_000
    assert groups * block.nbytes > 500_000_000
    assert grown < 250_000_000


def test_a_spark_worker_without_kl_drift_says_so_in_one_line(
    spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = types.ModuleType("kl_drift.not_on_the_worker")
    source = (
        "class Mapper:\n    def __init__(self, *_): pass\n    def __call__(self, it): yield from it"
    )
    exec(source, elsewhere.__dict__)  # noqa: S102 - a module that only this process has
    monkeypatch.setitem(sys.modules, elsewhere.__name__, elsewhere)
    monkeypatch.setattr("kl_drift.engines.spark._Mapper", elsewhere.Mapper)
    said = r"workers cannot count, they have no module 'kl_drift.*'; install kl-drift \d"
    with pytest.raises(SnapshotUnreadableError, match=said) as caught:
        scan(spark.range(5), like=fit({"id": [1, 2]}, columns=["id"]))
    assert "\n" not in str(caught.value)
