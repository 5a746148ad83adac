"""Two profiles become a report.

Knows how the numbers of a column are put together: smoothing, divergence, what moved, the verdict.
Has never heard of files, of arrays of rows or of how a report is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Literal, assert_never

import numpy as np

from kl_drift.counts.bins import CategoryBins, NumericBins, PairBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import ColumnProfile, Profile, refuse_other_bins
from kl_drift.errors import BinsMismatchError
from kl_drift.judging.effects import DesignEffects, design_effects
from kl_drift.judging.extremes import rows_beyond, vanished_levels
from kl_drift.judging.limits import LearnedLimits, Trend
from kl_drift.judging.measurement import (
    Divergences,
    Noise,
    cell_terms,
    measure_divergences,
    measure_noise,
    measure_nulls,
    smooth_histograms,
)
from kl_drift.judging.policy import (
    Evidence,
    Incomparable,
    Policy,
    Verdict,
    decide,
    decide_finding,
    decide_nulls,
)
from kl_drift.judging.report import (
    BinsKind,
    CellChange,
    ColumnReport,
    LevelChange,
    Report,
    Side,
    Unjudged,
)
from kl_drift.statistics.checks import Floats
from kl_drift.statistics.inference import benjamini_hochberg
from kl_drift.statistics.smoothing import Smoothing
from kl_drift.version import __version__

_TOP = 3
_MATERIAL = 0.05  # of the column's KL: what carries less is not named
_CERTAIN = 1e-3  # an adjusted p-value of equality below this is no accident
_TINY = np.finfo(np.float64).tiny  # stands for 0 under a logarithm whose factor is 0


def compare_profiles(
    current: Profile,
    reference: Profile,
    policy: Policy,
    smoothing: Smoothing,
    learned: LearnedLimits | None = None,
    *,
    fitted: bool = True,
    trends: Mapping[str, Trend] | None = None,
    exceeded: Mapping[str, int] | None = None,
) -> Report:
    """Compare the current profile with the reference, column by column.

    Parameters
    ----------
    current, reference : Profile
        Counted over the same bins, those of the reference.
    policy : Policy
        The limits.
    smoothing : Smoothing
        How counts become positive probabilities.
    learned : LearnedLimits, optional
        What the columns' own snapshots stay below; over the same bins.
    fitted : bool
        Whether the bins were fitted on the reference.
    trends : mapping of str to Trend, optional
        Which columns have been moving slowly.
    exceeded : mapping of str to int, optional
        How many of the last snapshots exceeded the learned limit of a column, of those that may
        confirm a drift; none, where that is not known.

    Returns
    -------
    Report
        Every column of either side: judged, or unjudged with the reason.

    Raises
    ------
    BinsMismatchError
        If a column was counted over other bins than the reference's.
    """
    refuse_other_bins(
        ("the current snapshot", current),
        ("the reference", reference),
        remedy="scan the current snapshot like this reference",
    )
    compared: dict[str, _Compared] = {}
    judged: list[ColumnReport] = []
    unjudged: list[Unjudged] = []
    for name in sorted(reference.columns.keys() | current.columns.keys()):
        found, expected = current.columns.get(name), reference.columns.get(name)
        if found and expected and found.histogram and expected.histogram:
            limits = policy.of(name)
            effects = design_effects(name, current, reference, stated=limits.design_effect)
            compared[name] = _measure(
                name, found, expected, limits, smoothing, effects=effects, fitted=fitted
            )
        elif finding := _finding(name, found, expected):
            judged.append(_report_finding(name, finding, current, reference))
        elif nulls := _report_nulls(name, current, reference, policy, smoothing):
            judged.append(nulls)
        elif expected and (why := expected.why) and why.kind is not Kind.NOT_SELECTED:
            unjudged.append(_report_unjudged(name, why, current, reference))
    memory = _Memory(learned=learned, exceeded=exceeded or {}, as_of=current.as_of)
    judged += _judge(compared, policy, memory, trends or {})
    return Report(
        current=_side(current),
        reference=_side(reference),
        columns=tuple(sorted(judged, key=_worst_first)),
        unjudged=tuple(unjudged),
        bins_digest=reference.bins_digest,
        smoothing=str(smoothing),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        created_by=__version__,
    )


def _worst_first(column: ColumnReport) -> tuple[int, float, float, str]:
    chance = 0.0 if column.p_adjusted is None else column.p_adjusted
    divergence = math.inf if column.kl is None else column.kl
    return -column.status.severity, chance, -divergence, column.name


def _side(profile: Profile) -> Side:
    return Side(
        source=", ".join(profile.sources),
        rows=profile.rows,
        as_of=profile.as_of,
        cluster=profile.cluster.key if profile.cluster else "",
        clusters=profile.cluster.clusters if profile.cluster else 0.0,
        created=profile.created,
        created_by=profile.created_by,
        left_out=profile.left_out,
    )


def _finding(
    name: str, current: ColumnProfile | None, reference: ColumnProfile | None
) -> Incomparable | Literal[""]:
    """Say what is wrong with a column that is not counted on both sides; empty: nothing."""
    if reference is None:
        return "new"
    if reference.kind is Kind.NOT_SELECTED:
        return ""
    if current is None:
        return "" if reference.kind in (Kind.INDEX, Kind.PARTITION_KEY) else "missing"
    if current.kind is Kind.TYPE_CHANGED:
        return "type changed"
    if reference.histogram is not None:
        raise BinsMismatchError(
            f"column {name!r} was counted in the reference, not in the current profile "
            f"({current.why}); scan the current snapshot like this reference"
        )
    return ""


def _report_finding(
    name: str, finding: Incomparable, current: Profile, reference: Profile
) -> ColumnReport:
    found, expected = current.columns.get(name), reference.columns.get(name)
    why = found and found.why
    return ColumnReport(
        name=name,
        verdict=decide_finding(finding),
        finding=finding,
        type=found.type if found else "",
        reference_type=(why and why.reference_type) or (expected.type if expected else ""),
        changed=why.column if why else "",
        current_rows=current.rows if found else 0,
        reference_rows=reference.rows if expected else 0,
    )


def _report_nulls(
    name: str, current: Profile, reference: Profile, policy: Policy, smoothing: Smoothing
) -> ColumnReport | None:
    """Report a column that is not judged, and of which the nulls exceed their limit."""
    found, expected = current.columns.get(name), reference.columns.get(name)
    if not (found and expected and found.nulls_counted and expected.nulls_counted):
        return None
    limits = policy.of(name)
    kl_null, null_lower = measure_nulls(
        (found.nulls, current.rows),
        (expected.nulls, reference.rows),
        smoothing,
        confidence=limits.confidence,
        design_effect=limits.design_effect,
    )
    evidence = Evidence(
        kl=kl_null,
        kl_null=kl_null,
        current_rows=current.rows,
        reference_rows=reference.rows,
        null_lower=null_lower,
    )
    verdict = decide_nulls(name, evidence, policy)
    if verdict is None:
        return None
    return ColumnReport(
        name=name,
        verdict=verdict,
        finding="nulls moved",
        type=found.type,
        reference_type=expected.type,
        current_rows=current.rows,
        reference_rows=reference.rows,
        current_nulls=_share(found.nulls, current.rows),
        reference_nulls=_share(expected.nulls, reference.rows),
        kl_null=kl_null,
    )


def _report_unjudged(name: str, why: Uncounted, current: Profile, reference: Profile) -> Unjudged:
    found, expected = current.columns.get(name), reference.columns[name]
    return Unjudged(
        name=name,
        type=expected.type,
        why=why,
        reference_range=str(expected.range or ""),
        current_range=str((found and found.range) or ""),
        reference_nulls=_known_nulls(expected, reference.rows),
        current_nulls=_known_nulls(found, current.rows),
    )


def _known_nulls(column: ColumnProfile | None, rows: int) -> float | None:
    """Return the share of nulls, ``None`` where they were not counted."""
    return _share(column.nulls, rows) if column and column.nulls_counted else None


def _share(rows: int, total: int) -> float | None:
    return rows / total if total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """A column counted on both sides, measured and not yet judged."""

    current_column: ColumnProfile
    reference_column: ColumnProfile
    current: Histogram
    reference: Histogram
    effects: DesignEffects
    divergences: Divergences
    noise: Noise | None
    cells: tuple[CellChange, ...]
    fitted: bool
    """Whether the bins were fitted on the reference."""


def _measure(
    name: str,
    current_column: ColumnProfile,
    reference_column: ColumnProfile,
    limits: Policy,
    smoothing: Smoothing,
    *,
    effects: DesignEffects,
    fitted: bool,
) -> _Compared:
    current, reference = current_column.histogram, reference_column.histogram
    assert current is not None  # noqa: S101 - narrows the type; the caller has checked
    assert reference is not None  # noqa: S101 - narrows the type; the caller has checked
    found, expected = smooth_histograms(current, reference, smoothing, fitted=fitted)
    shape = reference.bins.shape if isinstance(reference.bins, PairBins) else None
    measured = measure_divergences(found, expected, reference.bins.null_cell, shape)
    left = measure_noise(
        current,
        reference,
        threshold=limits.warn,
        confidence=limits.confidence,
        effects=effects,
        fitted=fitted,
    )
    return _Compared(
        current_column=current_column,
        reference_column=reference_column,
        current=current,
        reference=reference,
        effects=effects,
        divergences=measured,
        noise=None if left is None else _widen(measured.kl, left),
        cells=_cells(current, reference, *cell_terms(found, expected)),
        fitted=fitted,
    )


def _widen(kl: float, noise: Noise) -> Noise:
    """Widen the interval, if need be, to hold the headline: smoothing may put it just outside."""
    lower, upper = noise.interval
    return replace(noise, interval=(min(lower, kl), max(upper, kl)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """What the history says of a snapshot that stands for a moment."""

    learned: LearnedLimits | None
    exceeded: Mapping[str, int]
    as_of: str

    def of(self, name: str, rows: int) -> dict[str, Any]:
        """Return what it says of a column, by the names of the evidence."""
        if self.learned is None:
            return {}
        point = self.learned.point(name, rows, self.as_of)
        return {
            "history_limit": None if point is None else point.limit,
            "at_once": math.inf if point is None else point.at_once,
            "history_null_limit": self.learned.null_limit(name, rows, self.as_of),
            "confirm": self.learned.confirm,
            "exceeded": self.exceeded.get(name, 0),
        }


def _judge(
    compared: Mapping[str, _Compared],
    policy: Policy,
    memory: _Memory,
    trends: Mapping[str, Trend],
) -> Iterator[ColumnReport]:
    """Judge the columns, all of them together where chances must be adjusted for their number."""
    measured = {name: each.noise for name, each in compared.items() if each.noise is not None}
    above = _adjust({name: each.p_above for name, each in measured.items()})
    equal = _adjust({name: each.p_value for name, each in measured.items()})
    for name, each in compared.items():
        detected = equal.get(name, 1.0) < _CERTAIN
        evidence = replace(_evidence(each), trend=trends.get(name))
        evidence = replace(evidence, **memory.of(name, each.current.rows))
        verdict = decide(name, evidence, policy)
        yield replace(
            _column_report(name, each, verdict, policy.of(name)),
            detected=detected,
            p_adjusted=above.get(name),
            history_limit=evidence.history_limit,
            trend=evidence.trend,
        )


def _adjust(chances: Mapping[str, float]) -> dict[str, float]:
    if not chances:
        return {}
    adjusted = benjamini_hochberg(list(chances.values()))
    return dict(zip(chances, adjusted.tolist(), strict=True))


def _evidence(each: _Compared) -> Evidence:
    plain = Evidence(
        kl=each.divergences.kl,
        kl_null=each.divergences.kl_null,
        current_rows=each.current.rows,
        reference_rows=each.reference.rows,
        companions={
            "reverse": each.divergences.kl_reverse,
            "jeffreys": each.divergences.jeffreys,
            "jensen_shannon": each.divergences.jensen_shannon,
        },
    )
    if each.noise is None:
        return plain
    return replace(
        plain,
        interval=each.noise.interval,
        null_lower=each.noise.null_lower,
        noise_floor=each.noise.told_from,
        rows_needed=each.noise.rows_needed,
    )


def _column_report(name: str, each: _Compared, verdict: Verdict, limits: Policy) -> ColumnReport:
    sides = each.current_column, each.reference_column
    current, reference = each.current, each.reference
    unseen = sorted(each.current_column.unseen.items(), key=lambda item: (-item[1], item[0]))
    return ColumnReport(
        name=name,
        verdict=verdict,
        type=each.current_column.type,
        reference_type=each.reference_column.type,
        bins=_kind_of(reference.bins),
        confidence=limits.confidence,
        ordered=reference.bins.ordered,
        current_rows=current.rows,
        reference_rows=reference.rows,
        current_nulls=_share(current.nulls, current.rows),
        reference_nulls=_share(reference.nulls, reference.rows),
        **({} if each.noise is None else asdict(each.divergences) | _noise_numbers(each.noise)),
        cells=each.cells,
        top_cells=_top_cells(each.cells, reference),
        new_levels=tuple(
            LevelChange(level=level, share=rows / current.rows) for level, rows in unseen
        ),
        vanished_levels=tuple(vanished_levels(*sides, each.effects)),
        **_new_levels(each),
        beyond=tuple(rows_beyond(*sides, each.effects)),
        design_effect=each.effects.current,
        reference_design_effect=each.effects.reference,
    )


def _new_levels(each: _Compared) -> dict[str, Any]:
    """Return the share of new levels that was found, and the one to be expected.

    Rows that the bins were not fitted on hold new levels themselves.
    """
    bins, rows = each.reference.bins, each.reference.rows
    if not isinstance(bins, CategoryBins):
        return {}
    found = _share(each.current.counts[bins.unseen_cell], each.current.rows)
    if not each.fitted:
        seen = each.reference.counts[bins.unseen_cell]
        return {"new_share": found, "expected_new_share": _share(seen, rows)}
    return {
        "new_share": found,
        "expected_new_share": _share(bins.singletons, rows),
        "singletons": bins.singletons,
        "doubletons": bins.doubletons,
    }


def _kind_of(bins: NumericBins | CategoryBins | PairBins) -> BinsKind:
    match bins:
        case NumericBins():
            return "numeric"
        case CategoryBins():
            return "categories"
        case PairBins():
            return "pair"
        case _:
            assert_never(bins)


def _noise_numbers(noise: Noise) -> dict[str, Any]:
    shown = ("kl_debiased", "interval", "noise_floor", "p_value")
    return {name: getattr(noise, name) for name in shown}


def _cells(
    current: Histogram, reference: Histogram, carried: Floats, signed: Floats
) -> tuple[CellChange, ...]:
    """Return every cell: shares as counted, contributions as smoothed."""
    unseen = reference.bins.unseen_cell if isinstance(reference.bins, CategoryBins) else None
    return tuple(
        CellChange(
            label=reference.bins.label(cell),
            reference=reference.counts[cell] / max(reference.rows, 1),
            current=current.counts[cell] / max(current.rows, 1),
            contribution=float(carried[cell]),
            signed=float(signed[cell]),
            unseen=cell == unseen,
        )
        for cell in range(reference.bins.cells)
    )


def _top_cells(cells: tuple[CellChange, ...], reference: Histogram) -> tuple[CellChange, ...]:
    """Name what carries the divergence: runs of neighbours that moved the same way count as one."""
    total = sum(cell.contribution for cell in cells)
    moved = [change for change in _runs(cells, reference) if change.reference != change.current]
    moved.sort(key=lambda change: -change.contribution)
    return tuple(c for c in moved[:_TOP] if total and c.contribution >= _MATERIAL * total)


def _runs(cells: tuple[CellChange, ...], reference: Histogram) -> Iterator[CellChange]:
    bins = reference.bins
    ordered = bins.value_cells if bins.ordered else 0
    directions = _directions(cells[:ordered])
    for _, run in groupby(range(ordered), key=directions.__getitem__):
        first, last = _sharpest(list(run), cells, reference.rows)
        yield _join(bins.label(first, last), cells[first : last + 1])
    for cell in range(ordered, bins.cells):
        yield cells[cell]


def _directions(cells: tuple[CellChange, ...]) -> list[bool]:
    """Say of each cell whether it grew; one that stayed goes with the cell before it."""
    grew: list[bool] = []
    for cell in cells:
        stayed = cell.current == cell.reference
        grew.append(grew[-1] if stayed and grew else cell.current > cell.reference)
    return grew


def _sharpest(run: list[int], cells: tuple[CellChange, ...], rows: int) -> tuple[int, int]:
    """Return the ends of the stretch of a run that, as one cell, would diverge most."""
    reference = np.cumsum([0.0, *(cells[cell].reference for cell in run)])
    current = np.cumsum([0.0, *(cells[cell].current for cell in run)])
    first, last = np.triu_indices(len(run))
    expected = np.maximum(reference[last + 1] - reference[first], 0.5 / max(rows, 1))
    found = current[last + 1] - current[first]
    merged = found * np.log(np.maximum(found, _TINY) / expected) - found + expected
    best = int(np.argmax(merged))
    return _open_ends(run[first[best]], run[last[best]], cells, run)


def _open_ends(
    first: int, last: int, cells: tuple[CellChange, ...], run: list[int]
) -> tuple[int, int]:
    """Add the empty cells at the ends of a run: "135 or more" says more than "135 to 1301".

    A cell alone stays as it is: it may be a single value.
    """
    if first == last:
        return first, last
    while last < run[-1] and _empty(cells[last + 1]):
        last += 1
    while first > run[0] and _empty(cells[first - 1]):
        first -= 1
    return first, last


def _empty(cell: CellChange) -> bool:
    return cell.reference == cell.current == 0


def _join(label: str, run: tuple[CellChange, ...]) -> CellChange:
    return CellChange(
        label=label,
        reference=math.fsum(cell.reference for cell in run),
        current=math.fsum(cell.current for cell in run),
        contribution=math.fsum(cell.contribution for cell in run),
        signed=math.fsum(cell.signed for cell in run),
    )
