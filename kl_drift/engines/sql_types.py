"""The columns of a database as the Arrow columns that their values would make.

Knows SQLAlchemy's types. Has never heard of bins, queries or counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import TypeEngine

_WIDEST = pa.decimal256(76, 38)
"""The type of a numeric column without a precision, and the widest that Arrow has."""

_UUID_BYTES = 16


def arrow_type(kind: TypeEngine[Any], dialect: str) -> pa.DataType:
    """Return the Arrow type of a column's values.

    Parameters
    ----------
    kind : TypeEngine
        As reflected.
    dialect : str
        The name of SQLAlchemy's dialect. SQLite's integers and reals have 64 bits, whatever the
        column is declared as, and its moments no zone.

    Returns
    -------
    pyarrow.DataType
        A struct around the type's name where kl-drift has no domain for its values (arrays, JSON,
        intervals …): such columns are not counted.
    """
    if isinstance(kind, DOMAIN):
        return arrow_type(kind.data_type, dialect)
    for known, made in _TYPES:
        if isinstance(kind, known):
            found = made(kind, dialect == "sqlite")
            return found if found is not None else _uncounted(kind)
    return _uncounted(kind)


def _uncounted(kind: TypeEngine[Any]) -> pa.DataType:
    return pa.struct([(type(kind).__name__, pa.null())])


def _integer(kind: TypeEngine[Any], wide: bool) -> pa.DataType:
    if wide or isinstance(kind, sa.BigInteger):
        return pa.int64()
    return pa.int16() if isinstance(kind, sa.SmallInteger) else pa.int32()


def _float(kind: TypeEngine[Any], wide: bool) -> pa.DataType:
    return pa.float32() if isinstance(kind, sa.REAL) and not wide else pa.float64()


def _decimal(kind: Any, _: bool) -> pa.DataType:
    precision, scale = kind.precision, kind.scale or 0
    if precision is None or precision > _WIDEST.precision:
        return _WIDEST
    return (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, scale)


def _moment(kind: Any, naive: bool) -> pa.DataType:
    return pa.timestamp("us", "UTC" if kind.timezone and not naive else None)


def _time(kind: Any, naive: bool) -> pa.DataType | None:
    return None if kind.timezone and not naive else pa.time64("us")


def _always(found: pa.DataType) -> Callable[[Any, bool], pa.DataType]:
    return lambda _kind, _sqlite: found


_TYPES: tuple[tuple[type[TypeEngine[Any]], Callable[[Any, bool], pa.DataType | None]], ...] = (
    (sa.Boolean, _always(pa.bool_())),
    (sa.Integer, _integer),
    (sa.Float, _float),
    (sa.Numeric, _decimal),
    (sa.DateTime, _moment),
    (sa.Date, _always(pa.date32())),
    (sa.Time, _time),
    (sa.String, _always(pa.string())),
    (sa.Uuid, _always(pa.binary(_UUID_BYTES))),
    (sa.LargeBinary, _always(pa.binary())),
)
