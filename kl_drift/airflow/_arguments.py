"""The arguments of operators: what is text, and what is refused before a task runs.

Knows arguments by their names, and Airflow's templates. Has never heard of what a task does with
them. What can be known when a DAG file is parsed is refused then; what templates and other tasks
bring is looked at again when the task runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from os import PathLike
from typing import Any

from kl_drift.airflow._storage import is_named, plain_snapshot
from kl_drift.airflow.exceptions import mistakes_not_retried
from kl_drift.errors import UsageError, did_you_mean
from kl_drift.storage import holds_password, redacted

_TEMPLATES = ("{{", "{%")
_SNAPSHOTS = ("current", "reference", "snapshot")
_SUFFIXES = {"report": (".json",), "profile": (".json",), "html": (".html", ".htm")}
"""How the names of files that a task writes must end."""


def as_text(value: Any) -> Any:
    """Return paths and dates as text, also inside lists and mappings; everything else as it is."""
    value = plain_snapshot(value)
    if isinstance(value, PathLike):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if type(value) is dict:
        return {key: as_text(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(as_text, value))
    return value


def as_named(value: Any) -> Any:
    """Return what names a snapshot or a profile as text; anything else, such as rows, as it is."""
    return as_text(value) if is_named(value) else value


def as_numbers(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return limits with the numbers that arrived as text, or as a Decimal, as numbers."""
    return {key: _number(value) for key, value in limits.items()}


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def check_stated(task: Any, names: Iterable[str]) -> None:
    """Refuse what is wrong whatever templates bring.

    Raises
    ------
    DriftMistakeError
        If a templated argument is a function or holds a password, a file has no known suffix,
        limits have unknown keys, or a value is nothing.
    """
    with mistakes_not_retried():
        for name in names:
            value = getattr(task, name)
            _refuse_function(name, value)
            _refuse_credentials(name, _texts_of(task, name))
            _check_suffix(name, value)
        _check_limits(getattr(task, "limits", None))
        _check_values(getattr(task, "values", None))
        _check_notifiers(getattr(task, "notifiers", ()))


def check_filled(task: Any, names: Iterable[str]) -> None:
    """Refuse what templates and other tasks did not fill, or filled with a password.

    Raises
    ------
    UsageError
        If so; the message names the argument.
    """
    for name in names:
        texts = _texts_of(task, name)
        _refuse_credentials(name, texts)
        for text in texts:
            if any(mark in text for mark in _TEMPLATES):
                raise UsageError(
                    f"{name}: {redacted(text)!r} still holds a template when the task runs; "
                    "Airflow fills templates once, and not in what they bring: give the value"
                )
    _check_values(getattr(task, "values", None))


def _refuse_function(name: str, value: Any) -> None:
    if callable(value):
        called = getattr(value, "__name__", type(value).__name__)
        raise UsageError(
            f"{name}: expected a value, got the function {called}, which Airflow would call while "
            "it fills templates; call it in a task of its own, and give that task's output"
        )


def _refuse_credentials(name: str, texts: Iterable[str]) -> None:
    for text in texts:
        if holds_password(text):
            raise UsageError(
                f"{name}: {redacted(text)} holds credentials, which Airflow's database, logs and "
                "pages would show; put them into a connection"
            )


def _check_suffix(name: str, value: object) -> None:
    ends = _SUFFIXES.get(name)
    if ends and isinstance(value, str) and not value.endswith((*ends, "}}", "%}")):
        raise UsageError(f"{name}: expected a name that ends in {' or '.join(ends)}, got {value!r}")


def _check_limits(limits: object) -> None:
    if not isinstance(limits, Mapping):
        return
    from kl_drift.judging.policy import Policy

    known = Policy.__dataclass_fields__.keys() - {"columns"}
    for name in limits:
        if name not in known:
            raise UsageError(
                f"limits.{name}: no such limit; known: {', '.join(sorted(known))}."
                f"{did_you_mean(str(name), known)}"
            )
    for name, value in as_numbers(limits).items():
        expected = type(getattr(Policy, name))
        if isinstance(value, str) and expected is not str and "{" not in value:
            raise UsageError(f"limits.{name}: expected a number, got {value!r}")


def _check_values(values: object) -> None:
    for name, value in values.items() if isinstance(values, Mapping) else ():
        if value is None:
            raise UsageError(f"values: {name!r} is None; give a text, or leave it out")


def _check_notifiers(notifiers: Any) -> None:
    listed = isinstance(notifiers, Sequence) and not isinstance(notifiers, str)
    for each in notifiers if listed else [notifiers]:
        if not callable(each):
            raise UsageError(
                "notifiers: expected notifiers of Airflow, or functions of the context; "
                f"got {each!r}"
            )


def _texts_of(task: Any, name: str) -> list[str]:
    """Return all text in an argument; of rows, which may hold anything, none."""
    value = getattr(task, name)
    return [] if name in _SNAPSHOTS and not is_named(value) else list(_texts(value))


def _texts(value: object) -> Iterator[str]:
    """Return all text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(path := getattr(value, "path", None), str):
        yield path
