"""Two profiles become a report.

Knows how the numbers of a column are put together: smoothing, divergence, what moved, the verdict.
Has never heard of files, of arrays of rows or of how a report is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np

from kl_drift import __version__
from kl_drift.bins import CategoryBins
from kl_drift.cells import Floats
from kl_drift.columns import NOT_SELECTED
from kl_drift.divergence import (
    contributions,
    cross_entropy,
    entropy,
    jensen_shannon,
    kl_divergence,
    signed_contributions,
)
from kl_drift.errors import BinsMismatchError
from kl_drift.histogram import Histogram
from kl_drift.policy import Evidence, Finding, Policy, decide, decide_finding
from kl_drift.profile import ColumnProfile, Profile
from kl_drift.report import CellChange, ColumnReport, LevelChange, Report, Side, Unjudged
from kl_drift.smoothing import Smoothing, smooth_current, smooth_reference, with_unseen_mass

_TOP = 3
_MATERIAL = 0.05  # of the column's KL: what carries less is not named
_BY_CHANCE = 1e-3


def compare_profiles(
    current: Profile, reference: Profile, policy: Policy, smoothing: Smoothing
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

    Returns
    -------
    Report
        Every column of either side: judged, or unjudged with the reason.

    Raises
    ------
    BinsMismatchError
        If a column was counted over other bins than the reference's.
    """
    judged: list[ColumnReport] = []
    unjudged: list[Unjudged] = []
    for name in reference.columns.keys() | current.columns.keys():
        then, now = reference.columns.get(name), current.columns.get(name)
        if then and now and then.histogram and now.histogram:
            judged.append(_judged(name, now, then, policy, smoothing))
        elif finding := _finding(now, then):
            judged.append(_found(name, finding, current, reference))
        elif then and then.reason != NOT_SELECTED:
            unjudged.append(_left(name, current, reference))
    return Report(
        current=_side(current),
        reference=_side(reference),
        columns=tuple(sorted(judged, key=_worst_first)),
        unjudged=tuple(sorted(unjudged, key=lambda column: column.name)),
        bins_digest=reference.bins_digest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        created_by=__version__,
    )


def _worst_first(column: ColumnReport) -> tuple[int, float, str]:
    divergence = math.inf if column.kl is None else column.kl
    return -column.status.severity, -divergence, column.name


def _side(profile: Profile) -> Side:
    return Side(
        source=", ".join(profile.sources),
        rows=profile.rows,
        as_of=profile.as_of,
        created=profile.created,
        created_by=profile.created_by,
    )


def _finding(now: ColumnProfile | None, then: ColumnProfile | None) -> Finding:
    """Say what is wrong with a column that is not counted on both sides; empty: nothing."""
    if then is None:
        return "new"
    if then.reason == NOT_SELECTED:
        return ""
    if now is None:
        return "missing"
    return "type changed" if then.histogram and not now.histogram else ""


def _found(name: str, finding: Finding, current: Profile, reference: Profile) -> ColumnReport:
    now, then = current.columns.get(name), reference.columns.get(name)
    detail = {
        "missing": f"missing from the current snapshot; {then and then.type} in the reference",
        "new": f"not in the reference; now {now and now.type}",
        "type changed": now.reason if now else "",
    }[finding]
    verdict = decide_finding(finding, detail)
    return ColumnReport(
        name=name,
        status=verdict.status,
        reason=verdict.reason,
        finding=finding,
        type=(now or then or ColumnProfile(type="")).type,
        current_rows=current.rows if now else 0,
        reference_rows=reference.rows if then else 0,
    )


def _left(name: str, current: Profile, reference: Profile) -> Unjudged:
    now, then = current.columns.get(name), reference.columns[name]
    return Unjudged(
        name=name,
        type=then.type,
        reason=then.reason,
        reference_range=str(then.range or ""),
        current_range=str((now and now.range) or ""),
        reference_nulls=_share(then.nulls, reference.rows),
        current_nulls=_share(now.nulls, current.rows) if now else None,
    )


def _share(rows: int, total: int) -> float | None:
    return rows / total if total else None


