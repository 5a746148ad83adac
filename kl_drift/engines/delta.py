"""Delta tables: the rows that the log says are live.

Knows deltalake, which reads the log; the files that it names are read as any Parquet. Has never
heard of bins, counts or divergences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kl_drift.engines.files import DataFile, in_partitions
from kl_drift.engines.lakes import LakeTable, chosen, store_options
from kl_drift.engines.live import LiveFile, LiveSource
from kl_drift.engines.parquet import ParquetSource, open_files
from kl_drift.engines.source import checked_schema
from kl_drift.errors import (
    MissingExtraError,
    SnapshotGoneError,
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
)
from kl_drift.snapshot import PREVIOUS, Snapshot
from kl_drift.storage import filesystem, is_uri, redacted

if TYPE_CHECKING:
    from deltalake import DeltaTable

_OPTIONS = {
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
    "endpoint_override": "AWS_ENDPOINT_URL",
    "anonymous": "AWS_SKIP_SIGNATURE",
}
_FEATURES = {
    *("appendOnly", "catalogManaged", "checkConstraints", "columnMapping", "deletionVectors"),
    *("domainMetadata", "identityColumns", "invariants", "timestampNtz", "typeWidening"),
    *("typeWidening-preview", "v2Checkpoint", "vacuumProtocolCheck", "variantType"),
    *("variantType-preview", "variantShredding", "variantShredding-preview"),
}
"""What a table may ask of its readers; the others could make rows mean something else."""

_REARRANGING = ("OPTIMIZE", "VACUUM", "SET TBLPROPERTIES", "ADD CONSTRAINT", "DROP CONSTRAINT")
"""How operations begin that leave the rows as they are."""

_PHYSICAL, _ID = "delta.columnMapping.physicalName", "delta.columnMapping.id"


def open_delta(snapshot: Snapshot) -> DeltaLake:
    """Open a Delta table at the version that a snapshot asks for.

    Raises
    ------
    MissingExtraError
        If deltalake is not installed.
    SnapshotNotFoundError
        If the table has no such version.
    SnapshotUnreadableError
        If its log cannot be read.
    """
    name = redacted(snapshot.path)
    try:
        from deltalake import DeltaTable
    except ImportError as error:
        raise MissingExtraError("delta", f"{name!r} is a Delta table: reading it") from error
    uri = snapshot.path if is_uri(snapshot.path) else filesystem(snapshot.path)[1]
    options = _delta_options(snapshot)
    with _explained(f"the Delta table {name!r}"):
        lake = DeltaLake(DeltaTable(uri, storage_options=options), snapshot)
        version = chosen(snapshot, lake.title, lake.versions(), lake.version)
        if version != lake.version:
            lake = DeltaLake(DeltaTable(uri, int(version), storage_options=options), snapshot)
    if snapshot.version == PREVIOUS:
        return open_delta(replace(snapshot, version=lake.before()))
    return lake


def _delta_options(snapshot: Snapshot) -> dict[str, str]:
    options = store_options(snapshot, _OPTIONS)
    if options.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Name the table in whatever deltalake says about it."""
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError, pa.ArrowException) as error:
        if isinstance(error, SnapshotNotFoundError | SnapshotUnreadableError):
            raise
        raise SnapshotUnreadableError(f"{name}: its log cannot be read: {error}") from error


