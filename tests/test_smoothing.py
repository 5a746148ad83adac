from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics.divergence import jeffreys, jensen_shannon, kl_divergence
from kl_drift.statistics.smoothing import (
    Smoothing,
    parse_smoothing,
    smooth,
    smooth_reference,
    with_unseen_mass,
)

FIXED = json.loads((Path(__file__).parent / "data" / "analytic_kl.json").read_text("utf-8"))
METHODS = ["jeffreys", "laplace", {"floor": 1e-4}, "none"]


@pytest.mark.parametrize("table", FIXED["counts"], ids=lambda table: str(table["current"]))
def test_fixed_points_on_count_tables(table) -> None:
    counts = table["current"], table["reference"]
    assert kl_divergence(*smooth(*counts)) == pytest.approx(table["kl"], rel=1e-12)
    both = [smooth_reference(side) for side in counts]
    assert kl_divergence(*both) == pytest.approx(table["kl_jeffreys_both"], rel=1e-12)
    reverse = kl_divergence(*reversed(both))
    assert reverse == pytest.approx(table["kl_reverse_jeffreys_both"], rel=1e-12)
    assert jeffreys(*both) == pytest.approx(table["jeffreys_both_psi"], rel=1e-12)
    assert jensen_shannon(*both) == pytest.approx(table["jeffreys_both_js"], rel=1e-12)
    if table["kl_raw"] == "inf":
        with pytest.raises(DomainError, match="cell 2 is empty in the reference"):
            kl_divergence(*smooth(*counts, "none"))
    else:
        raw = kl_divergence(*smooth(*counts, "none"))
        assert raw == pytest.approx(table["kl_raw"], rel=1e-12)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("jeffreys", [0.5 / 11.5, 1.5 / 11.5, 9.5 / 11.5]),
        ("laplace", [1 / 13, 2 / 13, 10 / 13]),
        ({"floor": 0.05}, [0.05 / 1.05, 0.1 / 1.05, 0.9 / 1.05]),
        ("none", [0.0, 0.1, 0.9]),
    ],
)
def test_the_reference_by_each_method(method, expected) -> None:
    assert smooth_reference([0, 1, 9], method).tolist() == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # ten rows shaped like (½, 2½, 18½)/21½ and one like q = (4½, 6½, 10½)/21½
        ("jeffreys", [9.5 / 236.5, 31.5 / 236.5, 195.5 / 236.5]),
        ("laplace", [1 / 13, 2 / 13, 10 / 13]),
        ({"floor": 0.05}, [0.05 / 1.05, 0.1 / 1.05, 0.9 / 1.05]),
        ("none", [0.0, 0.1, 0.9]),
    ],
)
def test_the_current_by_each_method(method, expected) -> None:
    current, reference = smooth([0, 1, 9], [4, 6, 10], method)
    assert current.tolist() == pytest.approx(expected, rel=1e-15)
    np.testing.assert_array_equal(reference, smooth_reference([4, 6, 10], method))


def test_one_pseudo_row_invents_less_drift_than_some_in_every_cell() -> None:
    # 200 rows of 100 skewed cells against a million, and no drift: .13, .40 and .69 nats.
    rng = np.random.default_rng(7)
    shares = 0.9 ** np.arange(100)
    shares /= shares.sum()
    current, counts = rng.multinomial(200, shares, size=200), rng.multinomial(1_000_000, shares)
    one_row, half_a_row_each, one_row_each = (
        float(np.mean(kl_divergence(*pair)))
        for pair in (
            smooth(current, counts),
            (smooth_reference(current), smooth_reference(counts)),
            smooth(current, counts, "laplace"),
        )
    )
    assert one_row < 0.2 < half_a_row_each < one_row_each


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_current_without_rows_equals_the_reference(method) -> None:
    current, reference = smooth([0, 0, 0], [1, 2, 5], method)
    assert kl_divergence(current, reference) == 0
    np.testing.assert_array_equal(current, reference)


@pytest.mark.parametrize("method", METHODS[:3], ids=str)
def test_a_reference_without_rows_is_uniform(method) -> None:
    assert smooth_reference([0, 0, 0, 0], method).tolist() == [0.25] * 4


def test_raw_shares_of_no_rows_are_refused() -> None:
    with pytest.raises(DomainError, match=r"reference counts have no rows.*'jeffreys'"):
        smooth_reference([0, 0], "none")
    with pytest.raises(DomainError, match="reference counts of distribution 1 have no rows"):
        smooth_reference([[1, 2], [0, 0]], "none")


def test_huge_counts() -> None:
    current, reference = smooth([10**12, 3 * 10**12], [5 * 10**15, 0])
    assert reference.tolist() == pytest.approx([1.0, 1e-16], rel=1e-12)
    assert current.tolist() == pytest.approx([0.25, 0.75], rel=1e-12)
    assert smooth_reference([10**30, 10**30]).tolist() == [0.5, 0.5]


def test_a_batch_along_any_axis() -> None:
    counts = np.array([[1, 2, 3], [0, 5, 0]])
    reference = [4, 4, 4]
    ours, theirs = smooth(counts, reference)
    assert ours.shape == (2, 3)
    assert theirs.shape == (3,)
    columns, _ = smooth(counts.T, reference, axis=0)
    np.testing.assert_array_equal(columns.T, ours)
    np.testing.assert_array_equal(smooth_reference(counts.T, axis=0).T, smooth_reference(counts))


