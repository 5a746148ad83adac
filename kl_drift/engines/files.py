"""Which files a snapshot means, and which of those it leads to are left out.

Knows folders, globs, hive partitions, and files by their first bytes. Has never heard of footers,
columns or rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

from kl_drift.counts.profile import Absence, LeftOut
from kl_drift.errors import (
    SnapshotNotFoundError,
    SnapshotUnreadableError,
    UsageError,
    did_you_mean,
    first_line,
)
from kl_drift.snapshot import Snapshot
from kl_drift.storage import filesystem, redacted

THREADS = 8
"""How many files are looked at together: what takes time is the way to an object store."""

_SUFFIXES = (".parquet", ".parq", ".pq", ".pqt")
_MAGIC = re.compile(r"[*?[]")
_CLASS = re.compile(r"\[[^]/]+\]")
_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\[[^]/]+\]|.", re.DOTALL)
_TABLE = re.compile(r"(.*?)(?:_delta_log/|\.hoodie/|metadata/[^/]*\.metadata\.json$)")
_HIVE = re.compile(r"^([^=]+)=(.*)$")
_PARQUET = (b"PAR1", b"PARE")  # the latter where the footer is encrypted
_HEAD = 512
_FORMATS = (
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
    (b"FEA1", "a Feather file"),
    (b"\x1f\x8b", "a file packed by gzip"),
    (b"PK\x03\x04", "a zip or Excel file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
)
_CONVERTERS = {
    "a CSV file": "pandas.read_csv(…).to_parquet(…)",
    "a JSON file": "pandas.read_json(…, lines=True).to_parquet(…)",
    "an ORC file": "pandas.read_orc(…).to_parquet(…)",
    "an Arrow file": "pandas.read_feather(…).to_parquet(…)",
    "a Feather file": "pandas.read_feather(…).to_parquet(…)",
    "a zip or Excel file": "pandas.read_excel(…).to_parquet(…)",
    "an HDF5 file": "pandas.read_hdf(…).to_parquet(…)",
}


Stamp: TypeAlias = tuple[object, ...]
"""What tells a file from another under the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A file that a snapshot means.

    Parameters
    ----------
    path : str
        On its filesystem.
    partition : mapping of str to str
        Of the folders it lies in: key to value.
    """

    path: str
    partition: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a snapshot leads to.

    Parameters
    ----------
    name : str
        What messages call the snapshot.
    files : pyarrow.fs.FileSystem
        Where its files lie.
    data : tuple of DataFile
        Those to read, in the order of their paths.
    left_out : tuple of LeftOut
        The others.
    """

    name: str
    files: fs.FileSystem
    data: tuple[DataFile, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """The paths below a folder: those that may be data, and others with the reason."""

    base: str
    paths: list[str]
    others: list[tuple[str, Absence]]
    tables: frozenset[str] = frozenset()


def find_files(snapshot: Snapshot) -> Found:
    """Find the files of a snapshot.

    A file below a folder or behind a glob is data if it is named as Parquet or begins like it,
    unless it or a folder above it is hidden (``_…`` or ``.…``). A path of a single file is taken
    at its word.

    Raises
    ------
    SnapshotNotFoundError
        If nothing is there, or no partition is wanted.
    SnapshotUnreadableError
        If it cannot be listed.
    """
    name = snapshot.label or _described(snapshot)
    files, path = filesystem(snapshot.path, snapshot.options)
    with reachable(name):
        listing = _listed(files, path)
    _refuse_tables(listing)
    if listing.paths and listing.paths != [path]:
        wanted = _wanted(snapshot, listing)
        with reachable(name):
            listing = _by_content(files, listing, wanted)
    data = _wanted(snapshot, listing) if listing.paths else []
    left_out = _left_out(snapshot, listing)
    if not data:
        raise _nothing_there(snapshot, left_out)
    return Found(name=name, files=files, data=tuple(data), left_out=left_out)


def _refuse_tables(listing: _Listing) -> None:
    """Refuse files that belong to a table of a lake: dead ones lie beside those that live."""
    for path in listing.paths:
        for root in listing.tables:
            if path.startswith(root):
                raise UsageError(
                    f"{path!r} belongs to the table at {root.rstrip('/')!r}, whose files hold dead "
                    "rows beside live ones; name the table itself"
                )


def _nothing_there(snapshot: Snapshot, left_out: Sequence[LeftOut]) -> SnapshotNotFoundError:
    others = f" ({'; '.join(map(str, left_out))})" if left_out else ""
    return SnapshotNotFoundError(
        f"no Parquet files at {redacted(snapshot.path)!r}{others}; "
        "expected a file, a folder, a glob or a URI that leads to some"
    )


def fingerprint(location: str) -> tuple[tuple[str, int, int], ...]:
    """Return the files behind a path, a glob or a URI, each with its size and time of change.

    Equal as long as the files are the same; nothing is read. Empty if nothing is there.

    Raises
    ------
    SnapshotUnreadableError
        If it cannot be listed.
    """
    files, path = filesystem(location)
    with reachable(redacted(location)):
        listing = _listed(files, path)
        paths = [*listing.paths, *(path for path, _ in listing.others)]  # the log of a table
        found = files.get_file_info(paths)
    return tuple((info.path, info.size or 0, info.mtime_ns or 0) for info in found)


@contextmanager
def reachable(name: str) -> Iterator[None]:
    """Name the snapshot in whatever Arrow says about a listing."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise SnapshotUnreadableError(f"{name}: cannot be listed: {first_line(error)}") from error


def _described(snapshot: Snapshot) -> str:
    partitions = ", ".join(f"{key}={','.join(snapshot.wanted(key))}" for key in snapshot.where)
    return redacted(snapshot.path) + (f" [{partitions}]" if partitions else "")


def _listed(files: fs.FileSystem, path: str) -> _Listing:
    """Return what lies at a path; partitions are counted from the listing's base."""
    info = files.get_file_info(path)
    if info.type == fs.FileType.File:
        return _Listing(base=path.rpartition("/")[0], paths=[path], others=[])
    if info.type == fs.FileType.Directory:
        return _below(files, "" if path == "." else path)
    magic = _MAGIC.search(path)
    if magic is None:
        return _Listing(base=path, paths=[], others=[])
    folder, slash, _ = path[: magic.start()].rpartition("/")
    matches = _glob(path).match
    everything = _below(files, folder or slash)
    return _Listing(
        base=folder,
        paths=[each for each in everything.paths if matches(each)],
        others=[each for each in everything.others if matches(each[0])],
        tables=everything.tables,
    )


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


def _below(files: fs.FileSystem, folder: str) -> _Listing:
    """Return what lies below a folder (``""``: the working directory), each file once."""
    selector = fs.FileSelector(folder or ".", recursive=True, allow_not_found=True)
    paths: list[str] = []
    others: list[tuple[str, Absence]] = []
    for info in files.get_file_info(selector):
        path = info.path if folder else info.path.removeprefix("./")
        if absence := _absence(info, path.removeprefix(folder)):
            others.append((path, absence))
        elif info.type != fs.FileType.Directory:
            paths.append(path)
    if isinstance(files, fs.LocalFileSystem):
        paths = _without_echoes(sorted(paths), folder)
        others += [(path, "dead_link") for path in _dead_links(folder)]
    marks = (_TABLE.match(path) for path in (*paths, *(path for path, _ in others)))
    tables = frozenset(mark[1] for mark in marks if mark)
    return _Listing(base=folder, paths=sorted(paths), others=sorted(others), tables=tables)


def _dead_links(folder: str) -> Iterator[str]:
    """Yield the links below a folder that lead nowhere; Arrow does not list them."""
    for above, _, names in os.walk(folder or "."):
        for path in (Path(above, name) for name in names):
            if path.is_symlink() and not path.exists():
                yield str(path)


def _absence(info: fs.FileInfo, path: str) -> Absence | None:
    """Say why an entry is no data, as far as its name and type tell."""
    if info.type == fs.FileType.Directory:
        return None
    if _hidden(path):
        return "hidden"
    return None if info.type == fs.FileType.File else "no_file"


def _hidden(path: str) -> bool:
    """Say whether a name begins with a dot or an underscore; partition keys may (``_day=1``)."""
    pieces = path.split("/")
    keys, name = pieces[:-1], pieces[-1]
    return name.startswith(("_", ".")) or any(
        each.startswith(".") or (each.startswith("_") and "=" not in each) for each in keys
    )


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


def _by_content(files: fs.FileSystem, listing: _Listing, wanted: list[DataFile]) -> _Listing:
    """Return the listing with those of the wanted files that are no Parquet among the others."""
    with ThreadPoolExecutor(THREADS) as pool:
        verdicts = pool.map(lambda each: _is_data(files, each.path), wanted)
        foreign = [each.path for each, is_data in zip(wanted, verdicts, strict=True) if not is_data]
    others = [*listing.others, *((path, "not_parquet") for path in foreign)]
    return replace(listing, paths=sorted({*listing.paths} - {*foreign}), others=others)


def _is_data(files: fs.FileSystem, path: str) -> bool:
    """Say whether a file is Parquet by its name, or by its first bytes."""
    return path.lower().endswith(_SUFFIXES) or head(files, path).startswith(_PARQUET)


def stamp_of(files: fs.FileSystem, path: str, stream: pa.NativeFile) -> Stamp:
    """Return what tells the file at a path from one that takes its place.

    On a disk the file's number, length and time of change; in an object store what it says of the
    object, its ETag among others; elsewhere length and time of change.
    """
    if isinstance(files, fs.LocalFileSystem):
        stat = Path(path).stat()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns
    if stated := stream.metadata():
        return tuple(sorted((str(key), bytes(value)) for key, value in stated.items()))
    info = files.get_file_info(path)
    return info.size, info.mtime_ns


def head(files: fs.FileSystem, path: str) -> bytes:
    """Return the first bytes of a file."""
    with files.open_input_file(path) as stream:
        first: bytes = stream.read(_HEAD)
    return first


def foreign_format(first: bytes) -> str:
    r"""Name the format of a file that is not Parquet by its first bytes; empty: not known.

    Examples
    --------
    >>> foreign_format(b"carrier,delay\\nAA,3\\n")
    'a CSV file'
    """
    for magic, name in _FORMATS:
        if first.startswith(magic):
            return name
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"{", b"[")):
        return "a JSON file"
    line = text.partition(b"\n")[0]
    return "a CSV file" if b"\x00" not in first and any(mark in line for mark in b",;\t|") else ""


