"""The engine of a database: one query counts all columns where the rows are.

Knows SQLAlchemy's engines and selectables. Has never heard of divergences, limits or reports.

Of the rows nothing comes here but, for each column, the rows per cell with the smallest and the
largest value, and for category bins the rows per distinct level: whether a level is known to the
reference only its name can tell (its hash is not one that databases compute).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property
from math import floor
from typing import Any, NamedTuple, TypeAlias, assert_never, cast
from uuid import uuid4

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.types import NullType, TypeEngine

from kl_drift.counts.arrays import level_dictionary
from kl_drift.counts.bins import HOURS, WEEKDAYS, Bins, CategoryBins, Number, NumericBins
from kl_drift.counts.buffers import from_texts
from kl_drift.counts.clusters import GroupedBins
from kl_drift.counts.counting import LevelCounter, Tally, counter
from kl_drift.counts.profile import ValueRange
from kl_drift.engines.reading import LEVEL_LIMIT, Columns, Pair, Reading, Step
from kl_drift.engines.source import Source
from kl_drift.engines.sql_dialects import DIALECTS, Expression, SqlDialect, ordered_of
from kl_drift.engines.sql_types import arrow_type
from kl_drift.errors import (
    SnapshotInvalidError,
    SnapshotNotFoundError,
    SnapshotUnreadableError,
    UsageError,
)

Selectable: TypeAlias = "sa.FromClause | sa.Select[Any] | sa.TextualSelect"

_NAN = -1


class _Group(NamedTuple):
    """A line of the answer: the rows of one column that share a cell or a level."""

    column: int
    cell: Any
    rows: int
    low: Any
    high: Any
    strays: int


class SqlTable(Source):
    """A table, view or query of a database.

    Parameters
    ----------
    bind : Engine or Connection
        SQLAlchemy's, to PostgreSQL or SQLite. A connection is used as it is, in its transaction.
    table : str or selectable
        The table's name, as it is written in the database, or what SQLAlchemy can select from.
    schema : str, optional
        The table's schema, where ``table`` is a name.
    columns : mapping of str to TypeEngine, optional
        The columns and their types. By default they are reflected; those of a query whose types
        SQLAlchemy does not know are found with the help of a temporary view.
    name : str, optional
        What messages and profiles call it.

    Raises
    ------
    UsageError
        If the database is another.
    """

    def __init__(
        self,
        bind: sa.Engine | sa.Connection,
        table: str | Selectable,
        *,
        schema: str | None = None,
        columns: Mapping[str, TypeEngine[Any]] | None = None,
        name: str = "",
    ) -> None:
        if bind.dialect.name not in DIALECTS:
            raise UsageError(
                f"kl-drift counts in {' and '.join(sorted(DIALECTS))}, not in {bind.dialect.name}; "
                "scan a Parquet file of the table instead"
            )
        self._bind = bind
        self._table = _named(table, schema) if isinstance(table, str) else table
        self._columns = columns
        self._name = name or str(getattr(self._table, "fullname", "a query"))

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @cached_property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and the Arrow types that their values would have."""
        columns = self._columns if self._columns is not None else self._reflected()
        return {name: arrow_type(kind, self._bind.dialect.name) for name, kind in columns.items()}

    def _reflected(self) -> Mapping[str, TypeEngine[Any]]:
        if isinstance(self._table, sa.Table) and not self._table.columns:
            with self._connected() as connection:
                return reflected(connection, self._table)
        columns = {each.name: each.type for each in self._rows.columns}
        if not columns or any(isinstance(kind, NullType) for kind in columns.values()):
            with self._connected() as connection:
                return _of_query(connection, self._table)
        return columns

    @property
    def _rows(self) -> sa.FromClause:
        """What is selected from."""
        if isinstance(self._table, sa.FromClause):
            return self._table
        return cast("sa.FromClause", self._table.subquery())

    @property
    def _dialect(self) -> SqlDialect:
        return DIALECTS[self._bind.dialect.name]

    def tally(
        self, columns: Columns, pairs: Mapping[str, Pair], step: Step | None = None
    ) -> tuple[int, dict[str, Tally]]:
        """Count columns over bins in one query; above 200 columns, in one for each 200.

        Raises
        ------
        UsageError
            If pairs are wanted, or columns by a key: they are not counted in databases.
        SnapshotInvalidError
            If a column has more than 200,000 levels, or holds what its type does not allow, or if
            rows came or went between two queries.
        SnapshotUnreadableError
            If the database refuses; the message is the database's own.
        """
        for name, pair in pairs.items():
            if isinstance(pair.bins, GroupedBins):
                raise UsageError(
                    f"{self.name}: in the reference rows belong together by "
                    f"{pair.readings[0].column!r}, which is not counted in databases; scan a "
                    "Parquet file of the table, or fit the reference without cluster and state "
                    "limits: {design_effect: …}"
                )
            raise UsageError(
                f"{self.name}: the reference judges the pair {name!r}, and pairs are not counted "
                "in databases; name the columns to judge, or scan a Parquet file of the table"
            )
        rows, tallies = self._counted(columns) if columns else (self._count(), {})
        if step:
            step(rows)
        return rows, tallies

    def _count(self) -> int:
        query = sa.select(sa.func.count()).select_from(self._rows)
        return int(self._fetch([query])[0][0])

    def _counted(self, columns: Columns) -> tuple[int, dict[str, Tally]]:
        branches = [
            self._branch(place, reading, bins)
            for place, (reading, bins) in enumerate(columns.values())
        ]
        most = self._dialect.branches
        queries = [
            sa.union_all(*branches[start : start + most]) if len(branches) > 1 else branches[0]
            for start in range(0, len(branches), most)
        ]
        groups: defaultdict[int, list[_Group]] = defaultdict(list)
        for group in map(_Group._make, self._fetch(queries)):
            groups[group.column].append(group)
        tallies = {
            name: self._tally(reading.column, bins, groups[place])
            for place, (name, (reading, bins)) in enumerate(columns.items())
        }
        return self._one_total(tallies), tallies

    def _one_total(self, tallies: Mapping[str, Tally]) -> int:
        totals = {int(each.counts.sum()) for each in tallies.values()}
        if len(totals) > 1:
            raise SnapshotInvalidError(
                f"{self.name}: rows came or went while it was counted; scan it again, in a "
                "transaction that is isolated (repeatable read) if it never rests"
            )
        return totals.pop()

    def latest(self, columns: Sequence[str]) -> dict[str, int | None]:
        """Return the latest moment in each timestamp column, in one query."""
        highest = [
            self._dialect.exact(
                sa.func.max(self._dialect.ticks(self._column(name), ordered_of(self.schema[name])))
            )
            for name in columns
        ]
        found = self._fetch([sa.select(*highest).select_from(self._rows)])[0]
        return {
            name: None if each is None else int(each)
            for name, each in zip(columns, found, strict=True)
        }

    def _column(self, name: str) -> Expression:
        return sa.column(sa.quoted_name(name, quote=True))

    def _branch(self, place: int, reading: Reading, bins: Bins) -> sa.Select[Any]:
        column, kind = self._column(reading.column), self.schema[reading.column]
        if isinstance(bins, CategoryBins):
            cell = self._dialect.level(column, kind, bins.domain, reading.zone)
            return self._levels(place, column, cell)
        if reading.presence:
            there = sa.case((column.is_not(None), sa.literal_column("0")))
            return self._cells(place, column, there, bins)
        ticks = self._dialect.ticks(column, ordered_of(kind), reading.age_from)
        return self._cells(place, column, ticks, bins)

    def _cells(
        self, place: int, column: Expression, ticks: Expression, bins: NumericBins
    ) -> sa.Select[Any]:
        """Count the cells of an ordered column, with the extremes of each."""
        dialect = self._dialect
        read = sa.select(ticks.label("v"), self._stray(column, ticks).label("s")).select_from(
            self._rows
        )
        v = read.subquery().c.v
        whens: list[tuple[Any, Any]] = [(v.is_(None), sa.null())]
        if bins.nan_cell is not None:
            whens.append((dialect.is_nan(v), sa.literal_column(str(_NAN))))
        cell = sa.case(*whens, else_=dialect.place(v, bins))
        placed = sa.select(
            cell.label("cell"), sa.case((dialect.finite(v, bins), v)).label("f"), v.table.c.s
        ).subquery()
        counted: Any = sa.select(
            sa.literal_column(str(place)).label("place"),
            dialect.exact(placed.c.cell).label("cell"),
            sa.func.count().label("n"),
            dialect.exact(sa.func.min(placed.c.f)).label("low"),
            dialect.exact(sa.func.max(placed.c.f)).label("high"),
            sa.func.sum(placed.c.s).label("strays"),
        ).group_by(placed.c.cell)
        return cast("sa.Select[Any]", counted)

    def _levels(self, place: int, column: Expression, level: Expression) -> sa.Select[Any]:
        """Count the levels of a column, one more than are allowed at most."""
        read = (
            sa.select(level.label("cell"), self._stray(column, level).label("s"))
            .select_from(self._rows)
            .subquery()
        )
        nothing = sa.cast(sa.null(), sa.Text)
        grouped = (
            sa.select(
                sa.literal_column(str(place)).label("place"),
                self._dialect.exact(read.c.cell).label("cell"),
                sa.func.count().label("n"),
                nothing.label("low"),
                nothing.label("high"),
                sa.func.sum(read.c.s).label("strays"),
            )
            .group_by(read.c.cell)
            .limit(LEVEL_LIMIT + 2)  # and the nulls
            .subquery()
        )
        return sa.select(grouped)

    def _stray(self, column: Expression, read: Expression) -> Expression:
        """Return 1 for a value that could not be read as its type."""
        if not self._dialect.strays:
            return sa.literal_column("0")
        stray = sa.and_(column.is_not(None), read.is_(None))
        return sa.case((stray, sa.literal_column("1")), else_=sa.literal_column("0"))

    def _fetch(self, queries: Sequence[sa.Executable]) -> list[Sequence[Any]]:
        try:
            with self._connected() as connection:
                return [row for query in queries for row in connection.execute(query)]
        except sa.exc.SQLAlchemyError as error:
            message = f"{self.name}: cannot be counted: {_said(error)}"
            raise SnapshotUnreadableError(message) from error

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        if isinstance(self._bind, sa.Connection):
            yield self._bind
        else:
            with self._bind.connect() as connection:
                yield connection

    def _tally(self, column: str, bins: Bins, groups: Sequence[_Group]) -> Tally:
        kind = self.schema[column]
        if strays := sum(int(group.strays) for group in groups):
            raise SnapshotInvalidError(
                f"{self.name}: column {column!r} is declared to hold {kind}, and {strays:,} of its "
                "values are nothing of the kind; correct them, or leave the column out"
            )
        if isinstance(bins, NumericBins):
            return _of_cells(bins, groups)
        if len(groups) > LEVEL_LIMIT + 1:
            raise SnapshotInvalidError(
                f"{self.name}: column {column!r} has more than {LEVEL_LIMIT:,} levels, which would "
                "all have to leave the database; scan a Parquet file of it, or leave it out"
            )
        return _of_levels(bins, kind, groups)


