"""Paths and URIs become filesystems; files are written whole or not at all; secrets stay secret."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from kl_drift.errors import KLDriftError, SnapshotUnreadableError, UsageError
from kl_drift.storage import (
    filesystem,
    holds_password,
    is_uri,
    read_bytes,
    redacted,
    write_bytes,
)

KEYS = {"access_key": "AKIA", "secret_key": "s3cr3t", "region": "eu-west-1"}


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("location", "is_one"),
    [
        ("s3://bucket/x", True),
        ("file:///x", True),
        ("gs://bucket", True),
        ("abfs+x://y", True),
        ("flights/month=1", False),
        ("/flights", False),
        ("C:/flights", False),
        ("x:y", False),
        ("", False),
    ],
)
def test_what_a_uri_is(location: str, is_one: bool) -> None:
    assert is_uri(location) is is_one


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("s3://bucket/flights", "s3://bucket/flights"),
        ("s3://AKIA:s3cr3t@bucket/flights", "s3://bucket/flights"),
        ("s3://AKIA:s3/cr/3t@bucket/flights", "s3://bucket/flights"),
        ("s3://AKIA:s3@cr3t@bucket/flights", "s3://bucket/flights"),
        ("s3://bucket/flights?secret_key=s3cr3t", "s3://bucket/flights"),
        ("s3://bucket/flights?secret-key=s3/cr?3t&x=1", "s3://bucket/flights"),
        ("S3://bucket/flights", "s3://bucket/flights"),
        ("s3://bucket/part-?.parquet", "s3://bucket/part-?.parquet"),
        ("s3://bucket/a#b/c@d", "s3://bucket/a#b/c@d"),
        ("hdfs://name:8020/a@b", "hdfs://name:8020/a@b"),
        ("flights?x=1", "flights?x=1"),
        ("/a:b@c/d", "/a:b@c/d"),
    ],
)
def test_a_location_is_shown_without_secrets(location: str, shown: str) -> None:
    assert redacted(location) == shown


@pytest.mark.parametrize(
    ("location", "does"),
    [
        ("s3://own@bucket/x", False),
        ("s3://AKIA:s3/cr3t@bucket/x", True),
        ("s3://bucket/x?region=eu&Secret_Key=s3cr3t", True),
        ("s3://bucket/x?region=token", False),
        ("postgresql://kl@host:5432/db?require_auth=password", False),
        ("postgresql://kl@host/db?sslpassword=s3cr3t", True),
        ("token=x", False),
    ],
)
def test_which_uri_holds_a_password(location: str, does: bool) -> None:
    assert holds_password(location) is does


@given(
    user=st.text("abcXYZ019", min_size=1),
    password=st.text("abcXYZ019+/=_-%", min_size=4),
    key=st.text("abc019/._=", max_size=20),
)
def test_no_password_of_a_key_pair_is_ever_shown(user: str, password: str, key: str) -> None:
    shown = redacted(f"s3://{user}:{password}x@bucket/{key}")
    assert shown == f"s3://bucket/{key}"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("flights/../x", "flights/../x"),
        ("file:///data/a%20b/part-?.parquet", "/data/a b/part-?.parquet"),
        ("file:///data/a b/[x]*.parquet", "/data/a b/[x]*.parquet"),
        ("FILE:///data/x", "/data/x"),
        ("file://localhost/data/x", "/data/x"),
    ],
)
def test_local_paths_and_file_uris(location: str, path: str) -> None:
    files, found = filesystem(location)
    assert isinstance(files, fs.LocalFileSystem)
    assert found == path


def test_a_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert filesystem("~/flights")[1] == f"{tmp_path}/flights"


def test_a_file_uri_with_a_host_is_refused() -> None:
    with pytest.raises(UsageError, match="names a host; write file:///folder/file"):
        filesystem("file://server/share")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("s3://bucket/flights", "bucket/flights"),
        ("s3a://bucket/flights/", "bucket/flights"),
        ("s3://AKIA:s3%2Fcr3t@bucket/a b/%20/#?/[1]", "bucket/a b/%20/#?/[1]"),
        ("s3://bucket/x?region=eu-west-1&scheme=http", "bucket/x"),
    ],
)
def test_keys_on_s3_are_taken_as_they_stand(location: str, path: str) -> None:
    files, found = filesystem(location, KEYS)
    assert isinstance(files, fs.S3FileSystem)
    assert found == path
    assert files.region == "eu-west-1"


def test_the_uri_states_options_and_stated_options_win() -> None:
    assert filesystem("s3://A:b@bucket/x?region=us-west-2")[0].region == "us-west-2"
    assert filesystem("s3://A:b@bucket/x?region=us-west-2", KEYS)[0].region == "eu-west-1"


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_endpoint_of_the_environment_is_heeded(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    opened = filesystem("s3://bucket/x", KEYS)[0]
    stated = {"endpoint_override": "127.0.0.1:9", "scheme": "http"}
    assert opened == fs.S3FileSystem(**KEYS, **stated)
    other = filesystem("s3://bucket/x", KEYS | {"endpoint_override": "http://127.0.0.1:8"})[0]
    assert other != opened


@pytest.mark.parametrize(
    ("location", "options", "known"),
    [
        ("s3://bucket/x", {"secret_kee": "s3cr3t"}, "Did you mean 'secret_key'?"),
        ("s3://bucket/x?regoin=s3cr3t", {}, "Did you mean 'region'?"),
        ("gs://bucket/x", {"secret_key": "s3cr3t"}, "known: anonymous, access_token"),
        ("gs://bucket/x", {"acess_token": "s3cr3t"}, "Did you mean 'access_token'?"),
        ("flights", {"region": "s3cr3t"}, r"options \['region'\] are for s3:// and gs://"),
        ("file:///flights", {"region": "s3cr3t"}, r"options \['region'\] are for s3:// and gs://"),
        ("s3://bucket/x", {"connect_timeout": "s3cr3t"}, "'connect_timeout'.*expected seconds"),
        ("gs://bucket/x", {"retry_time_limit": "s3cr3t"}, "'retry_time_limit'.*expected seconds"),
        (
            "gs://bucket/x",
            {"access_token": "x", "credential_token_expiration": "s3cr3t"},
            "expected an ISO 8601 moment",
        ),
    ],
)
def test_wrong_options_are_refused_by_key_never_by_value(
    location: str, options: dict[str, str], known: str
) -> None:
    with pytest.raises(UsageError, match=known) as caught:
        filesystem(location, options)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "options"),
    [
        ("s3://bucket/x", {"access_key": "s3cr3t"}),
        ("s3://bucket/x", {"scheme": "s3cr3t"}),
        ("ftp://user:s3cr3t@host/x", {}),
        ("hdfs://user:s3cr3t@[x/x", {}),
        ("s3://[s3/x", {}),
        ("gs://bucket/x", {"anonymous": "true", "target_service_account": "s3cr3t"}),
        ("", {"secret_key": "s3cr3t"}),
    ],
)
def test_whatever_cannot_be_opened_is_a_clear_error_without_secrets(
    location: str, options: dict[str, str]
) -> None:
    with pytest.raises(KLDriftError) as caught:
        filesystem(location, options)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None, "a cause would be printed"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_options_may_be_written_as_values_of_their_own_type() -> None:
    opened = filesystem(
        "s3://bucket/x",
        {"anonymous": True, "connect_timeout": 3, "region": "x"},  # type: ignore[dict-item]
    )[0]
    assert opened == fs.S3FileSystem(anonymous=True, connect_timeout=3.0, region="x")


@pytest.mark.parametrize("location", ["gs://bucket/a/b/", "gcs://bucket/a/b", "GS://bucket/a/b"])
def test_google(location: str) -> None:
    files, path = filesystem(location, {"anonymous": "true"})
    assert isinstance(files, fs.GcsFileSystem)
    assert path == "bucket/a/b"


def test_google_options() -> None:
    options = {
        "access_token": "s3cr3t",
        "project_id": "project",
        "default_bucket_location": "EU",
        "retry_time_limit": "5",
    }
    opened = filesystem("gs://bucket/x", options)[0]
    assert opened.project_id == "project"
    assert opened.default_bucket_location == "EU"
    later = options | {"credential_token_expiration": "2100-01-01T00:00:00+00:00"}
    assert isinstance(filesystem("gs://bucket/x", later)[0], fs.GcsFileSystem)
    by_uri = filesystem("gs://anonymous@bucket/x?endpoint_override=127.0.0.1:9&scheme=http")
    assert by_uri[1] == "bucket/x"


@pytest.mark.slow
def test_google_gives_up_within_the_time_limit() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    options = {
        "anonymous": "true",
        "endpoint_override": f"127.0.0.1:{port}",
        "scheme": "http",
        "retry_time_limit": "0.2",
    }
    files, path = filesystem("gs://bucket/x", options)
    with pytest.raises(OSError, match="Retry policy exhausted"):
        files.get_file_info(path)


def test_google_is_given_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def gcs(**options: object) -> fs.FileSystem:
        asked.update(options)
        return fs.LocalFileSystem()

    monkeypatch.setattr(fs, "GcsFileSystem", gcs)
    filesystem("gs://bucket/x")
    assert asked["retry_time_limit"].total_seconds() == 60


def test_a_whole_file_is_written_and_read(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "x.json"
    write_bytes(str(target), b"one")
    assert read_bytes(str(target)) == b"one"
    write_bytes(target.as_uri(), b"two")
    assert read_bytes(target.as_uri()) == b"two"
    assert os.listdir(target.parent) == ["x.json"]  # noqa: PTH208 - hidden files count too


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod", "write"])
@pytest.mark.parametrize("how", [OSError("the disk is full"), KeyboardInterrupt()])
def test_a_crash_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, how: BaseException
) -> None:
    target = tmp_path / "x.json"
    target.write_bytes(b"old")

    def crash(*_: object, **__: object) -> None:
        raise how

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", crash)
    elif step == "write":
        monkeypatch.setattr(os, "fdopen", _closing(crash))
    else:
        monkeypatch.setattr(Path, step, crash)
    with pytest.raises(type(how)):
        write_bytes(str(target), b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.json"]  # noqa: PTH208 - hidden files count too


def _closing(crash: object) -> object:
    """Return an fdopen whose file cannot be written to."""
    real = os.fdopen

    def fdopen(handle: int, mode: str) -> object:
        real(handle, mode).close()
        return crash()  # type: ignore[operator]

    return fdopen


def test_the_new_file_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (steps.append("replace"), replace(self, to))[1]
    )
    write_bytes(str(tmp_path / "x"), b"new")
    assert steps == ["fsync", "replace"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_gets_the_usual_permissions(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_bytes(str(tmp_path / "x"), b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")
    target.chmod(mode)
    write_bytes(str(target), b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(OSError, match=r"x\.json"):
        write_bytes(str(tmp_path / "x.json"), b"new")
    assert os.listdir(tmp_path) == ["x.json"]  # noqa: PTH208 - hidden files count too


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(OSError, match="x"):
        write_bytes(str(tmp_path / "x" / "y.json"), b"new")
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_folder_that_may_not_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**where: object) -> tuple[int, str]:
        raise PermissionError(13, "Permission denied", str(where["dir"]))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)  # root, who may run this, may write anywhere
    with pytest.raises(PermissionError, match=str(tmp_path)):
        write_bytes(str(tmp_path / "x"), b"new")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(str(tmp_path / "x"))
    with pytest.raises(SnapshotUnreadableError, match="cannot open 'nonsense://x'"):
        read_bytes("nonsense://x")
