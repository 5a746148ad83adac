"""A profile: what was counted in one snapshot, column by column, and where it came from.

Knows how profiles of parts become the profile of the whole. Has never heard of files, of arrays or
of what the counts mean.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import chain
from operator import add
from typing import Literal, TypeAlias

from kl_drift import canonical
from kl_drift.counts.bins import Bins, Domain, Number, PairBins, level_hash, number_text
from kl_drift.counts.histogram import Histogram, other_bins
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.errors import BinsMismatchError, ColumnNotFoundError, UsageError, did_you_mean

UNSEEN_NAMES = 50
"""How many levels that the reference never held are remembered by name."""

LEFT_OUT_NAMES = 10
"""How many files that were left out are remembered by name."""
_HASH_BYTES = 6  # 48 bits are exact in every reader of JSON

GROUPS = 64
"""In how many groups the clusters of rows that belong together are counted."""

SMALLEST = UNSEEN_NAMES
"""How many hashes of keys are kept, to tell how many keys there are: as many as unseen names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which rows belong together: those with one key.

    Parameters
    ----------
    key : str
        The column that says so.
    smallest : tuple of int
        The smallest hashes of its values, sorted: of all of them up to 50. A hash is among the
        smallest of the whole only if it is among those of every part that holds it, so merging is
        exact.
    """

    key: str
    smallest: tuple[int, ...] = ()

    @classmethod
    def of(cls, key: str, values: Iterable[str]) -> Cluster:
        """Return the cluster with these values of its key, the 50 with the smallest hashes."""
        hashes = (int.from_bytes(level_hash(value)[:_HASH_BYTES], "big") for value in values)
        return cls(key=key, smallest=tuple(sorted(set(hashes))))

    @property
    def clusters(self) -> float:
        """How many keys there are: exactly up to 49, beyond that within about 15 %.

        References
        ----------
        Bar-Yossef et al. 2002, Counting distinct elements in a data stream, DOI
        10.1007/3-540-45726-7_1.
        """
        if len(self.smallest) < SMALLEST:
            return len(self.smallest)
        return (SMALLEST - 1) * 2.0 ** (8 * _HASH_BYTES) / max(self.smallest[-1], 1)

    def __add__(self, other: Cluster) -> Cluster:
        """Join what is known of two parts with the same key."""
        hashes = {*self.smallest, *other.smallest}
        return Cluster(key=self.key, smallest=tuple(sorted(hashes)[:SMALLEST]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRange:
    """The smallest and the largest finite value of an ordered column, in its domain's unit."""

    domain: Domain
    minimum: Number
    maximum: Number
    scale: int = 0

    def __str__(self) -> str:
        """Write the range for a person: ``2013-02-01 … 2013-02-28``."""
        low = number_text(self.minimum, self.domain, self.scale)
        return f"{low} … {number_text(self.maximum, self.domain, self.scale)}"

    def __or__(self, other: ValueRange) -> ValueRange:
        """Return the smallest range that holds both."""
        if (self.domain, self.scale) != (other.domain, other.scale):
            raise BinsMismatchError(f"a range of {self.domain} cannot join one of {other.domain}")
        return ValueRange(
            domain=self.domain,
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
            scale=self.scale,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What was counted in one column.

    Parameters
    ----------
    type : str
        The Arrow type, as Arrow writes it.
    histogram : Histogram or None
        The counts; ``None`` where the column was not counted.
    why : Uncounted or None
        Why it was not; ``None`` where it was.
    nulls : int
        Null rows.
    nulls_counted : bool
        Of a column that is reported without being judged: whether its nulls were counted.
    range : ValueRange or None
        Of the finite values of an ordered column.
    derived_from : str
        The column of the snapshot that this one is computed from (an hour, a weekday, an age);
        empty where it is a column of the snapshot itself.
    unseen : mapping of str to int
        Rows per level that the reference never held: exact for up to 50 such levels. Of more, 50
        are kept by a fixed rule (smallest hash), so that merging stays exact for those kept.
    groups : tuple of tuple of int
        Rows by group of clusters and by cell, levels that are not kept as one: 64 groups, or none
        where it is not known which rows belong together. See :mod:`kl_drift.counts.clusters`.
    """

    type: str
    histogram: Histogram | None = None
    why: Uncounted | None = None
    nulls: int = 0
    nulls_counted: bool = False
    range: ValueRange | None = None
    derived_from: str = ""
    unseen: Mapping[str, int] = field(default_factory=dict)
    groups: tuple[tuple[int, ...], ...] = ()

    @property
    def kind(self) -> Kind | None:
        """Why the column is not counted; ``None`` where it is."""
        return None if self.why is None else self.why.kind

    def __add__(self, other: ColumnProfile) -> ColumnProfile:
        """Add counts and join ranges; both columns must be counted, or neither."""
        if self.histogram is not None and other.histogram is not None:
            histogram = self.histogram + other.histogram
        elif self.histogram is None and other.histogram is None:
            histogram = None
        else:
            raise BinsMismatchError(
                f"counted in one profile, not in the other ({self.why or other.why})"
            )
        ranges = [part.range for part in (self, other) if part.range is not None]
        return ColumnProfile(
            type=min(self.type, other.type),
            histogram=histogram,
            why=min(whys) if (whys := [w for w in (self.why, other.why) if w]) else None,
            nulls=self.nulls + other.nulls,
            nulls_counted=self.nulls_counted and other.nulls_counted,
            range=reduce(lambda one, two: one | two, ranges) if ranges else None,
            derived_from=max(self.derived_from, other.derived_from),
            unseen=merge_unseen(self.unseen, other.unseen),
            groups=_merge_groups(self.groups, other.groups),
        )


def _merge_groups(
    one: tuple[tuple[int, ...], ...], two: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    """Add group by group and cell by cell; nothing is known of the whole if not of each part."""
    if not (one and two):
        return ()
    return tuple(tuple(map(add, *rows)) for rows in zip(one, two, strict=True))


def merge_unseen(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    """Add the counts of two sets of levels and keep the 50 with the smallest hashes.

    A level among the smallest of the whole is among the smallest of every part that holds it, so
    its count is exact whatever the order of merging.
    """
    total = {level: one.get(level, 0) + two.get(level, 0) for level in one.keys() | two.keys()}
    return {level: total[level] for level in sorted(total, key=level_hash)[:UNSEEN_NAMES]}


Absence: TypeAlias = Literal["hidden", "not_parquet", "dead_link", "no_file"]
"""Why a file of a snapshot was not read."""

_ABSENT: Mapping[Absence, str] = {
    "hidden": "hidden",
    "not_parquet": "not Parquet",
    "dead_link": "links to nothing",
    "no_file": "no files",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Files of a snapshot that were not read, for one reason.

    Parameters
    ----------
    kind : Absence
        The reason.
    files : int
        How many.
    names : tuple of str
        The first ten of them by name, below the snapshot's folder.
    """

    kind: Absence
    files: int
    names: tuple[str, ...]

    @classmethod
    def of(cls, kind: Absence, names: Collection[str]) -> LeftOut:
        """Return what stands for the files of these names."""
        return cls(kind=kind, files=len(names), names=tuple(sorted(names)[:LEFT_OUT_NAMES]))

    def __str__(self) -> str:
        """Write it for a person: ``2 hidden (_SUCCESS, _metadata)``."""
        more = ", …" if self.files > len(self.names) else ""
        return f"{self.files:,} {_ABSENT[self.kind]} ({', '.join(self.names)}{more})"

    def __add__(self, other: LeftOut) -> LeftOut:
        """Add the files that another part left out for the same reason."""
        names = sorted({*self.names, *other.names})[:LEFT_OUT_NAMES]
        return replace(self, files=self.files + other.files, names=tuple(names))


def merge_left_out(*parts: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """Add what parts left out, reason by reason."""
    total: dict[Absence, LeftOut] = {}
    for each in chain(*parts):
        total[each.kind] = total[each.kind] + each if each.kind in total else each
    return tuple(total[kind] for kind in sorted(total))


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Counts of a snapshot over bins that were fitted once, on the reference.

    Parameters
    ----------
    columns : mapping of str to ColumnProfile
        Every column of the snapshot, judged or not.
    rows : int
        Rows scanned; the counts of every counted column sum to it.
    sources : tuple of str
        Where the rows came from, sorted; credentials removed.
    as_of : str
        The moment the snapshot stands for, as the user wrote it; empty if not stated.
    left_out : tuple of LeftOut
        Files of the snapshot that were not read, sorted by reason.
    cluster : Cluster or None
        Which rows belong together, where that was said of all of them.
    created : str
        When the profile was made, UTC, ISO 8601. Not part of equality.
    created_by : str
        The kl-drift that made it. Not part of equality.
    """

    columns: Mapping[str, ColumnProfile]
    rows: int
    sources: tuple[str, ...] = ()
    as_of: str = ""
    left_out: tuple[LeftOut, ...] = ()
    cluster: Cluster | None = None
    created: str = field(default="", compare=False)
    created_by: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if column.histogram is not None and column.histogram.rows != self.rows:
                raise UsageError(
                    f"column {name!r}: its counts sum to {column.histogram.rows:,}, "
                    f"the profile has {self.rows:,} rows"
                )

    def __getitem__(self, name: str) -> ColumnProfile:
        """Return one column; a name that is not there is answered with the nearest one."""
        try:
            return self.columns[name]
        except KeyError:
            hint = did_you_mean(name, self.columns)
            raise ColumnNotFoundError(f"no column {name!r} in this profile.{hint}") from None

    @property
    def counted(self) -> dict[str, Histogram]:
        """The columns that were counted, by name."""
        return {
            name: column.histogram
            for name, column in self.columns.items()
            if column.histogram is not None
        }

    @cached_property
    def bins_digest(self) -> str:
        """The SHA-256 of all bins; profiles with equal digests merge and compare."""
        return canonical.digest({name: h.bins.digest for name, h in self.counted.items()})

    def __add__(self, other: Profile) -> Profile:
        """Merge two parts into the profile of the whole, exactly.

        Which rows belong together is known of the whole where both parts say it by the same key.

        Raises
        ------
        BinsMismatchError
            If the two were counted over different bins; the message names both digests, the
            columns that differ and the remedy.
        """
        refuse_other_bins(
            ("one profile", self),
            ("the other", other),
            remedy="scan both like the same reference profile",
            shared=False,
        )
        names = sorted(self.columns.keys() | other.columns.keys())
        cluster = _merge_clusters(self.cluster, other.cluster)
        columns = {name: self._joined(other, name) for name in names}
        return Profile(
            columns=columns if cluster else {n: replace(c, groups=()) for n, c in columns.items()},
            rows=self.rows + other.rows,
            sources=tuple(sorted({*self.sources, *other.sources})),
            as_of=max(self.as_of, other.as_of),
            left_out=merge_left_out(self.left_out, other.left_out),
            cluster=cluster,
            created=max(self.created, other.created),
            created_by=max(self.created_by, other.created_by),
        )

    def _joined(self, other: Profile, name: str) -> ColumnProfile:
        parts = [part.columns[name] for part in (self, other) if name in part.columns]
        try:
            return reduce(add, parts)
        except BinsMismatchError as error:
            raise BinsMismatchError(f"column {name!r}: {error}") from error


def refuse_other_bins(
    one: tuple[str, Profile], two: tuple[str, Profile], *, remedy: str, shared: bool = True
) -> None:
    """Refuse two profiles that were counted over different bins.

    Parameters
    ----------
    one, two : tuple of str and Profile
        What a side is called, and its profile.
    remedy : str
        What to do.
    shared : bool
        Whether only columns that both counted matter; else a column that one of them did not count
        differs too.

    Raises
    ------
    BinsMismatchError
        If bins differ; the message names both sides, their digests, the columns and the remedy.
    """
    bins, others = _bins(one[1]), _bins(two[1])
    names = bins.keys() & others.keys() if shared else bins.keys() | others.keys()
    differ = sorted(name for name in names if bins.get(name) != others.get(name))
    if differ:
        raise other_bins(
            (one[0], one[1].bins_digest),
            (two[0], two[1].bins_digest),
            columns=differ,
            remedy=remedy,
        )


def _bins(profile: Profile) -> dict[str, Bins | PairBins]:
    return {name: histogram.bins for name, histogram in profile.counted.items()}


def _merge_clusters(one: Cluster | None, two: Cluster | None) -> Cluster | None:
    return one + two if one and two and one.key == two.key else None


def merge(profiles: Iterable[Profile], *, repeated: bool = False) -> Profile:
    """Merge the profiles of parts, in any order, into the profile of the whole.

    Parameters
    ----------
    profiles : iterable of Profile
        The parts.
    repeated : bool
        Whether the same part may be counted again. Two parts are the same if their sources and all
        their counts are.

    Raises
    ------
    UsageError
        If there is nothing to merge, or the same part comes twice.
    BinsMismatchError
        If the parts were counted over different bins.
    """
    parts = list(profiles)
    if not parts:
        raise UsageError("nothing to merge: give at least one profile")
    if not repeated:
        _refuse_repeated(parts)
    return reduce(add, parts)


def _refuse_repeated(parts: Sequence[Profile]) -> None:
    for place, part in enumerate(parts):
        if part.rows and any(part.sources) and part in parts[:place]:
            raise UsageError(
                f"nothing is merged: {', '.join(part.sources)} ({part.rows:,} rows) comes twice; "
                "leave one of them out, or add  --repeated  (in Python repeated=True) to count it "
                "again"
            )
