"""The smallest drift that would alarm: planted, it does; a little less does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import kl_drift as kd
from kl_drift.counts.histogram import Histogram
from kl_drift.judging.policy import Policy
from kl_drift.judging.sensitivity import SmallestDrift

generator = np.random.default_rng(0)
REFERENCE = kd.fit(
    {
        "x": generator.normal(size=40_000),
        "level": generator.choice(["a", "b", "c"], size=40_000),
        "constant": np.ones(40_000),
    }
)


def smallest(rows: int, policy: Policy | None = None) -> dict[str, SmallestDrift]:
    return kd.smallest_drifts(REFERENCE, rows, policy)


def test_a_shift_that_just_alarms_is_about_a_third_of_a_standard_deviation() -> None:
    found = smallest(1_000_000)["x"]
    assert found.shift == pytest.approx(0.32, abs=0.03)  # KL of .05 nats
    rows = {"x": np.random.default_rng(1).normal(loc=1.15 * (found.shift or 0), size=200_000)}
    assert kd.compare(kd.scan(rows, like=REFERENCE), REFERENCE)["x"].status == "drift"
    rows = {"x": np.random.default_rng(1).normal(loc=0.85 * (found.shift or 0), size=200_000)}
    assert kd.compare(kd.scan(rows, like=REFERENCE), REFERENCE)["x"].status != "drift"


def test_the_smallest_share_of_a_new_level_alarms_and_less_does_not() -> None:
    share = smallest(20_000)["level"].new_level
    assert share is not None
    histogram = REFERENCE["level"].histogram
    assert histogram is not None
    for factor, status in ((1.05, True), (0.95, False)):
        new = round(20_000 * share * factor)
        counts = list(histogram.counts)
        kept = [round(each / 40_000 * (20_000 - new)) for each in counts]
        kept[histogram.bins.unseen_cell] = new  # type: ignore[union-attr] # it has categories
        kept[0] += 20_000 - sum(kept)
        moved = Histogram(bins=histogram.bins, counts=tuple(kept))
        column = replace(REFERENCE["level"], histogram=moved)
        current = kd.Profile(columns={"level": column}, rows=20_000)
        assert (kd.compare(current, REFERENCE)["level"].status == "drift") is status


def test_more_rows_see_less() -> None:
    few, many = smallest(3_000), smallest(300_000)
    for name, kind in (("x", "shift"), ("x", "nulls"), ("level", "new_level"), ("level", "nulls")):
        assert getattr(few[name], kind) > getattr(many[name], kind) > 0


def test_wider_limits_see_less_and_some_nothing() -> None:
    assert (smallest(20_000, Policy(warn=0.2, drift=0.5))["x"].shift or 0) > 0.9
    blind = Policy(warn=50, drift=90, null_drift=90)
    assert smallest(20_000, blind)["x"] == SmallestDrift()


def test_only_what_a_column_can_do_is_planted() -> None:
    found = smallest(20_000)
    assert found["x"].new_level is None
    assert found["level"].shift is None
    assert found["constant"].shift is None
    assert found["constant"].nulls is not None


def test_without_rows_nothing_can_be_told() -> None:
    with pytest.raises(kd.errors.UsageError, match="no rows, no drift"):
        smallest(0)
