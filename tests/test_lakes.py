"""Lake tables are tables: what their logs say is counted, as the tables' own libraries read it."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from counted import cells
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DoubleType
from pyiceberg.utils.config import Config

import kl_drift as kd
from kl_drift.counts.profile import Profile
from kl_drift.engines.opening import fingerprint, open_snapshot
from kl_drift.errors import (
    MissingExtraError,
    SnapshotGoneError,
    SnapshotInvalidError,
    SnapshotNotFoundError,
    UsageError,
)


def rows(start: int, count: int) -> pa.Table:
    """Return rows in which every value can be told from every other."""
    places = range(start, start + count)
    return pa.table(
        {
            "x": pa.array(places, pa.int64()),
            "y": pa.array([None if i % 11 == 0 else i / 7 for i in places]),
            "k": [f"v{i % 5}" for i in places],
            "p": [["a/b", "ü=1 %20", None][i % 3] for i in places],
            "day": pa.array([date(2013, 1, 1 + i % 3) for i in places]),
        }
    )


REFERENCE = kd.fit(
    rows(0, 900), bins={"day": kd.Categories()}, judge={"day": "value"}, columns=["*", "p", "day"]
)


def assert_counted_as(data: Any, live: pa.Table, like: Profile = REFERENCE) -> None:
    """Assert that a table is counted like the rows that its own library reads."""
    counted = kd.scan(data, like=like)
    assert counted.rows == live.num_rows
    assert cells(counted) == cells(kd.scan(live, like=like))
    fitted = kd.fit(data, columns=["*", "p"])
    assert cells(fitted).keys() == {*live.schema.names}
    assert fitted.rows == live.num_rows


def read_delta(path: Path, version: int | None = None) -> pa.Table:
    """Return the rows as deltalake's own engine reads them."""
    stream = DeltaTable(path, version).scan()
    found = pa.RecordBatchReader.from_stream(stream).read_all()
    kinds = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return found.cast(pa.schema([(f.name, kinds.get(f.type, f.type)) for f in found.schema]))


# ---------------------------------------------------------------- Delta


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    """A table that was written, appended to and overwritten: versions 0 to 2."""
    path = tmp_path / "flights"
    write_deltalake(path, rows(0, 500), partition_by=["p"])
    write_deltalake(path, rows(500, 400), mode="append")
    write_deltalake(path, rows(2_000, 300), mode="overwrite")
    return path


def test_dead_files_of_a_delta_table_are_not_counted(delta: Path) -> None:
    assert sum(pq.read_metadata(file).num_rows for file in delta.rglob("*.parquet")) == 1_200
    assert_counted_as(delta, read_delta(delta))
    assert kd.scan(delta, like=REFERENCE).rows == 300


def test_every_version_of_a_delta_table_is_counted_as_it_was(delta: Path) -> None:
    for version, count in enumerate((500, 900, 300)):
        snapshot = kd.Snapshot(path=str(delta), version=str(version))
        assert_counted_as(snapshot, read_delta(delta, version))
        profile = kd.scan(f"{delta}@v{version}", like=REFERENCE)
        assert (profile.rows, profile.sources) == (count, (f"{delta}@v{version}",))
        assert kd.scan(DeltaTable(delta, version), like=REFERENCE).rows == count
    assert kd.scan(delta, like=REFERENCE).sources == (f"{delta}@v2",)