class DeltaLake(LakeTable):
    """A Delta table at one version.

    Parameters
    ----------
    table : deltalake.DeltaTable
        At its version.
    snapshot : Snapshot, optional
        How it was asked for.
    """

    def __init__(self, table: DeltaTable, snapshot: Snapshot | None = None) -> None:
        self._table = table
        self._snapshot = snapshot or Snapshot(path=table.table_uri.rstrip("/"))
        self.title = f"the Delta table {redacted(self._snapshot.path)!r}"

    @property
    def name(self) -> str:
        """What messages and profiles call the version."""
        return f"{self._snapshot.label or redacted(self._snapshot.path)}@v{self.version}"

    @property
    def version(self) -> str:
        """The version that is read."""
        return str(self._table.version())

    def versions(self) -> list[tuple[str, datetime]]:
        """Return the versions of the log up to this one, oldest first, each with its moment."""
        return [
            (str(entry["version"]), datetime.fromtimestamp(entry["timestamp"] / 1000, UTC))
            for entry in self._history()
        ]

    def _history(self) -> list[dict[str, Any]]:
        return sorted(self._table.history(), key=lambda entry: int(entry["version"]))

    def before(self) -> str:
        """Return the last version before it that holds other rows."""
        newest_first = self._history()[::-1]
        for later, earlier in pairwise(newest_first):
            if not str(later.get("operation", "")).startswith(_REARRANGING):
                return str(earlier["version"])
        raise SnapshotNotFoundError(
            f"{self.title} has no version before {self.version} that holds other rows"
        )

    def source(self) -> LiveSource:
        """Return the rows of the version."""
        self._refuse_unknown_features()
        schema = pa.schema(self._table.schema().to_arrow())
        return LiveSource(
            self.name,
            tuple(self._files()),
            checked_schema(schema, self.title),
            frozenset(self._table.metadata().partition_columns),
        )

    def _refuse_unknown_features(self) -> None:
        strangers = sorted({*(self._table.protocol().reader_features or ())} - _FEATURES)
        if strangers:
            raise SnapshotInvalidError(
                f"{self.title} uses {', '.join(strangers)}, which this kl-drift cannot read; "
                "scan it on Spark, or write the rows to a table without"
            )

    def _files(self) -> Iterator[LiveFile]:
        """Yield the live files, in the order of their paths."""
        files, root = filesystem(self._snapshot.path, self._snapshot.options)
        with _explained(self.title):
            added = pa.table(self._table.get_add_actions(flatten=True))
            deleted = self._deletion_vectors()
        values = [name for name in added.schema.names if name.startswith("partition.")]
        keys = {name: name.removeprefix("partition.") for name in values}
        rows = {
            _path(path, root): {keys[name]: added[name][place] for name in values}
            for place, path in enumerate(added["path"].to_pylist())
        }
        wanted = in_partitions(
            self._snapshot,
            [DataFile(path=path, partition=_texts(rows[path])) for path in sorted(rows)],
        )
        paths = [each.path for each in wanted]
        try:
            opened = open_files(files, paths, self._snapshot.checksums)
        except SnapshotNotFoundError as error:
            raise SnapshotGoneError(
                f"version {self.version} of {self.title} cannot be read any more, its files were "
                f"removed (by a vacuum): {error}"
            ) from error
        for path, source in zip(paths, opened, strict=True):
            yield LiveFile(
                source=source,
                constants=rows[path],
                names=self._physical(source),
                kept=deleted.get(path),
            )

    def _deletion_vectors(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which rows of a file are live, for the files that have dead ones."""
        if "deletionVectors" not in (self._table.protocol().reader_features or ()):
            return {}
        vectors = pa.RecordBatchReader.from_stream(self._table.deletion_vectors()).read_all()
        return {
            filesystem(uri)[1]: np.asarray(kept.values.to_numpy(zero_copy_only=False), bool)
            for uri, kept in zip(
                vectors["filepath"].to_pylist(), vectors["selection_vector"], strict=True
            )
        }

    def _physical(self, file: ParquetSource) -> dict[str, str]:
        """Return under which name a file holds each column, where columns are mapped."""
        mode = self._table.metadata().configuration.get("delta.columnMapping.mode", "none")
        fields = self._table.schema().fields if mode in ("name", "id") else []
        named = {field.name: str(field.metadata[_PHYSICAL]) for field in fields}
        if mode == "id" and file.field_ids:
            return {f.name: file.field_ids.get(int(f.metadata[_ID]), "") for f in fields}
        # deltalake itself writes the files of partitions under the columns' own names
        return named if file.schema.keys() & {*named.values()} else {}


def _path(logged: str, root: str) -> str:
    """Return where a file lies whose path the log writes as a URI writes it."""
    path = unquote(logged)
    return filesystem(path)[1] if is_uri(path) else f"{root.rstrip('/')}/{path}"


def _texts(values: Mapping[str, pa.Scalar]) -> dict[str, str]:
    """Return partition values as a user writes them."""
    plain = {key: value.as_py() for key, value in values.items()}
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in plain.items()
        if value is not None
    }