def _named(table: str, schema: str | None) -> sa.Table:
    return sa.Table(sa.quoted_name(table, quote=True), sa.MetaData(), schema=schema)


def reflected(connection: sa.Connection, table: sa.Table) -> dict[str, TypeEngine[Any]]:
    """Return the columns of a table or view and their types.

    Raises
    ------
    SnapshotNotFoundError
        If the database has no such table.
    """
    try:
        found = sa.inspect(connection).get_columns(table.name, schema=table.schema)
    except sa.exc.NoSuchTableError as error:
        raise SnapshotNotFoundError(
            f"no table {table.fullname!r} in the database; names are as written there, the schema "
            "is given apart"
        ) from error
    return {each["name"]: each["type"] for each in found}


def _of_query(connection: sa.Connection, query: Selectable) -> dict[str, TypeEngine[Any]]:
    """Return the columns of a query and their types: those of a view of it, gone at once."""
    if not isinstance(query, sa.Select | sa.TextualSelect):
        query = sa.select(sa.text("*")).select_from(query)
    view = _named(f"kl_drift_{uuid4().hex}", None)
    name = connection.dialect.identifier_preparer.format_table(view)
    text = query.compile(connection, compile_kwargs={"literal_binds": True})
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"CREATE TEMPORARY VIEW {name} AS {text}")
            found = reflected(connection, view)
            connection.exec_driver_sql(f"DROP VIEW {name}")
    except sa.exc.SQLAlchemyError as error:
        raise SnapshotUnreadableError(
            f"the types of the query's columns are not known, and could not be found with a "
            f"temporary view: {_said(error)}; give them as columns="
        ) from error
    return found


