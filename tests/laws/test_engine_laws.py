"""One law for every engine: cell for cell what the core counts on the same rows."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kl_drift as kd
from kl_drift.engines.sql import SqlTable

DAY = timedelta(days=1)
MIDNIGHT = datetime(2013, 3, 10)  # New York puts its clocks forward at two
MOMENTS = [
    *(MIDNIGHT + timedelta(hours=hour) for hour in (0, 5, 6.5, 7, 8, 23.9999999)),
    *(datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(1970, 1, 1), datetime(1900, 2, 28, 4)),
    *(datetime(2038, 1, 19, 3, 14, 7, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)),
]
WORDS = ["a", "A", "a ", " a", "", "b", "B", "é", "e\u0301", "ß", "ss", "ẞ", "I", "ı", "ö"]
WORDS += ["😀", "null", "NULL", "NaN", "it's", 'say "x"', "100%", ":bind", "line\nbreak", "\\"]

POOLS = {
    "an integer": (pa.int64(), [0, 1, 2, 3, -1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]),
    "short": (pa.int16(), [0, 1, -1, 7, -(2**15), 2**15 - 1]),
    "level_of integer": (pa.int32(), [0, 1, 2, 3, -5, 2**31 - 1]),
    "real": (
        pa.float64(),
        [0.0, -0.0, 0.1, 0.2, 0.1 + 0.2, 0.3, 5e-324, 1e308, -1e308, 1.5, math.inf, -math.inf],
    ),
    "single": (pa.float32(), [float(np.float32(each)) for each in (0, 0.1, 0.2, 1e30, -7.5)]),
    "level of real": (pa.float64(), [0.0, -0.0, 0.1, 1e16, 1e-5, 12345678.9, 3.0]),
    'de"cimal': (pa.decimal128(20, 4), [Decimal(each) for each in ("0", "1.5", "-1.5", "0.0001")]),
    "Level of decimal": (
        pa.decimal128(9, 2),
        [Decimal(each) for each in ("1.50", "2.00", "-0.10")],
    ),
    "wörd": (pa.string(), WORDS),
    "flag": (pa.bool_(), [True, False]),
    "bytes; --": (pa.binary(), [b"", b"\x00\xff", b"abc"]),
    "day": (pa.date32(), [each.date() for each in MOMENTS]),
    "level of day": (pa.date32(), [date(2013, 1, 1), date(2013, 1, 2), date(1969, 12, 31)]),
    "moment": (pa.timestamp("us"), MOMENTS),
    "a.zoned.moment": (pa.timestamp("us", "UTC"), [m.replace(tzinfo=UTC) for m in MOMENTS]),
    "clock": (pa.time64("us"), [time(0), time(12, 30, 1), time(23, 59, 59, 999_999)]),
    "nothing": (pa.int32(), [None]),
}
NANS = {"real", "single", "level of real"}
JUDGE = {
    "day": ["value", "weekday"],
    "level of day": ["value"],
    "moment": ["value", "hour", "weekday", "age"],
    "a.zoned.moment": ["value", "hour", "weekday", "age"],
}


def table(rows):
    """Make a table of rows, each a tuple of values in the order of the pools."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in POOLS)
    return pa.table(
        {
            name: pa.array(list(values), kind)
            for (name, (kind, _)), values in zip(POOLS.items(), columns, strict=True)
        }
    )


def reference_rows():
    """The values of each pool, repeated unevenly, and a few that no pool has."""
    random = np.random.default_rng(7)
    return [
        tuple(
            pool[int(random.integers(len(pool)) ** 1.2) % len(pool)] for _, pool in POOLS.values()
        )
        for _ in range(400)
    ]


@pytest.fixture(scope="module")
def reference():
    rows = table(reference_rows())
    zone = pa.timestamp("us", "America/New_York")
    place = rows.schema.get_field_index("a.zoned.moment")
    rows = rows.set_column(place, "a.zoned.moment", rows["a.zoned.moment"].cast(zone))
    levels = {name: kd.Categories(top=2) for name in POOLS if "level" in name.lower()}
    return kd.fit(rows, bins={**levels, "wörd": kd.Categories(top=4)}, judge=JUDGE)


rows_of_pools = st.lists(
    st.tuples(
        *(
            st.sampled_from([*pool, None, *([math.nan] if name in NANS else [])])
            for name, (_, pool) in POOLS.items()
        )
    ),
    max_size=12,
)


