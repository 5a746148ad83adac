"""Canonical JSON: equal things have equal bytes, and therefore one digest.

Knows sorted keys, shortest floats and SHA-256. Has never heard of bins or profiles.
"""

from __future__ import annotations

import hashlib
import json


def dumps(value: object) -> str:
    """Write ``value`` as canonical JSON: keys sorted, no spaces, NaN and infinities refused."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical JSON of ``value``, in hexadecimal."""
    return hashlib.sha256(dumps(value).encode("utf-8", "surrogatepass")).hexdigest()
