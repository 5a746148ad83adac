"""A snapshot: which rows are meant. Strings only; nothing is opened here.

Knows how a user names rows: a file, a folder, a glob, a URI, a partition filter, a label. Has never
heard of Arrow, of schemas or of what the rows hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from os import PathLike, fspath

from kl_drift.errors import UsageError
from kl_drift.storage import redacted

PREVIOUS = "previous"
"""The version of a table before the one that is meant."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Snapshot:
    """Rows in Parquet files, or in a version of a Delta or Iceberg table, by name.

    Parameters
    ----------
    path : str, optional
        A file, a folder (read recursively), a glob (``flights/*/part-*.parquet``) or a URI
        (``s3://bucket/flights``, ``gs://…``, ``file://…``); of a table its folder, or
        ``iceberg://catalog/namespace.table``. A version may stand behind it: ``flights@v12``,
        ``flights@previous``, ``flights@2013-02-28``. Left out, beside a version or a moment: the
        current snapshot's table, of which another version is the reference.
    where : mapping of str to str or list of str, optional
        Which partitions of a hive-partitioned folder (``month=2013-01/…``) belong to it. Numbers
        are fine too: 1 is the partition ``01``.
    label : str, optional
        What reports call it; the path and the partitions by default.
    as_of : str, optional
        The moment it stands for, ISO 8601; the age of timestamps is counted from it. A Delta or
        Iceberg table is read as it was then, unless ``version`` says otherwise; a date alone is
        its first moment, in UTC.
    version : str or int, optional
        Which version of a Delta or Iceberg table; of the latter the id of a snapshot, a branch or
        a tag. ``"previous"``: the last one before the newest that holds other rows. By default
        the newest.
    options : mapping of str to str, optional
        Options of the object store, e.g. ``endpoint_override``. Never printed or saved.
    checksums : bool
        Whether the checksums of pages are verified, where the files have them.

    Raises
    ------
    UsageError
        If the path is empty or ``where`` names no value.
    """

    path: str = ""
    where: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    label: str = ""
    as_of: str = ""
    version: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    checksums: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | PathLike):
            raise UsageError(f"a snapshot's path is text or a path, got {self.path!r}")
        object.__setattr__(self, "path", fspath(self.path))
        if isinstance(self.as_of, date):
            object.__setattr__(self, "as_of", self.as_of.isoformat())
        if not isinstance(self.as_of, str):
            raise UsageError(f"as_of is a date or its text, such as 2013-02-28, got {self.as_of!r}")
        version = str(self.version).strip()
        number = version.removeprefix("v")
        object.__setattr__(self, "version", number if number.isdecimal() else version)
        if not self.path and not (self.version or self.as_of):
            raise UsageError("a snapshot needs a path: a file, a folder, a glob or a URI")
        for key, value in self.where.items():
            if value is None or not "".join(self.wanted(key)):
                raise UsageError(f"where: partition key {key!r} has no value; state one or more")

    def __repr__(self) -> str:
        path = redacted(self.path)
        where = dict(self.where)
        version = f", version={self.version!r}" if self.version else ""
        label, as_of = self.label, self.as_of
        return f"Snapshot({path=}, {where=}, {label=}, {as_of=}{version})"

    @classmethod
    def at(cls, path: str | PathLike[str]) -> Snapshot:
        """Return the snapshot at a path, with defaults for all else."""
        return cls(path=fspath(path))

    def wanted(self, key: str) -> tuple[str, ...]:
        """Return the values of a partition key that belong to the snapshot, as text."""
        value: object = self.where[key]
        if isinstance(value, str) or not isinstance(value, Iterable):
            return (str(value),)
        return tuple(map(str, value))
