"""An object store, for real: an S3 server on this machine."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from kl_drift.api import compare, fit, scan
from kl_drift.artefact import load_profile, load_report, save
from kl_drift.errors import (
    ArtefactError,
    ArtefactNotFoundError,
    KLDriftError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
)
from kl_drift.snapshot import Snapshot

SECRET = "s3cr3t/with+signs"  # noqa: S105 - the server takes any
ODD = "odd name=1/a b%20c#d.parquet"


pytestmark = [pytest.mark.usefixtures("no_aws"), pytest.mark.slow]  # waits for a store that is down


@pytest.fixture(scope="module")
def options(endpoint: str) -> dict[str, str]:
    return {
        "access_key": "AKIAEXAMPLE",
        "secret_key": SECRET,
        "endpoint_override": endpoint,
        "region": "us-east-1",
    }


def rows(seed: int, n: int = 3_000) -> pa.Table:
    generator = np.random.default_rng(seed)
    return pa.table({"x": generator.normal(size=n), "k": generator.choice(["a", "b"], n)})


@pytest.fixture(scope="module")
def bucket(options: dict[str, str]) -> fs.S3FileSystem:
    """Return a filesystem with flights in a bucket, written by Arrow itself."""
    stated = {**options, "endpoint_override": options["endpoint_override"].partition("//")[2]}
    files = fs.S3FileSystem(**stated, scheme="http", allow_bucket_creation=True)
    files.create_dir("bucket")
    for month in (1, 2, 10):
        for part in (0, 1):
            path = f"bucket/flights/month={month:02d}/part-{part}.parquet"
            pq.write_table(rows(10 * month + part), path, filesystem=files)
    pq.write_table(rows(0), f"bucket/{ODD}", filesystem=files)
    with files.open_output_stream("bucket/flights/_SUCCESS"):
        pass
    return files


@pytest.fixture
def store(bucket: fs.S3FileSystem, options: dict[str, str]) -> dict[str, str]:
    """Return the options of the store, which holds the flights."""
    assert bucket.get_file_info("bucket/flights").type == fs.FileType.Directory
    return options


def local(*months: int) -> pa.Table:
    return pa.concat_tables([rows(10 * month + part) for month in months for part in (0, 1)])


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("path", "where", "months"),
    [
        ("s3://bucket/flights", {}, (1, 2, 10)),
        ("s3://bucket/flights/", {}, (1, 2, 10)),
        ("s3a://bucket/flights", {"month": "1"}, (1,)),
        ("s3://bucket/flights", {"month": ["01", "10"]}, (1, 10)),
        ("s3://bucket/flights/month=0*/part-?.parquet", {}, (1, 2)),
        ("s3://bucket/flights/month=*/", {"month": "2"}, (2,)),
        ("s3://bucket/flights/month=[!0]*/*", {}, (10,)),
        ("s3://bucket/**/month=10/*.parquet", {}, (10,)),
        ("s3://bucket/flights/month=02", {}, (2,)),
    ],
)
def test_a_snapshot_in_a_bucket(
    store: dict[str, str], path: str, where: dict[str, Any], months: tuple[int, ...]
) -> None:
    snapshot = Snapshot(path=path, where=where, options=store)
    expected = local(*months)
    assert fit(snapshot, columns=["x", "k"]).counted == fit(expected).counted
    like = fit(local(1))
    assert scan(snapshot, like=like).counted == scan(expected, like=like).counted


def test_an_object_that_is_replaced_while_it_is_read_is_refused(
    bucket: fs.S3FileSystem, store: dict[str, str]
) -> None:
    path = "bucket/replaced/x.parquet"
    pq.write_table(rows(1), path, filesystem=bucket)

    def replace(done: int, _: int | None) -> None:
        if done == 3_000:  # sampled, not yet counted
            pq.write_table(rows(2), path, filesystem=bucket)

    with pytest.raises(SnapshotUnreadableError, match=r"x\.parquet: was replaced or changed while"):
        fit(Snapshot(path=f"s3://{path}", options=store), progress=replace)
    assert fit(Snapshot(path=f"s3://{path}", options=store)).rows == 3_000


def test_a_key_is_taken_as_it_stands(store: dict[str, str]) -> None:
    for path in (f"s3://bucket/{ODD}", "s3://bucket/odd name=1/*#d.parquet", "s3://bucket/odd*"):
        assert fit(Snapshot(path=path, options=store)).rows == 3_000


def test_two_snapshots_in_a_bucket_are_compared(store: dict[str, str]) -> None:
    january = Snapshot(path="s3://bucket/flights", where={"month": "1"}, options=store)
    october = Snapshot(path="s3://bucket/flights", where={"month": "10"}, options=store)
    report = compare(october, january)
    assert report.columns == compare(local(10), local(1)).columns
    assert report.current.source == "s3://bucket/flights [month=10]"


def test_the_environment_states_where_and_who(
    store: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", store["endpoint_override"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert fit("s3://bucket/flights").rows == 18_000
    assert fit("s3://bucket/flights/month=0?").rows == 12_000


def test_the_uri_states_where_and_who(store: dict[str, str]) -> None:
    host = store["endpoint_override"].partition("//")[2]
    secret = SECRET.replace("/", "%2F").replace("+", "%2B")
    uri = (
        f"s3://AKIAEXAMPLE:{secret}@bucket/flights"
        f"?region=us-east-1&scheme=http&endpoint_override={host}"
    )
    profile = fit(uri)
    assert profile.rows == 18_000
    assert profile.sources == ("s3://bucket/flights",)
    with pytest.raises(SnapshotNotFoundError, match="'s3://bucket/trains'") as caught:
        fit(uri.replace("flights", "trains"))
    assert secret not in _everything(caught.value)


# ---------------------------------------------------------------- artefacts


def test_a_profile_and_a_report_are_saved_and_loaded(store: dict[str, str]) -> None:
    profile = fit(local(1))
    save(profile, "s3://bucket/saved/reference.json", store)
    assert load_profile("s3://bucket/saved/reference.json", store) == profile
    reference = Snapshot(path="s3://bucket/saved/reference.json", options=store)
    report = compare(local(2), reference)
    assert report.columns == compare(local(2), profile).columns
    save(report, "s3://bucket/saved/report.json", store)
    assert load_report("s3://bucket/saved/report.json", store) == report
    later = fit(local(2))
    save(later, "s3://bucket/saved/reference.json", store)
    assert load_profile("s3://bucket/saved/reference.json", store) == later


def test_the_bytes_in_a_bucket_are_those_of_a_file(
    bucket: fs.S3FileSystem, store: dict[str, str], tmp_path: Path
) -> None:
    profile = fit(local(1))
    save(profile, "s3://bucket/saved/x.json", store)
    save(profile, tmp_path / "x.json")
    with bucket.open_input_stream("bucket/saved/x.json") as stream:
        assert stream.read() == (tmp_path / "x.json").read_bytes()


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("s3://nobucket/flights", SnapshotNotFoundError, "no Parquet files at 's3://nobucket"),
        ("s3://nobucket/fl*/x", SnapshotNotFoundError, "no Parquet files at 's3://nobucket"),
        ("s3://bucket/nothing", SnapshotNotFoundError, "no Parquet files at 's3://bucket/nothing'"),
        ("s3://bucket/flights/x*", SnapshotNotFoundError, "no Parquet files at"),
        ("s3://bucket/flights/_SUCCESS", SnapshotUnreadableError, "cannot be read as Parquet"),
    ],
)
def test_what_is_not_there_is_named(
    store: dict[str, str], path: str, error: type[KLDriftError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        fit(Snapshot(path=path, options=store))
    assert SECRET not in _everything(caught.value)


def test_a_partition_that_is_not_there_is_told_what_is(store: dict[str, str]) -> None:
    with pytest.raises(SnapshotNotFoundError, match="no partition month=3; found: 01, 02, 10"):
        fit(Snapshot(path="s3://bucket/flights", where={"month": "3"}, options=store))


@pytest.mark.parametrize("path", ["s3://bucket/nothing.json", "s3://nobucket/x.json"])
def test_an_artefact_that_is_not_there_is_named(store: dict[str, str], path: str) -> None:
    with pytest.raises(ArtefactNotFoundError, match=f"no profile at {path}"):
        load_profile(path, store)


def test_nothing_is_saved_in_a_bucket_that_is_not_there(store: dict[str, str]) -> None:
    with pytest.raises(OSError, match="nobucket") as caught:
        save(fit({"x": [1]}), "s3://nobucket/x.json", store)
    assert SECRET not in _everything(caught.value)


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the endpoint of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in taken:
        connection.close()


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_store_that_is_down_is_an_error_and_no_wait_for_ever(
    options: dict[str, str], kind: str, silent: str
) -> None:
    away = options | {"endpoint_override": silent if kind == "silent" else _closed_port()}
    before = time.monotonic()
    with pytest.raises(SnapshotUnreadableError, match="s3://bucket/flights: cannot be listed") as e:
        fit(Snapshot(path="s3://bucket/flights", options=away))
    assert SECRET not in _everything(e.value)
    assert time.monotonic() - before < 60, "Arrow tries three times"
    if kind == "closed":
        with pytest.raises(ArtefactError, match=r"s3://bucket/x\.json: cannot be read"):
            load_profile("s3://bucket/x.json", away)
        with pytest.raises(OSError, match="bucket") as caught:
            save(fit({"x": [1]}), "s3://bucket/x.json", away)
        assert SECRET not in _everything(caught.value)


def test_wrong_credentials_are_an_error_without_them(store: dict[str, str]) -> None:
    _ask_for_credentials(store["endpoint_override"], after="0")
    try:
        with pytest.raises(SnapshotUnreadableError, match="s3://bucket/flights: cannot") as caught:
            fit(Snapshot(path="s3://bucket/flights", options=store))
        assert SECRET not in _everything(caught.value)
        with pytest.raises(ArtefactError, match=r"x\.json: cannot be read") as refused:
            load_profile(f"s3://AKIAEXAMPLE:{SECRET}@bucket/x.json", _without_keys(store))
        assert SECRET not in _everything(refused.value)
    finally:
        _ask_for_credentials(store["endpoint_override"], after="inf")
    assert fit(Snapshot(path="s3://bucket/flights", options=store)).rows == 18_000


def _without_keys(options: dict[str, str]) -> dict[str, str]:
    return {key: options[key] for key in ("endpoint_override", "region")}


def _ask_for_credentials(endpoint: str, after: str) -> None:
    """Have the server check credentials after so many requests."""
    request = urllib.request.Request(  # noqa: S310 - an http address of this machine
        f"{endpoint}/moto-api/reset-auth",
        data=after.encode(),
        headers={"Content-Type": "text/plain"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - likewise
        assert answer.status == 200


def _everything(error: BaseException | None) -> str:
    """Return whatever a traceback would print of an error and its causes."""
    if error is None:
        return ""
    shown = f"{error!r} {error} {error.args}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return shown + _everything(cause)