def test_a_single_current_is_smoothed_towards_each_of_several_references() -> None:
    references = [[1, 2, 3], [3, 2, 1]]
    smoothed, _ = smooth([5, 0, 0], references)
    expected = [smooth([5, 0, 0], reference)[0] for reference in references]
    np.testing.assert_array_equal(smoothed, expected)


def test_the_counts_are_left_as_they_were() -> None:
    counts = np.array([1.0, 2.0])
    smooth(counts, counts)
    with_unseen_mass([0, 1], counts, other=0, unseen=1, singletons=9)
    assert counts.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("counts", [[1, -1], [1, math.nan], [1, math.inf], [], "no", None])
def test_refuses_what_is_no_count(counts) -> None:
    with pytest.raises(DomainError, match="reference counts"):
        smooth_reference(counts)
    with pytest.raises(DomainError, match="current counts"):
        smooth(counts, [5, 5])


def test_refuses_a_reference_of_other_cells() -> None:
    with pytest.raises(DomainError, match="current has 2 cells and reference has 3"):
        smooth([1, 2], [1, 2, 3])


@pytest.mark.parametrize(
    ("value", "expected", "text"),
    [
        ("jeffreys", Smoothing(), "jeffreys"),
        ("laplace", Smoothing(method="laplace"), "laplace"),
        ("none", Smoothing(method="none"), "none"),
        ({"floor": 1e-4}, Smoothing(method="floor", eps=1e-4), "{floor: 0.0001}"),
        (Smoothing(method="laplace"), Smoothing(method="laplace"), "laplace"),
    ],
)
def test_a_plan_names_its_smoothing(value, expected, text) -> None:
    assert parse_smoothing(value) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("jefreys", "'jefreys' is not known; expected jeffreys, laplace, none or .* Did you mean"),
        (None, "None is not known; expected jeffreys, laplace, none or {floor: 1.0e-4}"),
        ({"flor": 1e-4}, "is not known; expected"),
        ({"floor": 1e-4, "laplace": 1}, "is not known; expected"),
        ("floor", "needs a number above 0 and below 1.* got None"),
        ({"floor": 0}, "got 0"),
        ({"floor": 1.0}, "got 1.0"),
        ({"floor": math.nan}, "got nan"),
        ({"floor": "1e-4"}, "a number above 0 and below 1.* got '1e-4'"),
    ],
)
def test_a_smoothing_that_is_none_is_a_usage_error(value, message) -> None:
    with pytest.raises(UsageError, match=message):
        parse_smoothing(value)


def test_only_the_floor_takes_an_eps() -> None:
    with pytest.raises(UsageError, match="'laplace' takes no eps"):
        Smoothing(method="laplace", eps=0.1)


@pytest.mark.parametrize(
    ("unseen", "counts", "singletons", "expected"),
    [
        (0, [50, 40, 0], 8, [50, 40, 0]),  # fewer new levels than expected are no drift
        (1, [50, 40, 0], 8, [50, 39, 1]),  # 1 of 90 rows now is worth 1 of 90 then
        (8, [50, 40, 0], 8, [50, 32, 8]),
        (20, [50, 40, 0], 8, [50, 32, 8]),  # more are
        (20, [50, 40, 0], 0, [50, 40, 0]),
        (20, [50, 3, 0], 8, [50, 0, 3]),  # no more than there is
        (20, [45, 40, 5], 8, [45, 37, 8]),
        (20, [41, 40, 9], 8, [41, 40, 9]),
    ],
)
def test_new_levels_are_expected_one_sided(unseen, counts, singletons, expected) -> None:
    current = [90 - unseen, 0, unseen]
    moved = with_unseen_mass(current, counts, other=1, unseen=2, singletons=singletons)
    assert moved.tolist() == pytest.approx(expected, rel=1e-14)
    assert moved.sum() == pytest.approx(sum(counts), rel=1e-15)


def test_as_many_new_levels_as_good_and_turing_expect_are_no_divergence() -> None:
    reference = with_unseen_mass([880, 60, 60], [900, 100, 0], other=1, unseen=2, singletons=60)
    assert reference.tolist() == [900, 40, 60]
    current, expected = smooth([880, 60, 60], reference)
    assert current[2] == expected[2]


def test_new_levels_are_allowed_for_in_each_of_a_batch() -> None:
    currents = [[90, 0, 0], [80, 0, 10], [0, 0, 0]]
    moved = with_unseen_mass(currents, [50, 40, 0], other=1, unseen=2, singletons=8)
    assert moved.tolist() == [[50, 40, 0], [50, 32, 8], [50, 40, 0]]


@pytest.mark.parametrize(("other", "unseen"), [(1, 1), (1, 3), (-1, 2), (3, 1)])
def test_other_and_unseen_must_be_two_of_the_cells(other, unseen) -> None:
    with pytest.raises(UsageError, match=r"two cells of one distribution.* 3 cells"):
        with_unseen_mass([1, 2, 3], [1, 2, 3], other=other, unseen=unseen, singletons=1)


@pytest.mark.parametrize("singletons", [-1, math.nan, math.inf])
def test_singletons_are_a_number(singletons) -> None:
    with pytest.raises(DomainError, match="singletons"):
        with_unseen_mass([1, 2, 3], [1, 2, 3], other=1, unseen=2, singletons=singletons)
