"""Arrow arrays as plain values: numbers of a domain, or the text of levels.

Knows every Arrow type that feature tables use and which domain its values live in. Has never heard
of edges, cells, files or profiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kl_drift.bins import Domain, LevelDomain

if TYPE_CHECKING:
    from collections.abc import Callable

Family: TypeAlias = Literal[
    "integer", "float", "decimal", "boolean", "string", "binary",
    "date", "time", "timestamp", "instant", "duration", "null",
]  # fmt: skip
"""Types that hold the same kind of value; a change within a family is no change of type."""

TEMPORAL: frozenset[Family] = frozenset({"date", "time", "timestamp", "instant"})
"""Families whose values move by construction as time passes."""

NUMERIC: frozenset[str] = frozenset(get_args(Domain))
LEVELLED: frozenset[str] = frozenset(get_args(LevelDomain))

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(f"{hour:02d}" for hour in range(24))

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_WORD = 64

_FAMILIES: tuple[tuple[Callable[[Any], bool], Family], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "float"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_string_view, "string"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_binary_view, "binary"),
    (pa.types.is_fixed_size_binary, "binary"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_duration, "duration"),
    (pa.types.is_null, "null"),
)


def family_of(kind: pa.DataType) -> Family | None:
    """Return the family of an Arrow type; ``None`` for nested types, which are not counted."""
    kind = _plain_type(kind)
    if pa.types.is_timestamp(kind):
        return "timestamp" if kind.tz is None else "instant"
    return next((family for belongs, family in _FAMILIES if belongs(kind)), None)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Look through extension types, dictionaries and run-end encoding."""
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    return kind


def decoded(array: pa.Array) -> pa.Array:
    """Return the array without extension type, dictionary or run-end encoding."""
    if isinstance(array, pa.ExtensionArray):
        return decoded(array.storage)
    if pa.types.is_run_end_encoded(array.type):
        return decoded(pc.run_end_decode(array))
    if pa.types.is_dictionary(array.type):
        return decoded(array.dictionary_decode())
    return array


def scale_of(kind: pa.DataType) -> int:
    """Return the digits after the point of a decimal type, 0 for any other."""
    kind = _plain_type(kind)
    return int(kind.scale) if pa.types.is_decimal(kind) else 0


def numbers(array: pa.Array, domain: Domain, scale: int = 0) -> npt.NDArray[Any]:
    """Return the values that are not null, in their domain's unit.

    Parameters
    ----------
    array : pyarrow.Array
        Of the family ``domain``.
    domain : Domain
        What to return: floats for ``float``; integers otherwise, in days for dates, microseconds
        for other times (nanoseconds are floored), 10⁻ˢᶜᵃˡᵉ for decimals.
    scale : int
        Decimals only: the scale of the result; further digits are floored.

    Returns
    -------
    ndarray
        One dimension, at most as long as ``array``. Decimals that need more than 64 bits come as
        Python integers (dtype object).
    """
    array = decoded(array)
    if array.null_count:
        array = array.drop_null()
    if pa.types.is_null(array.type):
        return np.empty(0)
    if domain == "decimal":
        return _unscaled(array, scale)
    if domain in ("float", "integer"):
        values: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return values
    return _ticks(array)


def _ticks(array: pa.Array) -> npt.NDArray[np.int64]:
    kind = array.type
    wide = pa.types.is_date64(kind) or getattr(kind, "bit_width", _WORD) == _WORD
    raw: npt.NDArray[np.int64] = (
        array.view(pa.int64() if wide else pa.int32())
        .to_numpy(zero_copy_only=False)
        .astype(np.int64, copy=False)
    )
    if pa.types.is_date32(kind):
        return raw
    if pa.types.is_date64(kind):
        return raw // 86_400_000
    if kind.unit == "ns":
        return raw // 1_000
    factor = _MICROSECONDS[kind.unit]
    limit = np.iinfo(np.int64).max // factor
    return np.clip(raw, -limit, limit) * factor


def _unscaled(array: pa.Array, scale: int) -> npt.NDArray[Any]:
    """Return decimals as integers at ``scale``: int64 where they fit, Python integers otherwise."""
    if not pa.types.is_decimal128(array.type) and not pa.types.is_decimal256(array.type):
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    words = array.type.bit_width // _WORD
    buffer = array.buffers()[1]
    raw = np.frombuffer(buffer, dtype="<u8") if buffer is not None else np.empty(0, "<u8")
    used = raw[array.offset * words : (array.offset + len(array)) * words]
    table: npt.NDArray[np.uint64] = used.reshape(-1, words)
    shift = scale - array.type.scale
    if array.type.precision + max(shift, 0) <= 18:
        narrow: npt.NDArray[np.int64] = np.ascontiguousarray(table[:, 0]).view("<i8")
        return _shifted(narrow, shift)
    wide: npt.NDArray[Any] = np.ascontiguousarray(table[:, -1]).view("<i8").astype(object)
    for word in range(words - 2, -1, -1):
        wide = wide * 2**_WORD + table[:, word].astype(object)
    return _shifted(wide, shift)


def _shifted(values: npt.NDArray[Any], digits: int) -> npt.NDArray[Any]:
    """Multiply by a power of ten; a negative one floors."""
    moved: npt.NDArray[Any] = values * 10**digits if digits >= 0 else values // 10**-digits
    return moved


def hours_and_weekdays(array: pa.Array, part: Literal["hour", "weekday"]) -> pa.Array:
    """Return the hour or the weekday of times, as levels; zoned ones in their own zone."""
    array = decoded(array)
    if part == "hour":
        return pc.take(pa.array(HOURS), pc.hour(array))
    return pc.take(pa.array(WEEKDAYS), pc.day_of_week(array))


def level_dictionary(array: pa.Array, domain: LevelDomain) -> pa.DictionaryArray:
    """Return a categorical column as a dictionary whose values are the text of its levels.

    Binary levels are written in hexadecimal; all others as Arrow writes them. The dictionary may
    hold values that no row uses, and nulls.
    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if domain in ("hour", "weekday"):
        array = hours_and_weekdays(array, domain)
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if not pa.types.is_dictionary(array.type):
        if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
            array = array.cast(pa.string() if domain == "string" else pa.binary())
        array = array.dictionary_encode()
    return pa.DictionaryArray.from_arrays(array.indices, _text(array.dictionary, domain))


def _text(levels: pa.Array, domain: LevelDomain) -> pa.Array:
    levels = decoded(levels)
    if domain == "binary":
        hexes = [None if level is None else level.hex() for level in levels.to_pylist()]
        return pa.array(hexes, pa.string())
    return levels.cast(pa.string())
