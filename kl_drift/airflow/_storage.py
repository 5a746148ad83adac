"""Where things are, as Airflow users say it: a path, or a URI with the id of a connection.

Knows Airflow connections, and which options of an object store, or which URL of a history, are in
them. Has never heard of profiles or checks. What it returns may hold secrets: it goes to the core,
which never shows them, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kl_drift.errors import MissingExtraError, UsageError
from kl_drift.storage import Uri, is_uri

if TYPE_CHECKING:
    from airflow.sdk import Connection

_GS_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_FIELDS = ("path", "where", "label", "as_of", "options")


def located(location: str, conn_id: str | None = None) -> tuple[str, dict[str, str]]:
    """Return a location without its connection, and the options that the connection says.

    Parameters
    ----------
    location : str
        A path, or a URI such as ``s3://bucket/key`` or, with a connection, ``s3://conn@bucket/key``.
    conn_id : str, optional
        The connection where the URI names none; not used for local files.

    Raises
    ------
    UsageError
        If the URI holds credentials, or the connection cannot be used for it.
    """
    uri = _in_bucket(location)
    if uri is None:
        return location, {}
    conn_id = uri.user or conn_id
    return f"{uri.scheme}://{uri.path}", _options(uri, conn_id) if conn_id else {}


def with_connection(location: str, conn_id: str | None) -> str:
    """Return a location that names its connection, so that other tasks need not be told."""
    uri = _in_bucket(location)
    conn_id = (uri and uri.user) or conn_id
    return f"{uri.scheme}://{conn_id}@{uri.path}" if uri and conn_id else location


def _in_bucket(location: str) -> Uri | None:
    """Return a URI in an object store, whose user is a connection; ``None`` for other locations."""
    uri = Uri.of(location)
    if not (is_uri(location) and uri.is_in_bucket):
        return None
    if not uri.is_bare:
        raise UsageError(
            f"a {uri.scheme}:// location holds credentials or options, which Airflow's logs and "
            "pages would show; put them into a connection and write  "
            f"{uri.scheme}://CONNECTION@bucket/key"
        )
    return uri


def connection(conn_id: str) -> Connection:
    """Return an Airflow connection."""
    from airflow.sdk import Connection

    found: Connection = Connection.get(conn_id)
    return found


def _options(uri: Uri, conn_id: str) -> dict[str, str]:
    read = _s3 if uri.family == "s3" else _gs
    stated = read(connection(conn_id))
    return {key: str(value) for key, value in stated.items() if value}


def _s3(conn: Connection) -> dict[str, Any]:
    """Read what Airflow's own `aws` connections say: login, password and the usual extras."""
    extra = conn.extra_dejson
    service = extra.get("service_config", {}).get("s3", {})
    return {
        "access_key": conn.login or extra.get("aws_access_key_id"),
        "secret_key": conn.password or extra.get("aws_secret_access_key"),
        "session_token": extra.get("aws_session_token"),
        "region": extra.get("region_name"),
        "endpoint_override": service.get("endpoint_url") or extra.get("endpoint_url"),
        "role_arn": extra.get("role_arn"),
        "external_id": extra.get("assume_role_kwargs", {}).get("ExternalId"),
    }


def _gs(conn: Connection) -> dict[str, Any]:
    """Read what Airflow's `google_cloud_platform` connections say: a key, a token, or neither."""
    extra = conn.extra_dejson
    if extra.get("key_secret_name"):
        raise UsageError(
            f"connection {conn.conn_id}: key_secret_name cannot be read here; give keyfile_dict or "
            "key_path, or set GOOGLE_APPLICATION_CREDENTIALS on the workers instead"
        )
    return {
        "access_token": extra.get("token") or _token_of_service_account(conn.conn_id, extra),
        "anonymous": "true" if extra.get("is_anonymous") else None,
        "project_id": extra.get("project"),
        "endpoint_override": extra.get("endpoint_url"),
        "target_service_account": extra.get("impersonation_chain"),
    }


def _token_of_service_account(conn_id: str, extra: Mapping[str, Any]) -> str | None:
    """Ask Google for a token, which Arrow takes, by a service account's key, which it does not."""
    key, path = extra.get("keyfile_dict"), extra.get("key_path")
    if not key and not path:
        return None
    try:
        from google.auth.transport.requests import Request
        from google.oauth2.service_account import Credentials
    except ImportError as error:
        raise MissingExtraError("gcs", f"The key in connection {conn_id}") from error
    try:
        text = Path(path).read_text(encoding="utf-8") if path else key
        stated = json.loads(text) if isinstance(text, str) else text
        credentials = Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            stated, scopes=[_GS_SCOPE]
        )
    except (OSError, TypeError, ValueError) as error:
        raise UsageError(
            f"connection {conn_id}: expected the JSON key of a service account in keyfile_dict or "
            f"key_path; it cannot be read ({type(error).__name__})"
        ) from None  # the cause may print the key
    credentials.refresh(Request())
    return str(credentials.token)


def history_url(conn_id: str) -> str:
    """Return the path or URL of the history that a connection leads to.

    A connection with a database (its *schema*) is a PostgreSQL server; without one, its host is the
    path of a SQLite file.
    """
    conn = connection(conn_id)
    if not conn.host:
        raise UsageError(
            f"connection {conn_id}: expected a host with a database, for PostgreSQL, or a path as "
            "the host, for SQLite; found no host"
        )
    if not conn.schema:
        return conn.host
    user = quote(conn.login or "", safe="")
    password = f":{quote(conn.password, safe='')}" if conn.password else ""
    port = f":{conn.port}" if conn.port else ""
    return f"postgresql://{user}{password}{'@' if user else ''}{conn.host}{port}/{conn.schema}"


def snapshot_keys(value: object) -> dict[str, Any]:
    """Return the keys of a snapshot or a profile from whatever a task was given for one.

    A path, a :class:`~kl_drift.Snapshot`, a mapping of its fields, or what another task of kl-drift
    returned, which names its profile.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    if isinstance(value, Mapping) and "profile" in value:
        return {"path": str(value["profile"])}
    if isinstance(value, Mapping) and "path" in value:
        return dict(value)
    if _is_snapshot(value):
        found = {name: getattr(value, name) for name in _FIELDS}
        return {name: each for name, each in found.items() if each}
    if value is None or isinstance(value, Mapping):
        found_instead = "nothing" if value is None else f"keys {', '.join(map(str, value))}"
        raise UsageError(
            "expected a snapshot or a profile: a path, a mapping with path, or what another task "
            f"of kl-drift returned; got {found_instead}"
        )
    return {"path": str(value)}


def plain_snapshot(value: Any) -> Any:
    """Return a snapshot as a mapping, whose texts Airflow fills; one with options stays as it is.

    Options may be secrets, and what Airflow fills it also keeps and shows.
    """
    return snapshot_keys(value) if _is_snapshot(value) and not value.options else value


def is_named(value: object) -> bool:
    """Say whether a value names rows or a profile, rather than being rows itself."""
    if isinstance(value, Mapping):
        return "profile" in value or isinstance(value.get("path"), str | PathLike)
    return isinstance(value, str | PathLike) or _is_snapshot(value)


def _is_snapshot(value: object) -> bool:
    return all(hasattr(value, name) for name in _FIELDS)
