"""A source becomes a profile: fitted on the reference, or counted like one.

Knows the order of the steps: choose columns, sample, fit bins, count. Has never heard of
divergences, limits, plans or reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias, cast, get_args

import numpy as np
import pyarrow as pa

from kl_drift.counts.arrays import TEMPORAL, family_of, scale_of
from kl_drift.counts.binning import (
    Categories,
    Edges,
    LevelSample,
    NumberSample,
    Quantiles,
    Uniform,
    fit_levels,
    fit_numbers,
    fit_side,
)
from kl_drift.counts.bins import Bins, Domain, LevelDomain, NumericBins, PairBins
from kl_drift.counts.counting import Tally
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import ColumnProfile, Profile
from kl_drift.counts.selection import Selection, Wanted, choose, refuse_uncounted
from kl_drift.engines.clustering import ByKey
from kl_drift.engines.reading import (
    LEVEL_LIMIT,
    Columns,
    LevelsWanted,
    NumbersWanted,
    Pair,
    Reading,
    Request,
    Sample,
    Step,
    TooManyLevels,
)
from kl_drift.engines.source import Source
from kl_drift.errors import (
    BinsError,
    ColumnNotFoundError,
    SnapshotInvalidError,
    did_you_mean,
)
from kl_drift.moments import microseconds, parse_moment
from kl_drift.version import __version__

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called as work goes on with the rows done and the rows in all (``None``: not known)."""

_IDENTIFIER_ROWS = 50
_ZONE = re.compile(r"^timestamp\[.*tz=(.+)\]$")
_SPARSE_IDENTIFIER_ROWS = 1_000


def fit_profile(
    source: Source, selection: Selection, as_of: str = "", progress: Progress | None = None
) -> Profile:
    """Fit bins to a reference and count it over them.

    Parameters
    ----------
    source : Source
        The reference; read twice, and for that a stream is first written to a temporary file.
    selection : Selection
        Which columns, and how they are binned.
    as_of : str
        The moment the snapshot stands for, ISO 8601; ages are counted from it. By default from
        the latest moment in the column.
    progress : callable, optional
        Told of the rows done.

    Raises
    ------
    SnapshotInvalidError
        If the reference has no rows: nothing can be fitted on it.
    PairError
        If a column of a pair is not there or not counted.
    UsageError
        If its engine does not hand out samples.
    """
    with source.rereadable() as readable:
        return _fit(readable, selection, as_of, progress)


def _fit(source: Source, selection: Selection, as_of: str, progress: Progress | None) -> Profile:
    if source.rows == 0:
        raise SnapshotInvalidError(
            f"{source.name}: the reference has no rows; bins are fitted on it, so choose another"
        )
    chosen = choose(source.schema, source.partition_keys, selection, source.index_columns)
    refuse_uncounted(selection.pairs, chosen.wanted, chosen.left)
    readings = _readings(source, chosen.wanted, as_of)
    step = _meter(progress, None if source.rows is None else 2 * source.rows)
    samples = source.sample(_requests(chosen.wanted, readings), step)
    bins, left = _fitted(chosen.wanted, samples)
    refuse_uncounted(selection.pairs, bins, left)
    ranged = [*chosen.ranged, *(name for name in left if name in source.schema)]
    return _counted(
        source,
        wanted={name: (readings[name], each) for name, each in bins.items()},
        pairs=_pairs_fitted(selection.pairs, samples),
        ranged=ranged,
        left={**chosen.left, **left},
        derived={name: want.column for name, want in chosen.wanted.items() if want.derivation},
        as_of=as_of,
        step=step,
        cluster=selection.cluster,
    )


def _meter(progress: Progress | None, total: int | None) -> Step | None:
    if progress is None:
        return None
    done = 0

    def step(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total)

    return step


def _readings(source: Source, wanted: Mapping[str, Wanted], as_of: str) -> dict[str, Reading]:
    """Say how each counted column is read; ages need to know from when."""
    aged = sorted({want.column for want in wanted.values() if want.derivation == "age"})
    latest = {} if as_of or not aged else source.latest(aged)
    stated = microseconds(parse_moment(as_of)) if as_of else None
    return {
        name: Reading(
            column=want.column,
            age_from=(stated or latest.get(want.column) or 0) if want.derivation == "age" else None,
            zone=want.zone,
        )
        for name, want in wanted.items()
    }


