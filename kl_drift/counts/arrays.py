"""Arrow arrays as plain values: numbers of a domain, or the text of levels.

Knows every Arrow type that feature tables use and which domain its values live in. Has never heard
of edges, cells, files or profiles.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kl_drift.counts.bins import HOURS, WEEKDAYS, Domain, LevelDomain
from kl_drift.counts.buffers import from_numpy, from_texts, to_numpy

if TYPE_CHECKING:
    from collections.abc import Callable

Family: TypeAlias = Literal[
    "integer", "float", "decimal", "boolean", "string", "binary",
    "date", "time", "timestamp", "instant", "duration", "null",
]  # fmt: skip
"""Types that hold the same kind of value; a change within a family is no change of type."""

TEMPORAL: frozenset[Family] = frozenset({"date", "timestamp", "instant"})
"""Families whose values move by construction as time passes; a time of day does not."""

NUMERIC: frozenset[str] = frozenset(get_args(Domain))
LEVELLED: frozenset[str] = frozenset(get_args(LevelDomain))

LEVEL_TEXT = pa.large_string()
"""The Arrow type of levels; wide, since a table in memory may hold more than 2 GiB of text."""

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
        return decoded(array.values).take(_run_of_each_row(array))
    if pa.types.is_dictionary(array.type):
        return decoded(array.dictionary).take(array.indices)
    return array


def _run_of_each_row(array: pa.RunEndEncodedArray) -> pa.Array:
    """Return the index of each row's value; Arrow itself decodes plain values only."""
    ends = np.clip(to_numpy(array.run_ends) - array.offset, 0, len(array))
    return from_numpy(np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0)))


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
        return to_numpy(array)
    return _ticks(array)


def _ticks(array: pa.Array) -> npt.NDArray[np.int64]:
    kind = array.type
    wide = pa.types.is_date64(kind) or getattr(kind, "bit_width", _WORD) == _WORD
    raw: npt.NDArray[np.int64] = to_numpy(array.view(pa.int64() if wide else pa.int32())).astype(
        np.int64, copy=False
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
    return _shifted(_joined(used.reshape(-1, words)), scale - array.type.scale)


def _joined(words: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
    """Join the words of wide integers, lowest first: int64 if all fit, else Python integers."""
    low = np.ascontiguousarray(words[:, 0]).view("<i8")
    signs = (low >> _WORD - 1).view("<u8")
    if (words[:, 1:] == signs[:, None]).all():
        return low
    wide: npt.NDArray[Any] = np.ascontiguousarray(words[:, -1]).view("<i8").astype(object)
    for word in range(words.shape[1] - 2, -1, -1):
        wide = wide * 2**_WORD + words[:, word].astype(object)
    return wide


def _shifted(values: npt.NDArray[Any], digits: int) -> npt.NDArray[Any]:
    """Multiply by a power of ten; a negative one floors."""
    if not digits or not len(values):
        return values
    factor: int = 10 ** abs(digits)
    largest = max(abs(int(values.min())), abs(int(values.max()))) if digits > 0 else 1
    if factor * largest > np.iinfo(np.int64).max:
        values = values.astype(object)
    moved: npt.NDArray[Any] = values * factor if digits > 0 else values // factor
    return moved


def hours_and_weekdays(array: pa.Array, part: Literal["hour", "weekday"]) -> pa.DictionaryArray:
    """Return the hour or the weekday of moments, as levels; zoned ones in their own zone.

    A date, being a midnight, has the hour 00. Arrow knows summer time until 2037 and the calendar
    between the years ±32,767; beyond them a level may be a wrong one.
    """
    array = decoded(array)
    if not pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("ms"))
    names = HOURS if part == "hour" else WEEKDAYS
    places = pc.hour(array) if part == "hour" else pc.day_of_week(array)
    inside = to_numpy(places.fill_null(0)) % len(names)
    missing = to_numpy(places.is_null())
    return pa.DictionaryArray.from_arrays(
        from_numpy(inside.astype(np.int8), missing), from_texts(names)
    )


def level_dictionary(array: pa.Array, domain: LevelDomain) -> pa.DictionaryArray:
    r"""Return a categorical column as a dictionary whose values are the text of its levels.

    Binary levels are written in hexadecimal, decimals without trailing zeros (a change of scale
    is no change of level), floats with the digits that 32 bits hold (a change of width is none
    either), −0 as 0 and bytes that are no UTF-8 as ``\xff``; all else as Arrow
    writes it. The dictionary may hold values that no row uses, equal values, and nulls.
    """
    if isinstance(array, pa.ExtensionArray):
        return level_dictionary(array.storage, domain)
    if pa.types.is_run_end_encoded(array.type):
        runs = level_dictionary(array.values, domain)
        indices = runs.indices.take(_run_of_each_row(array))
        return pa.DictionaryArray.from_arrays(indices, runs.dictionary)
    if domain in ("hour", "weekday"):
        array = hours_and_weekdays(array, domain)
    if not pa.types.is_dictionary(array.type):
        array = _encodable(array).dictionary_encode()
    return pa.DictionaryArray.from_arrays(array.indices, _text(array.dictionary, domain))


def _encodable(array: pa.Array) -> pa.Array:
    """Return the array in a type of which Arrow makes dictionaries."""
    kind = array.type
    if pa.types.is_null(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.large_string())
    if pa.types.is_binary_view(kind):
        return array.cast(pa.large_binary())
    if pa.types.is_decimal(kind) and kind.bit_width < 2 * _WORD:
        return array.cast(pa.decimal128(kind.precision, kind.scale))
    return array


def _text(levels: pa.Array, domain: LevelDomain) -> pa.Array:
    levels = decoded(levels)
    if domain == "binary":
        return _written(levels, bytes.hex)
    if domain == "decimal":
        return _written(levels, _decimal_text)
    if domain == "float":
        return _float_text(levels)
    text = levels.cast(LEVEL_TEXT)
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:  # Parquet files may hold any bytes in a column of strings
        return _written(text.cast(pa.large_binary()), _escaped)
    return text


def _float_text(levels: pa.Array) -> pa.Array:
    """Write whole numbers whole, and others as 32 bits hold them: the same in every width."""
    wide = levels.cast(pa.float64(), safe=False)
    values = to_numpy(wide.fill_null(0.0))
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    fits = np.isfinite(narrow) & (np.abs(narrow) >= np.finfo(np.float32).tiny)
    rounded = fits & (values != np.rint(values))
    # What 32 bits hold of 33972150.5 is the whole number 33972152, and is written as such.
    fractional = rounded & (narrow != np.rint(narrow))
    held = pc.if_else(from_numpy(rounded), from_numpy(narrow.astype(np.float64)), wide)
    short = from_numpy(narrow).cast(LEVEL_TEXT)
    text = pc.if_else(from_numpy(fractional), short, held.cast(LEVEL_TEXT))
    return pc.replace_substring_regex(text, "^-0$", "0")


def float_level(level: str) -> str:
    """Return a level of a float column as it is written today."""
    try:
        value = float(level)
    except ValueError:  # a level that was stated and is no number
        return level
    written: str = _float_text(from_numpy(np.array([value])))[0].as_py()
    return written


def _written(levels: pa.Array, write: Callable[[Any], str]) -> pa.Array:
    texts = [None if level is None else write(level) for level in levels.to_pylist()]
    return from_texts(texts)


def _decimal_text(level: Decimal) -> str:
    text = f"{level:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _escaped(level: bytes) -> str:
    return level.decode("utf-8", "backslashreplace")
