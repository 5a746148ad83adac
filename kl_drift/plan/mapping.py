"""A mapping of Python becomes plain values, as those of a plan file.

Knows what Python has for a scalar, a list and a mapping. Has never heard of YAML, of placeholders
(Python fills its own) or of what a plan may say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from os import PathLike, fspath
from typing import Any

from kl_drift.errors import PlanError
from kl_drift.plan.mistakes import Document, Key, Mistakes, Value
from kl_drift.plan.yaml import DEEPEST, NO_TEXT, whole_text


def read_mapping(
    mapping: Mapping[str, Any],
    path: str,
    *,
    as_written: Callable[[Key], bool],
    folder: str | PathLike[str] = "",
) -> Document:
    """Copy a mapping as plain values.

    Parameters
    ----------
    mapping : mapping
        Text, numbers, booleans, paths, dates, and lists, tuples and mappings of these.
    path : str
        What mistakes say instead of a file.
    as_written : callable
        Says of which keys a scalar is text, whatever it is.
    folder : str or path
        Where relative paths begin; by default at the working directory.

    Returns
    -------
    Document
        The values, none of them in a line (0), and the mistakes of values that no file could hold.

    Raises
    ------
    PlanError
        If it is no mapping, or one that holds itself.
    """
    if not isinstance(mapping, Mapping):
        raise PlanError(f"{path}: expected a mapping, got {type(mapping).__name__}")
    reading = _Reading(mistakes=Mistakes(path=path, begin=fspath(folder)), as_written=as_written)
    return Document(value=reading.value(mapping, ()), mistakes=reading.mistakes, filled={})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One walk over the values of a mapping."""

    mistakes: Mistakes
    as_written: Callable[[Key], bool]

    def value(self, value: object, key: Key) -> Value:
        self.mistakes.lines[key] = 0
        if len(key) > DEEPEST:
            raise PlanError(f"{self.mistakes.path}: nested too deeply; does it hold itself?")
        if isinstance(value, Mapping):
            return self._mapping(value, key)
        if isinstance(value, list | tuple):
            return [self.value(item, (*key, place)) for place, item in enumerate(value)]
        return self._scalar(value, key)

    def _mapping(self, mapping: Mapping[object, object], key: Key) -> Value:
        values: dict[str, Value] = {}
        for name, value in mapping.items():
            if not isinstance(name, str):
                self.mistakes.add(key, f"a key must be text, got {name!r}")
            elif whole_text(name) is None:
                self.mistakes.add(key, NO_TEXT)
            else:
                values[name] = self.value(value, (*key, name))
        return values

    def _scalar(self, value: object, key: Key) -> Value:
        if isinstance(value, PathLike):
            value = fspath(value)
        if isinstance(value, date):
            value = value.isoformat()
        if value is None:
            return None
        if not isinstance(value, str | bool | int | float):
            expected = "text, a number, true or false, a list or a mapping"
            self.mistakes.add(key, f"expected {expected}, got {type(value).__name__}")
            return None
        if self.as_written(key):
            value = str(value).lower() if isinstance(value, bool) else str(value)
        if isinstance(value, str) and whole_text(value) is None:
            self.mistakes.add(key, NO_TEXT)
            return ""
        return value
