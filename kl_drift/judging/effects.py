"""How little the rows of a column tell where they belong together: design effects of both sides.

Knows the counts of a column by group of clusters. Has never heard of limits, of files or of what
is done with the effects.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import reduce
from operator import or_

from kl_drift.counts.bins import PairBins
from kl_drift.counts.profile import ColumnProfile, Profile
from kl_drift.statistics.clusters import design_effect, flag_design_effect


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignEffects:
    """How many rows of either side carry the information of one independent row.

    Parameters
    ----------
    current, reference : float
        At least 1. Of the values of the column.
    current_null, reference_null : float
        Of its null flag: nulls may come customer by customer where values do not.
    """

    current: float = 1.0
    reference: float = 1.0
    current_null: float = 1.0
    reference_null: float = 1.0

    def __or__(self, other: DesignEffects) -> DesignEffects:
        """Return the larger effects of two columns."""
        return DesignEffects(
            **{each: max(getattr(self, each), getattr(other, each)) for each in _EFFECTS}
        )


_EFFECTS = tuple(each.name for each in fields(DesignEffects))


def design_effects(
    name: str, current: Profile, reference: Profile, *, stated: float = 1.0
) -> DesignEffects:
    """Estimate the effects of a column that both sides counted.

    A side that does not know which of its rows belong together takes the other's effect; where
    neither knows, and wherever the effect that was stated is larger, that one counts. Of two
    columns together it is the larger of either's, as far as they are counted by themselves, too.
    """
    bins = reference.counted[name].bins
    if isinstance(bins, PairBins):
        counted = current.counted.keys() & reference.counted.keys() & set(bins.columns)
        single = (design_effects(each, current, reference, stated=stated) for each in counted)
        return reduce(or_, single, DesignEffects(**dict.fromkeys(_EFFECTS, stated)))
    sides = current[name], reference[name]
    (values, others), (nulls, other_nulls) = _of_sides(*sides), _of_sides(*sides, null=True)
    return DesignEffects(
        current=max(stated, values),
        reference=max(stated, others),
        current_null=max(stated, nulls),
        reference_null=max(stated, other_nulls),
    )


def _of_sides(
    current: ColumnProfile, reference: ColumnProfile, *, null: bool = False
) -> tuple[float, float]:
    found = [own_effect(each, null=null) if _keyed(each) else None for each in (current, reference)]
    known = next((each for each in found if each is not None), 1.0)
    one, two = (known if each is None else each for each in found)
    return one, two


def own_effect(column: ColumnProfile, *, null: bool = False) -> float:
    """Return the design effect of a column's values, or of its null flag; 1 if nothing is known."""
    if null:
        return effect_in_cell(column, -1)
    return design_effect(column.groups) if _keyed(column) else 1.0


def effect_in_cell(column: ColumnProfile, cell: int) -> float:
    """Return the design effect of one cell against all others; 1 where nothing is known of it.

    What one customer alone does is told by that customer alone, however many rows it has.
    """
    return flag_design_effect(column.groups, cell) if _keyed(column) else 1.0


def _keyed(column: ColumnProfile) -> bool:
    """Say whether it is known which of its rows belong together."""
    return any(map(any, column.groups))
