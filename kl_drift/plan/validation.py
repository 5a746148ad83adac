"""The values of a file become a typed model, or mistakes: key, expected, got, and a hint.

Knows the errors of pydantic, and words them by a JSON Schema, so that editors and messages say the
same. Has never heard of what the keys mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from reprlib import Repr
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kl_drift.errors import KLDriftError, did_you_mean
from kl_drift.plan.mistakes import Document, Key, Value
from kl_drift.storage import is_uri

Schema: TypeAlias = dict[str, Any]
_Model = TypeVar("_Model", bound=BaseModel)

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_TAGGED = ("union_tag_invalid", "union_tag_not_found")
_MISSING = ("missing", "union_tag_not_found")
_WORDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "of at least",
    "exclusiveMaximum": "below",
    "maximum": "of at most",
}


def validated(
    document: Document, model: type[_Model], schema: Schema, *, secret: Callable[[Key], bool]
) -> _Model:
    """Return the values of a file as a model.

    Parameters
    ----------
    document : Document
        The file.
    model : type of BaseModel
        What its values should be. Nothing is converted.
    schema : dict
        The model's JSON Schema, without ``null``.
    secret : callable
        Says of which keys the value is never shown. What came from the environment never is.

    Returns
    -------
    BaseModel
        The model; what is noted among the document's mistakes is yet to be raised.

    Raises
    ------
    PlanError
        If the values do not fit: all mistakes of the file, also those found while it was read.
    """
    shape = _Shape(schema, document, secret)
    try:
        found = model.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        shape.note(error)
        shape.note_empty()
        raise document.mistakes.error() from None  # the cause prints every value
    shape.note_empty()
    return found


class _Shape:
    """A schema beside the values that should fit it."""

    def __init__(self, schema: Schema, document: Document, secret: Callable[[Key], bool]) -> None:
        self.schema, self.document, self.secret = schema, document, secret

    def note(self, error: ValidationError) -> None:
        """Note every error; one deeper inside explains more than that of the whole."""
        errors = [(_key(each, self.document.value), each) for each in error.errors()]
        for key, each in errors:
            if not any(key == other[: len(key)] and key != other for other, _ in errors):
                self.document.mistakes.add(key, self._sentence(key, each))

    def note_empty(self) -> None:
        """Note every key that has nothing after it: by that, no key means anything."""
        for key in self.document.mistakes.lines:
            if self._value(key) is None and self._places(key):
                self.document.mistakes.add(key, self._wrong(key))

    def _sentence(self, key: Key, error: ErrorDetails) -> str:
        cause = error.get("ctx", {}).get("error")
        if error["type"] in _UNKNOWN:
            known = [name for place in self._places(key[:-1]) for name in _keys(place)]
            return f"unknown key; known: {', '.join(known)}.{did_you_mean(str(key[-1]), known)}"
        if error["type"] in _MISSING:
            return f"is missing; expected {_expected(self._places(key))}"
        if isinstance(cause, KLDriftError):
            return str(cause)
        return self._wrong(key, str(cause or ""))

    def _wrong(self, key: Key, expected: str = "") -> str:
        """Say what was expected at a key and what is there."""
        places, value = self._places(key), self._value(key)
        expected = f"expected {expected or _expected(places)}"
        filled = self.document.filled
        if value is not None and (filled.get(key) or self.secret(key)):
            return f"{expected}, got (hidden)"
        return f"{expected}, got {_shown(value)}{_hint(value, places, key in filled)}"

    def _value(self, key: Key) -> Value:
        value: Value = self.document.value
        for step in key:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def _places(self, key: Key) -> list[Schema]:
        """Return the alternatives that the schema has for a key."""
        places = list(self._alternatives(self.schema, ()))
        for depth, step in enumerate(key, 1):
            below = [_below(place, step) for place in places]
            here = key[:depth]
            places = [each for child in below if child for each in self._alternatives(child, here)]
        return places

    def _alternatives(self, place: Schema, key: Key) -> Iterator[Schema]:
        """Yield what a place may be; of kinds of bins the one that the file says, if it is one."""
        union = place.get("anyOf") or place.get("oneOf")
        if "$ref" in place:
            definition = self.schema["$defs"][place["$ref"].rpartition("/")[2]]
            yield from self._alternatives(definition, key)
        elif union:
            value = self._value(key)
            kind = value.get("kind") if isinstance(value, dict) else None
            found = [each for child in union for each in self._alternatives(child, key)]
            yield from [each for each in found if kind and kind == _kind(each)] or found
        else:
            yield place


def _key(error: ErrorDetails, value: Value) -> Key:
    """Return the key in the file: pydantic's place also names the branches of unions."""
    key: Key = ()
    for step in error["loc"]:
        named = isinstance(value, dict) and step in value
        listed = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if named or listed:
            value, key = value[step], (*key, step)
    if error["type"] in _TAGGED:
        return (*key, "kind")
    return (*key, error["loc"][-1]) if error["type"] in _MISSING else key


def _keys(place: Schema) -> Schema:
    keys: Schema = place.get("properties", {})
    return keys


def _kind(place: Schema) -> str | None:
    kind: str | None = _keys(place).get("kind", {}).get("const")
    return kind


def _below(place: Schema, step: str | int) -> Schema | None:
    if isinstance(step, int):
        return place.get("items")
    below: Schema | None = _keys(place).get(step) or place.get("additionalProperties")
    return below


def _expected(places: list[Schema]) -> str:
    choices = _choices(places)
    phrases = [f"one of {', '.join(choices)}"] if len(choices) > 1 else choices
    phrases += [_phrase(place) for place in places if not _choices([place])]
    if "a number" in phrases:  # which a whole number is, too
        phrases = [phrase for phrase in phrases if phrase != "a whole number"]
    return " or ".join(dict.fromkeys(phrases))


def _choices(places: list[Schema]) -> list[str]:
    """Return the words that may stand there, if only certain ones may."""
    choices = [place.get("enum", [place["const"]] if "const" in place else []) for place in places]
    return list(dict.fromkeys(str(choice) for some in choices for choice in some))


def _phrase(place: Schema) -> str:
    if kind := _kind(place):
        return f"{{kind: {kind}, …}}"
    if len(keys := _keys(place)) == 1:
        return f"{{{next(iter(keys))}: …}}"
    words = " or ".join(_WORDS[each] for each in _types(place))
    bounds = [f"{word} {place[name]}" for name, word in _BOUNDS.items() if name in place]
    return f"{words} {' and '.join(bounds)}" if bounds else words


def _types(place: Schema) -> list[str]:
    return place["type"] if isinstance(place["type"], list) else [place["type"]]


def _shown(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list" if value else "an empty list"
        case str():
            shortening = Repr()
            shortening.maxstring = 60
            shown = f"{value.partition('://')[0]}://…" if is_uri(value) else value  # may hold a key
            return shortening.repr(shown) if value else "empty text"
        case _:
            return repr(value) if math.isfinite(value) else f"{value}, which is not finite"


def _hint(value: Value, places: list[Schema], filled: bool) -> str:
    types = {each for place in places for each in _types(place)}
    choices = _choices(places)
    if value in choices:
        return "; take the quotes away"
    if isinstance(value, str) and choices:
        hint = did_you_mean(value, choices)
        return f".{hint}" if hint else ""
    if isinstance(value, str) and "array" in types and "string" not in types:
        return "; put it in brackets" + ("" if is_uri(value) else f": [{value}]")
    if isinstance(value, bool | int | float) and "string" in types and not choices:
        return "; put it in quotes"
    return "; what fills a placeholder is text" if filled and "string" not in types else ""
