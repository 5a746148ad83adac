"""Parquet files as a source: which files, which partitions, which row groups.

Knows folders, globs, hive partitions and footers, and reads one column of one row group at a time
so that memory stays small. Has never heard of bins, counts or divergences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from kl_drift.arrays import family_of
from kl_drift.engines.source import Column, Part, checked_schema
from kl_drift.errors import (
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
    did_you_mean,
)
from kl_drift.snapshot import Snapshot
from kl_drift.storage import filesystem, redacted

_BATCH_ROWS = 131_072
_BUFFER_BYTES = 1 << 20
_SUFFIXES = (".parquet", ".parq", ".pq")
_MAGIC = re.compile(r"[*?[]")
_CLASS = re.compile(r"\[[^]/]+\]")
_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\[[^]/]+\]|.")
_HIVE = re.compile(r"^([^=]+)=(.*)$")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_FOOTER_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One Parquet file: where it is, what partition it belongs to, what its footer says."""

    files: fs.FileSystem
    path: str
    partition: Mapping[str, str]
    footer: pq.FileMetaData
    schema: Mapping[str, pa.DataType]


@dataclass(frozen=True)
class ParquetSource:
    """A table in Parquet files."""

    name: str
    found: tuple[_File, ...]

    @cached_property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns of all files together; partition keys are text.

        Raises
        ------
        SnapshotInvalidError
            If a column holds one kind of value here and another there.
        """
        joined: dict[str, pa.DataType] = {}
        first: dict[str, str] = {}
        for file in self.found:
            for name, kind in file.schema.items():
                if name not in joined or pa.types.is_null(joined[name]):
                    joined[name], first[name] = kind, file.path
                elif family_of(kind) != family_of(joined[name]) and not pa.types.is_null(kind):
                    raise SnapshotInvalidError(
                        f"{self.name}: column {name!r} is {joined[name]} in {first[name]} and "
                        f"{kind} in {file.path}; write it as one type, or leave one file out"
                    )
        return joined | {key: pa.string() for key in sorted(self.partition_keys)}

    @property
    def partition_keys(self) -> frozenset[str]:
        """The keys of the hive partitions."""
        return frozenset(key for file in self.found for key in file.partition)

    @property
    def rows(self) -> int | None:
        """How many rows the footers promise."""
        return sum(int(file.footer.num_rows) for file in self.found)

    def parts(self) -> Iterator[Part]:
        """Yield the row groups of all files."""
        for file in self.found:
            for group in range(file.footer.num_row_groups):
                yield Part(
                    rows=file.footer.row_group(group).num_rows,
                    read=self._reader(file, group),
                )

    def _reader(self, file: _File, group: int) -> Callable[[Sequence[str]], Column]:
        def read(names: Sequence[str]) -> Column:
            with _explained(file.path):
                yield from self._columns(file, group, names)

        return read

    def _columns(self, file: _File, group: int, names: Sequence[str]) -> Column:
        rows = file.footer.row_group(group).num_rows
        inside = [name for name in names if name in file.schema]
        for name in names:
            if name in file.partition:
                yield name, _constant(file.partition[name], rows)
            elif name not in file.schema:
                yield name, pa.nulls(rows, self.schema[name])
        with (
            file.files.open_input_file(file.path) as stream,
            pq.ParquetFile(
                stream,
                metadata=file.footer,
                read_dictionary=[name for name in inside if _is_text(file.schema[name])],
                buffer_size=_BUFFER_BYTES,
                pre_buffer=False,
            ) as opened,
        ):
            for name in inside:
                for batch in opened.iter_batches(
                    _BATCH_ROWS, row_groups=[group], columns=[name], use_threads=False
                ):
                    yield name, self._declared(name, batch.column(0))

    def _declared(self, name: str, array: pa.Array) -> pa.Array:
        """Give a column that is all null here the type it has elsewhere."""
        return array.cast(self.schema[name]) if pa.types.is_null(array.type) else array


def _constant(value: str, rows: int) -> pa.Array:
    text = None if value == _NULL_PARTITION else value
    return pa.DictionaryArray.from_arrays(
        pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([text], pa.string())
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Name the file in whatever Arrow says about it."""
    try:
        yield
    except FileNotFoundError as error:
        raise SnapshotNotFoundError(f"{path}: gone while it was read") from error
    except (OSError, pa.ArrowException) as error:
        raise SnapshotUnreadableError(
            f"{path}: cannot be read as Parquet: {error}; "
            "check that it was written completely, or leave it out"
        ) from error


