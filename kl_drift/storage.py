"""Where bytes live: a path or a URI becomes an Arrow filesystem and a path on it.

Knows local files, ``file://``, ``s3://``, ``gs://`` and whatever else Arrow opens; writes files
whole or not at all. Has never heard of Parquet, profiles or columns. Options may be secrets: they
reach Arrow and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from kl_drift.errors import (
    KLDriftError,
    SnapshotUnreadableError,
    UsageError,
    did_you_mean,
    first_line,
)

if TYPE_CHECKING:
    from pyarrow import fs

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# A stray slash in the password is forgiven, lest the secret be taken for a part of the path. A
# bucket has no port, so that any colon is a password's; elsewhere what looks like a port is one.
_USER = re.compile(r"[^/]*@|[^/@:]*:(?!\d+(?:/|$))[^@]*@")
_USER_OF_BUCKET = re.compile(r"[^/]*@|[^/@:]*:[^@]*@")
_QUERY = re.compile(r"\?(?=[^/?=]+=)")  # any other question mark belongs to a glob
_OPTION = re.compile(r"[^=&]+(?==)")  # its name
_SECRET = re.compile(r"(?i)password|passwd|secret|token|key")
_S3 = ("s3", "s3a", "s3n")
_GS = ("gs", "gcs")
_ARROW = ("abfs", "abfss", "hdfs", "viewfs", "mock")  # opened by Arrow, from their URI
_TRUE = ("true", "yes", "1")
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_S3_OPTIONS = (
    "access_key", "secret_key", "session_token", "anonymous", "region", "endpoint_override",
    "scheme", "role_arn", "session_name", "external_id", "connect_timeout", "request_timeout",
)  # fmt: skip
_GS_OPTIONS = (
    "anonymous", "access_token", "credential_token_expiration", "target_service_account",
    "endpoint_override", "scheme", "project_id", "default_bucket_location", "retry_time_limit",
)  # fmt: skip
_GS_RETRY_SECONDS = "60"  # Arrow's default is a quarter of an hour, which looks like hanging
_GS_TOKEN_LASTS = timedelta(hours=1)  # as Google's do


@dataclass(frozen=True, slots=True, kw_only=True)
class Uri:
    """A URI in pieces; user and query may be secrets."""

    scheme: str
    user: str
    path: str
    query: str

    @classmethod
    def of(cls, location: str) -> Uri:
        """Take a URI to pieces; a text that is none becomes a scheme without a path."""
        scheme, _, rest = location.partition("://")
        scheme = scheme.lower()
        user = (_USER_OF_BUCKET if scheme in _S3 + _GS else _USER).match(rest)
        path, *query = _QUERY.split(rest[user.end() :] if user else rest, maxsplit=1)
        return cls(
            scheme=scheme,
            user=user[0][:-1] if user else "",
            path=path,
            query="".join(query),
        )

    @property
    def family(self) -> str:
        """The kind of store: ``s3`` or ``gs``, however it is spelt; of others, the scheme."""
        return next((names[0] for names in (_S3, _GS) if self.scheme in names), self.scheme)

    @property
    def is_in_bucket(self) -> bool:
        """Whether it is a place in an object store of Amazon's or Google's kind."""
        return self.scheme in _S3 + _GS

    @property
    def is_bare(self) -> bool:
        """Whether it says no more than a name, a bucket and a key: no password and no options."""
        return ":" not in self.user + self.path.partition("/")[0] and not self.query


def is_uri(location: str) -> bool:
    """Say whether ``location`` is a URI rather than a local path."""
    return bool(_SCHEME.match(location))


def redacted(location: str) -> str:
    """Return the location without user, password and query, which may hold secrets."""
    if not is_uri(location):
        return location
    uri = Uri.of(location)
    return f"{uri.scheme}://{uri.path}"


def is_secret(option: str) -> bool:
    """Say whether an option of a URI, by its name, may hold a password or a key."""
    return bool(_SECRET.search(option))


def holds_password(location: str) -> bool:
    """Say whether a URI names a password or a key: behind its user, or among its options."""
    if not is_uri(location):
        return False
    uri = Uri.of(location)
    return ":" in uri.user or any(map(is_secret, _OPTION.findall(uri.query)))


def place_of(location: str) -> tuple[str, str]:
    """Return the store and the path on it that tell a location from others, however it is spelt.

    Links of a local path are followed; the store of a local path is empty. The URL of an SQLite
    database is the path of its file.

    Examples
    --------
    >>> place_of("s3a://key:secret@lake/flights/") == place_of("s3://lake/flights")
    True
    """
    if not is_uri(location):
        return "", os.path.realpath(Path(location).expanduser())
    uri = Uri.of(location)
    if uri.scheme.startswith("sqlite"):
        return "", os.path.realpath(uri.path.removeprefix("/"))
    if uri.scheme == "file":
        return "", os.path.realpath(_local_path(location))
    return uri.family, uri.path.rstrip("/")


def filesystem(location: str, options: Mapping[str, str] | None = None) -> tuple[Any, str]:
    """Open the filesystem behind a path or a URI.

    Parameters
    ----------
    location : str
        A local path, or a URI such as ``s3://bucket/flights``. Keys of an object store are taken
        as they stand; only in ``file://`` are ``%20`` and the like decoded.
    options : mapping of str to str, optional
        Arrow's options for the filesystem, e.g. ``endpoint_override``, ``region``. For S3 the
        environment variables ``AWS_ENDPOINT_URL_S3`` and ``AWS_ENDPOINT_URL`` are heeded too. For
        Google, ``retry_time_limit`` is in seconds, 60 by default.

    Returns
    -------
    (pyarrow.fs.FileSystem, str)
        The filesystem and the path on it.

    Raises
    ------
    UsageError
        If an option is not known or has no value of its kind; the message names keys, never values.
    SnapshotUnreadableError
        If the filesystem cannot be opened.
    """
    from pyarrow import ArrowException

    options = {key: str(value) for key, value in (options or {}).items()}
    try:
        return _opened(location, options)
    except KLDriftError:
        raise
    except (ArrowException, OSError, TypeError, ValueError) as error:
        raise SnapshotUnreadableError(
            f"cannot open {redacted(location)!r}: "
            f"{first_line(_without_secrets(error, location, options))}; check the URI and options"
        ) from None  # the cause may print the options


def _opened(location: str, options: dict[str, str]) -> tuple[fs.FileSystem, str]:
    from pyarrow import fs

    uri = Uri.of(location) if is_uri(location) else None
    if uri and uri.scheme in _S3:
        return _s3(uri, _s3_options_in(uri) | options), uri.path.rstrip("/")
    if uri and uri.scheme in _GS:
        return _gs(_gs_options_in(uri) | options), uri.path.rstrip("/")
    if options:
        raise UsageError(
            f"options {sorted(options)} are for s3:// and gs:// locations, "
            f"not for {redacted(location)!r}; remove them"
        )
    if uri and uri.scheme == "file":
        return fs.LocalFileSystem(), _local_path(location)
    if uri and uri.scheme not in _ARROW:
        raise SnapshotUnreadableError(
            f"cannot open {redacted(location)!r}: kl-drift has no reader for {uri.scheme}://; use "
            "s3://, gs://, abfs:// (Azure), hdfs://, file:// or a local path"
        )
    if uri:
        opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(location)
        return opened
    return fs.LocalFileSystem(), str(Path(location).expanduser())


def _without_secrets(error: Exception, location: str, options: Mapping[str, str]) -> str:
    """Return what the error says, or only its kind where it may repeat a secret."""
    uri, said = Uri.of(location), str(error)
    leaks = uri.user or uri.query or any(value in said for value in options.values() if value)
    return type(error).__name__ if leaks else said


def _local_path(location: str) -> str:
    path = location.partition("://")[2].removeprefix("localhost")
    if not path.startswith("/"):
        raise UsageError(f"{location!r} names a host; write file:///folder/file, three slashes")
    return str(Path(unquote(path)))


def _endpoint_of_environment() -> str:
    return next((os.environ[name] for name in _ENDPOINT_VARIABLES if os.environ.get(name)), "")


def _s3(uri: Uri, options: dict[str, str]) -> fs.FileSystem:
    from pyarrow import fs

    _refuse_unknown(options, _S3_OPTIONS, uri.scheme)
    if endpoint := _endpoint_of_environment():
        options.setdefault("endpoint_override", endpoint)
    if not options:  # only so does Arrow ask for the bucket's region
        return fs.FileSystem.from_uri(f"s3://{uri.path.partition('/')[0]}")[0]
    if is_uri(endpoint := options.get("endpoint_override", "")):
        options["scheme"], _, host = endpoint.partition("://")
        options["endpoint_override"] = host.rstrip("/")
    return fs.S3FileSystem(**_typed(options))


def _gs(options: dict[str, str]) -> fs.FileSystem:
    from pyarrow import fs

    _refuse_unknown(options, _GS_OPTIONS, "gs")
    options.setdefault("retry_time_limit", _GS_RETRY_SECONDS)
    if "access_token" in options:
        lasts = (datetime.now(UTC) + _GS_TOKEN_LASTS).isoformat()
        options.setdefault("credential_token_expiration", lasts)
    return fs.GcsFileSystem(**_typed(options))


def _refuse_unknown(options: Mapping[str, str], known: tuple[str, ...], scheme: str) -> None:
    for key in options:
        if key not in known:
            raise UsageError(
                f"unknown option {key!r} for {scheme}://; known: {', '.join(known)}."
                + did_you_mean(key, known)
            )


def _typed(options: Mapping[str, str]) -> dict[str, object]:
    return {key: _value(key, text) for key, text in options.items()}


def _value(key: str, text: str) -> object:
    try:
        if key == "anonymous":
            return text.lower() in _TRUE
        if key in ("connect_timeout", "request_timeout"):
            return float(text)
        if key == "retry_time_limit":
            return timedelta(seconds=float(text))
        if key == "credential_token_expiration":
            return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        wanted = "an ISO 8601 moment" if key == "credential_token_expiration" else "seconds"
        raise UsageError(f"option {key!r} has no value of its kind; expected {wanted}") from None
    return text


def _s3_options_in(uri: Uri) -> dict[str, str]:
    """Return the options that the URI itself carries, as Arrow reads them."""
    stated = dict(parse_qsl(uri.query))
    user, colon, password = uri.user.partition(":")
    if colon:
        stated |= {"access_key": unquote(user), "secret_key": unquote(password)}
    return stated


def _gs_options_in(uri: Uri) -> dict[str, str]:
    stated = dict(parse_qsl(uri.query))
    return stated | ({"anonymous": "true"} if uri.user == "anonymous" else {})


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
    if is_uri(location) and not location.lower().startswith("file://"):
        files, path = filesystem(location, options)
        with files.open_output_stream(path) as stream:
            stream.write(data)
        return
    _replace_file(Path(filesystem(location, options)[1]), data)


def _replace_file(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=_aside(target, os.getpid()))
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


def _aside(target: Path, process: int | str) -> str:
    """Return how a file begins that is written aside: it names its target, machine and process."""
    return f".{target.name}.kl-drift-{platform.node()}-{process}."


def _sweep(target: Path) -> None:
    """Remove what writers of the same file left behind that were killed on this machine."""
    ours = re.compile(re.escape(_aside(target, "\0")).replace("\0", r"(\d+)"))
    for name in os.listdir(target.parent):  # noqa: PTH208 - names are all it takes
        if (owner := ours.match(name)) and not _is_running(int(owner[1])):
            with contextlib.suppress(OSError):  # another writer may be faster
                (target.parent / name).unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # someone else's, or no number of a process at all
        return True
    return True


def _mode_for(target: Path) -> int:
    """Return the permissions of the file that is replaced, or those a new file would get."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