def _judged(
    name: str, now: ColumnProfile, then: ColumnProfile, policy: Policy, smoothing: Smoothing
) -> ColumnReport:
    current, reference = now.histogram, then.histogram
    assert current is not None  # noqa: S101 - narrows the type; the caller has checked
    assert reference is not None  # noqa: S101 - narrows the type; the caller has checked
    if current.bins != reference.bins:
        raise BinsMismatchError(
            f"column {name!r} was counted over bins {current.bins.digest[:12]}, the reference over "
            f"{reference.bins.digest[:12]}; scan the current snapshot like this reference"
        )
    numbers = _numbers(current, reference, smoothing)
    cells = numbers.pop("cells")
    verdict = decide(
        name,
        Evidence(
            kl=numbers["kl"],
            kl_null=numbers["kl_null"],
            current_rows=current.rows,
            reference_rows=reference.rows,
        ),
        policy,
    )
    return ColumnReport(
        name=name,
        status=verdict.status,
        reason=verdict.reason,
        type=now.type,
        current_rows=current.rows,
        reference_rows=reference.rows,
        current_nulls=_share(current.nulls, current.rows),
        reference_nulls=_share(reference.nulls, reference.rows),
        **numbers,
        cells=cells,
        top_cells=_top_cells(cells, reference),
        new_levels=tuple(
            LevelChange(level=level, share=rows / current.rows)
            for level, rows in sorted(now.unseen.items(), key=lambda item: (-item[1], item[0]))
        ),
        vanished_levels=tuple(_vanished(current, reference)),
    )


def _probabilities(
    current: Histogram, reference: Histogram, smoothing: Smoothing
) -> tuple[Floats, Floats]:
    """Return the smoothed probabilities, current first."""
    counts = np.asarray(reference.counts, np.float64)
    bins = reference.bins
    if isinstance(bins, CategoryBins) and smoothing.method != "none":
        counts = with_unseen_mass(
            counts, other=bins.other_cell, unseen=bins.unseen_cell, singletons=bins.singletons
        )
    expected = smooth_reference(counts, smoothing)
    return smooth_current(np.asarray(current.counts, np.float64), expected, smoothing), expected


def _numbers(current: Histogram, reference: Histogram, smoothing: Smoothing) -> dict[str, Any]:
    now, then = _probabilities(current, reference, smoothing)
    supported = not ((then == 0) & (now > 0)).any()
    reversible = not ((now == 0) & (then > 0)).any()
    kl = float(kl_divergence(now, then)) if supported else math.inf
    kl_reverse = float(kl_divergence(then, now)) if reversible else math.inf
    null = reference.bins.null_cell
    kl_null, kl_values = _null_part(now[null], then[null], kl)
    return {
        "kl": kl,
        "kl_reverse": kl_reverse,
        "jeffreys": kl + kl_reverse,
        "jensen_shannon": float(jensen_shannon(now, then)),
        "entropy": float(entropy(now)),
        "cross_entropy": float(cross_entropy(now, then)) if supported else math.inf,
        "kl_null": kl_null,
        "kl_values": kl_values,
        "cells": _cells(current, reference, now, then),
    }


def _null_part(now: float, then: float, kl: float) -> tuple[float, float]:
    """Split KL into that of the null flag and that of the values: the chain rule, exactly."""
    if then in (0.0, 1.0) and now != then:
        return math.inf, 0.0
    flag = float(kl_divergence([now, 1 - now], [then, 1 - then]))
    return flag, max(0.0, kl - flag) / (1 - now) if now < 1 else 0.0


def _cells(
    current: Histogram, reference: Histogram, now: Floats, then: Floats
) -> tuple[CellChange, ...]:
    """Return every cell: shares as counted, contributions as smoothed."""
    unsupported = (then == 0) & (now > 0)
    if unsupported.any():
        carried = signed = np.where(unsupported, np.inf, 0.0)
    else:
        carried, signed = contributions(now, then), signed_contributions(now, then)
    return tuple(
        CellChange(
            label=reference.bins.label(cell),
            reference=reference.counts[cell] / max(reference.rows, 1),
            current=current.counts[cell] / max(current.rows, 1),
            contribution=float(carried[cell]),
            signed=float(signed[cell]),
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
        members = list(run)
        yield _joined(bins.label(members[0], members[-1]), [cells[cell] for cell in members])
    for cell in range(ordered, bins.cells):
        yield cells[cell]


def _directions(cells: tuple[CellChange, ...]) -> list[bool]:
    """Say of each cell whether it grew; one that stayed goes with the cell before it."""
    grew: list[bool] = []
    for cell in cells:
        stayed = cell.current == cell.reference
        grew.append(grew[-1] if stayed and grew else cell.current > cell.reference)
    return grew


def _joined(label: str, run: list[CellChange]) -> CellChange:
    return CellChange(
        label=label,
        reference=math.fsum(cell.reference for cell in run),
        current=math.fsum(cell.current for cell in run),
        contribution=math.fsum(cell.contribution for cell in run),
        signed=math.fsum(cell.signed for cell in run),
    )


def _vanished(current: Histogram, reference: Histogram) -> Iterable[LevelChange]:
    """Yield kept levels that are gone although chance would hardly leave them out."""
    if not isinstance(reference.bins, CategoryBins):
        return
    for cell, level in enumerate(reference.bins.levels):
        share = reference.counts[cell] / max(reference.rows, 1)
        gone = current.counts[cell] == 0 < reference.counts[cell]
        if gone and (1 - share) ** current.rows < _BY_CHANCE:
            yield LevelChange(level=level, share=share)
