"""A SQL database, SQLite or PostgreSQL: where it is, its transactions, the version of its tables.

Knows URLs and their secrets, what the two databases do not agree on, and how older tables become
today's. Has never heard of profiles, of reports or of what a statement is for.

A connection lasts for one transaction, so that nothing needs closing, a fork does no harm, and a
server that is gone is noticed within the time allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kl_drift.errors import HistoryError, HistoryTooNewError, MissingExtraError, UsageError
from kl_drift.storage import is_secret, is_uri

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult, Engine

Migration: TypeAlias = tuple[str, ...]
"""Statements that make version n + 1 of the tables of version n; ``{key}`` and ``{bytes}`` are the
database's types of a counted key and of bytes."""

Addition: TypeAlias = tuple[str, Mapping[str, object]]
"""A statement that adds a row, and the row."""

_ADD_SCHEMA = "CREATE TABLE kl_drift_schema (version INTEGER PRIMARY KEY, migrated TEXT NOT NULL)"
_ADD_VERSION = "INSERT INTO kl_drift_schema (version, migrated) VALUES (:version, :now)"
_VERSION = "SELECT MAX(version) FROM kl_drift_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """What the two databases do not agree on."""

    driver: str
    key: str
    bytes: str
    read: str
    write: str
    lock: str
    remedy: str

    def typed(self, statement: str) -> str:
        """Write a statement with this database's types."""
        return statement.format(key=self.key, bytes=self.bytes)


_SQLITE = _Dialect(
    driver="sqlite",
    key="INTEGER PRIMARY KEY",
    bytes="BLOB",
    read="BEGIN",
    write="BEGIN IMMEDIATE",  # waits for its turn; a lock taken later would fail at once instead
    lock="SELECT 1",
    remedy="check that it is a SQLite file, not locked, and that it and its folder can be written",
)
_POSTGRESQL = _Dialect(
    driver="postgresql+psycopg",
    key="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    bytes="BYTEA",
    read="SET LOCAL statement_timeout = {milliseconds}",
    write="SET LOCAL statement_timeout = {milliseconds}",
    lock="SELECT pg_advisory_xact_lock(7577391024)",  # any number that others will not take
    remedy="check that the server is up, and that the user may create tables and add to them",
)
_DIALECTS = {
    "sqlite": _SQLITE,
    "sqlite+pysqlite": _SQLITE,
    "postgres": _POSTGRESQL,
    "postgresql": _POSTGRESQL,
    "postgresql+psycopg": _POSTGRESQL,
    "postgresql+psycopg2": _POSTGRESQL,
}


class Database:
    """A database that is there and whose tables are those of today.

    Open it with :meth:`open`. Safe to share between threads and processes.
    """

    def __init__(self, url: URL, dialect: _Dialect, timeout: float) -> None:
        self.where = _shown(url)
        """Where it is, without secrets."""
        self._dialect = dialect
        self._milliseconds = max(1, round(timeout * 1000))
        self._engine = _engine(url, dialect, timeout)

    @classmethod
    def open(
        cls, location: str, migrations: tuple[Migration, ...], *, create: bool, timeout: float
    ) -> Database:
        """Open a database, and bring older tables up to date in one transaction.

        Parameters
        ----------
        location : str
            A SQLite file, or a URL: ``postgresql://user:password@host/database``,
            ``sqlite:///file``.
        migrations : tuple of Migration
            All there are; a new database is one of version 0.
        create : bool
            Whether to make the tables (of SQLite: the file and its folder) if there are none.
        timeout : float
            Seconds that anything may wait: for the server, for a lock, for an answer.

        Raises
        ------
        HistoryError
            If it cannot be reached, or is not there and must not be created.
        HistoryTooNewError
            If its tables are of a later version.
        MissingExtraError
            If the driver of PostgreSQL is not installed.
        UsageError
            If the location is no path or URL of these databases. Passwords are never shown.
        """
        url, dialect = _parsed(location)
        _make_folder(url, create=create)
        database = cls(url, dialect, timeout)
        database._migrate(migrations, create=create)
        return database

    def close(self) -> None:
        """Forget a database in memory; others hold nothing open."""
        self._engine.dispose()

    def read(self, statement: str, **values: object) -> list[dict[str, Any]]:
        """Return the rows that a statement finds."""
        with self._transaction() as connection:
            return [row._asdict() for row in _run(connection, statement, values)]

    def add(self, *additions: Addition) -> int:
        """Add rows, all or none, and return how many were new."""
        with self._transaction(write=True) as connection:
            return sum(_run(connection, *addition).rowcount for addition in additions)

    def _migrate(self, migrations: tuple[Migration, ...], *, create: bool) -> None:
        newest = len(migrations)
        with self._transaction() as connection:
            version = self._version(connection, newest)
        if version == 0 and not create:
            raise _nothing_at(self.where)
        if version == newest:
            return
        with self._transaction(write=True) as connection:
            _run(connection, self._dialect.lock)
            version = self._version(connection, newest)  # another process may have been faster
            if version == 0:
                _run(connection, _ADD_SCHEMA)
            for number, migration in enumerate(migrations[version:], version + 1):
                for statement in migration:
                    _run(connection, self._dialect.typed(statement))
                _run(connection, _ADD_VERSION, {"version": number, "now": now()})

    def _version(self, connection: Connection, newest: int) -> int:
        """Return the version of the tables, 0 if there are none; a newer one is refused."""
        from sqlalchemy import inspect

        if not inspect(connection).has_table("kl_drift_schema"):
            return 0
        version = int(_run(connection, _VERSION).scalar_one())
        if version > newest:
            raise HistoryTooNewError(
                f"history {self.where}: its tables are of version {version}, this kl-drift knows "
                f"up to {newest}; run  pip install --upgrade kl-drift"
            )
        return version

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[Connection]:
        """Do all or nothing; what the database complains of becomes a HistoryError."""
        from sqlalchemy.exc import SQLAlchemyError

        begin = self._dialect.write if write else self._dialect.read
        try:
            with self._engine.connect() as connection, connection.begin():
                _run(connection, begin.format(milliseconds=self._milliseconds))
                yield connection
        except SQLAlchemyError as error:
            raise HistoryError(
                f"history {self.where}: cannot be {'written' if write else 'read'}: "
                f"{_cause(error, self._engine.url)}; {self._dialect.remedy}"
            ) from None  # the cause may print the URL


