"""Great Expectations over pandas, SQLite, PostgreSQL and Spark: the counts of the core, at once."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from great_expectations.expectations.row_conditions import Column
from great_expectations.validator.metric_configuration import MetricConfiguration

import kl_drift as kd
from kl_drift.artefact import profile_from_dict
from kl_drift.gx import ExpectTableKLDriftToBeLessThan
from kl_drift.gx.metrics import PROFILE_METRIC

TABLE = "orders"  # Great Expectations writes the names of tables as they are
ROWS = 4_000
COLUMNS = [f"column {place}" for place in range(10)]


def rows(shift=0):
    plain = pd.DataFrame(
        {
            name: [(row * (place + 3) + shift) % 101 / 4 for row in range(ROWS)]
            for place, name in enumerate(COLUMNS)
        }
    )
    return plain.assign(region=["north", "south"] * (ROWS // 2), amount=range(ROWS))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("engines") / "reference.json"
    kd.save(kd.fit(rows(), columns=[*COLUMNS, "region", "amount"]), path)
    return str(path)


class Sql:
    """A database with the table in it."""

    def __init__(self, kind, url, folder):
        self.kind = kind
        self.url = url.render_as_string(hide_password=False)
        self.engine = sa.create_engine(self.url)
        self.sources = []
        self.schema = f"s{uuid4().hex}" if kind == "postgres" else None
        with self.engine.begin() as connection:
            if self.schema:
                connection.execute(sa.schema.CreateSchema(self.schema))
            rows().to_sql(TABLE, connection, schema=self.schema, index=False)

    def asset(self, context, query=""):
        source = getattr(context.data_sources, f"add_or_update_{self.kind}")(
            self.kind, connection_string=self.url
        )
        self.sources.append(source)
        if query:
            return source.add_query_asset(uuid4().hex, query=query)
        if self.schema is None:
            return source.add_table_asset(uuid4().hex, table_name=TABLE)
        with pytest.warns(DeprecationWarning, match="schema_name"):
            return source.add_table_asset(uuid4().hex, table_name=TABLE, schema_name=self.schema)

    def batch(self, context):
        return self.asset(context).add_batch_definition_whole_table("all").get_batch()

    def close(self) -> None:
        """Close what Great Expectations leaves open."""
        self.engine.dispose()
        for source in self.sources:
            source.get_execution_engine().engine.dispose()
            source.get_engine().dispose()

    def qualified(self):
        quote = self.engine.dialect.identifier_preparer.quote
        return ".".join(quote(part) for part in (self.schema, TABLE) if part)


class Spark:
    def __init__(self, session):
        self.session = session

    def batch(self, context):
        frame = self.session.createDataFrame(pa.Table.from_pandas(rows(), preserve_index=False))
        asset = context.data_sources.add_or_update_spark("spark").add_dataframe_asset("frame")
        return asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})


class Pandas:
    def batch(self, context):
        asset = context.data_sources.add_or_update_pandas("pandas").add_dataframe_asset("frame")
        return asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows()})


def database(kind, request, folder):
    if kind == "sqlite":
        return Sql("sqlite", sa.URL.create("sqlite", database=str(folder / "rows.db")), folder)
    server = request.getfixturevalue("server")  # Great Expectations insists on a host in the URL
    url = server.set(drivername="postgresql+psycopg", host="localhost")
    return Sql("postgres", url, folder)


@pytest.fixture(scope="module", params=["pandas", "sqlite", "postgresql", "spark"])
def engine(request, tmp_path_factory):
    if request.param == "pandas":
        yield Pandas()
    elif request.param == "spark":
        yield Spark(request.getfixturevalue("spark"))
    else:
        made = database(request.param, request, tmp_path_factory.mktemp("database"))
        yield made
        made.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def sql(request, tmp_path_factory):
    made = database(request.param, request, tmp_path_factory.mktemp("database"))
    yield made
    made.close()


def counted(context, batch, reference, **domain):
    validator = context.get_validator(batch=batch)
    values = {"reference": reference, "columns": None, "as_of": ""}
    metric = MetricConfiguration(
        PROFILE_METRIC, metric_domain_kwargs=domain, metric_value_kwargs=values
    )
    return profile_from_dict(validator.get_metric(metric))


def assert_counts(found, frame, reference) -> None:
    """Assert the core's counts; texts are strings to one engine and large strings to another."""
    expected = kd.scan(frame, like=kd.load_profile(reference))
    assert found.rows == expected.rows
    assert {name: replace(each, type="") for name, each in found.columns.items()} == {
        name: replace(each, type="") for name, each in expected.columns.items()
    }


def test_an_engine_counts_as_the_core_does(engine, context, reference) -> None:
    assert_counts(counted(context, engine.batch(context), reference), rows(), reference)


def test_an_expectation_judges_on_every_engine(engine, context, reference) -> None:
    result = engine.batch(context).validate(ExpectTableKLDriftToBeLessThan(reference=reference))
    assert result.success, result
    assert result.result["details"]["current"]["rows"] == ROWS


def test_a_row_condition_selects_rows_on_every_engine(engine, context, reference) -> None:
    north = ExpectTableKLDriftToBeLessThan(
        reference=reference, row_condition=Column("region") == "north"
    )
    result = engine.batch(context).validate(north)
    assert not result.success
    assert result.result["details"]["current"]["rows"] == ROWS // 2


@contextmanager
def statements(engine):
    """Note the statements that read the table's rows, not the catalogue."""
    seen = []

    def note(connection, cursor, statement, *_) -> None:
        if TABLE in statement and "COUNT" in statement.upper():
            seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_all_columns_are_one_query(sql, context, reference) -> None:
    batch = sql.batch(context)
    with statements(sql.engine) as seen:
        counted(context, batch, reference)
    assert len(seen) == 1


def test_all_columns_are_one_job(spark, context, reference) -> None:
    batch = Spark(spark).batch(context)
    group = uuid4().hex
    spark.sparkContext.setJobGroup(group, "counting")
    counted(context, batch, reference)
    assert len(spark.sparkContext.statusTracker().getJobIdsForGroup(group)) == 1


def test_a_query_is_counted_like_a_table(sql, context, reference) -> None:
    asset = sql.asset(context, f"SELECT * FROM {sql.qualified()} WHERE region = 'south'")  # noqa: S608 - a name of our own
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    south = rows().query("region == 'south'")
    assert_counts(counted(context, batch, reference), south, reference)
