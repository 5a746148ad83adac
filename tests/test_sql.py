"""What databases have and the core has not: collations, infinite dates, values of any type."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

import kl_drift as kd
from kl_drift.engines import sql
from kl_drift.errors import (
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
    UsageError,
)


@pytest.fixture
def lite():
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres(server):
    """A connection in a schema of its own, gone at the end."""
    engine = sa.create_engine(server.set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        schema = f"test_{uuid4().hex}"
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}; SET search_path TO {schema}")
        yield connection
        connection.rollback()


def lines(connection, *statements) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def counts(bind, table, reference):
    return kd.scan(kd.SqlTable(bind, table), like=reference).counted


WORDS = kd.fit({"word": ["a", "A", "b"] * 9}, columns=["word"])


def test_texts_are_told_apart_by_bytes_whatever_the_collation_of_sqlite(lite) -> None:
    with lite.begin() as connection:
        lines(
            connection,
            "CREATE TABLE t (word TEXT COLLATE NOCASE)",
            "INSERT INTO t VALUES ('a'), ('A'), ('A'), ('b ')",
        )
    expected = kd.scan({"word": ["a", "A", "A", "b "]}, like=WORDS)
    assert counts(lite, "t", WORDS) == expected.counted


def test_enumerations_domains_and_padded_text_are_text(postgres) -> None:
    lines(
        postgres,
        "CREATE TYPE letter AS ENUM ('a', 'A', 'b'); CREATE DOMAIN named AS text",
        "CREATE TABLE e (word letter); CREATE TABLE d (word named); CREATE TABLE p (word char(5))",
        *(f"INSERT INTO {table} VALUES ('a'), ('b'), (NULL)" for table in "edp"),  # noqa: S608 - ours
    )
    expected = kd.scan({"word": ["a", "b", None]}, like=WORDS).counted
    assert [counts(postgres, table, WORDS) for table in "edp"] == [expected] * 3


def test_infinite_moments_fall_in_the_open_ends_and_are_no_extremes(postgres) -> None:
    days = pa.array([1, 2, 3, 4] * 9, pa.date32())
    reference = kd.fit(pa.table({"day": days}), judge={"day": "value"})
    lines(
        postgres,
        "CREATE TABLE t (day date)",
        "INSERT INTO t VALUES ('-infinity'), ('1970-01-03'), ('infinity'), ('infinity'), (NULL)",
    )
    found = kd.scan(kd.SqlTable(postgres, "t"), like=reference)["day"]
    assert found.histogram.counts[0] == 1
    assert found.histogram.counts[-2:] == (2, 1)
    assert str(found.range) == "1970-01-03 … 1970-01-03"


def test_a_numeric_nan_is_null_and_infinities_fall_in_the_open_ends(postgres) -> None:
    amounts = pa.array([Decimal("1.00"), Decimal("2.00")] * 30, pa.decimal128(9, 2))
    reference = kd.fit(pa.table({"amount": amounts}))
    lines(
        postgres,
        "CREATE TABLE t (amount numeric)",
        "INSERT INTO t VALUES ('NaN'), ('Infinity'), ('-Infinity'), (1.999), (1e50), (NULL)",
    )
    found = kd.scan(kd.SqlTable(postgres, "t"), like=reference)["amount"]
    assert found.nulls == 2
    assert found.histogram.counts[0] == 1
    assert (found.range.minimum, found.range.maximum) == (199, 10**52)


def test_a_uuid_is_its_bytes(postgres) -> None:
    ids = [uuid4() for _ in range(3)]
    reference = kd.fit(pa.table({"id": pa.array([i.bytes for i in ids * 10], pa.binary(16))}))
    values = f"('{ids[0]}'), ('{uuid4()}')"
    lines(postgres, "CREATE TABLE t (id uuid)", "INSERT INTO t VALUES " + values)  # noqa: S608 - ours
    bins = reference.counted["id"].bins
    found = counts(postgres, "t", reference)["id"]
    assert found.counts[bins.levels.index(ids[0].hex)] == 1
    assert found.counts[bins.unseen_cell] == 1


@pytest.mark.parametrize(
    ("declared", "stray", "reference"),
    [
        ("INTEGER", "'12a'", {"x": [1, 2, 3] * 20}),
        ("REAL", "'much'", {"x": [0.5, 1.5, 2.5] * 20}),
        ("BOOLEAN", "7", {"x": [True, False] * 20}),
        ("TIMESTAMP", "'yesterday'", pa.table({"x": pa.array([1, 2] * 9, pa.timestamp("us"))})),
        ("DATE", "20130102", pa.table({"x": pa.array([1, 2] * 9, pa.date32())})),
    ],
)
def test_what_is_not_as_declared_stops_the_scan(lite, declared, stray, reference) -> None:
    judge = {"x": "value"} if declared in ("TIMESTAMP", "DATE") else None
    fitted = kd.fit(reference, columns=["x"], judge=judge)
    with lite.begin() as connection:
        lines(connection, f"CREATE TABLE t (x {declared})", "INSERT INTO t VALUES (NULL)")
        lines(connection, f"INSERT INTO t VALUES ({stray})")  # noqa: S608 - one of ours
    with pytest.raises(SnapshotInvalidError, match=r"column 'x' is declared .* and 1 of its"):
        counts(lite, "t", fitted)


def test_findings_are_those_of_the_core(lite) -> None:
    reference = kd.fit({"gone": [1.5, 2.5] * 20, "kept": [1, 2] * 20, "other": ["a", "b"] * 20})
    with lite.begin() as connection:
        lines(connection, 'CREATE TABLE t (kept SMALLINT, other REAL, "new one" TEXT)')
    found = kd.scan(kd.SqlTable(lite, "t"), like=reference)
    here = pa.table({"kept": pa.array([], pa.int64()), "other": pa.array([], pa.float64())})
    here = here.append_column("new one", pa.array([], pa.string()))
    assert found.columns == kd.scan(here, like=reference).columns
    findings = {column.name: column.finding for column in kd.compare(found, reference).columns}
    assert findings == {"gone": "missing", "other": "type changed", "new one": "new", "kept": ""}


@pytest.mark.slow
def test_hundreds_of_columns_are_counted_by_a_query_for_each_two_hundred(lite) -> None:
    names = [f"c{place}" for place in range(401)]
    reference = kd.fit({name: [0.5, 1.5, 2.5] * 10 for name in names})
    with lite.begin() as connection:
        columns = ", ".join(f"{name} REAL" for name in names)
        lines(connection, f"CREATE TABLE t ({columns})", "INSERT INTO t (c0) VALUES (1.5)")
    seen = []

    def note(connection, cursor, statement, *_) -> None:
        if "count" in statement:
            seen.append(statement)

    sa.event.listen(lite, "before_cursor_execute", note)
    found = kd.scan(kd.SqlTable(lite, "t"), like=reference)
    assert found.rows == 1
    assert [found[name].nulls for name in names] == [0, *[1] * 400]
    assert len(seen) == 3


def test_rows_that_come_between_two_queries_are_noticed(lite, monkeypatch) -> None:
    monkeypatch.setattr(sql.DIALECTS["sqlite"].__class__, "branches", 1)
    reference = kd.fit({"x": [0.5, 1.5] * 20, "y": [0.5, 1.5] * 20})
    with lite.begin() as connection:
        lines(connection, "CREATE TABLE t (x REAL, y REAL)")

    def add(connection, cursor, statement, *_) -> None:
        if "count" in statement:
            cursor.execute("INSERT INTO t VALUES (1, 1)")

    sa.event.listen(lite, "before_cursor_execute", add)
    with pytest.raises(SnapshotInvalidError, match="rows came or went"):
        counts(lite, "t", reference)


def test_too_many_levels_are_refused(lite, monkeypatch) -> None:
    monkeypatch.setattr(sql, "LEVEL_LIMIT", 2)
    with lite.begin() as connection:
        lines(connection, "CREATE TABLE t (word TEXT)", "INSERT INTO t VALUES ('a'), ('b'), (NULL)")
    assert counts(lite, "t", WORDS) == kd.scan({"word": ["a", "b", None]}, like=WORDS).counted
    with lite.begin() as connection:
        lines(connection, "INSERT INTO t VALUES ('c')")
    with pytest.raises(SnapshotInvalidError, match="column 'word' has more than 2 levels"):
        counts(lite, "t", WORDS)


def test_an_empty_table_and_a_reference_without_columns(lite) -> None:
    with lite.begin() as connection:
        lines(connection, "CREATE TABLE t (word TEXT)")
    assert counts(lite, "t", WORDS) == kd.scan({"word": []}, like=WORDS).counted
    assert kd.scan(kd.SqlTable(lite, "t"), like=kd.fit({"x": [None]})).rows == 0


def test_a_query_is_counted_like_a_table(lite) -> None:
    with lite.begin() as connection:
        lines(connection, "CREATE TABLE t (word TEXT)", "INSERT INTO t VALUES ('a'), ('b')")
    query = sa.text("SELECT word FROM t WHERE word = 'b'").columns()
    selected = sa.select(sa.text("*")).select_from(sa.text("t")).where(sa.column("word") == "b")
    expected = kd.scan({"word": ["b"]}, like=WORDS).counted
    assert counts(lite, selected, WORDS) == expected
    assert counts(lite, query, WORDS) == expected


def test_a_table_that_is_not_there_and_a_refusal_are_told(lite) -> None:
    with pytest.raises(SnapshotNotFoundError, match="no table 'nowhere'"):
        counts(lite, "nowhere", WORDS)
    absent = kd.SqlTable(lite, "nowhere", columns={"word": sa.Text()})
    with pytest.raises(SnapshotUnreadableError, match="cannot be counted: no such table"):
        kd.scan(absent, like=WORDS)


def test_other_databases_are_refused() -> None:
    other = sa.create_mock_engine("mysql://", executor=None)
    assert isinstance(other.dialect, mysql.dialect)
    with pytest.raises(UsageError, match="not in mysql"):
        kd.SqlTable(other, "t")


def test_bins_are_not_fitted_in_a_database(lite) -> None:
    with lite.begin() as connection:
        lines(connection, "CREATE TABLE t (word TEXT)")
    with pytest.raises(UsageError, match="its rows stay where they are"):
        kd.fit(kd.SqlTable(lite, "t"))
