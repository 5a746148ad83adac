"""Parquet files as a source: which files, which partitions, which row groups.

Knows folders, globs, hive partitions and footers, and reads one column of one row group at a time
so that memory stays small. Has never heard of bins, counts or divergences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from kl_drift.counts.arrays import family_of
from kl_drift.counts.buffers import from_texts
from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.parts import Column, Part
from kl_drift.engines.source import checked_schema
from kl_drift.errors import (
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
    UsageError,
    did_you_mean,
)
from kl_drift.snapshot import Snapshot
from kl_drift.storage import filesystem, redacted

_BATCH_ROWS = 131_072
_BUFFER_BYTES = 1 << 20
_SUFFIXES = (".parquet", ".parq", ".pq")
_MAGIC = re.compile(r"[*?[]")
_CLASS = re.compile(r"\[[^]/]+\]")
_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\[[^]/]+\]|.", re.DOTALL)
_HIVE = re.compile(r"^([^=]+)=(.*)$")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_FOOTER_THREADS = 8
_DICTIONARY_LEVELS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One Parquet file: where it is, what partition it belongs to, what its footer says."""

    files: fs.FileSystem
    path: str
    partition: Mapping[str, str]
    footer: pq.FileMetaData
    schema: Mapping[str, pa.DataType]


class ParquetSource(LocalSource):
    """A table in Parquet files."""

    def __init__(self, name: str, found: tuple[_File, ...]) -> None:
        self.found = found
        self._name = name

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @cached_property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns of all files together; partition keys that are no columns are text.

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
        return joined | {key: pa.string() for key in sorted(self.partition_keys - joined.keys())}

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
        for name in names:
            if name in file.schema:
                continue
            if name in file.partition:
                yield name, _constant(file.partition[name], rows, self.schema[name])
            else:
                yield name, pa.nulls(rows, self.schema[name])
        inside = [name for name in names if name in file.schema]
        texts = {name for name in inside if _is_text(file.schema[name])}
        with file.files.open_input_file(file.path) as stream:
            opened = _file(stream, file.footer, texts)
            for name in inside:
                text = _texts(stream, opened, group, name) if name in texts else None
                found = 0
                for array in text or _arrays(opened, group, name):
                    found += len(array)
                    yield name, self._declared(name, array)
                if found != rows:
                    raise OSError(f"column {name!r} holds {found:,} rows, its footer says {rows:,}")

    def _declared(self, name: str, array: pa.Array) -> pa.Array:
        """Give a column that is all null here the type it has elsewhere."""
        return pa.nulls(len(array), self.schema[name]) if pa.types.is_null(array.type) else array


def _texts(
    stream: pa.NativeFile, opened: pq.ParquetFile, group: int, name: str
) -> Iterator[pa.Array]:
    """Yield dictionaries as long as they are small, and the rest of the rows as plain text.

    Where values do not repeat, Arrow collects all those of a row group in one dictionary; some
    encodings it cannot read as dictionaries at all.
    """
    done = 0
    arrays = _arrays(opened, group, name)
    with suppress(OSError, pa.ArrowException):  # what is damaged will say so again
        for array in arrays:
            if pa.types.is_dictionary(array.type) and len(array.dictionary) > _DICTIONARY_LEVELS:
                break
            yield array
            done += len(array)
        else:
            return
    arrays.close()
    for array in _arrays(_file(stream, opened.metadata), group, name):
        skipped = min(done, len(array))
        done -= skipped
        yield array.slice(skipped)


def _arrays(opened: pq.ParquetFile, group: int, name: str) -> Generator[pa.Array]:
    batches = opened.iter_batches(
        _BATCH_ROWS, row_groups=[group], columns=[name], use_threads=False
    )
    for batch in batches:
        yield batch.column(name)  # by name: dotted, it may also bring the field of a nested column


def _file(
    stream: pa.NativeFile, footer: pq.FileMetaData, dictionaries: Collection[str] = ()
) -> pq.ParquetFile:
    return pq.ParquetFile(
        stream,
        metadata=footer,
        read_dictionary=list(dictionaries),
        buffer_size=_BUFFER_BYTES,
        pre_buffer=False,
    )


