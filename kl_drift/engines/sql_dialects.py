"""What databases do not agree on: how a value becomes a number, a level or a place among edges.

Knows the expressions of PostgreSQL and of SQLite. Has never heard of tables, of queries or of what
is done with the counts.

Ordered values become *ticks*: the domain's own unit, as :func:`kl_drift.counts.arrays.numbers`
has it, but for decimals, which stay as they are. Infinite dates and moments become the extremes of
64 bits, and so fall in the open ends.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypeAlias, assert_never

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, DOUBLE_PRECISION

from kl_drift.counts.arrays import family_of
from kl_drift.counts.bins import LevelDomain, Number, NumericBins
from kl_drift.errors import SnapshotInvalidError

Expression: TypeAlias = sa.ColumnElement[Any]

Ordered: TypeAlias = Literal["integer", "float", "decimal", "date", "time", "timestamp", "instant"]
"""The families of columns that have an order in a database."""

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_SECOND = 1_000_000
_PRODUCT = 8  # what SQLAlchemy gives to products; a division made by hand would have 0
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


def _sql(text: str) -> Expression:
    """Return a piece of SQL of our own making; nothing of the user's goes this way."""
    return sa.literal_column(text)


def ordered_of(kind: pa.DataType) -> Ordered:
    """Return the family of a column that is counted in order.

    Raises
    ------
    SnapshotInvalidError
        If its values have none here.
    """
    family = family_of(kind)
    match family:
        case "integer" | "float" | "decimal" | "date" | "time" | "timestamp" | "instant":
            return family
        case "string" | "binary" | "boolean" | "duration" | "null" | None:
            raise SnapshotInvalidError(f"a column of {kind} has no order in a database")
        case _:
            assert_never(family)


class SqlDialect(ABC):
    """What one database calls things."""

    strays: ClassVar[bool]
    """Whether a column may hold values of another type than it is declared with."""

    branches: ClassVar[int]
    """How many columns one query counts at most."""

    @abstractmethod
    def ticks(self, column: Expression, family: Ordered, age_from: int | None = None) -> Expression:
        """Return a column's values, or their ages, as numbers in order; null: no value."""

    @abstractmethod
    def level(
        self, column: Expression, kind: pa.DataType, domain: LevelDomain, zone: str
    ) -> Expression:
        """Return what tells a column's levels apart, byte by byte."""

    @abstractmethod
    def place(self, ticks: Expression, bins: NumericBins) -> Expression:
        """Return the number of edges at or below the ticks: the cell, NaN left aside."""

    @abstractmethod
    def is_nan(self, ticks: Expression) -> Expression:
        """Say whether a float is NaN."""

    @abstractmethod
    def finite(self, ticks: Expression, bins: NumericBins) -> Expression:
        """Say whether the ticks are a finite value."""

    @abstractmethod
    def exact(self, ticks: Expression) -> Expression:
        """Return a number in a form that loses nothing on its way here."""


def _edges(bins: NumericBins) -> tuple[int, list[Number | Decimal]]:
    """Return the edges that the database can hold, and how many lie below all its values."""
    match bins.domain:
        case "decimal":
            return 0, [Decimal(f"{edge}e{-bins.scale}") for edge in bins.edges]
        case "float":
            return 0, list(bins.edges)
        case "integer" | "date" | "time" | "timestamp" | "instant" | "duration":
            below = sum(edge <= _LOWEST for edge in bins.edges)
            return below, [edge for edge in bins.edges if _LOWEST < edge <= _HIGHEST]
        case _:
            assert_never(bins.domain)


_EPOCH = _sql("DATE '1970-01-01'")


