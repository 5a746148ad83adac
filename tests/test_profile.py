from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from kl_drift.counts.bins import NumericBins, level_hash
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import (
    UNSEEN_NAMES,
    ColumnProfile,
    Profile,
    ValueRange,
    merge,
    merge_unseen,
)
from kl_drift.errors import BinsMismatchError, ColumnNotFoundError, UsageError
from kl_drift.testing import assert_profiles_equal

BINS = NumericBins(domain="integer", edges=(0, 10))
OTHER = NumericBins(domain="integer", edges=(0, 11))


def counted(*counts, bins=BINS, **fields):
    histogram = Histogram(bins=bins, counts=counts)
    return ColumnProfile(type="int64", histogram=histogram, nulls=histogram.nulls, **fields)


def uncounted(kind=Kind.MOVES, **fields):
    return ColumnProfile(type="timestamp[us]", why=Uncounted(kind=kind), **fields)


def span(low, high, domain="integer", scale=0):
    return ValueRange(domain=domain, minimum=low, maximum=high, scale=scale)


def profile(rows, **columns):
    return Profile(columns=columns, rows=rows)


def test_parts_make_a_whole() -> None:
    january = Profile(
        columns={"x": counted(1, 2, 0, 1, range=span(-5, 9)), "t": uncounted(nulls=1)},
        rows=4,
        sources=("b",),
        as_of="2013-01-31",
        created="2013-02-01T00:00:00+00:00",
        created_by="0.1.0",
    )
    february = Profile(
        columns={"x": counted(0, 1, 1, 0, range=span(3, 20)), "t": uncounted(nulls=2)},
        rows=2,
        sources=("a", "b"),
        as_of="2013-02-28",
        created="2013-03-01T00:00:00+00:00",
        created_by="0.2.0",
    )
    whole = january + february
    assert whole.columns["x"] == counted(1, 3, 1, 1, range=span(-5, 20))
    assert whole.columns["t"] == uncounted(nulls=3)
    assert whole.rows == 6
    assert whole.sources == ("a", "b")
    assert (whole.as_of, whole.created_by) == ("2013-02-28", "0.2.0")
    assert january.rows == 4
    assert_profiles_equal(merge([february, january]), whole)


def test_the_range_of_a_part_without_values_is_that_of_the_other() -> None:
    empty, full = counted(0, 0, 0, 2), counted(0, 1, 0, 0, range=span(4, 4))
    assert (empty + full).range == span(4, 4)
    assert (full + empty).range == span(4, 4)
    assert (empty + empty).range is None


def test_a_column_of_one_part_that_is_not_counted_stays() -> None:
    whole = profile(1, x=counted(1, 0, 0, 0), t=uncounted()) + profile(1, x=counted(1, 0, 0, 0))
    assert set(whole.columns) == {"x", "t"}


def test_when_a_profile_was_made_is_no_part_of_it() -> None:
    one = profile(1, x=counted(1, 0, 0, 0))
    assert one == replace(one, created="2013-02-01", created_by="9.9")
    assert one != replace(one, as_of="2013-02-01")


def test_refuses_profiles_over_other_bins_and_names_both_and_the_columns() -> None:
    one = profile(1, x=counted(1, 0, 0, 0), y=counted(1, 0, 0, 0))
    two = profile(1, x=counted(1, 0, 0, 0), y=counted(1, 0, 0, 0, bins=OTHER))
    with pytest.raises(BinsMismatchError) as caught:
        one + two
    message = str(caught.value)
    assert one.bins_digest[:12] in message
    assert two.bins_digest[:12] in message
    assert "columns that differ: y)" in message
    assert "scan both like the same reference" in message


@pytest.mark.parametrize(
    ("one", "two", "named"),
    [
        ({"x": BINS}, {}, "x"),
        ({}, {"x": BINS}, "x"),
        ({"x": BINS}, {"y": BINS}, "x, y"),
        (
            {f"c{i}": BINS for i in range(9)},
            {f"c{i}": OTHER for i in range(9)},
            "c0, c1, c2, c3, c4 …",
        ),
    ],
)
def test_names_the_columns_whose_bins_differ(one, two, named) -> None:
    sides = [
        profile(0, **{name: counted(0, 0, 0, 0, bins=bins) for name, bins in side.items()})
        for side in (one, two)
    ]
    with pytest.raises(BinsMismatchError) as caught:
        sides[0] + sides[1]
    assert f"columns that differ: {named})" in str(caught.value)