def open_parquet(snapshot: Snapshot) -> ParquetSource:
    """Find the files of a snapshot and read their footers.

    Raises
    ------
    SnapshotNotFoundError
        If nothing is there, or no partition is wanted.
    SnapshotUnreadableError
        If a file is no Parquet.
    """
    name = snapshot.label or _described(snapshot)
    files, path = filesystem(snapshot.path, snapshot.options)
    with _reachable(name):
        base, paths = _listed(files, path)
    if not paths:
        raise SnapshotNotFoundError(
            f"no Parquet files at {redacted(snapshot.path)!r}; "
            "expected a file, a folder, a glob or a URI that leads to some"
        )
    wanted = _wanted(snapshot, base, paths)
    with ThreadPoolExecutor(_FOOTER_THREADS) as pool:
        found = pool.map(lambda item: _opened(files, *item), wanted)
        return ParquetSource(name, tuple(found))


def _described(snapshot: Snapshot) -> str:
    partitions = ", ".join(f"{key}={','.join(snapshot.wanted(key))}" for key in snapshot.where)
    return redacted(snapshot.path) + (f" [{partitions}]" if partitions else "")


@contextmanager
def _reachable(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise SnapshotUnreadableError(f"{name}: cannot be listed: {error}") from error


def _listed(files: fs.FileSystem, path: str) -> tuple[str, list[str]]:
    """Return the folder that partitions are counted from, and the files below it, sorted."""
    info = files.get_file_info(path)
    if info.type == fs.FileType.File:
        return path.rpartition("/")[0], [path]
    if info.type == fs.FileType.Directory:
        return path, _below(files, path)
    magic = _MAGIC.search(path)
    if magic is None:
        return path, []
    base = path[: magic.start()].rpartition("/")[0]
    matches = re.compile(_glob_pattern(path)).match
    return base, [file for file in _below(files, base or ".") if matches(file)]


def _glob_pattern(path: str) -> str:
    """Return the pattern of a glob: ``*`` stops at a slash, ``**`` does not."""
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = (
        meaning.get(token) or (token if _CLASS.fullmatch(token) else re.escape(token))
        for token in _GLOB_TOKEN.findall(path)
    )
    return "".join(pieces) + r"(?:/.*)?\Z"


def _below(files: fs.FileSystem, folder: str) -> list[str]:
    """Return the data files below a folder: Parquet by suffix, or all where none has one."""
    infos = files.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    prefix = len(folder.rstrip("/")) + 1 if folder != "." else 0
    paths = sorted(
        info.path.removeprefix("./")
        for info in infos
        if info.type == fs.FileType.File and not _hidden(info.path[prefix:])
    )
    return [path for path in paths if path.endswith(_SUFFIXES)] or paths


def _hidden(path: str) -> bool:
    return any(piece.startswith(("_", ".")) for piece in path.split("/"))


def _wanted(
    snapshot: Snapshot, base: str, paths: Sequence[str]
) -> list[tuple[str, dict[str, str]]]:
    """Return the files whose partition the snapshot asks for, each with its partition."""
    found = [(path, _partition(path, base)) for path in paths]
    for key in snapshot.where:
        known = sorted({name for _, partition in found for name in partition})
        if key not in known:
            raise SnapshotNotFoundError(
                f"{redacted(snapshot.path)!r} has no partition key {key!r}; "
                f"found: {', '.join(known) or 'none'}.{did_you_mean(key, known)}"
            )
        values = sorted({partition.get(key, "") for _, partition in found})
        found = [item for item in found if _matches(item[1].get(key), snapshot.wanted(key))]
        if not found:
            raise SnapshotNotFoundError(
                f"{redacted(snapshot.path)!r} has no partition {key}="
                f"{' or '.join(snapshot.wanted(key))}; found: {_abridged(values)}"
            )
    return found


def _abridged(values: Sequence[str]) -> str:
    if len(values) <= 6:
        return ", ".join(values)
    return f"{', '.join(values[:3])} … {', '.join(values[-2:])} ({len(values)} in all)"


def _matches(value: str | None, wanted: Sequence[str]) -> bool:
    return value is not None and any(value == one or _same_number(value, one) for one in wanted)


def _same_number(one: str, two: str) -> bool:
    """Say whether both are the same whole number, as 01 and 1 are."""
    return one.isdecimal() and two.isdecimal() and int(one) == int(two)


def _partition(path: str, base: str) -> dict[str, str]:
    pieces = path.removeprefix(base).strip("/").split("/")[:-1]
    hits = (_HIVE.match(piece) for piece in pieces)
    return {unquote(hit[1]): unquote(hit[2]) for hit in hits if hit}


def _opened(files: fs.FileSystem, path: str, partition: Mapping[str, str]) -> _File:
    with _explained(path), files.open_input_file(path) as stream, pq.ParquetFile(stream) as opened:
        return _File(
            files=files,
            path=path,
            partition=partition,
            footer=opened.metadata,
            schema=checked_schema(opened.schema_arrow, path),
        )
