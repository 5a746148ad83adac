"""Parquet files as a source: footers, row groups, columns.

Knows how to read one column of one row group at a time, so that memory stays small, and that files
stay the same while they are read. Has never heard of bins, counts or divergences.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from kl_drift.counts.arrays import family_of
from kl_drift.counts.buffers import from_texts
from kl_drift.counts.profile import LeftOut
from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.declared import as_declared, declared_type, index_columns
from kl_drift.engines.files import (
    THREADS,
    DataFile,
    Stamp,
    as_parquet,
    find_files,
    foreign_format,
    head,
    stamp_of,
)
from kl_drift.engines.parts import Column, Part
from kl_drift.engines.source import checked_schema
from kl_drift.errors import (
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
)
from kl_drift.snapshot import Snapshot

_BATCH_ROWS = 131_072
_BUFFER_BYTES = 1 << 20
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_FIELD_ID = b"PARQUET:field_id"
_DICTIONARY_LEVELS = 65_536
_INT96_UNIT = "us"  # in nanoseconds, Arrow's own choice, the year 9999 turns into 1816


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One Parquet file: where it is, what partition it belongs to, what its footer says."""

    files: fs.FileSystem
    path: str
    partition: Mapping[str, str]
    footer: pq.FileMetaData
    fields: pa.Schema
    stamp: Stamp
    checksums: bool

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and what their values are."""
        return {field.name: declared_type(field) for field in self.fields}


class ParquetSource(LocalSource):
    """A table in Parquet files."""

    def __init__(
        self, name: str, found: tuple[_File, ...], left_out: tuple[LeftOut, ...] = ()
    ) -> None:
        self.found = found
        self._name = name
        self._left_out = left_out

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The files that were not read."""
        return self._left_out

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
    def index_columns(self) -> frozenset[str]:
        """The columns that hold the index of a pandas data frame."""
        return frozenset(name for file in self.found for name in index_columns(file.fields))

    @property
    def field_ids(self) -> dict[int, str]:
        """The columns by the numbers that a table gave them, where it did."""
        return {
            int(field.metadata[_FIELD_ID]): field.name
            for file in self.found
            for field in file.fields
            if field.metadata and _FIELD_ID in field.metadata
        }

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
            with _explained(file.files, file.path):
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
            _refuse_replaced(file, stream)
            opened = _file(stream, file, texts)
            for name in inside:
                text = _texts(stream, file, opened, group, name) if name in texts else None
                found = 0
                for array in text or _arrays(opened, group, name):
                    found += len(array)
                    yield name, self._declared(file, name, array)
                if found != rows:
                    raise OSError(f"column {name!r} holds {found:,} rows, its footer says {rows:,}")
            _refuse_replaced(file, stream)

    def _declared(self, file: _File, name: str, array: pa.Array) -> pa.Array:
        """Return what the values are; of a column all null here, the type it has elsewhere."""
        if pa.types.is_null(array.type):
            return pa.nulls(len(array), self.schema[name])
        return as_declared(array, file.fields.field(name))


def _refuse_replaced(file: _File, stream: pa.NativeFile) -> None:
    """Refuse a file that is not the one whose footer was read."""
    if stamp_of(file.files, file.path, stream) != file.stamp:
        raise SnapshotUnreadableError(
            f"{file.path}: was replaced or changed while it was read; "
            "check again once nothing writes to it"
        )


def _texts(
    stream: pa.NativeFile, file: _File, opened: pq.ParquetFile, group: int, name: str
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
    for array in _arrays(_file(stream, file), group, name):
        skipped = min(done, len(array))
        done -= skipped
        yield array.slice(skipped)


def _arrays(opened: pq.ParquetFile, group: int, name: str) -> Generator[pa.Array]:
    batches = opened.iter_batches(
        _BATCH_ROWS, row_groups=[group], columns=[name], use_threads=False
    )
    for batch in batches:
        yield batch.column(name)  # by name: dotted, it may also bring the field of a nested column


def _file(stream: pa.NativeFile, file: _File, dictionaries: Collection[str] = ()) -> pq.ParquetFile:
    return pq.ParquetFile(
        stream,
        metadata=file.footer,
        read_dictionary=list(dictionaries),
        buffer_size=_BUFFER_BYTES,
        pre_buffer=False,
        page_checksum_verification=file.checksums,
        coerce_int96_timestamp_unit=_INT96_UNIT,
    )


def _constant(value: str, rows: int, kind: pa.DataType) -> pa.Array:
    text = None if value == _NULL_PARTITION else value
    return pa.DictionaryArray.from_arrays(
        pa.repeat(pa.scalar(0, pa.int32()), rows), from_texts([text]).cast(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


@contextmanager
def _explained(files: fs.FileSystem, path: str) -> Iterator[None]:
    """Name the file in whatever Arrow says about it."""
    try:
        yield
    except SnapshotUnreadableError:
        raise
    except FileNotFoundError as error:
        raise SnapshotNotFoundError(f"{path}: gone while it was read") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SnapshotUnreadableError(_why_unreadable(files, path, error)) from error


def _why_unreadable(files: fs.FileSystem, path: str, error: Exception) -> str:
    with suppress(OSError, pa.ArrowException):
        if other := foreign_format(head(files, path)):
            return f"{path}: this is {other}; kl-drift reads Parquet: {as_parquet(other)}"
    return (
        f"{path}: cannot be read as Parquet: {error}; "
        "check that it was written completely, or leave it out"
    )


def open_parquet(snapshot: Snapshot) -> ParquetSource:
    """Find the files of a snapshot and read their footers.

    Raises
    ------
    SnapshotNotFoundError
        If nothing is there, or no partition is wanted.
    SnapshotUnreadableError
        If a file is no Parquet.
    """
    found = find_files(snapshot)
    with ThreadPoolExecutor(THREADS) as pool:
        opened = pool.map(lambda each: _opened(found.files, each, snapshot.checksums), found.data)
        return ParquetSource(found.name, tuple(opened), found.left_out)


def open_files(
    files: fs.FileSystem, paths: Sequence[str], checksums: bool = True
) -> list[ParquetSource]:
    """Open given files, each as a source of its own, whatever folders they lie in.

    Raises
    ------
    SnapshotNotFoundError
        If one is not there.
    SnapshotUnreadableError
        If one is no Parquet.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        data = (DataFile(path=path, partition={}) for path in paths)
        opened = pool.map(lambda each: _opened(files, each, checksums), data)
        return [ParquetSource(each.path, (each,)) for each in opened]


def _opened(files: fs.FileSystem, data: DataFile, checksums: bool) -> _File:
    with _explained(files, data.path), files.open_input_file(data.path) as stream:
        stamp = stamp_of(files, data.path, stream)
        with pq.ParquetFile(stream, coerce_int96_timestamp_unit=_INT96_UNIT) as opened:
            checked_schema(opened.schema_arrow, data.path)
            return _File(
                files=files,
                path=data.path,
                partition=data.partition,
                footer=opened.metadata,
                fields=opened.schema_arrow,
                stamp=stamp,
                checksums=checksums,
            )