def _requests(wanted: Mapping[str, Wanted], readings: Mapping[str, Reading]) -> dict[str, Request]:
    return {
        name: LevelsWanted(reading=readings[name], domain=_level_domain(want))
        if isinstance(want.binning, Categories)
        else NumbersWanted(reading=readings[name], domain=_domain(want), scale=want.scale)
        for name, want in wanted.items()
    }


def _domain(want: Wanted) -> Domain:
    return cast("Domain", want.domain)  # ordered binnings are only chosen for a Domain


def _level_domain(want: Wanted) -> LevelDomain:
    return cast("LevelDomain", want.domain)  # Categories are only chosen for a LevelDomain


def _fitted(
    wanted: Mapping[str, Wanted],
    samples: Mapping[str, Sample],
) -> tuple[dict[str, Bins], dict[str, Uncounted]]:
    """Return the bins of every column that can have them, and why the others cannot."""
    bins: dict[str, Bins] = {}
    left: dict[str, Uncounted] = {}
    for name, want in wanted.items():
        sample = samples[name]
        if why := _why_not_fitted(want, sample):
            left[name] = why
        elif isinstance(sample, LevelSample) and isinstance(want.binning, Categories):
            bins[name] = fit_levels(sample, want.binning)
        elif isinstance(sample, NumberSample) and not isinstance(want.binning, Categories):
            bins[name] = _fit_numbers(name, sample, want.binning)
    return bins, left


def _fit_numbers(
    name: str, sample: NumberSample, binning: Quantiles | Uniform | Edges
) -> NumericBins:
    """Name the column in what is wrong with the edges that were stated for it."""
    try:
        return fit_numbers(sample, binning)
    except BinsError as error:
        raise BinsError(f"column {name!r}: {error}", column=name) from error


def _pairs_fitted(
    pairs: Iterable[tuple[str, str]],
    samples: Mapping[str, Sample],
) -> list[PairBins]:
    """Return the bins of pairs whose columns could be fitted."""
    sides = {
        name: fit_side(sample)
        for name, sample in samples.items()
        if not isinstance(sample, TooManyLevels) and any(name in pair for pair in pairs)
    }
    return [PairBins(columns=pair, sides=(sides[pair[0]], sides[pair[1]])) for pair in pairs]


def _why_not_fitted(want: Wanted, sample: Sample) -> Uncounted | None:
    many = isinstance(sample, TooManyLevels)
    unique = sample.unique if isinstance(sample, TooManyLevels) else _looks_unique(want, sample)
    if unique and not want.named:
        return Uncounted(kind=Kind.IDENTIFIER)
    return Uncounted(kind=Kind.TOO_MANY_LEVELS, most=LEVEL_LIMIT) if many else None


def _looks_unique(want: Wanted, sample: NumberSample | LevelSample) -> bool:
    """Say whether every value occurs once.

    Text proves it with 50 rows. Whole numbers may be measurements that happen to differ: they must
    lie as dense as a running number does, or stay unique over 1,000 rows.
    """
    if isinstance(sample, LevelSample):
        unique = len(sample.rows) >= _IDENTIFIER_ROWS and max(sample.rows.values()) == 1
        return unique and want.family in ("string", "binary")
    rows = len(sample.values)
    if want.family != "integer" or rows < _IDENTIFIER_ROWS:
        return False
    if sample.minimum is None or sample.maximum is None:
        return False
    dense = sample.maximum - sample.minimum < 2 * sample.present
    return (dense or rows >= _SPARSE_IDENTIFIER_ROWS) and len(np.unique(sample.values)) == rows


def scan_profile(
    source: Source, like: Profile, as_of: str = "", progress: Progress | None = None
) -> Profile:
    """Count a snapshot over the bins of a reference profile.

    A column that is missing is left out; one of another type, or not in the reference, is kept with
    the reason and without counts. :func:`kl_drift.compare` makes findings of them.

    Parameters
    ----------
    source : Source or Remote
        Read once, only the columns that the reference counted; twice where ages are counted from
        the latest moment in it.
    like : Profile
        The reference.
    as_of : str
        As for :func:`fit_profile`.
    progress : callable, optional
        Told of the rows done.
    """
    aged = any(c.derived_from and _domain_of(c) == "duration" for c in like.columns.values())
    with source.rereadable() if aged and not as_of else nullcontext(source) as readable:
        return _scanned(readable, like, as_of, progress)


