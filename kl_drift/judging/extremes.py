"""Which values came or went: exact tests of the support, which KL(current‖reference) hardly sees.

Knows the counts of a column on both sides and what chance alone would do. Has never heard of
limits, of files or of how a finding is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from kl_drift.counts.bins import CategoryBins, NumericBins, same_from, same_until, successor
from kl_drift.counts.profile import ColumnProfile, ValueRange
from kl_drift.judging.effects import DesignEffects, effect_in_cell
from kl_drift.judging.report import UNLIKELY, Beyond, LevelChange, Outside
from kl_drift.statistics.exact import p_value_beyond, p_value_vanished


def vanished_levels(
    current: ColumnProfile, reference: ColumnProfile, effects: DesignEffects
) -> Iterator[LevelChange]:
    """Yield kept levels that are gone although chance would hardly leave them out."""
    counted, expected = current.histogram, reference.histogram
    if not (counted and expected and isinstance(expected.bins, CategoryBins)):
        return
    for cell, level in enumerate(expected.bins.levels):
        share = expected.counts[cell] / max(expected.rows, 1)
        if not counted.counts[cell] == 0 < expected.counts[cell]:
            continue
        effect = max(effects.current, effect_in_cell(reference, cell))
        if p_value_vanished(share, counted.rows, design_effect=effect) < UNLIKELY:
            yield LevelChange(level=level, share=share)


def rows_beyond(
    current: ColumnProfile, reference: ColumnProfile, effects: DesignEffects
) -> Iterator[Beyond]:
    """Yield what lies below the reference's smallest value and above its largest.

    The outer cells tell: bins fitted on the reference begin at its smallest value and end at its
    largest. Where edges were stated, or fitted on another reference, an outer cell that this
    reference never reached holds some of the rows beyond, and the chance is that of those. Where
    the reference reached it (by an infinity, say), nothing can be told.

    Parameters
    ----------
    current, reference : ColumnProfile
        Counted over the same bins.
    effects : DesignEffects
        How many rows of either side carry the information of one independent row.
    """
    counted, expected = current.histogram, reference.histogram
    if not (counted and expected and reference.range and isinstance(expected.bins, NumericBins)):
        return
    bins, (low, high) = expected.bins, (reference.range.minimum, reference.range.maximum)
    values = [sum(side.counts[: bins.value_cells]) for side in (counted, expected)]
    for cell, side in _outer(bins):
        rows = counted.counts[cell]
        if not rows or expected.counts[cell]:
            continue
        effect = max(effects.current, effect_in_cell(current, cell))
        extreme = bins.text(low if side == "below" else high)
        begins = {low, same_from(low)} if side == "below" else {successor(high), same_until(high)}
        tight = bins.edges[0 if side == "below" else -1] in begins
        yield Beyond(
            side=side,
            cell=f"{side} {extreme}" if tight else bins.label(cell),
            extreme=extreme,
            rows=rows,
            share=rows / counted.rows,
            infinite=not _finite(bins, side, current.range),
            p_value=float(
                p_value_beyond(rows / effect, values[0] / effect, values[1] / effects.reference)
            ),
        )


def _outer(bins: NumericBins) -> tuple[tuple[int, Outside], ...]:
    """Return the cells that are open to one side."""
    return ((0, "below"), (bins.value_cells - 1, "above")) if bins.edges else ()


def _finite(bins: NumericBins, side: Outside, found: ValueRange | None) -> bool:
    """Say whether the outer cell on that side holds a finite value."""
    if found is None:
        return False
    return found.minimum < bins.edges[0] if side == "below" else found.maximum >= bins.edges[-1]
