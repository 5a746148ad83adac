"""Parquet files as a source: which files a snapshot means, and that every row of them is read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from parquet_files import damage, source_of, values_of, write
from pyarrow import fs

from kl_drift.api import fit, scan
from kl_drift.counts.binning import Categories
from kl_drift.counts.profile import LeftOut
from kl_drift.engines import files
from kl_drift.engines.parquet import ParquetSource
from kl_drift.errors import (
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
    UsageError,
)
from kl_drift.snapshot import Snapshot


def names(source: ParquetSource, root: Path) -> list[str]:
    return [str(Path(file.path).relative_to(root)) for file in source.found]


# ---------------------------------------------------------------- which files


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files; each holds its own number."""
    root = tmp_path_factory.mktemp("tree")
    for number, name in enumerate(
        (
            "a.parquet",
            "b.parq",
            "c.pq",
            "deep/er/d.parquet",
            "deep/[odd] (name)+$^{1}.parquet",
            "month=2013-01/part-0.parquet",
            "month=2013-01/part-1.parquet",
            "month=2013-02/part-0.parquet",
            "_hidden/e.parquet",
            ".hidden/f.parquet",
            "deep/_g.parquet",
            "deep/.h.parquet",
        )
    ):
        write(root / name, {"number": [number]})
    (root / "README.md").write_text("not Parquet")
    (root / "_SUCCESS").write_bytes(b"")
    (root / "deep" / ".part-0.parquet.crc").write_bytes(b"crc")
    return root


EVERY = [
    "a.parquet",
    "b.parq",
    "c.pq",
    "deep/[odd] (name)+$^{1}.parquet",
    "deep/er/d.parquet",
    "month=2013-01/part-0.parquet",
    "month=2013-01/part-1.parquet",
    "month=2013-02/part-0.parquet",
]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", EVERY),
        ("/", EVERY),
        ("a.parquet", ["a.parquet"]),
        ("deep/_g.parquet", ["deep/_g.parquet"]),
        ("deep", ["deep/[odd] (name)+$^{1}.parquet", "deep/er/d.parquet"]),
        ("*", EVERY),
        ("**", EVERY),
        ("*.parquet", ["a.parquet"]),
        ("?.p*q*", ["a.parquet", "b.parq", "c.pq"]),
        ("[ab].par*", ["a.parquet", "b.parq"]),
        ("[!a].p*", ["b.parq", "c.pq"]),
        ("[^a].p*", ["b.parq", "c.pq"]),
        ("[a-b].p*", ["a.parquet", "b.parq"]),
        ("**/d.parquet", ["deep/er/d.parquet"]),
        ("**/a.parquet", ["a.parquet"]),
        ("*/d.parquet", []),
        ("*/*/d.parquet", ["deep/er/d.parquet"]),
        ("d*/**", ["deep/[odd] (name)+$^{1}.parquet", "deep/er/d.parquet"]),
        ("deep?er/d.parquet", []),
        ("deep[!x]er/d.parquet", []),
        ("deep/[odd] (name)+$^{1}.parquet", ["deep/[odd] (name)+$^{1}.parquet"]),
        ("deep/[[]odd] (name)+$^{1}.*", ["deep/[odd] (name)+$^{1}.parquet"]),
        ("deep/*(name)+$^{1}.parquet", ["deep/[odd] (name)+$^{1}.parquet"]),
        ("deep/?odd? (name)+$^{?}.parquet", ["deep/[odd] (name)+$^{1}.parquet"]),
        ("deep/* [(]name[)][+][$][\\^]{1}.parquet", ["deep/[odd] (name)+$^{1}.parquet"]),
        ("month=*", EVERY[-3:]),
        ("month=2013-0[1]", EVERY[-3:-1]),
        ("month=*/part-0.parquet", [EVERY[-3], EVERY[-1]]),
        ("month=*/part-?.parquet", EVERY[-3:]),
        ("*.md", []),
        ("_*/e.parquet", []),
        ("a.parque", []),
        ("a.parquet?", []),
        ("apparquet*", []),
        ("nowhere/*", []),
        ("[", []),
        ("[]", []),
        ("a.parquet[", []),
    ],
)
def test_which_files_a_path_means(tree: Path, path: str, found: list[str]) -> None:
    for start in (f"{tree}/{path}", f"file://{tree}/{path}"):
        if found:
            assert names(source_of(start), tree) == found
        else:
            with pytest.raises(SnapshotNotFoundError, match="no Parquet files at"):
                source_of(start)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".", EVERY),
        ("./", EVERY),
        ("*.parquet", EVERY[:1]),
        ("./*.parquet", EVERY[:1]),
        ("**/part-0.parquet", [EVERY[-3], EVERY[-1]]),
        ("deep", EVERY[3:5]),
        ("[a]*", ["a.parquet"]),
    ],
)
def test_relative_paths(tree: Path, path: str, found: list[str]) -> None:
    with chdir(tree):
        assert [file.path for file in source_of(path).found] == found