def _scanned(source: Source, like: Profile, as_of: str, progress: Progress | None) -> Profile:
    schema = source.schema
    wanted: dict[str, Wanted] = {}
    bins: dict[str, Bins] = {}
    ranged: list[str] = []
    left: dict[str, Uncounted] = {}
    single, pairs = _apart(like)
    for name, column in single.items():
        origin = column.derived_from or name
        if origin not in schema:
            continue
        if why := _type_changed(schema[origin], column):
            left[name] = why
        elif column.why is not None:
            left[name] = column.why
            if column.nulls_counted:
                ranged.append(name)
        elif column.histogram and not isinstance(column.histogram.bins, PairBins):
            bins[name] = column.histogram.bins
            wanted[name] = _as_before(origin, schema[origin], column)
    known = {*like.columns, *(column.derived_from for column in like.columns.values())}
    new = schema.keys() - known - source.partition_keys - source.index_columns
    left |= dict.fromkeys(new, Uncounted(kind=Kind.NEW))
    readings = _readings(source, wanted, as_of)
    profile = _counted(
        source,
        wanted={name: (readings[name], each) for name, each in bins.items()},
        pairs=[pair for pair in pairs if all(name in bins for name in pair.columns)],
        ranged=ranged,
        left=left,
        derived={name: each.derived_from for name, each in like.columns.items()},
        as_of=as_of,
        step=_meter(progress, source.rows),
        cluster=_cluster_of(like, source),
    )
    changed = _changed_pairs(pairs, profile.columns)
    return replace(profile, columns=dict(sorted({**profile.columns, **changed}.items())))


def _cluster_of(like: Profile, source: Source) -> str:
    """Return the key of the reference's clusters; refuse a snapshot that does not have it."""
    if like.cluster is None:
        return ""
    key = like.cluster.key
    if key not in source.schema:
        raise ColumnNotFoundError(
            f"{source.name}: no column {key!r}, by which rows belong together in the reference."
            f"{did_you_mean(key, source.schema)} Without it nobody knows how much the rows tell: "
            "scan a snapshot that has it, or fit the reference without cluster"
        )
    return key


def _apart(like: Profile) -> tuple[dict[str, ColumnProfile], list[PairBins]]:
    """Return the single columns of a profile, and the bins of its pairs."""
    counted = like.counted.items()
    pairs = {name: h.bins for name, h in counted if isinstance(h.bins, PairBins)}
    single = {name: each for name, each in like.columns.items() if name not in pairs}
    return single, list(pairs.values())


def _changed_pairs(
    pairs: Iterable[PairBins], columns: Mapping[str, ColumnProfile]
) -> dict[str, ColumnProfile]:
    """Return the pairs of which a column has changed its type, so that they cannot be counted."""
    return {
        pair.name: replace(columns[name], why=replace(why, column=name))
        for pair in pairs
        for name in pair.columns
        if name in columns
        and (why := columns[name].why) is not None
        and why.kind is Kind.TYPE_CHANGED
    }


def _type_changed(kind: pa.DataType, column: ColumnProfile) -> Uncounted | None:
    """Say so where values of the type do not belong to the reference's domain."""
    family = family_of(kind)
    wanted = _domain_of(column)
    same = family in TEMPORAL if column.derived_from else family == wanted
    if same or family == "null" or wanted is None:
        return None
    return Uncounted(kind=Kind.TYPE_CHANGED, reference_type=column.type)


def _domain_of(column: ColumnProfile) -> Domain | LevelDomain | None:
    """Return the domain of a column's values, where the profile tells it."""
    if column.histogram is not None and not isinstance(column.histogram.bins, PairBins):
        return column.histogram.bins.domain
    return column.range.domain if column.range is not None else None