def _said(error: sa.exc.SQLAlchemyError) -> str:
    """Return the database's own words, without the statement and its values."""
    return str(getattr(error, "orig", None) or error).strip()


def _of_cells(bins: NumericBins, groups: Sequence[_Group]) -> Tally:
    counts = np.zeros(bins.cells, np.int64)
    extremes: list[Number] = []
    for group in groups:
        counts[_cell(bins, group.cell)] += int(group.rows)
        extremes += [_number(bins, each) for each in (group.low, group.high) if each is not None]
    if not extremes:
        return Tally(counts=counts)
    found = ValueRange(
        domain=bins.domain, minimum=min(extremes), maximum=max(extremes), scale=bins.scale
    )
    return Tally(counts=counts, range=found)


def _cell(bins: NumericBins, cell: Any) -> int:
    if cell is None:
        return bins.null_cell
    place = int(cell)
    return bins.nan_cell if place == _NAN and bins.nan_cell is not None else place


def _number(bins: NumericBins, value: Any) -> Number:
    match bins.domain:
        case "float":
            return float(value) + 0.0  # a negative zero is written as zero
        case "decimal":
            return floor(Decimal(str(value)).scaleb(bins.scale))
        case "integer" | "date" | "time" | "timestamp" | "instant" | "duration":
            return int(value)
        case _:
            assert_never(bins.domain)


