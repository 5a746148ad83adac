from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_drift.api import fit, scan
from kl_drift.counts.arrays import LEVELLED, NUMERIC, TEMPORAL, decoded, family_of
from kl_drift.counts.bins import CategoryBins, NumericBins, PairBins
from kl_drift.counts.counting import EdgeSearch, count_pair, counter
from kl_drift.counts.profile import merge
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.smoothing import smooth
from kl_drift.testing import (
    ARROW_TYPES,
    arrow_arrays,
    arrow_tables,
    assert_profiles_equal,
    category_bins,
    numeric_bins,
)

FEW = settings(max_examples=15, deadline=None)
MANY = settings(max_examples=200, deadline=None)
RUN_END_ENCODED = [kind for kind in ARROW_TYPES if pa.types.is_run_end_encoded(kind)]


@st.composite
def floats_near_edges(draw):
    """Draw edges and floats of some width, among them the edges and their neighbours."""
    edges = draw(numeric_bins(domains=["float"], max_edges=30)).edges
    width = draw(st.sampled_from([16, 32, 64]))
    pool = st.floats(width=width)
    if edges:
        sides = st.sampled_from([-math.inf, math.inf])
        near = st.builds(math.nextafter, st.sampled_from(edges), sides)
        pool = pool | st.sampled_from(edges) | near
    with np.errstate(over="ignore"):
        return edges, np.array(draw(st.lists(pool, max_size=40)), np.float64).astype(
            f"f{width // 8}"
        )


@pytest.mark.slow
@given(floats_near_edges())
@MANY
def test_floats_fall_where_a_search_finds_them(drawn) -> None:
    edges, values = drawn
    counts, nans = EdgeSearch(edges).count(values)
    present = values[~np.isnan(values)]
    places = np.searchsorted(np.array(edges, np.float64), present, side="right")
    assert counts.tolist() == np.bincount(places, minlength=len(edges) + 1).tolist()
    assert nans == len(values) - len(present)


@st.composite
def integers_near_edges(draw):
    edges = draw(numeric_bins(domains=["integer", "decimal"], max_edges=30)).edges
    dtype = draw(st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "O"]))
    low, high = (-(10**40), 10**40) if dtype == "O" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    pool = st.integers(int(low), int(high))
    near = [e + step for e in edges for step in (-1, 0, 1) if low <= e + step <= high]
    if near:
        pool = pool | st.sampled_from(near)
    return edges, draw(st.lists(pool, max_size=40)), dtype


@given(integers_near_edges())
@MANY
def test_integers_of_any_width_fall_where_python_finds_them(drawn) -> None:
    edges, values, dtype = drawn
    counts, _ = EdgeSearch(edges).count(np.array(values, dtype))
    expected = [0] * (len(edges) + 1)
    for value in values:
        expected[sum(edge <= value for edge in edges)] += 1
    assert counts.tolist() == expected


def bins_for(kind):
    """Draw bins over which a column of the type may be counted."""
    family = "float" if family_of(kind) == "null" else family_of(kind)
    kinds = []
    if family in NUMERIC:
        kinds.append(numeric_bins(domains=[family]))
    if family in LEVELLED:
        kinds.append(category_bins(domains=[family]))
    if family in TEMPORAL:
        kinds.append(category_bins(domains=["hour", "weekday"]))
    return st.one_of(kinds)


def same(one, two):
    return (
        one.counts.tolist() == two.counts.tolist()
        and one.range == two.range
        and one.unseen == two.unseen
    )


def on_a_side(counts, over):
    """Return the counts of a column as a side of a pair has them: what is not kept is one cell."""
    if not isinstance(over, CategoryBins):
        return counts.tolist()
    kept, rest = counts[: over.value_cells], counts[over.other_cell] + counts[over.unseen_cell]
    return [*kept.tolist(), int(rest), int(counts[over.null_cell])]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARROW_TYPES, ids=str)
