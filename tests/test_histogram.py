from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_drift.counts.bins import CategoryBins, NumericBins
from kl_drift.counts.histogram import Histogram
from kl_drift.errors import BinsError, BinsMismatchError
from kl_drift.testing import bins, histograms

BINS = NumericBins(domain="integer", edges=(0, 10))


def test_two_histograms_add_cell_by_cell() -> None:
    one = Histogram(bins=BINS, counts=(1, 2, 3, 4))
    two = Histogram(bins=BINS, counts=(10, 20, 30, 40))
    assert (one + two).counts == (11, 22, 33, 44)
    assert one.counts == (1, 2, 3, 4)


def test_rows_are_the_sum_and_nulls_the_last_cell() -> None:
    histogram = Histogram(bins=BINS, counts=(1, 2, 3, 4))
    assert histogram.rows == 10
    assert histogram.nulls == 4


@pytest.mark.parametrize("counts", [(), (1, 2, 3), (1, 2, 3, 4, 5)])
def test_refuses_another_number_of_counts(counts) -> None:
    with pytest.raises(BinsError, match=f"4 cells need as many counts, got {len(counts)}"):
        Histogram(bins=BINS, counts=counts)


@pytest.mark.parametrize("count", [-1, 1.0, True, None, "1"])
def test_refuses_what_is_no_count(count) -> None:
    with pytest.raises(BinsError, match="every count must be an integer ≥ 0"):
        Histogram(bins=BINS, counts=(0, 0, 0, count))


@pytest.mark.parametrize(
    "other",
    [
        NumericBins(domain="integer", edges=(0, 11)),
        NumericBins(domain="date", edges=(0, 10)),
        NumericBins(domain="decimal", edges=(0, 10), scale=1),
        CategoryBins(domain="string", levels=("a",)),
    ],
    ids=str,
)
def test_refuses_other_bins_and_names_both(other) -> None:
    one = Histogram(bins=BINS, counts=(0, 0, 0, 0))
    two = Histogram(bins=other, counts=(0,) * other.cells)
    with pytest.raises(BinsMismatchError) as caught:
        one + two
    assert BINS.digest[:12] in str(caught.value)
    assert other.digest[:12] in str(caught.value)


@given(bins().flatmap(lambda over: st.tuples(*[histograms(over=over)] * 3)))
@settings(max_examples=100, deadline=None)
def test_adding_is_associative_and_commutative(three) -> None:
    one, two, other = three
    assert (one + two) + other == one + (two + other)
    assert one + two == two + one
    assert (one + two).rows == one.rows + two.rows
