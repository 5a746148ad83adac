"""A snapshot is strings: what a user may write, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from kl_drift.errors import UsageError
from kl_drift.snapshot import Snapshot


def test_a_path_object_becomes_text(tmp_path: Path) -> None:
    assert Snapshot(path=tmp_path).path == str(tmp_path)
    assert Snapshot.at(tmp_path) == Snapshot(path=str(tmp_path))


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a path: a file, a folder, a glob or a URI"):
        Snapshot(path="")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2013-01", ("2013-01",)),
        (("1", "2"), ("1", "2")),
        (["1", "2"], ("1", "2")),
        (2013, ("2013",)),
        (0, ("0",)),
        ([1, "02"], ("1", "02")),
    ],
)
def test_partition_values_are_text_whatever_was_written(
    value: object, wanted: tuple[str, ...]
) -> None:
    assert Snapshot(path="flights", where={"month": value}).wanted("month") == wanted


@pytest.mark.parametrize("nothing", ["", (), [], [""], None])
def test_a_partition_key_without_a_value_is_refused(nothing: object) -> None:
    with pytest.raises(UsageError, match="partition key 'month' has no value"):
        Snapshot(path="flights", where={"month": nothing})


def test_a_snapshot_never_shows_its_secrets() -> None:
    secret = "pa/ss+word"  # noqa: S105 - made up
    for path in (
        f"s3://AKIA:{secret}@bucket/flights",
        f"s3://bucket/flights?secret_key={secret}",
        f"s3://bucket/flights?access-key={secret}&region=x",
    ):
        snapshot = Snapshot(path=path, options={"secret_key": secret}, label="flights")
        for shown in (repr(snapshot), str(snapshot), f"{[snapshot]}"):
            assert secret not in shown
            assert "bucket/flights" in shown
            assert "AKIA" not in shown


def test_a_question_mark_in_a_local_path_is_shown() -> None:
    assert "a?b=c/x" in repr(Snapshot(path="a?b=c/x"))


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Snapshot(path="flights").path = "elsewhere"  # type: ignore[misc]