def test_deletes_merges_and_rewrites_of_a_delta_table(delta: Path) -> None:
    table = DeltaTable(delta)
    table.delete("x % 4 = 1")
    assert_counted_as(delta, read_delta(delta))
    merge = table.merge(rows(2_250, 100), "s.x = t.x", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    assert_counted_as(delta, read_delta(delta))
    before = kd.scan(delta, like=REFERENCE)
    DeltaTable(delta).optimize.compact()
    assert cells(kd.scan(delta, like=REFERENCE)) == cells(before)
    DeltaTable(delta).create_checkpoint()
    assert_counted_as(delta, read_delta(delta))


def test_a_column_that_old_files_have_not_is_null_there(delta: Path) -> None:
    more = rows(3_000, 50).append_column("new", pa.array(np.arange(50.0)))
    write_deltalake(delta, more, mode="append", schema_mode="merge")
    like = kd.fit(more)
    assert_counted_as(delta, read_delta(delta), like)
    assert kd.scan(delta, like=like)["new"].nulls == 300


def _in_z85(raw: bytes) -> str:
    z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    b85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
    return base64.b85encode(raw + bytes(-len(raw) % 4)).decode().translate(str.maketrans(b85, z85))


def _deletion_vector(dead: list[int]) -> dict[str, object]:
    """Return a deletion vector that stands in the log itself, as Spark writes small ones."""
    bitmap = struct.pack("<IIHHI", 12346, 1, 0, len(dead) - 1, 16)
    bitmap += struct.pack(f"<{len(dead)}H", *dead)
    raw = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    return {
        "storageType": "i",
        "pathOrInlineDv": _in_z85(raw),
        "sizeInBytes": len(raw),
        "cardinality": len(dead),
    }


def _delete_by_vector(path: Path, dead: list[int]) -> None:
    """Delete rows of the first file without writing it anew, as Spark and Databricks do."""
    log = path / "_delta_log"
    newest = max(log.glob("*.json"))
    entries = [json.loads(line) for line in newest.read_text().splitlines()]
    added = next(entry["add"] for entry in entries if "add" in entry)
    now = int(time.time() * 1_000)
    removed = {"path": added["path"], "deletionTimestamp": now, "dataChange": True}
    lines = [
        {"commitInfo": {"timestamp": now, "operation": "DELETE", "operationParameters": {}}},
        {"remove": removed | {"extendedFileMetadata": True, "size": added["size"],
                              "partitionValues": added["partitionValues"]}},
        {"add": added | {"deletionVector": _deletion_vector(dead)}},
    ]  # fmt: skip
    following = log / f"{int(newest.stem) + 1:020}.json"
    following.write_text("\n".join(map(json.dumps, lines)))


VECTORS = {"delta.enableDeletionVectors": "true"}


@pytest.mark.parametrize("keys", [None, ["p"]], ids=["whole", "partitioned"])
@pytest.mark.parametrize("mode", ["none", "name"])
def test_deletion_vectors_and_mapped_columns_of_a_delta_table(
    tmp_path: Path, mode: str, keys: list[str] | None
) -> None:
    path = tmp_path / "table of two words"
    how = VECTORS | {"delta.columnMapping.mode": mode}
    write_deltalake(path, rows(0, 600), partition_by=keys, configuration=how)
    _delete_by_vector(path, [0, 2, 3, 150])
    live = read_delta(path)
    assert live.num_rows == 596
    assert_counted_as(path, live)
    assert_counted_as(f"{path}@v0", read_delta(path, 0))


def test_a_deletion_vector_reaches_over_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "t"
    table = rows(0, 1_000).drop_columns(["p"])
    write_deltalake(path, table, configuration=VECTORS)
    (file,) = path.glob("*.parquet")
    pq.write_table(table, file, row_group_size=100)  # the same rows, in ten groups
    dead = [0, 99, 100, 101, 250, 999]
    _delete_by_vector(path, dead)
    live = table.filter(pa.array([i not in dead for i in range(1_000)]))
    like = kd.fit(table)
    assert cells(kd.scan(path, like=like)) == cells(kd.scan(live, like=like))
    assert kd.fit(path)["x"].histogram == kd.fit(live)["x"].histogram


def test_partitions_of_a_delta_table_are_values_of_the_log(delta: Path) -> None:
    for value, share in (("a/b", 100), ("ü=1 %20", 100)):
        found = kd.scan(kd.Snapshot(path=str(delta), where={"p": value}), like=REFERENCE)
        assert found.rows == share
        assert found["p"].histogram is not None
        assert max(found["p"].histogram.counts) == share
    with pytest.raises(SnapshotNotFoundError, match="has no partition p=c; found: a/b, ü=1 %20"):
        kd.scan(kd.Snapshot(path=str(delta), where={"p": "c"}), like=REFERENCE)


def test_a_version_that_a_delta_table_has_not_is_answered_with_those_it_has(delta: Path) -> None:
    with pytest.raises(SnapshotNotFoundError, match=r"no version 9; it has 0 \(.*\), 1 \(.*\), 2 "):
        kd.scan(f"{delta}@v9", like=REFERENCE)
    with pytest.raises(SnapshotNotFoundError, match="no version as of 2001-01-01; it has 0"):
        kd.scan(f"{delta}@2001-01-01", like=REFERENCE)


def test_a_vacuumed_version_says_so(delta: Path) -> None:
    DeltaTable(delta).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(SnapshotGoneError, match=r"version 1 of .* cannot be read any more.*vacuum"):
        kd.scan(f"{delta}@v1", like=REFERENCE)
    assert kd.scan(delta, like=REFERENCE).rows == 300


def test_a_moment_chooses_the_version_of_a_delta_table(delta: Path) -> None:
    log = delta / "_delta_log"
    for version, day in enumerate(("2013-01-31", "2013-02-01", "2013-02-02")):
        path = log / f"{version:020}.json"
        moment = int(datetime.fromisoformat(f"{day}T06:00:00+00:00").timestamp() * 1_000)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line.get("commitInfo", {}).update(timestamp=moment)
        path.write_text("\n".join(map(json.dumps, lines)))
    for as_of, version in {
        "2013-02-01": 0, "2013-02-01T06:00:00": 1, "2013-02-01T05:59:59+00:00": 0,
        "2013-02-01T08:00:00+02:00": 1, "2013-02-28": 2,
    }.items():  # fmt: skip
        profile = kd.scan(kd.Snapshot(path=str(delta), as_of=as_of), like=REFERENCE)
        assert (profile.sources, profile.as_of) == ((f"{delta}@v{version}",), as_of)
        assert kd.scan(f"{delta}@{as_of}", like=REFERENCE).sources == profile.sources


def test_the_previous_version_is_the_last_that_holds_other_rows(delta: Path) -> None:
    assert kd.scan(f"{delta}@previous", like=REFERENCE).sources == (f"{delta}@v1",)
    write_deltalake(delta, rows(0, 10), mode="append")
    table = DeltaTable(delta)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=False)
    assert DeltaTable(delta).version() > 3
    with pytest.raises(SnapshotGoneError, match="version 2 of"):
        kd.scan(f"{delta}@previous", like=REFERENCE)
    first = delta.with_name("first")
    write_deltalake(first, rows(0, 10))
    with pytest.raises(SnapshotNotFoundError, match="no version before 0 that holds other rows"):
        kd.scan(f"{first}@previous", like=REFERENCE)


