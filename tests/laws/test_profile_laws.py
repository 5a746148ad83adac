from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kl_drift import canonical
from kl_drift.artefact import load_profile, profile_from_dict, profile_to_dict, save
from kl_drift.counts.bins import CategoryBins, bins_from_dict
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import UNSEEN_NAMES, ColumnProfile, Profile, merge
from kl_drift.errors import BinsError, BinsMismatchError
from kl_drift.judging.comparison import compare_profiles
from kl_drift.judging.policy import Policy
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.smoothing import parse_smoothing, smooth
from kl_drift.testing import (
    assert_profiles_equal,
    bins,
    histograms,
    pair_bins,
    profiles,
    same_bins,
)

LAW = settings(max_examples=100, deadline=None)


@pytest.mark.slow
@given(same_bins(count=3))
@LAW
def test_merging_is_associative_and_commutative(three) -> None:
    one, two, other = three
    assert_profiles_equal((one + two) + other, one + (two + other))
    assert_profiles_equal(one + two, two + one)
    for order in permutations(three):
        assert_profiles_equal(merge(order, repeated=True), merge(three, repeated=True))


@pytest.mark.slow
@given(same_bins(count=3))
@LAW
def test_the_rows_of_parts_sum_to_the_rows_of_the_whole(parts) -> None:
    whole = merge(parts, repeated=True)
    assert whole.rows == sum(part.rows for part in parts)
    assert whole.bins_digest == parts[0].bins_digest
    for name, column in whole.columns.items():
        assert column.nulls == sum(part.columns[name].nulls for part in parts)
        if column.histogram is not None:
            assert column.histogram.rows == whole.rows
            assert column.histogram.nulls == column.nulls


@pytest.mark.slow
@given(same_bins(count=2))
@LAW
def test_merging_leaves_the_parts_as_they_were(two) -> None:
    one, other = two
    before = canonical.dumps(profile_to_dict(one)), canonical.dumps(profile_to_dict(other))
    one + other
    assert before == (
        canonical.dumps(profile_to_dict(one)),
        canonical.dumps(profile_to_dict(other)),
    )


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(1, 9), max_size=80), max_size=4))
@LAW
def test_unseen_levels_are_exact_for_those_kept(parts) -> None:
    over = CategoryBins(domain="string", levels=())

    def part(unseen):
        histogram = Histogram(bins=over, counts=(0, sum(unseen.values()), 0))
        column = ColumnProfile(type="string", histogram=histogram, unseen=unseen)
        return Profile(columns={"x": column}, rows=histogram.rows)

    whole = merge([part({}), *map(part, parts)], repeated=True)
    names = {name for unseen in parts for name in unseen}
    assert len(whole["x"].unseen) == min(len(names), UNSEEN_NAMES)
    for name, rows in whole["x"].unseen.items():
        assert rows == sum(unseen.get(name, 0) for unseen in parts)
    assert_profiles_equal(whole, merge([*map(part, reversed(parts)), part({})], repeated=True))


@pytest.mark.slow
@given(profiles(), profiles())
@LAW
def test_other_bins_are_refused_by_both_digests_and_the_columns(one, two) -> None:
    assume(one.bins_digest != two.bins_digest)
    differ = {
        name
        for name in one.counted.keys() | two.counted.keys()
        if name not in one.counted
        or name not in two.counted
        or one.counted[name].bins != two.counted[name].bins
    }
    with pytest.raises(BinsMismatchError) as caught:
        one + two
    message = str(caught.value)
    assert one.bins_digest[:12] in message
    assert two.bins_digest[:12] in message
    assert all(name in message for name in sorted(differ)[:5])


@pytest.mark.slow
@given(profiles(), profiles())
@LAW
def test_equal_bins_and_only_they_have_equal_digests(one, two) -> None:
    bins_of = [{name: each.bins for name, each in side.counted.items()} for side in (one, two)]
    assert (one.bins_digest == two.bins_digest) == (bins_of[0] == bins_of[1])


@given(profiles())
@LAW
def test_a_profile_comes_back_from_json_as_it_was(profile) -> None:
    document = profile_to_dict(profile)
    text = canonical.dumps(document)
    again = profile_from_dict(json.loads(text))
    assert_profiles_equal(again, profile)
    assert (again.created, again.created_by) == (profile.created, profile.created_by)
    assert canonical.dumps(profile_to_dict(again)) == text
    assert again.bins_digest == document["bins_digest"]


@given(profiles())
@settings(max_examples=25, deadline=None)
def test_a_profile_comes_back_from_disk_as_it_was(tmp_path_factory, profile) -> None:
    path = tmp_path_factory.getbasetemp() / "profile.json"
    save(profile, path)
    assert_profiles_equal(load_profile(path), profile)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(bins() | pair_bins(), st.data())
@settings(max_examples=200, deadline=None)
def test_bins_with_one_field_replaced_are_other_bins_or_refused(over, data) -> None:
    plain = over.to_dict()
    field = data.draw(st.sampled_from(sorted(plain)))
    junk = {**plain, field: data.draw(JUNK)}
    try:
        found = bins_from_dict(junk)
    except BinsError:
        return
    assert found.to_dict() == {**plain, **junk}


@given(JUNK)
@LAW
def test_junk_makes_no_bins(junk) -> None:
    with pytest.raises(BinsError):
        bins_from_dict(junk)


@pytest.mark.slow
@given(same_bins(count=2))
@LAW
def test_the_divergence_of_any_two_profiles_is_a_finite_number_of_at_least_0(two) -> None:
    current, reference = two
    report = compare_profiles(current, reference, Policy(), parse_smoothing("jeffreys"))
    for column in report.columns:
        if not (current.rows and reference.rows):
            assert column.kl is column.kl_reverse is None
            continue
        if column.finding == "nulls moved":
            assert 0.01 < column.kl_null < np.inf
            continue
        assert 0 <= column.kl < np.inf
        assert 0 <= column.kl_reverse < np.inf


@pytest.mark.slow
@given(profiles())
@LAW
def test_a_profile_has_not_drifted_from_itself(profile) -> None:
    assume(profile.rows)
    for smoothing in ("jeffreys", "laplace", {"floor": 1e-4}, "none"):
        report = compare_profiles(profile, profile, Policy(), parse_smoothing(smoothing))
        for column in report.columns:
            assert column.kl == column.kl_reverse == column.psi == column.jensen_shannon == 0
            assert column.interval[0] == 0
            assert column.status in ("ok", "undecided")


@given(st.data())
@LAW
def test_merging_cells_never_raises_the_divergence(data) -> None:
    over = data.draw(bins())
    current, reference = (
        np.array(data.draw(histograms(over=over, rows=rows)).counts) for rows in (1000, 10_000)
    )
    reference = reference + 1
    first = data.draw(st.integers(0, over.cells - 2))
    last = data.draw(st.integers(first + 1, over.cells - 1))
    merged = [
        np.concatenate([counts[:first], [counts[first : last + 1].sum()], counts[last + 1 :]])
        for counts in (current, reference)
    ]
    before = kl_divergence(*smooth(current, reference, "none"))
    after = kl_divergence(*smooth(*merged, "none"))
    assert 0 <= after <= before + 1e-12