def _of_levels(bins: CategoryBins, kind: pa.DataType, groups: Sequence[_Group]) -> Tally:
    """Put levels into cells as the core does, from the text that the core gives them."""
    present = [group for group in groups if group.cell is not None]
    rows: Counter[str] = Counter()
    texts = _texts([group.cell for group in present], bins, kind)
    for text, group in zip(texts, present, strict=True):
        rows[text] += int(group.rows)
    return cast("LevelCounter", counter(bins)).count_levels(
        from_texts(list(rows)),
        np.array(list(rows.values()), np.int64),
        nulls=sum(int(group.rows) for group in groups if group.cell is None),
    )


def _texts(cells: Sequence[Any], bins: CategoryBins, kind: pa.DataType) -> Sequence[str]:
    values: pa.Array
    match bins.domain:
        case "hour":
            return [HOURS[int(cell)] for cell in cells]
        case "weekday":
            return [WEEKDAYS[int(cell)] for cell in cells]
        case "boolean":
            return [{"0": "false", "1": "true"}.get(str(cell), str(cell)) for cell in cells]
        case "string" | "binary" | "integer":
            return [str(cell) for cell in cells]
        case "float":
            values = pa.array([float(cell) for cell in cells], pa.float64()).cast(kind)
        case "decimal":
            values = pa.array([Decimal(str(cell)) for cell in cells])
        case "date":
            values = pa.array([int(cell) for cell in cells], pa.int32()).cast(pa.date32())
        case _:
            assert_never(bins.domain)
    levels = level_dictionary(values, bins.domain)
    return cast("Sequence[str]", levels.dictionary.take(levels.indices).to_pylist())