def _constant(value: str, rows: int, kind: pa.DataType) -> pa.Array:
    text = None if value == _NULL_PARTITION else value
    return pa.DictionaryArray.from_arrays(
        pa.repeat(pa.scalar(0, pa.int32()), rows), from_texts([text]).cast(kind)
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
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
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


def fingerprint(location: str) -> tuple[tuple[str, int, int], ...]:
    """Return the files behind a path, a glob or a URI, each with its size and time of change.

    Equal as long as the files are the same; nothing is read. Empty if nothing is there.

    Raises
    ------
    SnapshotUnreadableError
        If it cannot be listed.
    """
    files, path = filesystem(location)
    with _reachable(redacted(location)):
        found = files.get_file_info(_listed(files, path)[1])
    return tuple((info.path, info.size or 0, info.mtime_ns or 0) for info in found)


def _described(snapshot: Snapshot) -> str:
    partitions = ", ".join(f"{key}={','.join(snapshot.wanted(key))}" for key in snapshot.where)
    return redacted(snapshot.path) + (f" [{partitions}]" if partitions else "")


@contextmanager
def _reachable(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise SnapshotUnreadableError(f"{name}: cannot be listed: {error}") from error


def _listed(files: fs.FileSystem, path: str) -> tuple[str, list[str]]:
    """Return the folder that partitions are counted from, and the files below it, sorted."""
    info = files.get_file_info(path)
    if info.type == fs.FileType.File:
        return path.rpartition("/")[0], [path]
    if info.type == fs.FileType.Directory:
        base = "" if path == "." else path
        return base, _data(_below(files, base))
    magic = _MAGIC.search(path)
    if magic is None:
        return path, []
    folder, slash, _ = path[: magic.start()].rpartition("/")
    matches = _glob(path).match
    return folder, _data([file for file in _below(files, folder or slash) if matches(file)])


def _glob(path: str) -> re.Pattern[str]:
    """Return the pattern of a glob: ``*`` stops at a slash, ``**`` does not."""
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = (
        meaning.get(token) or (_class if _CLASS.fullmatch(token) else re.escape)(token)
        for token in _GLOB_TOKEN.findall(path)
    )
    try:
        return re.compile("".join(pieces) + r"(?:/.*)?\Z", re.DOTALL)
    except re.error as error:
        raise UsageError(f"the glob {path!r} cannot match anything: {error}") from error


def _class(token: str) -> str:
    """Return the pattern of ``[a-z]`` or ``[!a-z]``: only the dash has a meaning inside."""
    inside = token[1:-1]
    negated = len(inside) > 1 and inside[0] in "!^"
    escaped = re.escape(inside[negated:]).replace(r"\-", "-")
    return f"[{'^/' if negated else ''}{escaped}]"


def _below(files: fs.FileSystem, folder: str) -> list[str]:
    """Return the files below a folder (``""``: the working directory), each once, none hidden."""
    selector = fs.FileSelector(folder or ".", recursive=True, allow_not_found=True)
    paths = (
        info.path if folder else info.path.removeprefix("./")
        for info in files.get_file_info(selector)
        if info.type == fs.FileType.File
    )
    found = sorted(path for path in paths if not _hidden(path.removeprefix(folder)))
    return _without_echoes(found, folder) if isinstance(files, fs.LocalFileSystem) else found


def _without_echoes(paths: list[str], folder: str) -> list[str]:
    """Keep each file under one name where links show it under several: its own, or the shortest."""
    root = Path(folder).resolve()
    targets = {path: Path(path).resolve() for path in paths}

    def by_name(path: str) -> tuple[bool, int]:
        own = targets[path] == root / path.removeprefix(folder).lstrip("/")
        return not own, len(path)

    kept: dict[Path, str] = {}
    for path in sorted(paths, key=by_name):
        kept.setdefault(targets[path], path)
    return sorted(kept.values())


def _data(paths: list[str]) -> list[str]:
    """Return the Parquet files by suffix, or all where none has one."""
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
                f"{' or '.join(snapshot.wanted(key))}; found: {_abridged(values)}."
                + did_you_mean(snapshot.wanted(key)[0], values)
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