def _parsed(location: str) -> tuple[URL, _Dialect]:
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if not location:
        raise UsageError("a history needs a location: a SQLite file, or postgresql://…")
    if not is_uri(location):
        return URL.create("sqlite", database=str(Path(location).expanduser())), _SQLITE
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):
        raise _no_url(location) from None  # the cause may print the password
    dialect = _DIALECTS.get(url.drivername)
    if dialect is None or (dialect is _POSTGRESQL and location.count("@") > 1):
        raise _no_url(location)
    return url.set(drivername=dialect.driver), dialect


def _no_url(location: str) -> UsageError:
    """Refuse a URL without showing it: where it cannot be read, the password may be anywhere."""
    return UsageError(
        f"history {location.partition('://')[0]}://…: expected sqlite:///file or "
        "postgresql://user:password@host:port/database; write @ in a password as %40, / as %2F"
    )


def _shown(url: URL) -> str:
    """Name the database without password and options, among which there may be another one."""
    if url.drivername == _SQLITE.driver:
        return url.database or ":memory:"
    return url.set(query={}).render_as_string(hide_password=True)


def _in_memory(url: URL) -> bool:
    return url.drivername == _SQLITE.driver and url.database in (None, "", ":memory:")


def _make_folder(url: URL, *, create: bool) -> None:
    """Make a SQLite file's folder; SQLite itself would make the file on a mere look."""
    if url.drivername != _SQLITE.driver or _in_memory(url) or "uri" in url.query:
        return
    path = Path(str(url.database))
    if not create and not path.exists():
        raise _nothing_at(_shown(url))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(
            f"history {_shown(url)}: its folder cannot be made: {error}; name another one"
        ) from error


def _engine(url: URL, dialect: _Dialect, timeout: float) -> Engine:
    from sqlalchemy import NullPool, StaticPool, create_engine

    arguments = _arguments(dialect, timeout)
    try:
        return create_engine(
            url,
            poolclass=StaticPool if _in_memory(url) else NullPool,
            connect_args={key: arguments[key] for key in arguments.keys() - url.query.keys()},
            hide_parameters=True,
        )
    except ImportError as error:
        raise MissingExtraError("postgres", "a history in PostgreSQL") from error


def _arguments(dialect: _Dialect, timeout: float) -> dict[str, object]:
    """Return how to connect, unless the URL says otherwise, so that nothing waits for ever."""
    if dialect is _SQLITE:
        return {"timeout": timeout, "check_same_thread": False}
    return {
        "application_name": "kl-drift",
        "connect_timeout": max(2, round(timeout)),  # 1 would mean 2, and 0 for ever
        "tcp_user_timeout": max(1, round(timeout * 1000)),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
    }


def _cause(error: Exception, url: URL) -> str:
    """Say in one line what the database complained of, without a password that it may repeat."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    options = (value for key, value in url.query.items() if is_secret(key))
    for secret in (url.password, *options):
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    return text


def _run(
    connection: Connection, statement: str, values: Mapping[str, object] | None = None
) -> CursorResult[Any]:
    from sqlalchemy import text

    return connection.execute(text(statement), values or {})


def _nothing_at(where: str) -> HistoryError:
    return HistoryError(f"no history at {where}; run a check that records there first")


def now() -> str:
    """Return this moment, UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