def sql_type(kind, dialect):
    """The type that a user would give the column in this database."""
    if pa.types.is_decimal(kind):
        return sa.Numeric(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return sa.DateTime(timezone=kind.tz is not None)
    return {
        pa.int16(): sa.SmallInteger(),
        pa.int32(): sa.Integer(),
        pa.int64(): sa.BigInteger(),
        pa.float32(): sa.REAL(),
        pa.float64(): sa.Double() if dialect == "postgresql" else sa.Float(),
        pa.string(): sa.Text(),
        pa.bool_(): sa.Boolean(),
        pa.binary(): sa.LargeBinary(),
        pa.date32(): sa.Date(),
        pa.time64("us"): sa.Time(),
    }[kind]


class Database:
    """A database that a table is written into, and counted in."""

    def __init__(self, engine, missing=()):
        self.engine = engine
        self.missing = missing

    def scan(self, rows, reference):
        columns = [
            sa.Column(
                sa.quoted_name(field.name, True), sql_type(field.type, self.engine.dialect.name)
            )
            for field in rows.schema
        ]
        name = f'T{uuid.uuid4().hex[:8]} "1"'
        made = sa.Table(name, sa.MetaData(), *columns)
        made.create(self.engine)
        try:
            with self.engine.begin() as connection:
                for start in range(0, rows.num_rows, 500):
                    lines = rows.slice(start, 500).to_pylist()
                    bound = [{f"b{i}": v for i, v in enumerate(line.values())} for line in lines]
                    values = {c: sa.bindparam(f"b{i}") for i, c in enumerate(made.columns)}
                    connection.execute(made.insert().values(values), bound)
            return kd.scan(SqlTable(self.engine, name), like=reference)
        finally:
            made.drop(self.engine)


class PostgreSQL(Database):
    def expected(self, rows):
        return rows


class SQLite(Database):
    """No zones; NaN is null; no integers or floats but of 64 bits."""

    def expected(self, rows):
        for name in NANS:
            place = rows.schema.get_field_index(name)
            column = rows[name]
            valid = pc.invert(pc.is_nan(column))
            rows = rows.set_column(place, name, pc.if_else(valid, column, None))
        kinds = {pa.int16(): pa.int64(), pa.int32(): pa.int64(), pa.float32(): pa.float64()}
        schema = pa.schema([(f.name, kinds.get(f.type, f.type)) for f in rows.schema])
        return rows.cast(schema).drop_columns(["a.zoned.moment"])


class Spark:
    """No times of day before Spark 4.1."""

    def __init__(self, session):
        self.session = session

    def expected(self, rows):
        return rows.drop_columns(["clock"])

    def scan(self, rows, reference):
        from pyspark.sql.pandas.types import from_arrow_schema

        schema = from_arrow_schema(rows.schema, prefer_timestamp_ntz=True)
        return kd.scan(self.session.createDataFrame(rows, schema), like=reference)


class Pandas:
    """Arrow's types in pandas."""

    def expected(self, rows):
        return rows

    def scan(self, rows, reference):
        return kd.scan(rows.to_pandas(types_mapper=pd.ArrowDtype), like=reference)


@pytest.fixture(scope="module", params=["pandas", "sqlite", "postgresql", "spark"])
def engine(request):
    if request.param == "pandas":
        yield Pandas()
    elif request.param == "spark":
        yield Spark(request.getfixturevalue("spark"))
    elif request.param == "sqlite":
        made = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        yield SQLite(made)
        made.dispose()
    else:
        url = request.getfixturevalue("server").set(drivername="postgresql+psycopg")
        made = sa.create_engine(url)
        yield PostgreSQL(made)
        made.dispose()


def assert_same(counted, expected):
    assert counted.rows == expected.rows
    assert counted.columns.keys() == expected.columns.keys()
    for name, column in counted.columns.items():
        assert column == expected.columns[name], name


@given(rows=rows_of_pools)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_an_engine_counts_as_the_core_does(engine, reference, rows):
    there = engine.expected(table(rows))
    assert_same(engine.scan(there, reference), kd.scan(there, like=reference))


def test_an_engine_counts_many_rows_as_the_core_does(engine, reference):
    there = engine.expected(table(reference_rows()))
    assert_same(engine.scan(there, reference), kd.scan(there, like=reference))


def test_pairs_are_counted_on_spark_and_refused_by_databases(spark):
    rows = table(reference_rows()).select(["real", "flag"])
    reference = kd.fit(rows, pairs=[("real", "flag")])
    counted = Spark(spark).scan(rows, reference)
    assert counted.columns["real × flag"] == kd.scan(rows, like=reference).columns["real × flag"]
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with pytest.raises(kd.errors.UsageError, match="pairs are not counted in databases"):
        SQLite(engine).scan(rows, reference)
    engine.dispose()