def test_the_parent_folder_is_no_hidden_one(tree: Path) -> None:
    with chdir(tree / "deep" / "er"):
        assert source_of("../er").rows == 1
        assert source_of("../*").rows == 2


def test_a_glob_that_is_no_glob_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the glob 'a\[z-b\]' cannot match anything"):
        source_of("a[z-b]")


def test_what_is_parquet_by_content_is_read_whatever_its_name(tmp_path: Path) -> None:
    every = ("000000_0", "a.PARQUET", "b.pqt", "c.parquet.snappy", "d.parquet", "e.dat")
    for number, name in enumerate(every):
        write(tmp_path / "lake" / name, {"x": [number]})
    (tmp_path / "lake" / "notes.txt").write_text("no rows")
    (tmp_path / "lake" / "empty").write_bytes(b"")
    source = source_of(tmp_path / "lake")
    assert names(source, tmp_path / "lake") == list(every)
    assert values_of(source, "x") == list(range(len(every)))
    assert names(source_of(tmp_path / "lake" / "0*"), tmp_path) == ["lake/000000_0"]
    assert source.left_out == (LeftOut(kind="not_parquet", files=2, names=("empty", "notes.txt")),)


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    for day in (1, 2):
        folder = tmp_path / f"day={day}"
        write(folder / "part-0.parquet")
        (folder / "_SUCCESS").write_bytes(b"")
        (folder / ".part-0.parquet.crc").write_bytes(b"crc")
        write(folder / "_temporary" / "0" / "part-1.parquet")
        (folder / "gone.parquet").symlink_to("nowhere")
        os.mkfifo(folder / "pipe.parquet")
        (folder / "read.me").write_text("no rows")
    (tmp_path / "top.txt").write_text("no rows")
    dead = ("day=2/gone.parquet",)
    hidden = ("day=2/.part-0.parquet.crc", "day=2/_SUCCESS", "day=2/_temporary/0/part-1.parquet")
    pipes = ("day=2/pipe.parquet",)
    assert source_of(tmp_path, where={"day": "2"}).left_out == (
        LeftOut(kind="dead_link", files=1, names=dead),
        LeftOut(kind="hidden", files=3, names=hidden),
        LeftOut(kind="no_file", files=1, names=pipes),
        LeftOut(kind="not_parquet", files=1, names=("day=2/read.me",)),
    )
    profile = fit(tmp_path)
    assert [(each.kind, each.files) for each in profile.left_out] == [
        ("dead_link", 2), ("hidden", 6), ("no_file", 2), ("not_parquet", 3),
    ]  # fmt: skip
    assert scan(tmp_path, like=profile).left_out == profile.left_out


def test_a_partition_key_may_begin_like_a_hidden_folder(tmp_path: Path) -> None:
    write(tmp_path / "_day=1" / "a.parquet")
    write(tmp_path / "_staging" / "b.parquet")
    assert source_of(tmp_path).rows == 3
    assert [str(each) for each in source_of(tmp_path).left_out] == ["1 hidden (_staging/b.parquet)"]


def test_a_folder_without_parquet_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / ".b").write_text("hidden")
    with pytest.raises(SnapshotNotFoundError) as caught:
        source_of(tmp_path)
    assert "(1 hidden (.b); 1 not Parquet (a.csv)); expected a file" in str(caught.value)


def test_a_link_to_a_file_or_folder_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.parquet")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "file.parquet").symlink_to(tmp_path / "real" / "a.parquet")
    assert source_of(tmp_path / "folder").rows == 3
    assert source_of(tmp_path / "file.parquet").rows == 3


def test_a_link_below_the_folder_shows_nothing_twice(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "c.parquet", {"x": [3]})
    for month in (1, 2):
        write(tmp_path / "data" / f"month={month}" / "p.parquet", {"x": [month]})
    (tmp_path / "data" / "latest").symlink_to(tmp_path / "data" / "month=2")
    (tmp_path / "data" / "month=1" / "loop").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "month=2" / "q.parquet").symlink_to("p.parquet")
    (tmp_path / "data" / "month=3").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "linked").symlink_to(tmp_path / "data")
    for folder in (tmp_path / "data", tmp_path / "linked", tmp_path / "data" / "*"):
        source = source_of(folder)
        assert values_of(source, "x") == [1, 2, 3]
        assert values_of(source, "month") == ["1", "2", "3"]
    assert values_of(source_of(tmp_path / "data" / "latest"), "x") == [2]
    with chdir(tmp_path / "data"):
        assert values_of(source_of("."), "x") == values_of(source_of("*"), "x") == [1, 2, 3]


