"""A suite from a reference and a plan."""

from __future__ import annotations

import great_expectations as gx
import pytest
from conftest import made

import kl_drift as kd
from kl_drift.errors import ColumnNotFoundError, PlanError
from kl_drift.gx import suite
from kl_drift.gx.verdict import policy_of


@pytest.fixture
def plan(tmp_path, reference):
    path = tmp_path / "plan.yaml"
    path.write_text(
        f"""
version: 1
reference: {reference}
limits: {{warn: 0.03, drift: 0.08}}
columns: {{each: {{amount: {{limits: {{drift: 0.5}}}}}}}}
"""
    )
    return path


def by_column(made_suite):
    return {each.column: each for each in made_suite.expectations}


def test_each_judged_column_has_an_expectation_with_its_own_limits(reference, plan) -> None:
    found = by_column(suite(reference, plan, name="drift", severity="warning"))
    assert set(found) == {"amount", "code", "count"}
    assert policy_of(found["amount"].policy) == kd.Policy(warn=0.03, drift=0.5)
    assert policy_of(found["code"].policy) == kd.Policy(warn=0.03, drift=0.08)
    assert {each.severity for each in found.values()} == {"warning"}


def test_a_suite_without_a_plan_has_the_usual_limits(reference) -> None:
    made_suite = suite(reference, columns=["amount", "code"])
    assert {each.policy for each in made_suite.expectations} == {None}
    assert made_suite.meta["kl_drift"]["expectations"] == 2


def test_smoothing_and_learned_limits_of_the_plan_are_kept(reference, plan, tmp_path) -> None:
    plan.write_text(plan.read_text() + "smoothing: {floor: 0.001}\n")
    (one, *_) = suite(reference, plan).expectations
    assert one.smoothing == {"floor": 0.001}
    plan.write_text(plan.read_text() + "calibration: {limits: '{{ day }}.json'}\n")
    (one, *_) = suite(reference, plan, values={"day": "1"}).expectations
    assert (one.plan, one.plan_values, one.policy) == (str(plan), {"day": "1"}, None)


def test_a_suite_judges_a_batch_in_one_scan(context, reference, plan, monkeypatch, shifted) -> None:
    from kl_drift.gx import metrics

    scans, scan = [], metrics.scan_profile
    monkeypatch.setattr(metrics, "scan_profile", lambda *args: scans.append(1) or scan(*args))
    source = context.data_sources.add_pandas("frames")
    data = source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("all")
    stored = context.suites.add(suite(reference, plan))
    definition = gx.ValidationDefinition(name="daily", data=data, suite=stored)
    result = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": shifted.assign(code="a")}
    )
    assert {each.expectation_config.kwargs["column"]: each.success for each in result.results} == {
        "amount": True,
        "code": False,
        "count": True,
    }
    assert len(scans) == 1


def test_mistakes_are_refused(reference, plan) -> None:
    with pytest.raises(ColumnNotFoundError, match="Did you mean 'amount'"):
        suite(reference, columns=["amont"])
    plan.write_text(plan.read_text().replace("amount", "amont"))
    with pytest.raises(PlanError, match="fits no column of the reference"):
        suite(reference, plan)


def test_what_the_reference_does_not_judge_has_no_expectation(tmp_path) -> None:
    frame = made().assign(id=range(8_000))
    kd.save(kd.fit(frame), tmp_path / "reference.json")
    assert "id" not in by_column(suite(tmp_path / "reference.json"))


def test_a_pair_of_columns_is_expected_like_a_column(validated, tmp_path) -> None:
    path = tmp_path / "reference.json"
    kd.save(kd.fit(made(), columns=kd.Selection(pairs=(("amount", "code"),))), path)
    today = made(seed=1).assign(code=lambda frame: frame["code"].where(frame["amount"] < 1, "d"))
    (pair,) = suite(path, columns=["amount × code"]).expectations
    (result,) = validated(today, pair)
    (found,) = result.result["details"]["columns"]
    assert (found["name"], result.success) == ("amount × code", False)
    assert found["kl"] == kd.compare(today, path)["amount × code"].kl
