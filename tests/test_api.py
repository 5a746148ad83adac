"""The whole walk: fit, scan, compare, with whatever a user hands in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kl_drift.api import as_profile, compare, fit, scan
from kl_drift.artefact import load_profile, save
from kl_drift.counts.binning import Categories, Edges, Quantiles, Uniform
from kl_drift.counts.profile import Profile
from kl_drift.counts.selection import Selection
from kl_drift.errors import (
    ArtefactCorruptError,
    ArtefactNotFoundError,
    ColumnNotFoundError,
    ColumnTypeError,
    SnapshotNotFoundError,
    UsageError,
)
from kl_drift.judging.policy import Policy
from kl_drift.snapshot import Snapshot

FLIGHTS = Path(__file__).parents[1] / "examples" / "flights"


@pytest.fixture(scope="module")
def january() -> Profile:
    return fit(FLIGHTS / "month=2013-01")


def cells(profile: Profile) -> dict[str, object]:
    return {name: (c.histogram, c.range, c.nulls) for name, c in profile.columns.items()}


# ---------------------------------------------------------------- real flights


def test_the_walk_over_real_flights(january: Profile) -> None:
    assert january.rows == 27_004
    assert january["time_hour"].kind == "moves by construction"
    assert str(january["time_hour"].range).startswith("2013-01-01 10:00:00Z … 2013-02-01")
    july = scan(FLIGHTS / "month=2013-07", like=january)
    report = compare(july, january)
    assert report.status == "drift"
    assert "air_time" in report.drifted
    assert "ANC" in {level.level for level in report["dest"].new_levels}, "Anchorage, in summer"
    assert compare(january, january).status == "ok"


def test_the_same_snapshot_by_path_partition_and_object(january: Profile) -> None:
    february = pq.read_table(FLIGHTS / "month=2013-02" / "part-0.parquet")
    expected = scan(FLIGHTS / "month=2013-02", like=january)
    for same in (
        str(FLIGHTS / "month=2013-02" / "part-0.parquet"),
        str(FLIGHTS / "month=2013-02*" / "*.parquet"),
        f"file://{FLIGHTS}/month=2013-02",
        Snapshot(path=str(FLIGHTS / "month=2013-02")),
        february,
        february.to_pandas(),
        pl.from_arrow(february),
        february.to_reader(max_chunksize=5_000),
    ):
        assert scan(same, like=january).counted == expected.counted
    filtered = scan(Snapshot(path=str(FLIGHTS), where={"month": "2013-02"}), like=january)
    assert filtered.counted == expected.counted
    assert filtered.sources == (f"{FLIGHTS} [month=2013-02]",)


def test_two_snapshots_are_compared_without_more_ado() -> None:
    seen: list[tuple[int, int | None]] = []
    report = compare(
        Snapshot(path=str(FLIGHTS), where={"month": ["2013-02", "2013-03"]}, label="spring"),
        Snapshot(path=str(FLIGHTS), where={"month": "2013-01"}),
        columns=["dep_*", "carrier"],
        policy=Policy(columns={"carrier": Policy(rule="point", warn=1e-4, drift=1e-4)}),
        smoothing={"floor": 1e-5},
        progress=lambda *done: seen.append(done),
    )
    assert {column.name for column in report} == {"dep_delay", "dep_time", "carrier"}
    assert report["carrier"].status == "drift"
    assert report.current.source == "spring"
    assert report.unjudged == ()
    assert seen[0][1] == 2 * 27_004, "the reference first, read twice"
    assert seen[-1] == (report.current.rows, report.current.rows)


# ---------------------------------------------------------------- saved profiles


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return the path of a saved reference."""
    save(fit({"x": np.arange(2_000) % 9}), tmp_path / "reference.json")
    return tmp_path / "reference.json"


def test_a_saved_profile_stands_for_the_reference_and_for_the_current(saved: Path) -> None:
    current = {"x": np.arange(1_500) % 9}
    expected = compare(current, load_profile(saved))
    for reference in (saved, str(saved), Snapshot(path=str(saved))):
        report = compare(current, reference)
        assert report.columns == expected.columns
    assert compare(saved, saved).status == "ok"
    assert compare(Snapshot(path=str(saved)), load_profile(saved)).status == "ok"


def test_a_saved_profile_that_is_not_there_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ArtefactNotFoundError, match="no profile at"):
        compare({"x": [1]}, tmp_path / "x.json")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ArtefactCorruptError, match="expected a saved profile"):
        compare(tmp_path / "x.json", {"x": [1]})


def test_what_is_no_profile_is_handed_on(saved: Path) -> None:
    for data in (5, "x.parquet", None, Snapshot(path="x")):
        assert as_profile(data) is data
    assert as_profile(saved) == load_profile(saved)


def test_columns_are_chosen_when_the_reference_is_fitted(saved: Path) -> None:
    for reference in (saved, load_profile(saved)):
        with pytest.raises(UsageError, match="cannot change a saved profile"):
            compare({"x": [1]}, reference, columns=["x"])


@pytest.mark.parametrize("like", ["reference.json", None, {"x": [1]}, 5])
def test_only_a_profile_can_be_scanned_like(like: Any) -> None:
    with pytest.raises(UsageError, match=r"like: expected a profile, .* got a "):
        scan({"x": [1]}, like=like)


# ---------------------------------------------------------------- choices


TABLE = {
    "a1": np.arange(3_000) % 100,
    "a2": np.arange(3_000) % 50 / 4,
    "k": ["u", "v", "w"] * 1_000,
    "id": [f"{i}" for i in range(3_000)],
}