def test_a_feature_that_may_change_what_rows_mean_is_refused(delta: Path) -> None:
    path = delta / "_delta_log" / f"{3:020}.json"
    path.write_text(
        json.dumps(
            {
                "protocol": {
                    "minReaderVersion": 3,
                    "minWriterVersion": 7,
                    "readerFeatures": ["fromTheFuture"],
                    "writerFeatures": ["fromTheFuture"],
                }
            }
        )
    )
    with pytest.raises((SnapshotInvalidError, kd.errors.SnapshotUnreadableError), match="uture"):
        kd.scan(delta, like=REFERENCE)


# ---------------------------------------------------------------- Iceberg


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlCatalog]:
    """A catalogue called ``local``, with a namespace ``ns``."""
    where = {"uri": f"sqlite:///{tmp_path}/catalogue.db", "warehouse": f"file://{tmp_path}/lake"}
    for key, value in where.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__LOCAL__{key.upper()}", value)
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())  # read once, when imported
    made = SqlCatalog("local", **where)
    made.create_namespace("ns")
    yield made
    made.close()


def made_of(catalogue: SqlCatalog, data: pa.Table, name: str = "ns.flights") -> Table:
    """Make a table that is written to three times: append, append, delete."""
    table = catalogue.create_table(name, schema=data.schema)
    table.append(data)
    table.append(rows(500, 400))
    table.delete("x < 40")
    return table


def folder_of(table: Table) -> str:
    return table.location().removeprefix("file://")