def test_refuses_a_column_that_is_counted_in_one_part_only() -> None:
    with pytest.raises(BinsMismatchError, match="columns that differ: x"):
        profile(1, x=counted(1, 0, 0, 0)) + profile(1, x=uncounted("type changed"))
    with pytest.raises(BinsMismatchError, match=r"not in the other \(type changed"):
        counted(1, 0, 0, 0) + uncounted("type changed")


@pytest.mark.parametrize(
    "other", [span(0, 1, "date"), span(0, 1, "decimal", 3)], ids=["domain", "scale"]
)
def test_refuses_to_join_ranges_of_other_units_and_names_the_column(other) -> None:
    one = profile(1, when=uncounted(range=span(0, 1, "decimal", 2)))
    with pytest.raises(BinsMismatchError, match="column 'when': a range of decimal cannot join"):
        one + profile(1, when=uncounted(range=other))


def test_refuses_counts_that_do_not_sum_to_the_rows() -> None:
    with pytest.raises(UsageError, match="column 'x': its counts sum to 1,003, the profile has 7"):
        profile(7, x=counted(1000, 3, 0, 0))


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    one = profile(1, dep_delay=counted(1, 0, 0, 0))
    assert one["dep_delay"].histogram == one.counted["dep_delay"]
    with pytest.raises(
        ColumnNotFoundError, match=r"no column 'dep_dealy'.*Did you mean 'dep_delay'"
    ):
        one["dep_dealy"]
    with pytest.raises(LookupError, match=r"no column 'zzz' in this profile\.$"):
        one["zzz"]


def test_the_digest_of_the_bins_sees_names_and_bins_and_nothing_else() -> None:
    one = profile(1, x=counted(1, 0, 0, 0))
    assert one.bins_digest == profile(9, x=counted(0, 9, 0, 0), t=uncounted()).bins_digest
    assert one.bins_digest != profile(1, y=counted(1, 0, 0, 0)).bins_digest
    assert one.bins_digest != profile(1, x=counted(1, 0, 0, 0, bins=OTHER)).bins_digest


def test_nothing_cannot_be_merged() -> None:
    with pytest.raises(UsageError, match="nothing to merge"):
        merge([])


def test_one_profile_merged_is_itself() -> None:
    one = profile(1, x=counted(1, 0, 0, 0))
    assert merge(iter([one])) is one


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (span(15_737, 15_764, "date"), "2013-02-01 … 2013-02-28"),
        (span(-1.5, 0.25, "float"), "-1.5 … 0.25"),
        (span(1, 250, "decimal", 2), "0.01 … 2.50"),
        (span(0, 2**63 - 1, "timestamp"), f"1970-01-01 00:00:00 … {2**63 - 1} µs"),
    ],
)
def test_a_range_is_written_for_a_person(found, text) -> None:
    assert str(found) == text


def test_unseen_levels_are_exact_for_those_kept_whatever_the_order() -> None:
    parts = [{f"level {i}": i + 1 for i in range(start, start + 60)} for start in (0, 30, 50, 100)]
    total = {}
    for part in parts:
        for level, rows in part.items():
            total[level] = total.get(level, 0) + rows
    smallest = sorted(total, key=level_hash)[:UNSEEN_NAMES]
    for order in permutations(parts):
        merged = {}
        for part in order:
            merged = merge_unseen(merged, part)
        assert merged == {level: total[level] for level in smallest}


def test_a_readable_difference() -> None:
    one = profile(4, x=counted(1, 2, 0, 1, range=span(0, 5)), t=uncounted())
    two = profile(5, x=counted(1, 2, 1, 1, range=span(0, 12)), y=counted(5, 0, 0, 0))
    with pytest.raises(AssertionError) as caught:
        assert_profiles_equal(one, two)
    assert str(caught.value).splitlines() == [
        "the profiles differ:",
        "  rows is 4, expected 5",
        "  column 't': not expected",
        f"  column 'x': range is {span(0, 5)!r}, expected {span(0, 12)!r}",
        "  column 'x': above 9: 0 rows, expected 1",
        "  column 'y': missing",
    ]


def test_a_readable_difference_of_bins() -> None:
    with pytest.raises(AssertionError, match=r"column 'x': bins are .*\[0, 10\].*\[0, 11\]"):
        assert_profiles_equal(
            profile(0, x=counted(0, 0, 0, 0)), profile(0, x=counted(0, 0, 0, 0, bins=OTHER))
        )
    with pytest.raises(AssertionError, match="column 'x': counted, unlike expected"):
        assert_profiles_equal(profile(0, x=counted(0, 0, 0, 0)), profile(0, x=uncounted()))