def as_parquet(name: str) -> str:
    """Say how a file of a format becomes Parquet."""
    converter = _CONVERTERS.get(name)
    return f"convert it with  {converter}" if converter else "write it as Parquet"


def _left_out(snapshot: Snapshot, listing: _Listing) -> tuple[LeftOut, ...]:
    """Sum up what was left out of the partitions that are wanted."""
    names: dict[Absence, list[str]] = {}
    for path, absence in sorted(listing.others):
        if _in_partition(snapshot, _partition(path, listing.base)):
            names.setdefault(absence, []).append(path.removeprefix(listing.base).lstrip("/"))
    return tuple(LeftOut.of(kind, names[kind]) for kind in sorted(names))


def _in_partition(snapshot: Snapshot, partition: dict[str, str]) -> bool:
    return all(_matches(partition.get(key), snapshot.wanted(key)) for key in snapshot.where)


def _wanted(snapshot: Snapshot, listing: _Listing) -> list[DataFile]:
    found = [DataFile(path=p, partition=_partition(p, listing.base)) for p in listing.paths]
    return in_partitions(snapshot, found)


def in_partitions(snapshot: Snapshot, found: list[DataFile]) -> list[DataFile]:
    """Return the files whose partition the snapshot asks for.

    Raises
    ------
    SnapshotNotFoundError
        If no file is in such a partition; the message names those that there are.
    """
    for key in snapshot.where:
        known = sorted({name for each in found for name in each.partition})
        if key not in known:
            raise SnapshotNotFoundError(
                f"{redacted(snapshot.path)!r} has no partition key {key!r}; "
                f"found: {', '.join(known) or 'none'}.{did_you_mean(key, known)}"
            )
        values = sorted({each.partition[key] for each in found if key in each.partition})
        found = [e for e in found if _matches(e.partition.get(key), snapshot.wanted(key))]
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
