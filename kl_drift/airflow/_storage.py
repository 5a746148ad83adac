"""Where things are, as Airflow users say it: a path, or a URI with the id of a connection.

Knows Airflow connections, and which options of an object store, or which URL of a history, are in
them. Has never heard of profiles or checks. What it returns may hold secrets: it goes to the core,
which never shows them, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kl_drift.errors import UsageError

if TYPE_CHECKING:
    from airflow.sdk import Connection

_QUERY = re.compile(r"\?[^/?=]+=")
_S3 = ("s3", "s3a", "s3n")
_GS = ("gs", "gcs")
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
    scheme, user, path = _parts(location)
    if not scheme:
        return location, {}
    conn_id = user or conn_id
    return f"{scheme}://{path}", _options(scheme, conn_id) if conn_id else {}


def with_connection(location: str, conn_id: str | None) -> str:
    """Return a location that names its connection, so that other tasks need not be told."""
    scheme, user, path = _parts(location)
    conn_id = user or conn_id
    return f"{scheme}://{conn_id}@{path}" if scheme and conn_id else location


def _parts(location: str) -> tuple[str, str, str]:
    """Return scheme, connection and path of a URI in an object store; of others, no scheme."""
    scheme, _, rest = location.partition("://")
    scheme = scheme.lower()
    if scheme not in _S3 + _GS or scheme == location:
        return "", "", location
    user, _, path = rest.rpartition("@") if "@" in rest.partition("/")[0] else ("", "", rest)
    if ":" in user or ":" in path.partition("/")[0] or _QUERY.search(path):
        raise UsageError(
            f"a {scheme}:// location holds credentials or options, which Airflow's logs and pages "
            f"would show; put them into a connection and write  {scheme}://CONNECTION@bucket/key"
        )
    return scheme, user, path


def connection(conn_id: str) -> Connection:
    """Return an Airflow connection."""
    from airflow.sdk import Connection

    found: Connection = Connection.get(conn_id)
    return found


def _options(scheme: str, conn_id: str) -> dict[str, str]:
    read = _s3 if scheme in _S3 else _gs
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
    """Read what can be read without Google's libraries: a token, or that there is none."""
    extra = conn.extra_dejson
    unread = {"key_path", "keyfile_dict", "key_secret_name"} & extra.keys()
    if unread:
        raise UsageError(
            f"connection {conn.conn_id}: {', '.join(sorted(unread))} cannot be read here; set "
            "GOOGLE_APPLICATION_CREDENTIALS on the workers instead, or give extra `token`"
        )
    return {
        "access_token": extra.get("token"),
        "anonymous": "true" if extra.get("is_anonymous") else None,
        "project_id": extra.get("project"),
        "endpoint_override": extra.get("endpoint_url"),
        "target_service_account": extra.get("impersonation_chain"),
    }


def history_url(conn_id: str) -> str:
    """Return the path or URL of the history that a connection leads to.

    A connection with a database (its *schema*) is a PostgreSQL server; without one, its host is the
    path of a SQLite file.
    """
    conn = connection(conn_id)
    if not conn.schema:
        if not conn.host:
            raise UsageError(
                f"connection {conn_id}: expected a host with a database, for PostgreSQL, or a path "
                "as the host, for SQLite; found neither"
            )
        return conn.host
    user = quote(conn.login or "", safe="")
    password = f":{quote(conn.password, safe='')}" if conn.password else ""
    port = f":{conn.port}" if conn.port else ""
    return f"postgresql://{user}{password}{'@' if user else ''}{conn.host}{port}/{conn.schema}"


def snapshot_keys(value: object) -> dict[str, Any]:
    """Return the keys of a snapshot or a profile from whatever a task was given for one.

    A path, a :class:`~kl_drift.Snapshot`, a mapping of its fields, or what another task of kl-drift
    returned, which names its profile.
    """
    if isinstance(value, Mapping):
        return {"path": str(value["profile"])} if "profile" in value else dict(value)
    if _is_snapshot(value):
        found = {name: getattr(value, name) for name in _FIELDS}
        return {name: each for name, each in found.items() if each}
    return {"path": str(value)}


def is_named(value: object) -> bool:
    """Say whether a value names rows or a profile, rather than being rows itself."""
    if isinstance(value, Mapping):
        return "profile" in value or ("path" in value and value.keys() <= set(_FIELDS))
    return isinstance(value, str | PathLike) or _is_snapshot(value)


def _is_snapshot(value: object) -> bool:
    return all(hasattr(value, name) for name in _FIELDS)