class PostgreSQL(SqlDialect):
    """PostgreSQL 10 and later."""

    strays = False
    branches = 200

    def ticks(self, column: Expression, family: Ordered, age_from: int | None = None) -> Expression:
        """Return the values as bigint, double precision or numeric."""
        match family:
            case "integer":
                return sa.cast(column, sa.BigInteger)
            case "float":
                return sa.cast(column, DOUBLE_PRECISION)
            case "decimal":  # a numeric NaN is no decimal: null, as everywhere else
                return sa.func.nullif(column, _sql("CAST('NaN' AS numeric)"))
            case "time":
                return _microseconds(column)
            case "date":
                return _with_ends(column, sa.cast(column - _EPOCH, sa.BigInteger), age_from)
            case "timestamp" | "instant":
                return _with_ends(column, _microseconds(column), age_from)
            case _:
                assert_never(family)

    def level(
        self, column: Expression, kind: pa.DataType, domain: LevelDomain, zone: str
    ) -> Expression:
        """Return text; two texts are one level only if their bytes are equal."""
        match domain:
            case "hour" | "weekday":
                return self._clock(column, kind, domain, zone)
            case "date" | "decimal":
                return sa.cast(self.ticks(column, domain), sa.Text)
            case "binary":
                if pa.types.is_fixed_size_binary(kind):  # a UUID
                    return sa.func.replace(sa.cast(column, sa.Text), "-", "")
                return sa.func.encode(sa.cast(column, BYTEA), "hex")
            case "string" | "boolean" | "integer" | "float":
                return sa.collate(sa.cast(column, sa.Text), "C")
            case _:
                assert_never(domain)

    def _clock(
        self, column: Expression, kind: pa.DataType, domain: LevelDomain, zone: str
    ) -> Expression:
        """Return the hour, or the days since Monday."""
        local = self._local(column, zone) if family_of(kind) == "instant" else column
        field = sa.extract("hour" if domain == "hour" else "isodow", sa.cast(local, sa.TIMESTAMP))
        return sa.cast(field, sa.Integer) - int(domain == "weekday")

    def _local(self, column: Expression, zone: str) -> Expression:
        """Return moments as a clock in the zone shows them."""
        # To PostgreSQL the name '+02:00' lies west of Greenwich; as an interval it lies east.
        place = sa.cast(zone, sa.Interval) if _OFFSET.fullmatch(zone) else sa.literal(zone or "UTC")
        return sa.func.timezone(place, column)

    def place(self, ticks: Expression, bins: NumericBins) -> Expression:
        """Search the edges, which travel as one array."""
        below, edges = _edges(bins)
        if not edges:
            return _sql(str(below))
        kinds: dict[str, Any] = {"float": DOUBLE_PRECISION(), "decimal": sa.Numeric()}
        kind: ARRAY[Any] = ARRAY(kinds.get(bins.domain, sa.BigInteger()))
        return below + sa.func.width_bucket(ticks, sa.cast(sa.literal(edges, kind), kind))

    def is_nan(self, ticks: Expression) -> Expression:
        """Compare: to PostgreSQL NaN equals itself."""
        return ticks == _sql("CAST('NaN' AS double precision)")

    def finite(self, ticks: Expression, bins: NumericBins) -> Expression:
        """Leave out both infinities; NaN lies above them."""
        match bins.domain:
            case "integer":
                return sa.true()
            case "float":
                ends = [f"CAST('{sign}Infinity' AS double precision)" for sign in ("-", "")]
            case "decimal":
                ends = ["-1e1000", "1e1000"]
            case "date" | "time" | "timestamp" | "instant" | "duration":
                ends = [f"({_LOWEST})", f"({_HIGHEST})"]
            case _:
                assert_never(bins.domain)
        return sa.and_(ticks > _sql(ends[0]), ticks < _sql(ends[1]))

    def exact(self, ticks: Expression) -> Expression:
        """Write it: PostgreSQL writes as many digits as tell floats apart."""
        return sa.cast(ticks, sa.Text)


def _with_ends(column: Expression, finite: Expression, age_from: int | None) -> Expression:
    """Return days or microseconds, or ages, with the infinite ones at the ends of 64 bits."""
    ends = [_sql(f"({limit})") for limit in (_LOWEST, _HIGHEST)]
    if age_from is not None:
        finite, ends = _sql(f"({age_from})").op("-")(finite), ends[::-1]
    return sa.case(
        (sa.func.isfinite(column), finite),
        (column < _EPOCH, ends[0]),
        (column > _EPOCH, ends[1]),
    )


def _microseconds(column: Expression) -> Expression:
    return sa.cast(sa.extract("epoch", column) * _sql(str(_SECOND)), sa.BigInteger)


