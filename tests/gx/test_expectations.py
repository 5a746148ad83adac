"""Expectations run by real contexts: the verdict, the numbers, and what is an error."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import great_expectations as gx
import pandas as pd
import pytest
from conftest import made
from great_expectations.expectations.row_conditions import Column

import kl_drift as kd
from kl_drift.artefact import save
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.errors import MissingExtraError
from kl_drift.gx import (
    ExpectColumnKLDriftToBeLessThan,
    ExpectTableKLDriftToBeLessThan,
    verdict,
)
from kl_drift.gx.reference import load_reference

FORMATS = ["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"]
NUMBERS = (
    "kl", "interval", "verdict", "noise_floor", "current_rows", "reference_rows", "top_cells",
    "new_levels", "vanished_levels",
)  # fmt: skip


def column(name="amount", **fields):
    return ExpectColumnKLDriftToBeLessThan(column=name, **fields)


def details(result):
    return result.result["details"]


def test_a_column_that_drifted_fails_with_the_numbers_of_the_core(
    validated, reference, shifted
) -> None:
    (result,) = validated(shifted, column(reference=reference, threshold=0.05))
    expected = kd.compare(shifted, reference, policy=kd.Policy(warn=0.05, drift=0.05))["amount"]
    (found,) = details(result)["columns"]
    assert result.success is False
    assert expected.status == "drift"
    assert result.result["observed_value"] == found["kl"] == expected.kl
    assert found["interval"] == list(expected.interval)
    assert found["noise_floor"] == expected.noise_floor
    assert found["verdict"]["limit"] == 0.05
    assert found["top_cells"][0]["label"] == expected.top_cells[0].label
    assert found["reason"] == kd.reason(expected)


def test_an_ordinary_day_is_a_success(validated, reference, ordinary) -> None:
    column_result, table_result = validated(
        ordinary,
        column(reference=reference, threshold=0.05),
        ExpectTableKLDriftToBeLessThan(reference=reference),
    )
    assert column_result.success is True
    assert table_result.success is True
    assert details(table_result)["status"] == "ok"
    assert {each["name"] for each in details(table_result)["columns"]} == set(ordinary)


def test_the_table_names_every_column_that_drifted(validated, reference, shifted) -> None:
    today = shifted.assign(code=["a", "b"] * 4_000)
    (result,) = validated(today, ExpectTableKLDriftToBeLessThan(reference=reference))
    assert result.success is False
    statuses = {each["name"]: each["status"] for each in details(result)["columns"]}
    assert statuses == {"amount": "drift", "code": "drift", "count": "ok"}
    assert "2 of 3 columns drifted" in details(result)["summary"]
    vanished = next(each for each in details(result)["columns"] if each["name"] == "code")
    assert [each["level"] for each in vanished["vanished_levels"]] == ["c", "d"]


def test_only_the_columns_asked_for_are_judged(validated, reference, shifted) -> None:
    (result,) = validated(
        shifted, ExpectTableKLDriftToBeLessThan(reference=reference, columns=["code", "count"])
    )
    assert result.success is True
    assert {each["name"] for each in details(result)["columns"]} == {"code", "count"}


@pytest.mark.parametrize("result_format", FORMATS)
def test_the_numbers_are_there_in_every_result_format(
    validated, reference, shifted, result_format
) -> None:
    results = validated(
        shifted,
        column(reference=reference, threshold=0.05),
        ExpectTableKLDriftToBeLessThan(reference=reference),
        result_format=result_format,
    )
    for result in results:
        plain = json.loads(json.dumps(result.to_json_dict(), allow_nan=False))
        first = plain["result"]["details"]["columns"][0]
        assert first["name"] == "amount"
        assert set(NUMBERS) <= set(first)
        assert isinstance(first["kl"], float)
        assert plain["result"]["observed_value"] == first["kl"]


def test_a_null_flood_is_a_drift_although_the_values_stayed(validated, reference) -> None:
    (result,) = validated(
        made(seed=3, nulls=0.1), column("count", reference=reference, threshold=0.5)
    )
    assert result.success is False
    assert "the share of nulls moved" in details(result)["columns"][0]["reason"]


def test_too_few_rows_are_undecided_and_no_success_unless_said_so(validated, reference) -> None:
    few = made(rows=60, seed=4)
    strict, lenient = validated(
        few,
        column(reference=reference, threshold=0.05),
        column(reference=reference, threshold=0.05, accept_undecided=True),
    )
    assert details(strict)["status"] == details(lenient)["status"] == "undecided"
    assert (strict.success, lenient.success) == (False, True)
    assert "too few rows to judge" in details(strict)["summary"]


def test_an_empty_batch_is_undecided(validated, reference) -> None:
    (result,) = validated(made().head(0), column(reference=reference, threshold=0.05))
    assert (result.success, details(result)["status"]) == (False, "undecided")


@pytest.mark.parametrize("statistic", ["reverse", "jeffreys", "jensen_shannon"])
def test_a_companion_of_kl_is_judged_by_the_limit(validated, reference, shifted, statistic) -> None:
    report = kd.compare(shifted, reference)["amount"]
    value = report.kl_reverse if statistic == "reverse" else getattr(report, statistic)
    above, below = validated(
        shifted,
        column(reference=reference, threshold=value * 0.99, statistic=statistic),
        column(reference=reference, threshold=value * 1.01, statistic=statistic),
    )
    assert (above.success, below.success) == (False, True)
    assert above.result["observed_value"] == pytest.approx(value, rel=1e-12)
    assert details(above)["statistic"] == statistic


def test_a_policy_says_of_what_its_limits_are(validated, reference, shifted, tmp_path) -> None:
    (tmp_path / "plan.yaml").write_text(
        f"version: 1\nreference: {reference}\nlimits: {{statistic: jeffreys}}\n"
    )
    by_policy, by_plan, otherwise = validated(
        shifted,
        column(reference=reference, policy=kd.Policy(statistic="jeffreys")),
        column(reference=reference, plan=tmp_path / "plan.yaml"),
        column(reference=reference, plan=tmp_path / "plan.yaml", statistic="reverse"),
    )
    assert details(by_policy)["statistic"] == details(by_plan)["statistic"] == "jeffreys"
    assert by_policy.result["observed_value"] == by_plan.result["observed_value"]
    assert details(otherwise)["statistic"] == "reverse"


def test_a_companion_below_its_noise_is_undecided(validated, reference) -> None:
    (result,) = validated(
        made(rows=60, seed=5),
        column(reference=reference, threshold=0.001, statistic="jensen_shannon"),
    )
    assert details(result)["status"] == "undecided"


def test_a_policy_says_all_that_a_policy_can(validated, reference, shifted) -> None:
    point = kd.Policy(rule="point", drift=10.0, warn=0.001)
    as_object, as_mapping = validated(
        shifted,
        column(reference=reference, policy=point),
        column("code", reference=reference, policy={"rule": "point", "warn": 1e-9, "drift": 1e-8}),
    )
    assert (as_object.success, details(as_object)["status"]) == (True, "warn")
    assert (as_mapping.success, details(as_mapping)["status"]) == (False, "drift")


def test_a_plan_gives_limits_and_smoothing(validated, reference, shifted, tmp_path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        f"version: 1\nreference: {reference}\ncurrent: day={{{{ day }}}}\nsmoothing: laplace\n"
        "columns: {each: {amount: {limits: {warn: 5, drift: 5}}}}\n"
    )
    (result,) = validated(shifted, column(reference=reference, plan=plan, plan_values={"day": "1"}))
    assert result.success is True
    assert details(result)["columns"][0]["verdict"]["limit"] == 5
    expected = kd.compare(shifted, reference, smoothing="laplace")["amount"].kl
    assert result.result["observed_value"] == expected


def test_learned_limits_come_with_the_plan(validated, reference, tmp_path) -> None:
    past = [
        kd.scan(made(2_000, seed=s, shift=s % 5 / 10), like=kd.load_profile(reference))
        for s in range(15)
    ]
    save(kd.learn(past, kd.load_profile(reference)), tmp_path / "limits.json")
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"version: 1\nreference: {reference}\ncalibration: {{limits: limits.json}}\n")
    (result,) = validated(
        made(2_000, seed=31, shift=0.35), column(reference=reference, plan=str(plan))
    )
    (found,) = details(result)["columns"]
    assert found["history_limit"] > 0.05
    assert found["kl"] > 0.05
    assert result.success is True


def test_a_row_condition_chooses_the_rows(validated, reference, shifted) -> None:
    mixed = pd.concat([made(seed=6).assign(day=1), shifted.assign(day=2)], ignore_index=True)
    first, second = (
        column(reference=reference, threshold=0.05, row_condition=Column("day") == day)
        for day in (1, 2)
    )
    ordinary, drifted = validated(mixed, first, second)
    assert (ordinary.success, drifted.success) == (True, False)
    assert details(drifted)["columns"][0]["current_rows"] == 8_000


def test_all_that_varies_can_be_a_suite_parameter(validated, reference, shifted) -> None:
    names = ("reference", "threshold", "statistic", "as_of", "accept_undecided")
    values = (reference, 100.0, "jeffreys", "2026-01-01", True)
    by_name = {name: {"$PARAMETER": f"our_{name}"} for name in names}
    parameters = {f"our_{name}": value for name, value in zip(names, values, strict=True)}
    one, table, by_policy = validated(
        shifted,
        column(**by_name),
        ExpectTableKLDriftToBeLessThan(
            columns={"$PARAMETER": "our_columns"}, reference=by_name["reference"]
        ),
        column(reference=reference, policy={"$PARAMETER": "our_policy"}),
        expectation_parameters=parameters
        | {"our_columns": ["amount"], "our_policy": {"warn": 50, "drift": 60}},
    )
    assert one.success is True
    assert details(one)["statistic"] == "jeffreys"
    assert details(one)["columns"][0]["verdict"]["limit"] == 100
    assert [each["name"] for each in details(table)["columns"]] == ["amount"]
    assert details(by_policy)["columns"][0]["verdict"]["limit"] == 50


def test_a_snapshot_is_fitted_once_and_again_when_it_changed(
    validated, tmp_path, monkeypatch, ordinary
) -> None:
    fitted = []
    monkeypatch.setattr(
        "kl_drift.gx.reference.fit", lambda path: fitted.append(path) or kd.fit(path)
    )
    snapshot = tmp_path / "day=1"
    snapshot.mkdir()
    made().to_parquet(snapshot / "a.parquet")
    expectations = [column(name, reference=snapshot, threshold=0.05) for name in ("amount", "code")]
    assert all(result.success for result in validated(ordinary, *expectations))
    assert fitted == [str(snapshot)]
    made(seed=9).to_parquet(snapshot / "b.parquet")
    assert load_reference(str(snapshot)).rows == 16_000
    assert len(fitted) == 2


# What is wrong with one expectation is an error of that one


def broken(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def newer(reference: str) -> str:
    return Path(reference).read_text().replace('"version":2', '"version":99')


def test_what_is_wrong_with_one_is_its_own_error_and_no_drift(
    validated, reference, ordinary, tmp_path
) -> None:
    today = ordinary.drop(columns="count").assign(code=1.5)
    profile = kd.load_profile(reference)
    left = replace(profile["code"], histogram=None, why=Uncounted(kind=Kind.IDENTIFIER))
    kd.save(replace(profile, columns={**profile.columns, "code": left}), tmp_path / "left.json")
    cases = {
        "ArtefactNotFoundError": column(reference=str(tmp_path / "gone.json"), threshold=0.05),
        "SnapshotNotFoundError": column(reference=str(tmp_path / "gone"), threshold=0.05),
        "ArtefactCorruptError": column(
            reference=broken(tmp_path / "half.json", Path(reference).read_text()[:500]), threshold=1
        ),
        "ArtefactTooNewError": column(
            reference=broken(tmp_path / "new.json", newer(reference)), threshold=1
        ),
        "ColumnTypeError": column("code", reference=reference, threshold=0.05),
        "PlanError": column(reference=reference, plan=str(tmp_path / "plan.yaml")),
    }
    results = validated(
        today,
        *cases.values(),
        column("count", reference=reference, threshold=0.05),
        column("amont", reference=reference, threshold=0.05),
        column("code", reference=str(tmp_path / "left.json"), threshold=0.05),
        ExpectTableKLDriftToBeLessThan(reference=reference),
        column(reference=reference, threshold=0.05),
    )
    *errors, good = results
    kinds = [*cases, *["ColumnNotFoundError"] * 3, "ColumnTypeError"]
    assert [details(result)["error"]["kind"] for result in errors] == kinds
    for result in errors:
        assert result.success is False
        assert details(result)["status"] == "error"
        assert result.exception_info["raised_exception"] is True
        assert details(result)["error"]["message"] in result.exception_info["exception_message"]
    assert good.success is True
    assert good.exception_info["raised_exception"] is False
    said = [details(result)["error"]["message"] for result in errors]
    assert "missing from the current snapshot" in said[6]
    assert "Did you mean 'amount'" in said[7]
    assert "not judged (identifier)" in said[8]
    assert "column 'count': missing" in said[9]
    assert "column 'code': type changed" in said[9]


@pytest.mark.parametrize("result_format", FORMATS)
def test_an_error_says_so_in_every_result_format(validated, ordinary, result_format) -> None:
    (result,) = validated(
        ordinary, column(reference="gone.json", threshold=0.05), result_format=result_format
    )
    assert details(result)["error"]["kind"] == "ArtefactNotFoundError"


def test_a_batch_that_cannot_be_counted_fails_its_expectation_only(
    validated, reference, ordinary
) -> None:
    bad, good = validated(
        ordinary,
        column(reference=reference, threshold=0.05, row_condition=Column("not_there") == 1),
        column(reference=reference, threshold=0.05),
    )
    assert (bad.success, good.success) == (False, True)
    assert "not_there" in str(bad.exception_info)


def test_another_column_that_cannot_be_read_fails_its_own_expectation_only(
    validated, reference, ordinary
) -> None:
    mixed = ordinary.assign(code=[1, "a"] * (len(ordinary) // 2))
    bad, good = validated(
        mixed, *(column(name, reference=reference, threshold=0.05) for name in ("code", "amount"))
    )
    assert (bad.success, good.success) == (False, True)
    assert "type changed" in str(bad.to_json_dict())


def test_a_suite_parameter_that_nobody_gave_is_no_success(validated, ordinary, reference) -> None:
    with pytest.raises(gx.exceptions.SuiteParameterError, match="limit"):
        validated(ordinary, column(reference=reference, threshold={"$PARAMETER": "limit"}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"threshold": 0}, "threshold: expected nats above 0"),
        ({"threshold": float("nan")}, "threshold: expected nats above 0"),
        ({"threshold": float("inf")}, "threshold: expected nats above 0 and finite"),
        ({"threshold": True}, "threshold: expected a number of nats above 0, got True"),
        ({"threshold": 0.1, "policy": {}}, "threshold and policy are stated"),
        ({"policy": {"drfit": 1}}, "no key 'drfit'. Did you mean 'drift'"),
        ({"policy": {"drift": "much"}}, "not of its kind"),
        ({"policy": {"warn": 2, "drift": 1}}, "expected 0 < warn ≤ drift"),
        ({"statistic": "hellinger"}, "statistic"),
        ({"unknown": 1}, "extra fields not permitted"),
    ],
)
def test_mistakes_are_refused_where_the_expectation_is_written(reference, fields, said) -> None:
    with pytest.raises(ValueError, match=said.replace("(", "\\(")):
        column(reference=reference, **fields)


def test_an_expectation_of_no_column_is_refused(reference) -> None:
    with pytest.raises(ValueError, match="columns: expected some names, got none"):
        ExpectTableKLDriftToBeLessThan(reference=reference, columns=[])


def test_an_expectation_survives_being_stored(reference) -> None:
    written = column(
        reference=Path(reference),
        policy=kd.Policy(columns={"x": kd.Policy(drift=0.1)}),
        together=True,
    )
    read = written.configuration.to_domain_obj()
    assert read == written
    assert read.policy == {"columns": {"x": {"drift": 0.1}}}
    assert verdict.policy_of(read.policy) == kd.Policy(columns={"x": kd.Policy(drift=0.1)})


def test_columns_counted_together_are_counted_once(
    validated, reference, ordinary, monkeypatch
) -> None:
    scans = []
    from kl_drift.gx import metrics

    scan = metrics.scan_profile
    monkeypatch.setattr(metrics, "scan_profile", lambda *args: scans.append(1) or scan(*args))
    names = ["amount", "code", "count"]
    together = [column(name, reference=reference, threshold=0.05, together=True) for name in names]
    assert all(result.success for result in validated(ordinary, *together))
    assert len(scans) == 1


def test_without_great_expectations_the_command_to_install_it_is_said(monkeypatch) -> None:
    import importlib
    import sys

    import kl_drift.gx as door

    monkeypatch.setitem(sys.modules, "great_expectations", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kl-drift\[gx\]'"):
        importlib.reload(door)


def test_a_relative_reference_is_relative_to_where_the_run_is(
    validated, reference, ordinary, tmp_path, monkeypatch
) -> None:
    shutil.copy(reference, tmp_path / "here.json")
    monkeypatch.chdir(tmp_path)
    (result,) = validated(ordinary, column(reference="here.json", threshold=0.05))
    assert result.success is True