def _as_before(origin: str, kind: pa.DataType, column: ColumnProfile) -> Wanted:
    """Return how the reference's column was read, so that this one is read alike."""
    domain, family = _domain_of(column), family_of(kind)
    assert domain is not None  # noqa: S101 - narrows the type; the caller has checked
    assert family is not None  # noqa: S101 - narrows the type; nested types have changed type
    derivation = {"duration": "age", "hour": "hour", "weekday": "weekday"}.get(domain, "")
    return Wanted(
        column=origin,
        family=family,
        domain=domain,
        binning=Categories(),
        derivation=derivation if column.derived_from else "",
        zone=zone[1]
        if domain in ("hour", "weekday") and (zone := _ZONE.match(column.type))
        else "",
    )


def _counted(
    source: Source,
    *,
    wanted: Columns,
    pairs: Collection[PairBins],
    ranged: list[str],
    left: Mapping[str, Uncounted],
    derived: Mapping[str, str],
    as_of: str,
    step: Step | None,
    cluster: str = "",
) -> Profile:
    """Count the wanted columns, note the range of others, and put the profile together."""
    schema = source.schema
    anywhere = {name: _one_cell(name, schema[name]) for name in ranged}
    together = {pair.name: Pair(_both(pair, wanted), pair) for pair in pairs}
    by_key = ByKey(cluster, schema, wanted)
    rows, tallies = source.tally(
        {**by_key.columns, **wanted, **anywhere}, {**together, **by_key.pairs}, step
    )
    columns = {
        **_uncounted_columns(schema, left, derived, tallies),
        **by_key.group(_counted_columns(schema, wanted, derived, tallies), tallies),
    }
    for pair in pairs:
        types = " × ".join(columns[each].type for each in pair.columns)
        columns[pair.name] = _column(types, pair, tallies[pair.name])
    return Profile(
        columns=dict(sorted(columns.items())),
        rows=rows,
        sources=(source.name,),
        as_of=as_of,
        left_out=source.left_out,
        cluster=by_key.cluster(tallies),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        created_by=__version__,
    )


def _counted_columns(
    schema: Mapping[str, pa.DataType],
    wanted: Columns,
    derived: Mapping[str, str],
    tallies: Mapping[str, Tally],
) -> dict[str, ColumnProfile]:
    return {
        name: _column(
            str(schema[reading.column]), bins, tallies[name], derived_from=derived.get(name, "")
        )
        for name, (reading, bins) in wanted.items()
    }


def _uncounted_columns(
    schema: Mapping[str, pa.DataType],
    left: Mapping[str, Uncounted],
    derived: Mapping[str, str],
    tallies: Mapping[str, Tally],
) -> dict[str, ColumnProfile]:
    return {
        name: _uncounted(
            schema[derived.get(name) or name],
            why,
            tallies.get(name),
            derived_from=derived.get(name, ""),
        )
        for name, why in left.items()
    }


def _both(pair: PairBins, wanted: Columns) -> tuple[Reading, Reading]:
    first, second = pair.columns
    return wanted[first][0], wanted[second][0]


def _one_cell(name: str, kind: pa.DataType) -> tuple[Reading, Bins]:
    """Return how to tell nulls from values, and to find the range of values that have one."""
    family = family_of(kind)
    if family not in get_args(Domain):
        return Reading(column=name, presence=True), NumericBins(domain="integer", edges=())
    domain = cast("Domain", family)
    return Reading(column=name), NumericBins(domain=domain, edges=(), scale=scale_of(kind))


def _column(
    kind: str, bins: Bins | PairBins, tally: Tally, *, derived_from: str = ""
) -> ColumnProfile:
    counts = tuple(tally.counts.tolist())
    return ColumnProfile(
        type=kind,
        histogram=Histogram(bins=bins, counts=counts),
        nulls=counts[bins.null_cell],
        range=tally.range,
        derived_from=derived_from,
        unseen=tally.unseen,
    )


def _uncounted(
    kind: pa.DataType, why: Uncounted, tally: Tally | None, *, derived_from: str
) -> ColumnProfile:
    ordered = family_of(kind) in get_args(Domain)
    return ColumnProfile(
        type=str(kind),
        why=why,
        nulls=int(tally.counts[-1]) if tally else 0,
        nulls_counted=tally is not None,
        range=tally.range if tally and ordered else None,
        derived_from=derived_from,
    )