class SQLite(SqlDialect):
    """SQLite, whose values have types of their own; what is not as declared is a stray."""

    strays = True
    branches = 200

    def ticks(self, column: Expression, family: Ordered, age_from: int | None = None) -> Expression:
        """Return integers or reals; dates and moments are read from ISO 8601 text."""
        kind = sa.func.typeof(column)
        match family:
            case "integer":
                return sa.case((kind == "integer", column))
            case "float" | "decimal":
                return sa.case((kind.in_(("integer", "real")), column))
            case "date":
                seconds = sa.func.strftime("%s", sa.func.substr(column, 1, 10))
                return sa.case((kind == "text", _floor(sa.cast(seconds, sa.Integer), 86_400)))
            case "time":
                clock = sa.literal("1970-01-01 ").concat(sa.func.substr(column, 1, 8))
                return _clock(column, 1, clock)
            case "timestamp" | "instant":
                moments = _clock(column, 12, sa.func.substr(column, 1, 19))
                return moments if age_from is None else _sql(f"({age_from})") - moments
            case _:
                assert_never(family)

    def level(
        self, column: Expression, kind: pa.DataType, domain: LevelDomain, zone: str
    ) -> Expression:
        """Return text, integers or reals; two texts are one level only if their bytes are equal."""
        match domain:
            case "hour" | "weekday":
                return self._clock(column, kind, domain)
            case "binary":
                hexadecimal = sa.func.lower(sa.func.hex(column))  # which of null is empty
                return sa.case((column.is_not(None), hexadecimal))
            case "boolean":
                known = column.in_((_sql("0"), _sql("1")))
                return sa.case((known, column))
            case "string":
                return sa.collate(sa.cast(column, sa.Text), "BINARY")
            case "integer" | "float" | "decimal" | "date":
                return self.ticks(column, domain)
            case _:
                assert_never(domain)

    def _clock(self, column: Expression, kind: pa.DataType, domain: LevelDomain) -> Expression:
        """Return the hour, or the days since Monday."""
        ticks, day = self.ticks(column, ordered_of(kind)), 86_400 * _SECOND
        if pa.types.is_date(kind):
            ticks = ticks * day
        if domain == "hour":
            return _modulo(_floor(ticks, 3_600 * _SECOND), 24)
        return _modulo(_floor(ticks, day) + 3, 7)  # the first of January 1970 was a Thursday

    def place(self, ticks: Expression, bins: NumericBins) -> Expression:
        """Halve the edges until one cell is left."""
        below, edges = _edges(bins)
        # SQLite has no decimals: a value and an edge are the doubles nearest to what was written.
        plain = [float(edge) if isinstance(edge, Decimal) else edge for edge in edges]
        return _halved(ticks, plain, below)

    def is_nan(self, ticks: Expression) -> Expression:
        """Never: SQLite stores NaN as null."""
        return sa.false()

    def finite(self, ticks: Expression, bins: NumericBins) -> Expression:
        """Leave out both infinities."""
        return sa.and_(ticks > _sql("-9e999"), ticks < _sql("9e999"))

    def exact(self, ticks: Expression) -> Expression:
        """Return it as it is."""
        return ticks


def _clock(column: Expression, start: int, moment: Expression) -> Expression:
    """Return microseconds; SQLite's own reading would round them to thousandths of a second."""
    digits = sa.func.substr(sa.func.substr(column, start + 9).concat("000000"), 1, 6)
    rest = sa.func.substr(column, start + 8, 1)
    readable = sa.and_(sa.func.typeof(column) == "text", rest.in_(("", ".")))
    seconds = sa.cast(sa.func.strftime("%s", moment), sa.Integer)
    return sa.case((readable, seconds * _SECOND + sa.cast(digits, sa.Integer)))


def _floor(value: Expression, unit: int) -> Expression:
    """Divide integers, downwards also below zero."""
    divided_by = (value - _modulo(value, unit)).op("/", precedence=_PRODUCT)
    return divided_by(_sql(str(unit)))


def _modulo(value: Expression, unit: int) -> Expression:
    return (value % unit + unit) % unit


def _halved(ticks: Expression, edges: Sequence[Number], first: int) -> Expression:
    """Return a tree of comparisons; its depth is the logarithm of the number of edges."""
    if not edges:
        return _sql(str(first))
    middle = len(edges) // 2
    return sa.case(
        (ticks < sa.literal(edges[middle]), _halved(ticks, edges[:middle], first)),
        else_=_halved(ticks, edges[middle + 1 :], first + middle + 1),
    )


DIALECTS: dict[str, SqlDialect] = {"postgresql": PostgreSQL(), "sqlite": SQLite()}
