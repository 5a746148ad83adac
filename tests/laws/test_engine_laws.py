"""The laws of an engine, for every engine there is, and for the one that the contract shows."""

from __future__ import annotations

import doctest
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from kl_drift.engines.source import Source
from kl_drift.engines.sql import SqlTable
from kl_drift.testing import EngineLaws

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.slow  # every engine, databases included


class TestPandas(EngineLaws):
    """Arrow's types in pandas."""

    def open(self, table: pa.Table) -> pd.DataFrame:
        return table.to_pandas(types_mapper=pd.ArrowDtype)


class TestSpark(EngineLaws):
    """No times of day before Spark 4.1."""

    samples = False

    @pytest.fixture(autouse=True)
    def _session(self, spark: SparkSession) -> None:
        self.session = spark

    def expected(self, table: pa.Table) -> pa.Table:
        return table.drop_columns(["clock"])

    def open(self, table: pa.Table) -> DataFrame:
        from pyspark.sql.pandas.types import from_arrow_schema

        schema = from_arrow_schema(table.schema, prefer_timestamp_ntz=True)
        return self.session.createDataFrame(table, schema)


class TestDelta(EngineLaws):
    """No times of day; names as columns are mapped."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def expected(self, table: pa.Table) -> pa.Table:
        return table.drop_columns(["clock"])

    def open(self, table: pa.Table) -> Path:
        path = self.folder / uuid.uuid4().hex
        how = {"delta.columnMapping.mode": "name"}
        write_deltalake(path, table.slice(0, 7), configuration=how)
        write_deltalake(path, table.slice(7), mode="append")
        return path


class TestIceberg(EngineLaws):
    """No integers of less than 32 bits."""

    @pytest.fixture(autouse=True)
    def _catalogue(self, tmp_path: Path) -> Iterator[None]:
        self.catalogue = SqlCatalog("laws", uri="sqlite://", warehouse=tmp_path.as_uri())
        self.catalogue.create_namespace("ns")
        yield
        self.catalogue.close()

    def expected(self, table: pa.Table) -> pa.Table:
        kinds = {pa.int16(): pa.int32()}
        schema = pa.schema([(f.name, kinds.get(f.type, f.type)) for f in table.schema])
        return table.cast(schema)

    def open(self, table: pa.Table) -> Table:
        made = self.catalogue.create_table(f"ns.t{uuid.uuid4().hex}", schema=table.schema)
        made.append(table.slice(0, 7))
        made.append(table.slice(7))
        return made


class Database(EngineLaws):
    """A database that a table is written into, and counted in."""

    samples = False
    pairs = False
    engine: sa.Engine

    def open(self, table: pa.Table) -> SqlTable:
        dialect = self.engine.dialect.name
        columns = [
            sa.Column(sa.quoted_name(field.name, True), sql_type(field.type, dialect))
            for field in table.schema
        ]
        made = sa.Table(f'T{uuid.uuid4().hex[:8]} "1"', sa.MetaData(), *columns)
        made.create(self.engine)
        with self.engine.begin() as connection:
            for start in range(0, table.num_rows, 500):
                lines = table.slice(start, 500).to_pylist()
                bound = [{f"b{i}": v for i, v in enumerate(line.values())} for line in lines]
                values: Any = {c: sa.bindparam(f"b{i}") for i, c in enumerate(made.columns)}
                connection.execute(made.insert().values(values), bound)
        return SqlTable(self.engine, made.name)

    def close(self, opened: SqlTable) -> None:
        sa.Table(opened.name, sa.MetaData()).drop(self.engine)


class TestPostgreSQL(Database):
    @pytest.fixture(autouse=True)
    def _server(self, server: sa.URL) -> Iterator[None]:
        self.engine = sa.create_engine(server.set(drivername="postgresql+psycopg"))
        yield
        self.engine.dispose()


class TestSQLite(Database):
    """No zones; NaN is null; no integers or floats but of 64 bits."""

    @pytest.fixture(autouse=True)
    def _memory(self) -> Iterator[None]:
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        yield
        self.engine.dispose()

    def expected(self, table: pa.Table) -> pa.Table:
        for place, field in enumerate(table.schema):
            if pa.types.is_floating(field.type):
                column = table.column(place)
                valid = pc.invert(pc.is_nan(column))
                table = table.set_column(place, field.name, pc.if_else(valid, column, None))
        kinds = {pa.int16(): pa.int64(), pa.int32(): pa.int64(), pa.float32(): pa.float64()}
        schema = pa.schema([(f.name, kinds.get(f.type, f.type)) for f in table.schema])
        return table.cast(schema).drop_columns(["a.zoned.moment"])


def sql_type(kind: pa.DataType, dialect: str) -> Any:
    """Return the type that a user would give the column in this database."""
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


class Forgetful(EngineLaws):
    """An engine that loses the last row."""

    def open(self, table: pa.Table) -> pa.Table:
        return table.slice(0, max(0, table.num_rows - 1))


class Silent(EngineLaws):
    """An engine that says it cannot, and does."""

    samples = False
    pairs = False

    def open(self, table: pa.Table) -> pa.Table:
        return table


@pytest.mark.parametrize(
    ("laws", "law", "said"),
    [
        (Forgetful(), "test_it_counts_many_rows_as_the_core_does", "rows is 399, expected 400"),
        (Forgetful(), "test_it_counts_any_rows_as_the_core_does", "rows is 0, expected 1"),
        (Forgetful(), "test_it_knows_its_columns_and_rows", "the rows: 399, expected 400"),
        (Forgetful(), "test_it_tells_of_the_rows_that_are_done", "rows and tallies"),
        (Forgetful(), "test_it_hands_out_samples_or_says_that_it_does_not", "the sample of"),
        (Forgetful(), "test_it_counts_pairs_or_says_that_it_does_not", "the pair"),
        (Forgetful(), "test_it_leaves_no_row_out_where_all_are_null", "rows is 8, expected 9"),
        (Silent(), "test_it_hands_out_samples_or_says_that_it_does_not", "must refuse"),
        (Silent(), "test_it_counts_pairs_or_says_that_it_does_not", "must refuse"),
    ],
    ids=lambda value: value.removeprefix("test_it_") if isinstance(value, str) else "",
)
def test_an_engine_that_breaks_a_law_is_told_which(laws: EngineLaws, law: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(laws, law)()


EXAMPLE = doctest.DocTestFinder(recurse=False).find(Source, "Source", globs={})[0]


class TestExample(EngineLaws):
    """The engine that the contract's own docstring shows, as anybody might write one."""

    samples = False
    pairs = False

    def open(self, table: pa.Table) -> Source:
        shown: dict[str, Any] = {}
        for example in EXAMPLE.examples[:6]:
            exec(example.source, shown)  # noqa: S102 - the repository's own text
        return shown["Records"](
            table.to_pylist(), dict(zip(table.schema.names, table.schema.types, strict=True))
        )


def test_the_example_of_the_contract_does_what_it_says() -> None:
    results = doctest.DocTestRunner(verbose=False).run(EXAMPLE)
    assert (results.failed, results.attempted) == (0, len(EXAMPLE.examples))
    lines = sum(example.source.count("\n") for example in EXAMPLE.examples[:6])
    assert 30 <= lines <= 36, "long enough to show all, short enough to be read"
