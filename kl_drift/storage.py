"""Where bytes live: a path or a URI becomes an Arrow filesystem and a path on it.

Knows local files, ``file://``, ``s3://``, ``gs://`` and whatever else Arrow opens; writes files
whole or not at all. Has never heard of Parquet, profiles or columns. Options may be secrets: they
reach Arrow and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from kl_drift.errors import SnapshotUnreadableError, UsageError, did_you_mean

if TYPE_CHECKING:
    from pyarrow import fs

_URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_FLAGS = frozenset({"anonymous", "allow_bucket_creation", "allow_bucket_deletion"})
_FLAGS_TRUE = frozenset({"true", "yes", "1"})
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_S3_OPTIONS = (
    "access_key", "secret_key", "session_token", "anonymous", "region", "endpoint_override",
    "scheme", "role_arn", "session_name", "external_id", "connect_timeout", "request_timeout",
)  # fmt: skip
_GS_OPTIONS = (
    "anonymous", "access_token", "target_service_account", "endpoint_override", "scheme",
    "project_id", "default_bucket_location",
)  # fmt: skip


def is_uri(location: str) -> bool:
    """Say whether ``location`` is a URI rather than a local path."""
    return bool(_URI.match(location))


def redacted(location: str) -> str:
    """Return the location without user, password and query, which may hold secrets."""
    if not is_uri(location):
        return location
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def filesystem(location: str, options: Mapping[str, str] | None = None) -> tuple[Any, str]:
    """Open the filesystem behind a path or a URI.

    Parameters
    ----------
    location : str
        A local path, or a URI such as ``s3://bucket/flights``.
    options : mapping of str to str, optional
        Arrow's options for the filesystem, e.g. ``endpoint_override``, ``region``. For S3 the
        environment variables ``AWS_ENDPOINT_URL_S3`` and ``AWS_ENDPOINT_URL`` are heeded too.

    Returns
    -------
    (pyarrow.fs.FileSystem, str)
        The filesystem and the path on it.

    Raises
    ------
    UsageError
        If an option is not known; the message names keys, never values.
    SnapshotUnreadableError
        If the filesystem cannot be opened.
    """
    from pyarrow import ArrowException, fs

    options = dict(options or {})
    scheme = urlsplit(location).scheme if is_uri(location) else ""
    try:
        if scheme in ("s3", "s3a", "s3n") and (options or _endpoint_of_environment()):
            return _s3(_options_in(location) | options), _object_path(location)
        if scheme in ("gs", "gcs") and options:
            _refuse_unknown(options, _GS_OPTIONS, "gs")
            return fs.GcsFileSystem(**_typed(options)), _object_path(location)
        if options:
            raise UsageError(
                f"options {sorted(options)} are for s3:// and gs:// locations, "
                f"not for {redacted(location)!r}; remove them"
            )
        if scheme:
            opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(location)
            return opened
    except (ArrowException, OSError, TypeError) as error:
        raise SnapshotUnreadableError(
            f"cannot open {redacted(location)!r}: {type(error).__name__}; check the URI and options"
        ) from None  # the cause may print the options
    return fs.LocalFileSystem(), str(Path(location).expanduser())


def _endpoint_of_environment() -> str:
    return next((os.environ[name] for name in _ENDPOINT_VARIABLES if os.environ.get(name)), "")


def _s3(options: dict[str, str]) -> fs.FileSystem:
    from pyarrow import fs

    _refuse_unknown(options, _S3_OPTIONS, "s3")
    if endpoint := _endpoint_of_environment():
        options.setdefault("endpoint_override", endpoint)
    if is_uri(endpoint := options.get("endpoint_override", "")):
        options["scheme"] = urlsplit(endpoint).scheme
        options["endpoint_override"] = urlsplit(endpoint).netloc
    return fs.S3FileSystem(**_typed(options))


def _refuse_unknown(options: Mapping[str, str], known: tuple[str, ...], scheme: str) -> None:
    for key in options:
        if key not in known:
            raise UsageError(
                f"unknown option {key!r} for {scheme}://; known: {', '.join(known)}."
                + did_you_mean(key, known)
            )


def _typed(options: Mapping[str, str]) -> dict[str, object]:
    typed: dict[str, object] = dict(options)
    for key in _FLAGS & options.keys():
        typed[key] = options[key].lower() in _FLAGS_TRUE
    for key in {"connect_timeout", "request_timeout"} & options.keys():
        typed[key] = float(options[key])
    return typed


def _options_in(location: str) -> dict[str, str]:
    """Return the options that the URI itself carries, as Arrow reads them."""
    parts = urlsplit(location)
    stated = dict(parse_qsl(parts.query))
    if parts.username and parts.password:
        stated |= {"access_key": unquote(parts.username), "secret_key": unquote(parts.password)}
    return stated


def _object_path(location: str) -> str:
    parts = urlsplit(location)
    return (parts.netloc.rpartition("@")[2] + parts.path).rstrip("/")


def read_bytes(location: str, options: Mapping[str, str] | None = None) -> bytes:
    """Read a whole file.

    Raises
    ------
    FileNotFoundError, OSError
        As the filesystem says.
    """
    files, path = filesystem(location, options)
    with files.open_input_stream(path) as stream:
        data: bytes = stream.read()
    return data


def write_bytes(location: str, data: bytes, options: Mapping[str, str] | None = None) -> None:
    """Write a whole file or nothing: aside, flushed to the disk, then renamed.

    An object store shows an object only once it is whole, so there it is written in place.

    Raises
    ------
    OSError
        As the filesystem says; what was there before is then still there.
    """
    if is_uri(location) and not location.startswith("file://"):
        files, path = filesystem(location, options)
        with files.open_output_stream(path) as stream:
            stream.write(data)
        return
    _replace_file(Path(filesystem(location, options)[1]), data)


def _replace_file(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(aside).chmod(_mode_for(target))
        Path(aside).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(aside).unlink()
        raise


def _mode_for(target: Path) -> int:
    """Return the permissions of the file that is replaced, or those a new file would get."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
