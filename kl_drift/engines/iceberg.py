"""Iceberg tables: the rows of a snapshot, file by file, as pyiceberg reads them.

Knows pyiceberg, its catalogues and its scans. Has never heard of bins, counts or divergences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.lakes import CATALOG, LakeTable, chosen, iceberg_metadata, store_options
from kl_drift.engines.parts import Column, Part
from kl_drift.engines.source import checked_schema
from kl_drift.errors import (
    MissingExtraError,
    SnapshotGoneError,
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
    UsageError,
)
from kl_drift.snapshot import PREVIOUS, Snapshot
from kl_drift.storage import filesystem, is_uri, redacted

if TYPE_CHECKING:
    from pyiceberg.table import DataScan, FileScanTask, Table

_OPTIONS = {
    "access_key": "s3.access-key-id",
    "secret_key": "s3.secret-access-key",
    "session_token": "s3.session-token",
    "region": "s3.region",
    "endpoint_override": "s3.endpoint",
    "anonymous": "s3.anonymous",
}

_PLAIN = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
"""What its types are called elsewhere, so that no column seems to have changed its own."""


def open_iceberg(snapshot: Snapshot) -> IcebergLake:
    """Open an Iceberg table at the version that a snapshot asks for.

    Raises
    ------
    MissingExtraError
        If pyiceberg is not installed.
    SnapshotNotFoundError
        If there is no such table in the catalogue, or no such version of it.
    SnapshotUnreadableError
        If its metadata cannot be read.
    """
    name = redacted(snapshot.path)
    try:
        import pyiceberg.table  # noqa: F401 - here to be told of in words where it is missing
    except ImportError as error:
        raise MissingExtraError("iceberg", f"{name!r} is an Iceberg table: reading it") from error
    with _explained(f"the Iceberg table {name!r}"):
        table = _of_catalogue(snapshot) if name.startswith(CATALOG) else _of_folder(snapshot)
    lake = IcebergLake(table, table.metadata.current_snapshot_id, snapshot)
    wanted = replace(snapshot, version=lake.referenced(snapshot.version))
    version = chosen(wanted, lake.title, lake.versions(), lake.version)
    lake = IcebergLake(table, int(version) if version else None, snapshot)
    if snapshot.version == PREVIOUS:
        lake = IcebergLake(table, int(lake.before()), snapshot)
    return lake


def _of_catalogue(snapshot: Snapshot) -> Table:
    from pyiceberg.catalog import load_catalog
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

    catalogue, _, table = snapshot.path.removeprefix(CATALOG).partition("/")
    if not catalogue or "." not in table:
        raise UsageError(
            f"{snapshot.path!r} names no table; write iceberg://catalog/namespace.table"
        )
    try:
        return load_catalog(catalogue).load_table(table)
    except (NoSuchTableError, NoSuchNamespaceError) as error:
        raise SnapshotNotFoundError(f"{snapshot.path!r}: {error}") from error
    except ValueError as error:  # no configuration of that name, or one that is not complete
        raise UsageError(
            f"{snapshot.path!r}: the catalogue {catalogue!r} cannot be opened: {error}; "
            "pyiceberg's own configuration (.pyiceberg.yaml) says where it is"
        ) from error


def _of_folder(snapshot: Snapshot) -> Table:
    """Return the table at its newest metadata file, where no catalogue says which it is."""
    from pyiceberg.table import StaticTable

    files, path = filesystem(snapshot.path, snapshot.options)
    newest = iceberg_metadata(files, f"{path.rstrip('/')}/metadata")
    location = snapshot.path.rstrip("/") if is_uri(snapshot.path) else ""
    where = f"{location}/metadata/{newest.rpartition('/')[2]}" if location else newest
    return StaticTable.from_metadata(where, store_options(snapshot, _OPTIONS))


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Name the table in whatever pyiceberg says about it."""
    from pyiceberg.exceptions import ResolveError, RESTError, ValidationError

    try:
        yield
    except (SnapshotNotFoundError, SnapshotUnreadableError):
        raise
    except FileNotFoundError as error:
        raise SnapshotGoneError(
            f"{name} cannot be read any more, its files were removed: {error}"
        ) from error
    except (OSError, RESTError, pa.ArrowException) as error:
        raise SnapshotUnreadableError(f"{name} cannot be read: {error}") from error
    except (ResolveError, ValidationError, NotImplementedError) as error:
        raise SnapshotInvalidError(f"{name} cannot be read: {error}") from error