@pytest.mark.slow
def test_dead_files_of_an_iceberg_table_are_not_counted(catalogue: SqlCatalog) -> None:
    table = made_of(catalogue, rows(0, 500))
    folder = Path(folder_of(table))
    assert sum(pq.read_metadata(file).num_rows for file in folder.rglob("*.parquet")) > 1_300
    newest = table.current_snapshot()
    assert newest is not None
    for data in (folder, folder.as_uri(), "iceberg://local/ns.flights", table, table.scan()):
        assert_counted_as(data, table.scan().to_arrow())
        (source,) = kd.scan(data, like=REFERENCE).sources
        assert source.endswith(f"@v{newest.snapshot_id}")


def test_every_snapshot_of_an_iceberg_table_is_counted_as_it_was(catalogue: SqlCatalog) -> None:
    table = made_of(catalogue, rows(0, 500))
    for snapshot in table.metadata.snapshots:
        live = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
        assert_counted_as(f"{folder_of(table)}@v{snapshot.snapshot_id}", live)
        moment = datetime.fromtimestamp(snapshot.timestamp_ms / 1_000, UTC).isoformat()
        assert_counted_as(kd.Snapshot(path="iceberg://local/ns.flights", as_of=moment), live)


def test_branches_tags_and_the_previous_snapshot_of_an_iceberg_table(
    catalogue: SqlCatalog,
) -> None:
    table = made_of(catalogue, rows(0, 500))
    first, second, _ = table.metadata.snapshots
    table.manage_snapshots().create_tag(first.snapshot_id, "january").commit()
    for version, wanted in (("january", first), ("previous", second)):
        snapshot = kd.Snapshot(path="iceberg://local/ns.flights", version=version)
        (source,) = kd.scan(snapshot, like=REFERENCE).sources
        assert source == f"iceberg://local/ns.flights@v{wanted.snapshot_id}"
    with pytest.raises(SnapshotNotFoundError, match=r"no version march; it has \d+ \(20"):
        kd.scan(kd.Snapshot(path=folder_of(table), version="march"), like=REFERENCE)


def test_schema_changes_and_partitions_of_an_iceberg_table(catalogue: SqlCatalog) -> None:
    table = made_of(catalogue, rows(0, 500))
    with table.update_schema() as update:
        update.rename_column("k", "kind")
        update.add_column("new", DoubleType())
        update.delete_column("y")
    with table.update_spec() as spec:
        spec.add_field("p", IdentityTransform(), "p")
    more = rows(3_000, 60).drop_columns(["y"]).rename_columns(["x", "kind", "p", "day"])
    table.append(more.append_column("new", pa.array(np.arange(60.0))))
    live = table.scan().to_arrow()
    like = kd.fit(live, columns=["*", "p"])
    assert_counted_as(table, live, like)
    assert kd.scan(table, like=like)["new"].nulls == live.num_rows - 60
    assert open_snapshot(folder_of(table)).partition_keys == {"p"}


def test_a_scan_is_counted_with_its_filter_and_its_columns(catalogue: SqlCatalog) -> None:
    table = made_of(catalogue, rows(0, 500))
    scan = table.scan(row_filter="x >= 100 and k = 'v1'", selected_fields=("x", "k"))
    fitted = kd.fit(scan)
    assert fitted.rows == scan.to_arrow().num_rows == 160
    assert set(fitted.columns) == {"x", "k"}


def test_an_iceberg_table_that_was_never_written_to(catalogue: SqlCatalog) -> None:
    table = catalogue.create_table("ns.empty", schema=rows(0, 9).schema)
    for data in (table, folder_of(table)):
        assert kd.scan(data, like=REFERENCE).rows == 0
        with pytest.raises(SnapshotInvalidError, match="the reference has no rows"):
            kd.fit(data)


def test_an_expired_snapshot_whose_files_are_gone_says_so(catalogue: SqlCatalog) -> None:
    table = made_of(catalogue, rows(0, 500))
    first = table.metadata.snapshots[0]
    for task in table.scan(snapshot_id=first.snapshot_id).plan_files():
        Path(str(task.file.file_path).removeprefix("file://")).unlink()
    with pytest.raises(SnapshotGoneError, match="its files were removed"):
        kd.scan(f"{folder_of(table)}@v{first.snapshot_id}", like=REFERENCE)