def test_a_file_name_that_is_no_text_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(*_: object) -> list[str]:  # not every system lets such a file be made
        return [b"\xff.parquet".decode()]

    monkeypatch.setattr(files, "_below", listed)
    with pytest.raises(SnapshotUnreadableError, match="cannot be listed: 'utf-8' codec"):
        source_of(tmp_path)


@pytest.mark.parametrize("path", ["nothing", "nothing.parquet", "nothing/*.parquet", "empty"])
def test_a_path_that_leads_nowhere(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty" / "_temporary").mkdir(parents=True)
    write(tmp_path / "empty" / "_temporary" / "x.parquet")
    with pytest.raises(SnapshotNotFoundError, match=f"no Parquet files at.*{path[:5]}") as caught:
        fit(tmp_path / path)
    assert isinstance(caught.value, FileNotFoundError)
    assert "expected a file, a folder, a glob or a URI" in str(caught.value)


# ---------------------------------------------------------------- partitions


@pytest.fixture(scope="module")
def hive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hive")
    for month in ("01", "02", "10"):
        for city in ("New%20York", "a%2Fb=c", "__HIVE_DEFAULT_PARTITION__"):
            write(root / f"month={month}" / f"city={city}" / "p.parquet", {"x": [int(month)] * 2})
    return root


@pytest.mark.parametrize(
    ("where", "months"),
    [
        ({}, [1] * 6 + [2] * 6 + [10] * 6),
        ({"month": "01"}, [1] * 6),
        ({"month": "1"}, [1] * 6),
        ({"month": 1}, [1] * 6),
        ({"month": "001"}, [1] * 6),
        ({"month": ["1", "10"]}, [1] * 6 + [10] * 6),
        ({"month": ("02", "nothing")}, [2] * 6),
        ({"city": "New York"}, [1, 1, 2, 2, 10, 10]),
        ({"city": "a/b=c"}, [1, 1, 2, 2, 10, 10]),
        ({"city": "__HIVE_DEFAULT_PARTITION__", "month": "10"}, [10, 10]),
        ({"month": "2", "city": ["New York", "a/b=c"]}, [2, 2, 2, 2]),
    ],
)
def test_where_chooses_partitions(hive: Path, where: dict[str, Any], months: list[int]) -> None:
    assert values_of(source_of(hive, where=where), "x") == months
    assert values_of(source_of(hive / "month=*", where=where), "x") == months


def test_partition_keys_are_columns_of_text(hive: Path) -> None:
    source = source_of(hive, where={"month": "1"})
    assert source.partition_keys == {"month", "city"}
    assert source.schema == {"x": pa.int64(), "city": pa.string(), "month": pa.string()}
    assert values_of(source, "month") == ["01"] * 6
    assert values_of(source, "city") == ["New York"] * 2 + [None] * 2 + ["a/b=c"] * 2


def test_a_folder_below_the_key_has_no_key(hive: Path) -> None:
    assert source_of(hive / "month=01").partition_keys == {"city"}
    assert source_of(hive / "month=01" / "city=New%20York" / "p.parquet").partition_keys == set()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"mnth": "01"}, r"has no partition key 'mnth'; found: city, month\. Did you mean 'month'"),
        ({"year": "01"}, r"has no partition key 'year'; found: city, month\."),
        ({"month": "3"}, r"has no partition month=3; found: 01, 02, 10\."),
        ({"month": ["3", "4"]}, r"has no partition month=3 or 4; found: 01, 02, 10\."),
        ({"city": "New york"}, r"city=New york; found: .*Did you mean 'New York'\?"),
        ({"month": "1", "city": "x"}, r"has no partition city=x; found: New York"),
    ],
)
def test_a_wrong_partition_is_told_what_there_is(
    hive: Path, where: dict[str, Any], message: str
) -> None:
    with pytest.raises(SnapshotNotFoundError, match=message):
        source_of(hive, where=where)


def test_a_wrong_value_among_many_is_told_the_ends_and_the_nearest(tmp_path: Path) -> None:
    for day in range(1, 31):
        write(tmp_path / f"day=2013-01-{day:02d}" / "p.parquet")
    with pytest.raises(SnapshotNotFoundError) as caught:
        source_of(tmp_path, where={"day": "2013-1-17"})
    assert "2013-01-01, 2013-01-02, 2013-01-03 … 2013-01-29, 2013-01-30 (30 in all)" in str(
        caught.value
    )
    assert "Did you mean '2013-01-17'?" in str(caught.value)