class IcebergLake(LakeTable):
    """An Iceberg table at one of its snapshots.

    Parameters
    ----------
    table : pyiceberg.table.Table
        The table.
    snapshot_id : int or None
        Which snapshot; ``None``: the table was never written to.
    snapshot : Snapshot, optional
        How it was asked for.
    """

    def __init__(
        self, table: Table, snapshot_id: int | None, snapshot: Snapshot | None = None
    ) -> None:
        self._table = table
        self._id = snapshot_id
        self._snapshot = snapshot or Snapshot(path=".".join(table.name()))
        self.title = f"the Iceberg table {redacted(self._snapshot.path)!r}"

    @property
    def name(self) -> str:
        """What messages and profiles call the version; the table's own name before the first."""
        name = self._snapshot.label or redacted(self._snapshot.path)
        return f"{name}@v{self.version}" if self.version else name

    @property
    def version(self) -> str:
        """The id of the snapshot that is read; empty where there is none."""
        return "" if self._id is None else str(self._id)

    def versions(self) -> list[tuple[str, datetime]]:
        """Return the snapshots of the table in the order of time, each with its moment."""
        history = sorted(self._table.metadata.snapshots, key=lambda each: each.timestamp_ms)
        return [
            (str(each.snapshot_id), datetime.fromtimestamp(each.timestamp_ms / 1000, UTC))
            for each in history
        ]

    def referenced(self, version: str) -> str:
        """Return the snapshot that a branch or a tag stands for; any other version as it is."""
        reference = self._table.metadata.refs.get(version)
        return version if reference is None else str(reference.snapshot_id)

    def before(self) -> str:
        """Return the last snapshot before it, by descent, that holds other rows."""
        by_id = {each.snapshot_id: each for each in self._table.metadata.snapshots}
        later = by_id.get(self._id) if self._id is not None else None
        while later is not None and (earlier := by_id.get(later.parent_snapshot_id or -1)):
            if later.summary is None or later.summary.operation.value != "replace":
                return str(earlier.snapshot_id)
            later = earlier
        raise SnapshotNotFoundError(
            f"{self.title} has no version before {self.version or 'the first'} that holds other "
            "rows"
        )

    def source(self) -> IcebergSource:
        """Return the rows of the snapshot."""
        if self._snapshot.where:
            raise UsageError(
                f"{self.title}: where chooses partitions of folders and Delta tables; of an "
                "Iceberg table hand in a scan: table.scan(row_filter=…)"
            )
        return IcebergSource(self._table.scan(snapshot_id=self._id), self.name)


def scan_source(scan: DataScan) -> IcebergSource:
    """Return the rows that a scan of pyiceberg's selects, with its filter and its columns."""
    found = scan.snapshot()
    version = f"@v{found.snapshot_id}" if found else ""
    return IcebergSource(scan, f"{redacted(scan.table_metadata.location)}{version}")


class IcebergSource(LocalSource):
    """The rows of a scan, one column of one file at a time.

    Parameters
    ----------
    scan : pyiceberg.table.DataScan
        Of one snapshot.
    name : str
        What messages and profiles call it.
    """

    def __init__(self, scan: DataScan, name: str) -> None:
        self._scan = scan
        self._name = name

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @cached_property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns of the snapshot and their types."""
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        found = schema_to_pyarrow(self._scan.projection(), include_field_ids=False)
        kinds = checked_schema(found, self.name)
        return {name: _PLAIN.get(kind, kind) for name, kind in kinds.items()}

    @property
    def partition_keys(self) -> frozenset[str]:
        """The columns that the table is partitioned by as they are."""
        metadata = self._scan.table_metadata
        schema, spec = self._scan.projection(), metadata.spec()
        whole = [field.source_id for field in spec.fields if str(field.transform) == "identity"]
        return frozenset(field.name for field in schema.fields if field.field_id in whole)

    @property
    def rows(self) -> int | None:
        """How many rows are live."""
        return sum(rows for _, rows in self._tasks)

    @cached_property
    def _tasks(self) -> list[tuple[FileScanTask, int]]:
        """The files in the order of their paths, each with its live rows."""
        if self._scan.snapshot() is None:
            return []
        with _explained(self.name):
            tasks = sorted(self._scan.plan_files(), key=lambda task: str(task.file.file_path))
            return [(task, self._live_rows(task)) for task in tasks]

    def _live_rows(self, task: FileScanTask) -> int:
        """Return the rows that deletes and the scan's filter leave of a file."""
        from pyiceberg.expressions import AlwaysTrue

        if not task.delete_files and task.residual == AlwaysTrue():
            return int(task.file.record_count)
        smallest = min(self.schema, key=lambda name: _width(self.schema[name]))
        return sum(batch.num_rows for batch in self._batches(task, smallest))

    def parts(self) -> Iterator[Part]:
        """Yield the files, each a part that is read column by column."""
        for task, rows in self._tasks:
            yield Part(rows=rows, read=self._reader(task))

    def _reader(self, task: FileScanTask) -> Callable[[Sequence[str]], Column]:
        def read(names: Sequence[str]) -> Column:
            with _explained(self.name):
                for name in names:
                    for batch in self._batches(task, name):
                        yield name, batch.column(0)

        return read

    def _batches(self, task: FileScanTask, column: str) -> Iterator[pa.RecordBatch]:
        """Yield one column of the live rows of a file; pyiceberg holds it whole meanwhile."""
        from pyiceberg.io.pyarrow import ArrowScan

        scan: Any = self._scan
        one = scan.projection().select(column)
        reader = ArrowScan(scan.table_metadata, scan.io, one, scan.row_filter)
        yield from reader.to_record_batches([task])


def _width(kind: pa.DataType) -> int:
    """Return about how many bits a value takes."""
    try:
        return int(kind.bit_width)
    except ValueError:
        return 1024  # text, nested