@pytest.mark.parametrize(
    ("location", "error", "said"),
    [
        ("iceberg://local/ns.none", SnapshotNotFoundError, "Table does not exist: ns.none"),
        ("iceberg://local/none.none", SnapshotNotFoundError, "does not exist"),
        ("iceberg://elsewhere/ns.t", UsageError, "catalogue 'elsewhere' cannot be opened"),
        ("iceberg://local", UsageError, "write iceberg://catalog/namespace.table"),
    ],
)
def test_a_table_that_a_catalogue_has_not(
    catalogue: SqlCatalog, location: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        kd.scan(location, like=REFERENCE)


# ---------------------------------------------------------------- never a folder


def test_without_the_extra_a_table_is_refused_by_what_it_is(
    delta: Path, catalogue: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(made_of(catalogue, rows(0, 500)))
    for module in ("deltalake", "pyiceberg", "pyiceberg.table"):
        monkeypatch.setitem(sys.modules, module, None)
    for path, kind, extra in ((delta, "a Delta", "delta"), (folder, "an Iceberg", "iceberg")):
        said = (
            rf"is {kind} table: reading it needs an extra: run  pip install 'kl-drift\[{extra}\]'"
        )
        with pytest.raises(MissingExtraError, match=said):
            kd.scan(path, like=REFERENCE)


def test_a_hudi_table_is_refused_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "t" / ".hoodie").mkdir(parents=True)
    pq.write_table(rows(0, 10), tmp_path / "t" / "part.parquet")
    with pytest.raises(UsageError, match=r"is a Hudi table.*spark\.read\.format\('hudi'\)"):
        kd.scan(tmp_path / "t", like=REFERENCE)


def test_a_path_that_leads_into_or_over_a_table_is_refused(
    delta: Path, catalogue: SqlCatalog
) -> None:
    inside = next(delta.rglob("*.parquet"))
    iceberg = folder_of(made_of(catalogue, rows(0, 500)))
    for path in (inside, inside.parent, delta / "*" / "*.parquet", f"{iceberg}/data"):
        with pytest.raises(UsageError, match="whose files hold dead rows beside live ones"):
            kd.scan(path, like=REFERENCE)
    for path in (delta.parent, delta.parent / "*", delta.parent / "*" / "*" / "*.parquet"):
        with pytest.raises(UsageError, match="belongs to the table at"):
            kd.scan(path, like=REFERENCE)


def test_files_have_no_versions(tmp_path: Path) -> None:
    pq.write_table(rows(0, 900), tmp_path / "x.parquet")
    for data in (
        tmp_path / "x.parquet@v1",
        kd.Snapshot(path=str(tmp_path / "x.parquet"), version="1"),
    ):
        with pytest.raises(UsageError, match="is no Delta or Iceberg table, so it has no version"):
            kd.scan(data, like=REFERENCE)
    odd = tmp_path / "x@v1"
    odd.mkdir()
    pq.write_table(rows(0, 30), odd / "part.parquet")
    assert kd.scan(odd, like=REFERENCE).rows == 30, "a path that exists is taken as written"


# ---------------------------------------------------------------- checks


def _plan(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(f"version: 1\n{text}")
    return path


def test_a_plan_compares_with_the_previous_version_of_the_same_table(
    delta: Path, tmp_path: Path
) -> None:
    plan = _plan(tmp_path, "current: flights\nreference: {version: previous}\n")
    report = kd.check(plan)
    assert (report.current.source, report.reference.source) == (f"{delta}@v2", f"{delta}@v1")
    assert (report.current.rows, report.reference.rows) == (300, 900)
    again = kd.check(plan, current=f"{delta}@v1")
    assert (again.current.source, again.reference.source) == (f"{delta}@v1", f"{delta}@v0")


def test_a_plan_names_versions_and_moments_of_tables(delta: Path, tmp_path: Path) -> None:
    plan = _plan(tmp_path, "current: flights@v1\nreference: {path: flights, version: 0}\n")
    report = kd.check(plan)
    assert (report.current.source, report.reference.source) == (f"{delta}@v1", f"{delta}@v0")
    latest = _plan(tmp_path, "current: flights\nreference: {as_of: 2999-01-01}\n")
    assert kd.check(latest).reference.source == f"{delta}@v2"


def test_python_compares_versions_of_a_table(delta: Path) -> None:
    report = kd.compare(delta, kd.Snapshot(version="previous"))
    assert (report.current.source, report.reference.source) == (f"{delta}@v2", f"{delta}@v1")
    with pytest.raises(UsageError, match="the current snapshot is a DataFrame"):
        kd.compare(rows(0, 9).to_pandas(), kd.Snapshot(version="previous"))
    with pytest.raises(UsageError, match="a version without a path"):
        kd.scan(kd.Snapshot(version="previous"), like=REFERENCE)


def test_a_plan_whose_reference_names_no_rows_is_answered_with_file_and_line(
    tmp_path: Path,
) -> None:
    plan = _plan(tmp_path, "current: flights\nreference: {label: yesterday}\n")
    with pytest.raises(kd.errors.PlanError, match=r"plan.yaml:3: reference: names no rows"):
        kd.check(plan)


def test_the_current_snapshot_of_such_a_plan_must_be_a_table(tmp_path: Path) -> None:
    pq.write_table(rows(0, 50), tmp_path / "x.parquet")
    plan = _plan(tmp_path, "current: x.parquet\nreference: {version: previous}\n")
    with pytest.raises(UsageError, match=r"the current snapshot is .*x.parquet; name the path of"):
        kd.check(plan)


@pytest.mark.slow
def test_the_command_line_takes_versions(delta: Path, tmp_path: Path) -> None:
    saved = tmp_path / "reference.json"
    done = subprocess.run(
        [sys.executable, "-m", "kl_drift", "fit", f"{delta}@previous", "-o", saved],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert kd.load_profile(saved).sources == (f"{delta}@v1",)


def test_a_check_goes_on_from_the_profile_of_a_version_that_is_gone(
    delta: Path, tmp_path: Path
) -> None:
    text = "current: flights\nreference: {path: flights, version: 1}\n"
    plan = _plan(tmp_path, f"{text}history: checks.sqlite\n")
    before = kd.check(plan)
    DeltaTable(delta).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    after = kd.check(plan)
    assert after.reference.source.startswith(f"{delta}@v1 (files removed; its profile of 20")
    assert after.reference.rows == before.reference.rows == 900
    assert [(each.name, each.kl) for each in after.columns] == [
        (each.name, each.kl) for each in before.columns
    ]
    with pytest.raises(SnapshotGoneError, match="a plan with a history keeps the profile"):
        kd.check(_plan(tmp_path, text))


def test_a_reference_is_fitted_again_once_a_table_has_another_version(delta: Path) -> None:
    before = fingerprint(str(delta))
    assert fingerprint(str(delta)) == fingerprint(f"{delta}@previous") == before
    _delete_nothing(delta)
    assert fingerprint(str(delta)) != before


def _delete_nothing(path: Path) -> None:
    """Commit a version in which no file comes or goes."""
    entry = {"commitInfo": {"timestamp": 0, "operation": "DELETE", "operationParameters": {}}}
    (path / "_delta_log" / f"{3:020}.json").write_text(json.dumps(entry))


@pytest.mark.parametrize("mode", ["name", "id"])
def test_a_renamed_column_of_a_delta_table_is_found_in_old_files(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "t"
    table = rows(0, 300).drop_columns(["p"])
    write_deltalake(path, table, configuration={"delta.columnMapping.mode": "name"})
    log = path / "_delta_log"
    entries = [json.loads(line) for line in (log / f"{0:020}.json").read_text().splitlines()]
    described = next(entry["metaData"] for entry in entries if "metaData" in entry)
    schema = json.loads(described["schemaString"])
    for field in schema["fields"]:
        field["name"] = {"x": "k", "k": "x"}.get(field["name"], field["name"])
    described["schemaString"] = json.dumps(schema)
    described["configuration"]["delta.columnMapping.mode"] = mode
    (log / f"{1:020}.json").write_text(json.dumps({"metaData": described}))
    swapped = table.rename_columns(["k", "y", "x", "day"])
    assert cells(kd.scan(path, like=kd.fit(swapped))) == cells(kd.fit(swapped))