def test_where_on_files_without_partitions(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    with pytest.raises(SnapshotNotFoundError, match="no partition key 'month'; found: none"):
        source_of(tmp_path, where={"month": "1"})


def test_a_key_that_only_some_folders_have_is_null_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"x": [1]})
    write(tmp_path / "month=2" / "b.parquet", {"x": [2]})
    assert values_of(source_of(tmp_path), "month") == [None, "2"]
    assert values_of(source_of(tmp_path, where={"month": "2"}), "x") == [2]


def test_a_key_that_is_a_column_too_is_read_once_from_the_file(tmp_path: Path) -> None:
    write(tmp_path / "month=1" / "a.parquet", {"month": [1, 1], "x": [5, 6]})
    write(tmp_path / "month=2" / "b.parquet", {"x": [7]})
    source = source_of(tmp_path)
    assert source.schema["month"] == pa.int64()
    assert values_of(source, "month") == [1, 1, 2]
    profile = fit(tmp_path, columns=["month", "x"])
    assert profile["month"].histogram is not None
    assert profile["month"].histogram.rows == 3


def test_partition_keys_are_set_aside_unless_named(hive: Path) -> None:
    profile = fit(hive)
    assert profile["month"].kind == "partition key"
    assert list(profile.counted) == ["x"]
    kept = Categories(levels=("01", "02", "10"))
    named = fit(hive, columns=["month", "x"], bins={"month": kept})
    assert named["month"].histogram is not None
    assert named["month"].histogram.bins.levels == ("01", "02", "10")
    assert named["month"].histogram.counts == (6, 6, 6, 0, 0, 0)


# ---------------------------------------------------------------- what is said


def test_a_source_is_called_by_its_path_its_partitions_or_its_label(hive: Path) -> None:
    assert source_of(hive).name == str(hive)
    assert source_of(hive, where={"month": ["1", "2"]}).name == f"{hive} [month=1,2]"
    assert source_of(hive, label="January", where={"month": "1"}).name == "January"
    assert fit(Snapshot(path=str(hive), label="all")).sources == ("all",)
    with pytest.raises(SnapshotInvalidError, match=r"^January: "):
        fit(Snapshot(path=str(write(hive.parent / "none.parquet", {"x": []})), label="January"))


# ---------------------------------------------------------------- only what is asked for


def test_a_column_that_is_not_asked_for_is_never_read(tmp_path: Path) -> None:
    table = {"x": np.arange(1000) % 7, "y": np.arange(1000) % 5, "unread": np.arange(1000)}
    good = write(tmp_path / "good.parquet", table)
    damaged = tmp_path / "damaged.parquet"
    shutil.copy(good, damaged)
    damage(damaged, "unread")
    reference = fit(good, columns=["x", "y"])
    assert fit(damaged, columns=["x", "y"]).counted == reference.counted
    assert scan(damaged, like=reference).counted == reference.counted
    with pytest.raises(SnapshotUnreadableError):
        fit(damaged)


class Counting(fs.FileSystemHandler):
    """A filesystem that counts the bytes it hands out, by file."""

    def __init__(self) -> None:
        self.local = fs.LocalFileSystem()
        self.bytes = 0

    def open_input_file(self, path: str) -> pa.PythonFile:
        counting, real = self, open(path, "rb")  # noqa: SIM115, PTH123 - closed by its wrapper

        class File:
            closed = property(lambda _: real.closed)
            seekable = readable = staticmethod(lambda: True)
            writable = staticmethod(lambda: False)

            def read(self, size: int = -1) -> bytes:
                data = real.read(size)
                counting.bytes += len(data)
                return data

            def seek(self, place: int, whence: int = 0) -> int:
                return real.seek(place, whence)

            def tell(self) -> int:
                return real.tell()

            def close(self) -> None:
                real.close()

        return pa.PythonFile(File(), mode="r")

    def get_file_info(self, paths: Sequence[str]) -> list[fs.FileInfo]:
        return self.local.get_file_info(paths)

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        return self.local.get_file_info(selector)

    def _refuse(self, *_: object, **__: object) -> Any:
        raise NotImplementedError

    get_type_name = lambda self: "counting"  # noqa: E731 - a line each
    normalize_path = lambda self, path: path  # noqa: E731 - a line each
    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_input_stream = _refuse
    open_output_stream = open_append_stream = _refuse


def test_no_more_bytes_are_read_than_the_columns_asked_for_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(1)
    columns = {f"c{i}": generator.normal(size=100_000) for i in range(10)}
    path = write(tmp_path / "wide.parquet", columns, row_group_size=25_000, use_dictionary=False)
    handler = Counting()
    monkeypatch.setattr(files, "filesystem", lambda *_: (fs.PyFileSystem(handler), str(path)))
    reference = fit(path, columns=["c3"])
    handler.bytes = 0
    scan(path, like=reference)
    assert 800_000 < handler.bytes < 1_000_000
    assert path.stat().st_size > 8_000_000
