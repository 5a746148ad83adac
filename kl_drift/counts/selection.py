"""Which columns of a table are counted, under which name, and into which kind of bins.

Knows names, patterns, types and the defaults: everything but identifiers, partition keys and what
moves by construction. Has never heard of values, counts or divergences.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias, get_args

import pyarrow as pa

from kl_drift.counts.arrays import TEMPORAL, Family, family_of, scale_of
from kl_drift.counts.binning import Binning, Categories, Edges, Quantiles, Uniform
from kl_drift.counts.bins import Domain, LevelDomain, pair_name
from kl_drift.counts.clusters import key_domain
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.errors import (
    ColumnNotFoundError,
    ColumnTypeError,
    PairError,
    UsageError,
    did_you_mean,
)

Aspect: TypeAlias = Literal["value", "hour", "weekday", "age"]
"""What of a date or a timestamp is judged: itself, its hour, its weekday, its age."""

TypeName: TypeAlias = Literal[
    "numeric", "categorical", "temporal",
    "integer", "float", "decimal", "boolean", "string", "binary",
    "date", "time", "timestamp", "duration",
]  # fmt: skip
"""Names for families of types, and for groups of families, in a selection."""

_GROUPS: Mapping[str, frozenset[str]] = {
    "numeric": frozenset({"integer", "float", "decimal", "duration", "time"}),
    "categorical": frozenset({"string", "boolean", "binary"}),
    "temporal": frozenset(TEMPORAL),
    "timestamp": frozenset({"timestamp", "instant"}),
}
_LEVELLED: frozenset[Family] = frozenset({"string", "boolean", "binary"})


class ExactName(str):
    """A column's name that is never taken for a pattern, whatever characters it has."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which columns are judged and how they are binned.

    Parameters
    ----------
    include : tuple of str
        Names or patterns (``dep_*``); empty: every column. A column named in full is counted even
        if it looks like an identifier or is a partition key. What is the name of a column is never
        a pattern; :class:`ExactName` is none even where there is no such column.
    exclude : tuple of str
        Names or patterns that are left out again.
    types : tuple of TypeName
        Only columns of these types; empty: of every type.
    numeric : Quantiles, Uniform or Edges
        How ordered columns are binned.
    categories : Categories
        How the others are.
    bins : mapping of str to Binning
        Another way for some columns, by name or pattern; the first that fits is taken.
    judge : mapping of str to tuple of Aspect
        What is judged of dates and timestamps, by name.
    pairs : tuple of (str, str)
        Columns that are judged together as well, by the names they are judged under.
    cluster : str
        The column whose value rows that belong together share, such as a customer; empty: every row
        stands by itself. Not judged unless it is named.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    types: tuple[TypeName, ...] = ()
    numeric: Quantiles | Uniform | Edges = field(default_factory=Quantiles)
    categories: Categories = field(default_factory=Categories)
    bins: Mapping[str, Binning] = field(default_factory=dict)
    judge: Mapping[str, tuple[Aspect, ...]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    cluster: str = ""

    def __post_init__(self) -> None:
        known = get_args(TypeName)
        for wanted in self.types:
            if wanted not in known:
                raise UsageError(
                    f"types: {wanted!r} is unknown.{did_you_mean(wanted, known)} "
                    f"Known: {', '.join(known)}"
                )
        for place, pair in enumerate(self.pairs):
            _refuse_as_pair(pair, self.pairs[:place])

    def names(self, column: str) -> bool:
        """Say whether the column is named in full."""
        return column in self.include or column in self.bins or column in self.judge


def as_pair(names: Sequence[str]) -> tuple[str, str]:
    """Return two names as a pair.

    Raises
    ------
    UsageError
        If they are not two.
    """
    if isinstance(names, str) or len(names) != 2:
        raise UsageError(
            f"pairs: expected two names, e.g. ('dep_delay', 'distance'), got {names!r}"
        )
    return names[0], names[1]


def _refuse_as_pair(pair: tuple[str, str], others: Iterable[tuple[str, str]]) -> None:
    """Refuse a column paired with itself, and a pair that is listed already."""
    if pair[0] == pair[1]:
        raise UsageError(f"pairs: {pair[0]!r} is paired with itself; name two columns")
    if any(set(pair) == set(other) for other in others):
        raise UsageError(f"pairs: {pair_name(*pair)!r} is listed twice; remove one of them")


def refuse_uncounted(
    pairs: Iterable[tuple[str, str]], counted: Collection[str], left: Mapping[str, Uncounted]
) -> None:
    """Refuse a pair of which a column is not there or not counted, or whose name is taken.

    Parameters
    ----------
    pairs : iterable of (str, str)
        The pairs.
    counted : collection of str
        The columns that are counted by themselves.
    left : mapping of str to Uncounted
        Why others are not.

    Raises
    ------
    PairError
        Names the pair, the column and the remedy.
    """
    for pair in pairs:
        name = pair_name(*pair)
        for column in pair:
            if column in left:
                raise PairError(
                    pair,
                    f"{name!r}: column {column!r} is not counted by itself ({left[column]}); "
                    "select it by its name, or pair another one",
                )
            if column not in counted:
                hint = did_you_mean(column, counted) or f" Counted are: {_abridged([*counted])}"
                raise PairError(pair, f"{name!r}: no column {column!r} is counted.{hint}")
        if name in counted or name in left:
            raise PairError(pair, f"{name!r} is also the name of a column; rename that column")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A column to be counted.

    Parameters
    ----------
    column : str
        The column of the snapshot.
    domain : Domain or LevelDomain
        In which its values are binned.
    binning : Binning
        How.
    named : bool
        Whether the user named it, so that it stays even if it looks like an identifier.
    derivation : str
        ``hour``, ``weekday``, ``age`` or empty.
    zone : str
        In which hours and weekdays of zoned moments are told; empty: the column's own.
    """

    column: str
    family: Family
    domain: Domain | LevelDomain
    binning: Binning
    scale: int = 0
    named: bool = False
    derivation: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The columns of a table, sorted out: those to count, those whose range is told, the rest."""

    wanted: Mapping[str, Wanted]
    ranged: tuple[str, ...]
    left: Mapping[str, Uncounted]


def choose(
    schema: Mapping[str, pa.DataType],
    partition_keys: Iterable[str],
    selection: Selection,
    index_columns: Collection[str] = (),
) -> Chosen:
    """Sort out which columns of a table are counted.

    Parameters
    ----------
    schema : mapping of str to DataType
        The columns.
    partition_keys : iterable of str
        Those that the folders tell; not counted unless they are named.
    selection : Selection
        What is asked for.
    index_columns : collection of str
        Those that pandas made of a data frame's index; likewise.

    Raises
    ------
    ColumnNotFoundError
        If a name or a pattern of the selection fits no column.
    ColumnTypeError
        If a column cannot be binned or judged as asked.
    """
    selection = _spelt_out(selection, schema)
    _refuse_strangers(schema, selection)
    wanted: dict[str, Wanted] = {}
    ranged: list[str] = []
    left: dict[str, Uncounted] = {}
    by_nature = dict.fromkeys(index_columns, Kind.INDEX)
    by_nature |= dict.fromkeys(partition_keys, Kind.PARTITION_KEY)
    if selection.cluster:
        key_domain(schema[selection.cluster], selection.cluster)
        by_nature[selection.cluster] = Kind.CLUSTER_KEY
    for name, kind in schema.items():
        family = family_of(kind)
        why = _why_left(name, kind, selection, by_nature.get(name))
        if why or family is None:
            left[name] = Uncounted(kind=why or Kind.UNKNOWN_TYPE)
        elif family in TEMPORAL and not selection.judge.get(name):
            ranged.append(name)
            left[name] = Uncounted(kind=Kind.MOVES)
        else:
            named = _as_wanted(name, kind, family, selection)
            _refuse_twins(name, named.keys() & schema.keys() - {name})
            wanted |= named
            if name not in wanted:
                ranged.append(name)
                left[name] = Uncounted(kind=Kind.JUDGED_AS, parts=selection.judge[name])
    return Chosen(wanted=wanted, ranged=tuple(ranged), left=left)


def _spelt_out(selection: Selection, schema: Collection[str]) -> Selection:
    """Return the selection with what is the name of a column marked as no pattern."""

    def exact(name: str) -> str:
        return ExactName(name) if name in schema else name

    return replace(
        selection,
        include=tuple(map(exact, selection.include)),
        exclude=tuple(map(exact, selection.exclude)),
        bins={exact(name): binning for name, binning in selection.bins.items()},
    )


def _refuse_strangers(schema: Mapping[str, pa.DataType], selection: Selection) -> None:
    patterns = (*selection.include, *selection.exclude, *selection.bins)
    strangers = [pattern for pattern in patterns if not any(_fits(n, [pattern]) for n in schema)]
    strangers += [name for name in selection.judge if name not in schema]  # takes no patterns
    strangers += [selection.cluster] if selection.cluster not in ("", *schema) else []
    for stranger in strangers:
        raise ColumnNotFoundError(
            f"no column {str(stranger)!r} in the snapshot.{did_you_mean(stranger, schema)} "
            f"It has: {_abridged(list(schema))}",
            column=stranger,
        )


def _refuse_twins(name: str, twins: Iterable[str]) -> None:
    """Refuse to judge ``hour(x)`` beside a column that is called so itself."""
    for twin in twins:
        raise UsageError(
            f"column {name!r}: {twin!r} is to be judged, and the snapshot has a column of that "
            "name; judge that one, or rename it"
        )


def _abridged(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f" … ({len(names)} in all)" if len(names) > 12 else "")


def _why_left(
    name: str, kind: pa.DataType, selection: Selection, by_nature: Kind | None
) -> Kind | None:
    """Say why a column is left out; ``None`` where it is not."""
    if not _selected(name, kind, selection):
        return Kind.NOT_SELECTED
    if family_of(kind) is None:
        return Kind.NESTED if pa.types.is_nested(kind) else Kind.UNKNOWN_TYPE
    return None if selection.names(name) else by_nature


def _selected(name: str, kind: pa.DataType, selection: Selection) -> bool:
    if _fits(name, selection.exclude):
        return False
    if selection.include and not _fits(name, (*selection.include, *selection.judge)):
        return False
    family = family_of(kind)
    return not selection.types or any(
        family in _GROUPS.get(wanted, {wanted}) for wanted in selection.types
    )


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(
        name == pattern or (not isinstance(pattern, ExactName) and fnmatchcase(name, pattern))
        for pattern in patterns
    )


def _as_wanted(
    name: str, kind: pa.DataType, family: Family, selection: Selection
) -> dict[str, Wanted]:
    judged = selection.judge.get(name, ("value",))
    if name in selection.judge and family not in TEMPORAL:
        raise ColumnTypeError(
            f"column {name!r} is {kind}: judge is for dates and timestamps; "
            "remove it, every other column is judged by its value"
        )
    return {
        name if how == "value" else f"{how}({name})": _wanted(name, kind, family, how, selection)
        for how in judged
    }


def _wanted(
    name: str, kind: pa.DataType, family: Family, how: Aspect, selection: Selection
) -> Wanted:
    if how not in get_args(Aspect):
        raise UsageError(
            f"column {name!r}: cannot judge {how!r} of it; known: {', '.join(get_args(Aspect))}"
        )
    if family == "date" and how in ("hour", "age"):
        raise ColumnTypeError(
            f"column {name!r} is {kind}: a date has no {how}; judge its weekday or value"
        )
    if how == "age":
        domain: Domain | LevelDomain = "duration"
        binning: Binning = selection.numeric
    elif how in ("hour", "weekday"):
        domain, binning = how, selection.categories
    else:
        domain, binning = _binned(name, kind, family, selection)
    return Wanted(
        column=name,
        family=family,
        domain=domain,
        binning=binning,
        scale=scale_of(kind) if domain == "decimal" else 0,
        named=selection.names(name),
        derivation="" if how == "value" else how,
    )


def _binned(
    name: str, kind: pa.DataType, family: Family, selection: Selection
) -> tuple[Domain | LevelDomain, Binning]:
    """Return the domain and the way of binning; a name must fit its type, a pattern may not."""
    exact = selection.bins.get(name)
    if exact is not None and not _suits(exact, family):
        raise ColumnTypeError(
            f"column {name!r} is {kind}: bins of kind {exact.kind!r} need "
            f"{'text, numbers or dates' if exact.kind == 'categories' else 'an ordered column'}"
        )
    default = selection.categories if family in _LEVELLED else selection.numeric
    binning = exact or next(
        (
            each
            for pattern, each in selection.bins.items()
            if _fits(name, [pattern]) and _suits(each, family)
        ),
        default,
    )
    return "float" if family == "null" else family, binning


def _suits(binning: Binning, family: Family) -> bool:
    if isinstance(binning, Categories):
        return family in _LEVELLED or family in ("integer", "float", "decimal", "date")
    return family not in _LEVELLED
