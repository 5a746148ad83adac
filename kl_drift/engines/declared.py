"""What a column's metadata say of its values, where Arrow's type alone would mislead.

Knows pandas' periods, intervals and index columns, as pandas writes them into Arrow schemas. Has
never heard of files, bins or counts; needs no pandas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kl_drift.counts.buffers import from_numpy, to_numpy

_FREQUENCY = re.compile(r"^\d*([A-Za-z]+)(?:-([A-Z]{3}))?$")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_CLOCK: Mapping[str, tuple[str, int]] = {
    "h": ("s", 3_600),
    "min": ("s", 60),
    "s": ("s", 1),
    "ms": ("ms", 1),
    "us": ("us", 1),
    "ns": ("ns", 1),
}
_BRACKETS = {"left": ("[", ")"), "right": ("(", "]"), "both": ("[", "]")}
_OLD_NAMES = {"A": "Y", "H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns"}

Ordinals = npt.NDArray[np.int64]


def declared_type(field: pa.Field) -> pa.DataType:
    """Return the type of a column's values: of periods a date or a timestamp, of intervals text."""
    name, stated = _extension(field)
    if name == "pandas.interval":
        return _like(field.type, pa.large_string())
    if name == "pandas.period" and (kind := _period_type(stated)) is not None:
        return _like(field.type, kind)
    return field.type


def as_declared(array: pa.Array, field: pa.Field) -> pa.Array:
    """Return a column's values as what :func:`declared_type` says they are.

    A period is its first moment.
    """
    name, stated = _extension(field)
    if declared_type(field) is field.type:
        return array
    if pa.types.is_dictionary(array.type):
        values = as_declared(array.dictionary, field.with_type(array.type.value_type))
        return pa.DictionaryArray.from_arrays(array.indices, values)
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    return _intervals(storage, stated) if name == "pandas.interval" else _periods(storage, stated)


def index_columns(schema: pa.Schema) -> frozenset[str]:
    """Return the columns that hold the index of a pandas data frame, as its metadata name them."""
    try:
        stated = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        names = stated.get("index_columns", [])
    except (ValueError, AttributeError):  # someone else's, under the same key
        return frozenset()
    return frozenset(each for each in names if isinstance(each, str) and each in schema.names)


def _like(kind: pa.DataType, values: pa.DataType) -> pa.DataType:
    return pa.dictionary(kind.index_type, values) if pa.types.is_dictionary(kind) else values


def _extension(field: pa.Field) -> tuple[str, Mapping[str, Any]]:
    """Return the name of an extension type and its parameters, be it registered or not."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if isinstance(kind, pa.ExtensionType):
        name, stated = kind.extension_name, kind.__arrow_ext_serialize__()
    else:
        metadata = field.metadata or {}
        name = metadata.get(b"ARROW:extension:name", b"").decode("utf-8", "replace")
        stated = metadata.get(b"ARROW:extension:metadata", b"")
    if not name.startswith("pandas."):
        return "", {}
    try:
        return name, dict(json.loads(stated))
    except (ValueError, TypeError):
        return "", {}


def _intervals(storage: pa.Array, stated: Mapping[str, Any]) -> pa.Array:
    """Write intervals as pandas does: ``(0, 10]``."""
    left, right = (pc.struct_field(storage, side).cast(pa.large_string()) for side in (0, 1))
    opening, closing = _BRACKETS.get(str(stated.get("closed")), ("(", ")"))
    pieces = [opening, left, ", ", right, closing, ""]
    kind = pa.large_string()
    text = pc.binary_join_element_wise(
        *(pa.scalar(each, kind) if isinstance(each, str) else each for each in pieces)
    )
    return pc.if_else(storage.is_valid(), text, pa.scalar(None, kind))


def _periods(storage: pa.Array, stated: Mapping[str, Any]) -> pa.Array:
    base, anchor = _frequency(stated)
    missing = to_numpy(storage.is_null())
    ordinals = to_numpy(storage.fill_null(0)).astype(np.int64, copy=False)
    if base in _CLOCK:
        unit, factor = _CLOCK[base]
        return from_numpy(ordinals * factor, missing).cast(pa.timestamp(unit))
    days = _FIRST_DAYS[base](ordinals, anchor)
    return from_numpy(days.astype(np.int32), missing).cast(pa.date32())


def _period_type(stated: Mapping[str, Any]) -> pa.DataType | None:
    base, _ = _frequency(stated)
    if base in _CLOCK:
        return pa.timestamp(_CLOCK[base][0])
    return pa.date32() if base in _FIRST_DAYS else None


def _frequency(stated: Mapping[str, Any]) -> tuple[str, str]:
    """Return base and anchor of a frequency: ``Q`` and ``DEC`` of ``Q-DEC``."""
    parts = _FREQUENCY.match(str(stated.get("freq", "")))
    if parts is None:
        return "", ""
    base = parts[1].removesuffix("E") if parts[1] in ("ME", "QE", "YE") else parts[1]
    return _OLD_NAMES.get(base, base), parts[2] or ""


def _days_of_months(months: Ordinals) -> Ordinals:
    days: Ordinals = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return days


def _shift(anchor: str) -> int:
    """Return by how many months a year that ends with the anchor begins before January."""
    return (_MONTHS.index(anchor) + 1) % 12 - 12 if anchor in _MONTHS[:-1] else 0


def _years(ordinals: Ordinals, anchor: str) -> Ordinals:
    return _days_of_months(12 * ordinals + _shift(anchor))


def _quarters(ordinals: Ordinals, anchor: str) -> Ordinals:
    return _days_of_months(3 * ordinals + _shift(anchor))


def _weeks(ordinals: Ordinals, anchor: str) -> Ordinals:
    last = _WEEKDAYS.index(anchor) if anchor in _WEEKDAYS else len(_WEEKDAYS) - 1
    return 7 * (ordinals - 1) + (last + 1) % 7 - 3  # the first of January 1970 was a Thursday


def _business_days(ordinals: Ordinals, _: str) -> Ordinals:
    weeks, days = np.divmod(ordinals + 3, 5)
    return 7 * weeks + days - 3


_FIRST_DAYS: Mapping[str, Callable[[Ordinals, str], Ordinals]] = {
    "Y": _years,
    "Q": _quarters,
    "M": lambda ordinals, _: _days_of_months(ordinals),
    "W": _weeks,
    "B": _business_days,
    "D": lambda ordinals, _: ordinals,
}
