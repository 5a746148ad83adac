"""Numbers become a verdict; what could not be judged is never ok."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_drift.api import compare, fit
from kl_drift.errors import UsageError
from kl_drift.judging.policy import (
    Evidence,
    Policy,
    Status,
    decide,
    decide_finding,
    worst,
)
from kl_drift.judging.report import ColumnReport
from kl_drift.render import words
from kl_drift.render.numbers import nats

PLENTY = Evidence(
    kl=0.0,
    kl_null=0.0,
    current_rows=10**6,
    reference_rows=10**6,
    interval=(0.0, 0.0001),
    noise_floor=0.0001,
    rows_needed=1_000.0,
)
POINT = Policy(rule="point")


def seen(kl: float, lower: float | None = None, **known: Any) -> Evidence:
    """Return evidence of a divergence that is certain unless a lower limit is given."""
    lower = kl if lower is None else lower
    return replace(PLENTY, kl=kl, interval=(lower, kl * 1.5), **known)


# ---------------------------------------------------------------- statuses


def test_statuses_are_ordered_from_harmless_to_bad() -> None:
    ordered = [Status.OK, Status.WARN, Status.UNDECIDED, Status.DRIFT]
    assert all(low.severity < high.severity for low, high in pairwise(ordered))
    assert sorted(Status, key=lambda status: status.severity) == ordered
    assert [str(status) for status in ordered] == ["ok", "warn", "undecided", "drift"]


@given(st.lists(st.sampled_from(Status), min_size=1))
def test_the_worst_is_the_worst_in_any_order(statuses: list[Status]) -> None:
    found = worst(statuses)
    assert found in statuses
    assert all(found.severity >= status.severity for status in statuses)
    assert {worst(order) for order in permutations(statuses[:4])} == {worst(statuses[:4])}


def test_the_worst_of_nothing_is_undecided() -> None:
    assert worst([]) is Status.UNDECIDED


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("rule", ["gates", "point"])
@pytest.mark.parametrize(
    ("kl", "status"),
    [
        (0.0, "ok"),
        (0.02, "ok"),
        (math.nextafter(0.02, 1), "warn"),
        (0.05, "warn"),
        (math.nextafter(0.05, 1), "drift"),
        (7.0, "drift"),
        (math.inf, "drift"),
    ],
)
def test_a_limit_is_exceeded_above_it(rule: Any, kl: float, status: str) -> None:
    verdict = decide("x", seen(kl), Policy(rule=rule))
    assert verdict.status == status
    assert (verdict.which, verdict.statistic, verdict.value) == ("stated", "kl", kl)
    assert verdict.limit == (0.05 if status == "drift" else 0.02)
    assert (verdict.lower is None) == (rule == "point")


@pytest.mark.parametrize("rule", ["gates", "point"])
def test_nulls_have_a_limit_of_their_own(rule: Any) -> None:
    evidence = seen(0.015, kl_null=0.011, null_lower=0.0101)
    verdict = decide("x", evidence, Policy(rule=rule))
    assert verdict.status == "drift"
    assert (verdict.which, verdict.statistic) == ("null", "null")
    assert (verdict.value, verdict.limit) == (0.011, 0.01)
    assert decide("x", evidence, Policy(rule=rule, null_drift=0.02)).status == "ok"


def test_the_gates_look_at_what_is_certain_and_the_point_at_what_was_measured() -> None:
    noisy = seen(0.08, lower=0.03)
    assert decide("x", noisy, Policy()).status == "warn"
    assert decide("x", noisy, POINT).status == "drift"
    assert decide("x", seen(0.08, lower=0.01), Policy()).status == "ok"
    assert decide("x", seen(0.0, kl_null=0.9, null_lower=0.001), Policy()).status == "ok"


def test_where_noise_reaches_the_limit_nothing_is_ok() -> None:
    small = seen(0.01, lower=0.0, noise_floor=0.0201, rows_needed=1_234.5)
    verdict = decide("x", small, Policy())
    assert verdict.status == "undecided"
    assert (verdict.which, verdict.statistic, verdict.value) == ("noise", "kl", 0.01)
    assert (verdict.noise, verdict.limit, verdict.rows_needed) == (0.0201, 0.02, 1_234.5)
    hopeless = replace(small, rows_needed=math.inf)
    assert decide("x", hopeless, Policy()).rows_needed == math.inf
    assert decide("x", replace(small, interval=(0.021, 0.3)), Policy()).status == "undecided"
    certain = replace(small, kl=0.3, interval=(0.051, 0.6))
    assert decide("x", certain, Policy()).status == "drift", "however few the rows"


def test_what_is_ordinary_at_these_rows_is_judged_however_large_the_noise() -> None:
    few = seen(0.04, lower=0.001, noise_floor=0.05, history_limit=0.041)
    verdict = decide("x", few, Policy())
    assert verdict.status == "ok"
    assert (verdict.which, verdict.value, verdict.limit) == ("learned", 0.04, 0.041)
    for limit in (0.039, None):
        assert decide("x", replace(few, history_limit=limit), Policy()).status == "undecided"
    certain = replace(few, history_limit=0.039, interval=(0.021, 0.06))
    drift = decide("x", certain, Policy())
    assert (drift.status, drift.which) == ("drift", "learned")
    assert (drift.value, drift.limit, drift.learned) == (0.04, 0.02, 0.039)


@given(kl=st.floats(0, 1), noise=st.floats(0, 1), limits=st.tuples(*[st.floats(0, 1)] * 2))
def test_a_lower_learned_limit_never_calms(
    kl: float, noise: float, limits: tuple[float, float]
) -> None:
    low, high = (
        decide("x", seen(kl, lower=0.0, noise_floor=noise, history_limit=each), Policy())
        for each in sorted(limits)
    )
    assert low.status.severity >= high.status.severity


@pytest.mark.parametrize("policy", [Policy(), POINT, Policy(rule="point", warn=9, drift=9)])
@pytest.mark.parametrize("side", ["current", "reference"])
@pytest.mark.parametrize("kl", [0.0, 1.0, math.inf])
def test_no_rows_at_all_are_undecided_by_every_rule(policy: Policy, side: str, kl: float) -> None:
    verdict = decide("x", seen(kl, **{f"{side}_rows": 0}), policy)
    assert verdict.status == "undecided"
    assert (verdict.which, verdict.side, verdict.rows) == ("rows", side, 0)
    assert verdict.value is verdict.limit is None


@pytest.mark.parametrize("policy", [Policy(), POINT])
@pytest.mark.parametrize("side", ["current", "reference"])
def test_a_single_row_is_undecided_by_every_rule(policy: Policy, side: str) -> None:
    verdict = decide("x", seen(1.0, **{f"{side}_rows": 1}), policy)
    assert verdict.status == "undecided"
    assert (verdict.which, verdict.side, verdict.rows, verdict.rows_needed) == ("rows", side, 1, 2)


@pytest.mark.parametrize("side", ["current", "reference"])
def test_fewer_rows_than_wanted_are_undecided(side: str) -> None:
    policy = Policy(min_rows=1_000)
    verdict = decide("x", seen(1.0, **{f"{side}_rows": 999}), policy)
    assert verdict.status == "undecided"
    assert (verdict.which, verdict.side) == ("rows", side)
    assert (verdict.rows, verdict.rows_needed) == (999, 1_000)
    assert decide("x", seen(1.0, **{f"{side}_rows": 1_000}), policy).status == "drift"


@given(
    kl=st.floats(0, allow_nan=False),
    lower=st.floats(0, allow_nan=False),
    floor=st.floats(0, allow_nan=False),
    kl_null=st.floats(0, allow_nan=False),
    null_lower=st.floats(0, allow_nan=False),
    rows=st.integers(0, 10**9),
    needed=st.floats(1, allow_nan=False),
    rule=st.sampled_from(["gates", "point"]),
)
def test_every_evidence_has_a_verdict_and_a_sentence(
    *,
    kl: float,
    lower: float,
    floor: float,
    kl_null: float,
    null_lower: float,
    rows: int,
    needed: float,
    rule: Any,
) -> None:
    evidence = Evidence(
        kl=kl,
        kl_null=kl_null,
        current_rows=rows,
        reference_rows=rows,
        interval=(lower, max(lower, kl)),
        null_lower=null_lower,
        noise_floor=floor,
        rows_needed=needed,
    )
    verdict = decide("x", evidence, Policy(rule=rule))
    assert verdict.status in Status
    said = words.reason(ColumnReport(name="x", verdict=verdict))
    assert said
    assert "nan" not in said
    if rows < 2 or (rule == "gates" and floor > 0.02):
        assert verdict.status is not Status.OK


def test_evidence_that_says_nothing_of_noise_is_undecided_by_the_gates() -> None:
    bare = Evidence(kl=0.0, kl_null=0.0, current_rows=10, reference_rows=10)
    assert decide("x", bare, Policy()).status == "undecided"


@pytest.mark.parametrize(
    ("finding", "status"), [("missing", "drift"), ("type changed", "drift"), ("new", "warn")]
)
def test_findings_are_never_ok(finding: Any, status: str) -> None:
    verdict = decide_finding(finding)
    assert (verdict.status, verdict.which, verdict.limit) == (status, "finding", None)


# ---------------------------------------------------------------- policies


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"warn": 0.06}, "expected 0 < warn ≤ drift, got warn 0.06 and drift 0.05; state both"),
        ({"warn": 0.0}, "expected 0 < warn ≤ drift"),
        ({"warn": -1.0}, "expected 0 < warn ≤ drift"),
        ({"warn": math.nan}, "expected 0 < warn ≤ drift"),
        ({"drift": math.nan}, "expected 0 < warn ≤ drift"),
        ({"drift": 0.01}, "expected 0 < warn ≤ drift"),
        ({"null_drift": 0.0}, "expected null_drift above 0, got 0.0"),
        ({"null_drift": math.nan}, "expected null_drift above 0, got nan"),
        ({"rule": "gate"}, "expected rule one of gates, point, got gate"),
        ({"confidence": 1.0}, "expected confidence at least 0.5 and below 1"),
        ({"confidence": 95}, "expected confidence at least 0.5 and below 1"),
        ({"design_effect": 0.5}, "expected design_effect at least 1"),
        ({"design_effect": math.nan}, "expected design_effect at least 1"),
        ({"min_rows": -1}, "expected min_rows at least 0, got -1"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"limits: {said}"):
        Policy(**wrong)


def test_a_column_may_have_a_policy_of_its_own() -> None:
    special, by_pattern = Policy(warn=0.5, drift=1.0), Policy(warn=0.1, drift=0.2)
    policy = Policy(columns={"dep_*": by_pattern, "*": POINT, "dep_delay": special})
    assert policy.of("dep_delay") is special, "a full name goes before any pattern"
    assert policy.of("dep_time") is by_pattern, "the first pattern that fits"
    assert policy.of("dest") is POINT
    assert Policy(columns={"dep_*": special}).of("DEP_x") == Policy(columns={"dep_*": special})


def test_a_column_of_odd_name_is_found_by_its_name() -> None:
    special = Policy(warn=0.5, drift=1.0)
    assert Policy(columns={"a[1]*": special}).of("a[1]*") is special


def test_policies_decide_what_a_report_says() -> None:
    n = 20_000
    generator = np.random.default_rng(0)
    reference = fit({name: generator.normal(size=n) for name in ("a", "b", "c")})
    current = {name: generator.normal(0.5, 1, n) for name in ("a", "b", "c")}
    lenient = Policy(warn=1.0, drift=2.0)
    report = compare(current, reference, policy=Policy(columns={"a": lenient, "[b]": lenient}))
    assert report.drifted == ("c",)
    assert {name: str(report[name].status) for name in "ab"} == {"a": "ok", "b": "ok"}
    assert compare(current, reference, policy=Policy(min_rows=n + 1)).status == "undecided"
    assert set(compare(current, reference).drifted) == set("abc")


def test_few_rows_drift_only_where_that_is_certain() -> None:
    generator = np.random.default_rng(3)
    reference = fit({"x": generator.normal(size=50_000)})
    few = generator.normal(size=100)
    assert compare({"x": few}, reference).status == "undecided"
    assert compare({"x": few + 5}, reference).status == "drift"
    clustered = Policy(design_effect=50.0)
    assert compare({"x": generator.normal(0.4, 1, 5_000)}, reference).status == "drift"
    assert (
        compare({"x": generator.normal(0.4, 1, 5_000)}, reference, policy=clustered).status
        == "undecided"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (0.03124, "0.0312"),
        (1.2449, "1.2449"),
        (2.1e-5, "2.10e-05"),
        (-2.1e-5, "−2.10e-05"),
        (math.inf, "∞"),
        (None, "–"),
    ],
)
def test_nats_are_written_so_that_digits_show(value: float | None, text: str) -> None:
    assert nats(value) == text
