"""Drift that is confirmed by more than one snapshot: the rule, its memory, and what it teaches."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import kl_drift as kd
from kl_drift.artefact import profile_to_dict
from kl_drift.errors import PlanError, UsageError
from kl_drift.history.calibration import learn
from kl_drift.history.exceedances import find_exceedances
from kl_drift.history.record import History, Judgement
from kl_drift.judging.confirmation import ALONE, IN_A_ROW, Confirmation
from kl_drift.judging.limits import CEILING
from kl_drift.judging.policy import Evidence, Policy, Status, Verdict, decide
from kl_drift.judging.report import ColumnReport, Report, Side
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.render import words
from kl_drift.statistics.runs import (
    confirmed,
    inflation,
    lag_one_correlation,
    level_of_runs,
    p_values_of_runs,
)

START = date(2013, 1, 7)
TWO_OF_THREE = Confirmation.parse("2 of 3")


# The value


@pytest.mark.parametrize("text", ["1 of 1", "2 of 3", "3 of 3", "14 of 14"])
def test_a_confirmation_reads_what_it_writes(text: str) -> None:
    assert str(Confirmation.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2/3", "expected n of m such as 2 of 3, got '2/3'"),
        ("4 of 3", "expected n of m with n from 1 to m and m up to 14, got 4 of 3"),
        ("2 of 15", "m up to 14, got 2 of 15"),
        ("1 of 3", "1 of 3 confirms every snapshot; write 1 of 1, or at least 2 of 3"),
    ],
)
def test_what_confirms_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Confirmation.parse(text)


def test_a_plan_says_how_often_and_a_history_makes_the_default() -> None:
    def confirmation(**keys: str) -> Confirmation:
        return kd.Plan.from_dict({"reference": "a.parquet", **keys}).confirmation

    assert confirmation() == ALONE
    assert confirmation(history="h.sqlite") == IN_A_ROW
    assert confirmation(history="h.sqlite", confirm="2 of 3") == TWO_OF_THREE
    with pytest.raises(PlanError, match="confirm: expected n of m such as 2 of 3"):
        confirmation(confirm="often")


# The level


@pytest.mark.parametrize(("needed", "among"), [(2, 2), (2, 3), (3, 3), (3, 5)])
def test_the_level_of_independent_days_is_binomial(needed: int, among: int) -> None:
    level = level_of_runs(1 / 3_000, needed, among)
    chance = level * stats.binom.sf(needed - 2, among - 1, level)
    assert chance == pytest.approx(1 / 3_000, rel=0.02)


@pytest.mark.parametrize("correlation", [0.3, 0.7])
def test_the_level_of_days_that_are_alike_is_that_of_the_normal_law(correlation: float) -> None:
    level = level_of_runs(1 / 300, 3, 3, correlation)
    lags = np.abs(np.subtract.outer(range(3), range(3)))
    law = stats.multivariate_normal(cov=correlation**lags, maxpts=10**6, seed=1)
    bound = stats.norm.isf(level)
    assert law.cdf([-bound] * 3) == pytest.approx(1 / 300, rel=0.02)


def test_one_day_by_itself_has_the_level_of_the_budget() -> None:
    assert level_of_runs(0.01, 1, 1, 0.5) == 0.01


flags = st.lists(st.booleans(), max_size=12)


@given(flags, st.sampled_from([(1, 1), (2, 3), (3, 3), (2, 5)]))
def test_confirmed_is_counting(exceeds: list[bool], rule: tuple[int, int]) -> None:
    needed, among = rule
    counted = [
        today and sum(exceeds[max(day - among + 1, 0) : day + 1]) >= needed
        for day, today in enumerate(exceeds)
    ]
    assert confirmed(np.array(exceeds, bool), needed, among).tolist() == counted


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.floats(1e-6, 1),
    st.sampled_from([(1, 1), (2, 3), (3, 3)]),
)
def test_runs_are_confirmed_exactly_below_their_p_value(
    p_values: list[float], level: float, rule: tuple[int, int]
) -> None:
    p = np.array(p_values)
    below = confirmed(p < level, *rule)
    assert (p_values_of_runs(p, *rule) < level).tolist() == below.tolist()


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_the_correlation_of_neighbours_is_found_through_the_mean_of_short_series(
    correlation: float,
) -> None:
    generator = np.random.default_rng(3)
    x = generator.standard_normal((400, 60))
    for day in range(1, 60):
        x[:, day] = correlation * x[:, day - 1] + math.sqrt(1 - correlation**2) * x[:, day]
    x -= x.mean(axis=1, keepdims=True)
    assert lag_one_correlation(x) == pytest.approx(correlation, abs=0.03)


def test_days_that_are_alike_make_the_spread_wider() -> None:
    size, leverage = np.array(60.0), np.array(1 / 60)
    assert inflation(0.0, size, leverage) == 1
    by_hand = math.sqrt((1 + 3 / 60) / (1 - 3 / 60) * (1 - 1 / 60) / (1 + 1 / 60))
    assert inflation(0.5, size, leverage) == pytest.approx(by_hand)


# The verdict


def judged(**changes: object) -> Verdict:
    usual = {
        "kl": 0.06,
        "kl_null": 0.0,
        "current_rows": 5_000,
        "reference_rows": 100_000,
        "interval": (0.05, 0.07),
        "noise_floor": 0.005,
        "history_limit": 0.03,
        "at_once": 0.2,
        "confirm": TWO_OF_THREE,
    }
    return decide("x", Evidence(**usual | changes), Policy())  # type: ignore[arg-type]


def test_the_first_exceedance_warns_and_the_confirmed_one_is_drift() -> None:
    first, second = judged(), judged(exceeded=1)
    assert (first.status, first.which) == (Status.WARN, "unconfirmed")
    assert (first.exceeded, first.needed, first.among) == (1, 2, 3)
    assert (second.status, second.which, second.exceeded) == (Status.DRIFT, "learned", 2)
    assert first.exceeds
    assert second.exceeds


def test_what_is_far_beyond_needs_no_confirmation() -> None:
    far = judged(kl=0.3, interval=(0.28, 0.32))
    assert (far.status, far.which, far.exceeded) == (Status.DRIFT, "learned", 1)


def test_a_flood_of_nulls_needs_no_confirmation() -> None:
    flood = judged(kl_null=0.2, null_lower=0.15)
    assert (flood.status, flood.which) == (Status.DRIFT, "null")


def test_without_a_learned_limit_there_is_nothing_to_confirm() -> None:
    unlearned = judged(history_limit=None, at_once=math.inf, interval=(0.055, 0.07))
    assert (unlearned.status, unlearned.which) == (Status.DRIFT, "stated")


@pytest.mark.parametrize("exceeded", [0, 2])
def test_what_is_ordinary_is_ok_whatever_came_before(exceeded: int) -> None:
    assert judged(history_limit=0.07, exceeded=exceeded).status is Status.OK


def test_a_limit_above_the_ceiling_excuses_nothing() -> None:
    irregular = judged(history_limit=CEILING * 1.01)
    assert (irregular.status, irregular.which) == (Status.UNDECIDED, "irregular")
    assert not irregular.exceeds
    assert judged(history_limit=CEILING).status is Status.OK
    small = judged(kl=0.01, interval=(0.005, 0.02), history_limit=CEILING * 1.01)
    assert small.status is Status.OK


def column(verdict: Verdict, name: str = "x") -> ColumnReport:
    return ColumnReport(name=name, verdict=verdict, kl=0.06, interval=(0.05, 0.07))


def test_the_reason_says_how_often_and_what_is_missing() -> None:
    assert "(1 of the last 3 snapshots; 2 make a drift)" in words.reason(column(judged()))
    assert "as 2 of the last 3 snapshots were" in words.reason(column(judged(exceeded=1)))
    far = judged(kl=0.3, interval=(0.28, 0.32))
    assert "by so much that it needs no confirmation" in words.reason(column(far))
    irregular = judged(history_limit=1.5)
    assert "too irregular to learn from" in words.reason(column(irregular))


# The memory


def judgements(*days: bool) -> list[Judgement]:
    said = {True: judged(), False: judged(history_limit=0.07)}
    return [
        Judgement(
            check="c",
            label=f"{place}",
            as_of="",
            digest=f"{place}",
            status=said[exceeds].status,
            created="",
            report=Report(
                current=Side(source="", rows=1),
                reference=Side(source="", rows=1),
                columns=(column(said[exceeds]),),
            ),
        )
        for place, exceeds in enumerate(days)
    ]


@pytest.mark.parametrize("days", list(product([False, True], repeat=4)))
def test_the_last_snapshots_are_counted_and_an_open_incident_is_known(
    days: tuple[bool, ...],
) -> None:
    found = find_exceedances(judgements(*days), IN_A_ROW)
    assert found.counts.get("x", 0) == sum(days[-2:])
    run = next((n for n, exceeds in enumerate(reversed(days)) if not exceeds), len(days))
    assert found.incidents.get("x", frozenset()) == {f"{len(days) - 1 - n}" for n in range(run)}


def test_an_incident_stays_open_over_the_quiet_days_that_confirmation_spares() -> None:
    found = find_exceedances(judgements(True, False, True, False), TWO_OF_THREE)
    assert found.incidents == {"x": {"0", "2"}}
    assert find_exceedances(judgements(True, False, False), TWO_OF_THREE).incidents == {}


# A check from day to day


ROWS = 4_000


def day(number: int, shift: float = 0.0) -> pa.Table:
    generator = np.random.default_rng(number)
    mean = shift or generator.normal(0, 0.12)
    return pa.table({"x": generator.normal(mean, 1, ROWS), "y": generator.normal(0, 1, ROWS)})


@pytest.fixture
def plan(tmp_path: Path) -> kd.Plan:
    reference = kd.fit(pa.concat_tables(day(n) for n in range(100, 130)))
    kd.save(reference, tmp_path / "reference.json")
    stated = {"reference": "reference.json", "history": "days.sqlite", "name": "days"}
    return kd.Plan.from_dict(stated, folder=tmp_path)


def check(plan: kd.Plan, number: int, shift: float = 0.0) -> kd.Report:
    as_of = str(START + timedelta(days=number))
    return kd.check(plan, current=day(number, shift), as_of=as_of)


@pytest.mark.slow
def test_a_drift_that_stays_warns_twice_is_drift_and_teaches_nothing(plan: kd.Plan) -> None:
    for number in range(20):
        check(plan, number)
    limit = check(plan, 20)["x"].history_limit
    assert limit is not None
    shift = math.sqrt(2 * 1.8 * limit)
    found = [check(plan, number, shift)["x"] for number in range(21, 26)]
    statuses = [each.status for each in found]
    assert statuses == [Status.WARN, Status.WARN, Status.DRIFT, Status.DRIFT, Status.DRIFT]
    assert {each.history_limit for each in found} == {found[0].history_limit}
    record = History.open(plan.history)
    record.acknowledge("days", "2013-02-01", note="known", by="the test")
    after = check(plan, 26)["x"]
    assert after.status is Status.OK


@pytest.mark.slow
def test_todays_value_never_moves_todays_limit(plan: kd.Plan) -> None:
    for number in range(16):
        check(plan, number)
    quiet, far = (check(plan, 16, shift)["x"] for shift in (0.0, 1.5))
    assert quiet.history_limit == far.history_limit
    assert far.status is Status.DRIFT


def test_a_column_whose_incident_leaves_too_little_has_no_limit(plan: kd.Plan) -> None:
    reference = kd.load_profile(plan.reference.path)
    past = [
        replace(kd.scan(day(n), like=reference), as_of=str(START + timedelta(days=n)))
        for n in range(16)
    ]
    digests = [profile_to_dict(each)["digest"] for each in past[-3:]]
    learned = learn(past, reference, open_incidents={"x": digests})
    assert set(learned.columns) == {"y"}
    assert learned.unlearned["x"] == Unlearned(kind=WhyNot.OPEN_INCIDENT, snapshots=13, needed=14)
