"""Tables of a lake: recognised for what they are, never read as folders.

Knows the marks that Delta, Iceberg and Hudi tables leave, and how a version of a table is named.
Has never heard of the libraries that read them, nor of bins or counts.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypeAlias

from pyarrow import fs

from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.files import reachable
from kl_drift.errors import SnapshotNotFoundError, UsageError
from kl_drift.moments import parse_moment
from kl_drift.snapshot import PREVIOUS, Snapshot
from kl_drift.storage import filesystem, is_uri, redacted

Lake: TypeAlias = Literal["delta", "iceberg", "hudi"]

CATALOG = "iceberg://"
"""How the location of a catalogue's table begins: ``iceberg://catalog/namespace.table``."""

_MARKS: dict[str, Lake] = {"_delta_log": "delta", "metadata": "iceberg", ".hoodie": "hudi"}
_METADATA = ".metadata.json"
_VERSIONED = re.compile(
    r"(?P<path>.+)@(?:v?(?P<version>\d+)|(?P<previous>previous)|(?P<as_of>\d{4}-\d\d-\d\d[^/@]*))"
)


class LakeTable(ABC):
    """A table of a lake at one of its versions."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages and profiles call the version: ``flights@v12``."""

    @property
    @abstractmethod
    def version(self) -> str:
        """The version that is read: a number, or the id of an Iceberg snapshot."""

    @abstractmethod
    def before(self) -> str:
        """Return the last version before it that holds other rows.

        Versions that only rearrange the same rows (compaction, vacuum) are stepped over: compared
        with one of these, nothing would ever drift.

        Raises
        ------
        SnapshotNotFoundError
            If there is none.
        """

    @abstractmethod
    def source(self) -> LocalSource:
        """Return the rows of the version.

        Raises
        ------
        SnapshotGoneError
            If its files were removed.
        """


def with_version(snapshot: Snapshot) -> Snapshot:
    """Read ``table@v12``, ``table@previous`` or ``table@2013-02-28`` as a version of the table.

    A path that exists as it is written is never split.

    Raises
    ------
    UsageError
        If no path is stated.
    """
    if not snapshot.path:
        raise UsageError(
            "a version without a path is one of the current snapshot's table: as the reference of "
            "a comparison or a plan only; state the path of the table"
        )
    stated = _VERSIONED.fullmatch(snapshot.path)
    if stated is None or snapshot.version or _exists(snapshot):
        return snapshot
    version = stated["version"] or stated["previous"] or ""
    as_of = stated["as_of"] or snapshot.as_of
    return replace(snapshot, path=stated["path"], version=version, as_of=as_of)


def _exists(snapshot: Snapshot) -> bool:
    if snapshot.path.startswith(CATALOG):
        return False
    files, path = filesystem(snapshot.path, snapshot.options)
    with reachable(redacted(snapshot.path)):
        return bool(files.get_file_info(path).type != fs.FileType.NotFound)


def lake_of(snapshot: Snapshot) -> Lake | None:
    """Say what kind of table lies at a path; ``None``: none, so that it is files.

    Raises
    ------
    UsageError
        If the path leads into a table: its files are not its rows.
    SnapshotUnreadableError
        If it cannot be listed.
    """
    if snapshot.path.startswith(CATALOG):
        return "iceberg"
    files, path = filesystem(snapshot.path, snapshot.options)
    with reachable(redacted(snapshot.path)):
        found = _marked(files, path)
        if found is None and (root := _table_above(files, path)):
            raise UsageError(
                f"{redacted(snapshot.path)!r} lies inside the {TITLES[root[1]]} at {root[0]!r}, "
                "whose files hold dead rows beside live ones; name the table, and choose "
                "partitions with where"
            )
    return found


TITLES: dict[Lake, str] = {"delta": "Delta table", "iceberg": "Iceberg table", "hudi": "Hudi table"}
"""What messages call a table."""


def _marked(files: fs.FileSystem, folder: str) -> Lake | None:
    """Return the kind of table whose root a folder is."""
    places = {f"{folder.rstrip('/')}/{mark}": lake for mark, lake in _MARKS.items()}
    for info in files.get_file_info(list(places)):
        lake = places.get(info.path) or places[info.path.removeprefix("./")]
        if info.type == fs.FileType.Directory and (
            lake != "iceberg" or iceberg_metadata(files, info.path)
        ):
            return lake
    return None


def _table_above(files: fs.FileSystem, path: str) -> tuple[str, Lake] | None:
    """Return the table that a path leads into, if it does."""
    folder = path.rstrip("/")
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        if folder and not re.search(r"[*?[]", folder) and (lake := _marked(files, folder)):
            return folder, lake
    return None


def iceberg_metadata(files: fs.FileSystem, folder: str) -> str:
    """Return the newest metadata file of an Iceberg table; empty if the folder holds none."""
    found = files.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    named = [info for info in found if info.path.endswith(_METADATA)]
    newest = max(named, key=lambda info: (_number(info.base_name), info.mtime_ns), default=None)
    return "" if newest is None else str(newest.path)


def _number(name: str) -> int:
    """Return the version in ``00003-….metadata.json`` or ``v3.metadata.json``."""
    digits = re.match(r"v?(\d+)", name)
    return int(digits[1]) if digits else -1


def chosen(
    snapshot: Snapshot, name: str, versions: Sequence[tuple[str, datetime]], newest: str
) -> str:
    """Return the version that a snapshot asks for by ``version`` or ``as_of``.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked for; neither, and it is the newest.
    name : str
        Of the table.
    versions : sequence of (str, datetime)
        Those that there are, oldest first, each with its moment.
    newest : str
        The one that the table is at.

    Raises
    ------
    SnapshotNotFoundError
        If there is none; the message names those that there are.
    """
    if snapshot.version not in ("", PREVIOUS):
        if snapshot.version in dict(versions):
            return snapshot.version
        raise SnapshotNotFoundError(f"{name} has no version {snapshot.version}; {_told(versions)}")
    if not snapshot.as_of:
        return newest
    moment = parse_moment(snapshot.as_of)
    past = [version for version, made in versions if made <= moment]
    if not past:
        raise SnapshotNotFoundError(
            f"{name} has no version as of {snapshot.as_of}; {_told(versions)}"
        )
    return past[-1]


def _told(versions: Sequence[tuple[str, datetime]]) -> str:
    """Name the versions that there are, the newest few of many."""
    if not versions:
        return "it has none"
    named = [f"{version} ({made:%Y-%m-%d %H:%M:%S} UTC)" for version, made in versions]
    few = named if len(named) <= 6 else [named[0], "…", *named[-4:]]
    return f"it has {', '.join(few)}"


def store_options(snapshot: Snapshot, names: dict[str, str]) -> dict[str, str]:
    """Return the options of the object store under the names that a library has for them."""
    if snapshot.options and not is_uri(snapshot.path):
        raise UsageError(f"options {sorted(snapshot.options)} are for s3:// and gs:// locations")
    strangers = sorted(snapshot.options.keys() - names.keys())
    if strangers:
        raise UsageError(
            f"options {', '.join(strangers)} are not known for a table of a lake; "
            f"known: {', '.join(names)}"
        )
    return {names[key]: str(value) for key, value in snapshot.options.items()}