def bins_of(profile: Profile, name: str) -> Any:
    histogram = profile[name].histogram
    assert histogram is not None
    return histogram.bins


@pytest.mark.parametrize(
    ("columns", "counted"),
    [
        (None, ["a1", "a2", "k"]),
        ([], ["a1", "a2", "k"]),
        (["a1"], ["a1"]),
        (("k", "id"), ["id", "k"]),
        (["a*"], ["a1", "a2"]),
        (["?1", "k"], ["a1", "k"]),
        (pd.Index(["a1"]), ["a1"]),
        (Selection(exclude=("a*",)), ["k"]),
        (Selection(types=("categorical",)), ["k"]),
    ],
)
def test_columns_are_chosen_by_name_or_pattern(columns: Any, counted: list[str]) -> None:
    assert list(fit(TABLE, columns=columns).counted) == counted


@pytest.mark.parametrize(
    ("chosen", "error", "said"),
    [
        ({"columns": ["idd"]}, ColumnNotFoundError, r"no column 'idd'.*Did you mean 'id'\?"),
        ({"columns": ["b*"]}, ColumnNotFoundError, r"no column 'b\*'.*It has: a1, a2, k, id"),
        ({"bins": {"a3": Uniform()}}, ColumnNotFoundError, "no column 'a3'"),
        ({"judge": {"a3": "hour"}}, ColumnNotFoundError, "no column 'a3'"),
        ({"judge": {"a1": "hour"}}, ColumnTypeError, "column 'a1' is int64: judge is for dates"),
        ({"bins": {"k": Uniform()}}, ColumnTypeError, "column 'k' is string"),
        ({"columns": "a1"}, UsageError, r"columns: expected a sequence of names, got 'a1'"),
        ({"columns": Path("a1")}, UsageError, "columns: expected a sequence of names"),
        ({"bins": 20}, UsageError, r"bins: expected Quantiles.*got 20; write .*count=20"),
        ({"bins": "quantiles"}, UsageError, "bins: expected Quantiles"),
        ({"bins": {"a1": [1, 2]}}, UsageError, r"got \[1, 2\]"),
    ],
)
def test_a_wrong_choice_is_told_what_there_is(
    chosen: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        fit(TABLE, **chosen)


def test_bins_for_all_columns_of_a_kind_or_for_some() -> None:
    uniform = fit(TABLE, bins=Uniform(count=5))
    assert len(bins_of(uniform, "a1").edges) == 6
    assert len(bins_of(uniform, "a2").edges) == 6
    assert bins_of(uniform, "k").levels == ("u", "v", "w")
    top = fit(TABLE, bins=Categories(top=1))
    assert bins_of(top, "k").levels == ("u",)
    assert bins_of(top, "a1") == bins_of(fit(TABLE), "a1")
    some = fit(TABLE, bins={"a1": Edges(edges=(10, 20)), "*": Quantiles(count=2, tails=())})
    assert bins_of(some, "a1").edges == (10, 20)
    assert len(bins_of(some, "a2").edges) == 3
    merged = fit(TABLE, columns=Selection(bins={"a2": Edges(edges=(1,))}), bins={"a1": Uniform()})
    assert bins_of(merged, "a2").edges == (1.0,)


@pytest.mark.parametrize("smoothing", ["jefreys", {"flor": 1}, 5, None, {"floor": 2}])
def test_an_unknown_smoothing_is_refused_before_anything_is_read(smoothing: Any) -> None:
    with pytest.raises(UsageError, match="smoothing"):
        compare("nowhere", "nowhere", smoothing=smoothing)


def test_the_reference_is_looked_for_first_and_named() -> None:
    with pytest.raises(SnapshotNotFoundError, match="'nowhere'"):
        compare("elsewhere", "nowhere")


# ---------------------------------------------------------------- whatever the source


def _formats(table: pa.Table, folder: Path) -> Mapping[str, Any]:
    folder.mkdir()
    pq.write_table(table, folder / "one.parquet")
    (folder / "many").mkdir()
    for part, start in enumerate(range(0, len(table), 37_000)):
        pq.write_table(table.slice(start, 37_000), folder / "many" / f"{part}.parquet")
    pq.write_table(table, folder / "groups.parquet", row_group_size=9_999)
    return {
        "file": folder / "one.parquet",
        "folder": folder / "many",
        "groups": folder / "groups.parquet",
        "Table": table,
        "pandas": table.to_pandas(),
        "polars": pl.from_arrow(table),
        "stream": table.to_reader(max_chunksize=4_321),
    }


def test_one_profile_whatever_the_source_and_its_parts(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    n = 120_000  # all of it is the sample: beyond that, edges are approximate
    table = pa.table(
        {
            "x": generator.normal(size=n),
            "i": generator.poisson(9, n),
            "k": generator.integers(0, 500, n).astype(str),
        }
    )
    fitted = {kind: fit(data) for kind, data in _formats(table, tmp_path / "a").items()}
    expected = cells(fitted["Table"])
    assert {kind: cells(each) == expected for kind, each in fitted.items()} == dict.fromkeys(
        fitted, True
    )


def test_one_scan_whatever_the_source_and_its_parts(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    n = 300_000  # counts are exact however many rows there are
    table = pa.table({"x": generator.normal(size=n), "k": generator.integers(0, 9, n).astype(str)})
    like = fit(table.slice(0, 50_000))
    scans = {kind: scan(data, like=like) for kind, data in _formats(table, tmp_path / "a").items()}
    expected = cells(scans["Table"])
    assert {kind: cells(each) == expected for kind, each in scans.items()} == dict.fromkeys(
        scans, True
    )
