"""A drift that is planted: rows as they are read, some of them changed, to see what would alarm.

Knows a small grammar of changes and how they are made. Has never heard of limits or of reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kl_drift.counts.arrays import decoded, family_of
from kl_drift.counts.buffers import from_numpy
from kl_drift.counts.profile import LeftOut
from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.parts import Column, Part
from kl_drift.engines.source import Source
from kl_drift.errors import ColumnNotFoundError, ColumnTypeError, UsageError, did_you_mean

Kind: TypeAlias = Literal["+", "-", "*", "/", "%", "null", "level", "rows"]

_NUMBER = r"(\d+(?:\.\d+)?)"
_GRAMMAR: Mapping[Kind, str] = {
    "rows": rf"rows\s*/\s*{_NUMBER}",
    "null": rf"(.+?)\s+null\s+{_NUMBER}\s*%",
    "level": r"(.+?)\s+'(.*)'\s*(?:→|->)\s*'(.*)'",
    "%": rf"(.+?)\s*([+-])\s*{_NUMBER}\s*%",
    "+": rf"(.+?)\s+([+*/-])\s*{_NUMBER}",
}
_KNOWN = (
    "dep_delay +20 %, dep_delay + 5, dep_delay * 2, dep_delay null 30 %, origin 'JFK' -> 'XXX', "
    "rows / 10"
)
"""An example of each change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of the rows.

    Parameters
    ----------
    text : str
        As it was written.
    kind : Kind
        What is done: ``+``, ``-``, ``*``, ``/`` with a number; ``null`` puts a share of nulls;
        ``level`` writes one level for another; ``rows`` keeps one row of so many.
    column : str
        Of which column; empty for ``rows``.
    amount : float
        The number, or a share of rows.
    levels : (str, str)
        The level that is replaced, and the one that takes its place.
    """

    text: str
    kind: Kind
    column: str = ""
    amount: float = 0.0
    levels: tuple[str, str] = ("", "")

    @classmethod
    def parse(cls, text: str) -> Change:
        """Read a change.

        Raises
        ------
        UsageError
            If it is none; the message shows what is.

        Examples
        --------
        >>> Change.parse("dep_delay +20 %").amount
        1.2
        """
        written = text.strip()
        for kind, pattern in _GRAMMAR.items():
            if found := re.fullmatch(pattern, written):
                return _change(written, kind, found.groups())
        raise UsageError(
            f"pretend: {text!r} is no change that can be planted; write one like {_KNOWN}"
        )


def _change(text: str, kind: Kind, parts: tuple[str, ...]) -> Change:
    if kind == "rows":
        return Change(text=text, kind=kind, amount=_above(text, float(parts[0]), 1))
    if kind == "null":
        share = float(parts[1]) / 100
        if share > 1:
            raise UsageError(f"pretend: {text!r}: no more than 100 % of the rows can be null")
        return Change(text=text, kind=kind, column=parts[0], amount=share)
    if kind == "level":
        return Change(text=text, kind=kind, column=parts[0], levels=(parts[1], parts[2]))
    if kind == "%":
        sign = 1 if parts[1] == "+" else -1
        return Change(text=text, kind="*", column=parts[0], amount=1 + sign * float(parts[2]) / 100)
    amount = float(parts[2])
    operation: Kind = parts[1]  # type: ignore[assignment] # the pattern admits no other
    if operation == "/":
        _above(text, amount, 0)
    return Change(text=text, kind=operation, column=parts[0], amount=amount)


def _above(text: str, amount: float, least: float) -> float:
    if amount <= least:
        raise UsageError(f"pretend: {text!r}: expected a number above {least:g}, got {amount:g}")
    return amount


class Pretended(LocalSource):
    """A source with changes planted in its rows.

    Parameters
    ----------
    source : Source
        Whose rows are read here.
    changes : sequence of Change
        Made one after the other.

    Raises
    ------
    UsageError
        If its rows are counted elsewhere.
    ColumnNotFoundError, ColumnTypeError
        If a column is not there, or cannot be changed so.
    """

    def __init__(self, source: Source, changes: Sequence[Change]) -> None:
        if not isinstance(source, LocalSource):
            raise UsageError(
                f"{source.name}: its rows are counted where they are, and drift is planted in rows "
                "that are read here; give a Parquet snapshot of them as the current one"
            )
        for change in changes:
            _refuse_misfit(change, source)
        self._source = source
        self._keep = [change.amount for change in changes if change.kind == "rows"]
        self._changes = [change for change in changes if change.kind != "rows"]
        self._told = ", ".join(change.text for change in changes)

    @property
    def name(self) -> str:
        """What it is, and that it is a rehearsal."""
        return f"{self._source.name} with {self._told} planted: a rehearsal"

    @property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and their types."""
        return self._source.schema

    @property
    def partition_keys(self) -> frozenset[str]:
        """Those of the source."""
        return self._source.partition_keys

    @property
    def index_columns(self) -> frozenset[str]:
        """Those of the source."""
        return self._source.index_columns

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The files that the source leaves out."""
        return self._source.left_out

    @property
    def rows(self) -> int | None:
        """How many there are; not known before they are read, where some are left out."""
        return None if self._keep else self._source.rows

    def parts(self) -> Iterator[Part]:
        """Yield the parts of the source, changed."""
        for ordinal, part in enumerate(self._source.parts()):
            kept = np.ones(part.rows, bool)
            for every in self._keep:
                kept &= np.random.default_rng([1, ordinal]).random(part.rows) < 1 / every
            yield Part(rows=int(kept.sum()), read=self._reader(part, ordinal, kept))

    def _reader(
        self, part: Part, ordinal: int, kept: npt.NDArray[np.bool_]
    ) -> Callable[[Sequence[str]], Column]:
        def read(names: Sequence[str]) -> Column:
            done = dict.fromkeys(names, 0)
            for name, array in part.read(names):
                start, done[name] = done[name], done[name] + len(array)
                changed = array
                for change in self._changes:
                    if change.column == name:
                        luck = np.random.default_rng([2, ordinal]).random(part.rows)
                        changed = _changed(changed, change, luck[start : done[name]])
                here = kept[start : done[name]]
                yield name, changed if here.all() else decoded(changed).filter(from_numpy(here))

        return read


def _refuse_misfit(change: Change, source: Source) -> None:
    if change.kind == "rows":
        return
    kind = source.schema.get(change.column)
    if kind is None:
        hint = did_you_mean(change.column, source.schema)
        raise ColumnNotFoundError(f"pretend: {change.text!r}: no column {change.column!r}.{hint}")
    if change.kind in ("+", "-", "*", "/") and family_of(kind) not in ("integer", "float"):
        raise ColumnTypeError(
            f"pretend: {change.text!r}: column {change.column!r} is {kind}, and only whole numbers "
            "and floats can be moved; nulls (null 30 %) and levels ('a' -> 'b') can be planted"
        )
    if change.kind == "level" and family_of(kind) not in ("string", "integer", "boolean"):
        raise ColumnTypeError(
            f"pretend: {change.text!r}: column {change.column!r} is {kind}, which has no levels"
        )


def _changed(array: pa.Array, change: Change, luck: npt.NDArray[np.float64]) -> pa.Array:
    """Return the array with a change, of the same type where it is plain."""
    plain = decoded(array)
    if change.kind == "null":
        return pc.if_else(from_numpy(luck < change.amount), pa.scalar(None, plain.type), plain)
    if change.kind == "level":
        before, after = (pa.scalar(each).cast(plain.type) for each in change.levels)
        return pc.if_else(pc.fill_null(pc.equal(plain, before), False), after, plain)
    moved = _moved(plain.cast(pa.float64()), change)
    if pa.types.is_floating(plain.type):
        return moved.cast(plain.type)
    return pc.round(moved).cast(plain.type)


def _moved(values: pa.Array, change: Change) -> pa.Array:
    amount = pa.scalar(change.amount)
    if change.kind == "+":
        return pc.add(values, amount)
    if change.kind == "-":
        return pc.subtract(values, amount)
    return pc.multiply(values, amount) if change.kind == "*" else pc.divide(values, amount)
