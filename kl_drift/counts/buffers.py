"""Arrow ⇄ NumPy by way of their buffers.

Knows how plain arrays lie in memory. Has never heard of domains, columns or counts.

``pyarrow.array`` and ``Array.to_numpy`` would do the same, but import pandas wherever it is
installed, which takes longer than reading many a snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_LETTERS = ((pa.types.is_unsigned_integer, "u"), (pa.types.is_floating, "f"))
_BITS = 8


def to_numpy(array: pa.Array) -> npt.NDArray[Any]:
    """Return the values of a boolean, integer or floating array that holds no null."""
    buffer, end = array.buffers()[1], array.offset + len(array)
    if pa.types.is_boolean(array.type):
        if not len(array):
            return np.empty(0, bool)
        bits = np.unpackbits(np.frombuffer(buffer, np.uint8), count=end, bitorder="little")
        return bits[array.offset :].astype(bool)
    letter = next((letter for belongs, letter in _LETTERS if belongs(array.type)), "i")
    dtype = np.dtype(f"{letter}{array.type.bit_width // _BITS}")
    if not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(buffer, dtype, count=end)[array.offset :]


def from_numpy(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Return booleans, integers or floats as an Arrow array, null where ``missing`` says so."""
    valid = None if missing is None else _bitmap(~missing)
    if values.dtype == bool:
        return pa.Array.from_buffers(pa.bool_(), len(values), [valid, _bitmap(values)])
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [valid, data])


def from_texts(texts: Sequence[str | None]) -> pa.Array:
    """Return texts as an array of large strings; ``None`` is null."""
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    missing = np.array([text is None for text in texts], bool)
    valid = _bitmap(~missing) if missing.any() else None
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(encoded), buffers)


def _bitmap(flags: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))