@given(data=st.data())
@FEW
def test_the_marginals_of_a_pair_are_what_either_column_counts_alone(kind, data) -> None:
    array = data.draw(arrow_arrays(kind))
    rows = len(array)
    other_kind = data.draw(st.sampled_from(list(ARROW_TYPES)))
    other = data.draw(arrow_arrays(other_kind, min_size=rows, max_size=rows))
    sides = (data.draw(bins_for(kind)), data.draw(bins_for(other_kind)))
    over = PairBins(columns=("x", "y"), sides=sides)
    one, two = counter(sides[0]), counter(sides[1])
    whole = count_pair(over, one.side(array), two.side(other)).counts
    assert whole.sum() == rows
    table = whole.reshape(over.shape)
    assert table.sum(axis=1).tolist() == on_a_side(one.count(array).counts, sides[0])
    assert table.sum(axis=0).tolist() == on_a_side(two.count(other).counts, sides[1])
    cut = data.draw(st.integers(0, rows))
    before = count_pair(over, one.side(array.slice(0, cut)), two.side(other.slice(0, cut)))
    after = count_pair(over, one.side(array.slice(cut)), two.side(other.slice(cut)))
    assert same(before + after, count_pair(over, one.side(array), two.side(other)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARROW_TYPES, ids=str)
@given(data=st.data())
@FEW
def test_counts_sum_to_the_rows_and_parts_to_the_whole(kind, data) -> None:
    array = data.draw(arrow_arrays(kind))
    over = data.draw(bins_for(kind))
    counts = counter(over)
    whole = counts.count(array)
    assert whole.counts.sum() == len(array)
    assert whole.counts[over.null_cell] == decoded(array).null_count
    cut = data.draw(st.integers(0, len(array)))
    before, after = counts.count(array.slice(0, cut)), counts.count(array.slice(cut))
    assert same(before + after, whole)
    assert same(after + before, whole)
    assert same(counts.empty() + whole, whole)


@given(st.data())
@FEW
def test_an_encoding_changes_nothing(data) -> None:
    kind = data.draw(st.sampled_from([k for k in ARROW_TYPES if family_of(k) != "null"]))
    over = data.draw(bins_for(kind))
    values = data.draw(arrow_arrays(kind, min_size=1))
    rows = data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=20))
    encoded = pa.DictionaryArray.from_arrays(pa.array(rows, pa.int8()), values)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array(range(1, len(rows) + 1), pa.int32()), encoded)
    counts = counter(over)
    one_by_one = [counts.count(values.slice(row, 1)) for row in rows]
    total = sum(one_by_one[1:], start=one_by_one[0])
    assert same(counts.count(encoded), total)
    assert same(counts.count(runs), total)


@pytest.mark.slow
@given(st.data())
@MANY
def test_leaving_out_an_edge_joins_two_cells_and_never_raises_the_divergence(data) -> None:
    fine = data.draw(numeric_bins(domains=["float"]).filter(lambda bins: bins.edges))
    left_out = data.draw(st.integers(0, len(fine.edges) - 1))
    coarse = NumericBins(
        domain="float", edges=(*fine.edges[:left_out], *fine.edges[left_out + 1 :])
    )
    array = pa.array([0.0, *fine.edges, math.nan, None, math.inf])
    pick = st.lists(st.integers(0, len(array) - 1), min_size=1, max_size=60)
    current, reference = (
        array.take(pa.array(data.draw(pick) + extra)) for extra in ([], [*range(len(array))])
    )

    def counts(over, values):
        return counter(over).count(values).counts

    joined = np.add.reduceat(counts(fine, current), np.delete(np.arange(fine.cells), left_out + 1))
    assert counts(coarse, current).tolist() == joined.tolist()
    divergences = []
    for over in (coarse, fine):
        then = counts(over, reference)
        supported = np.where(then > 0, counts(over, current), 0)
        divergences.append(
            kl_divergence(*smooth(supported, then, "none")) if supported.any() else 0
        )
    assert 0 <= divergences[0] <= divergences[1] + 1e-12


@pytest.mark.slow
@given(
    table=arrow_tables(types=[k for k in ARROW_TYPES if k not in RUN_END_ENCODED]), data=st.data()
)
@settings(max_examples=60, deadline=None)
def test_profiles_of_parts_in_any_order_are_the_profile_of_the_whole(table, data) -> None:
    table = table.append_column("always", pa.array([1] * table.num_rows, pa.int8()))
    judge = {
        field.name: ("value", "weekday")
        for field in table.schema
        if family_of(field.type) in TEMPORAL
    }
    nulls = pa.table([pa.nulls(1, field.type) for field in table.schema], schema=table.schema)
    reference = fit(pa.concat_tables([table, nulls]), judge=judge)  # never without a row
    whole = scan(table, like=reference)
    cuts = sorted(data.draw(st.lists(st.integers(0, table.num_rows), max_size=3)))
    ends = [0, *cuts, table.num_rows]
    parts = [table.slice(low, high - low) for low, high in pairwise(ends)]
    profiles = [scan(part, like=reference) for part in data.draw(st.permutations(parts))]
    assert_profiles_equal(merge(profiles, repeated=True), whole)
    for column in whole.columns.values():
        assert column.histogram is None or column.histogram.rows == table.num_rows
