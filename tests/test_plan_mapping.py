"""Plans without a file: a mapping says the same, and its mistakes are answered alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

import kl_drift as kd
from kl_drift.errors import PlanError
from kl_drift.plan.yaml import read_yaml

CONFIGS = Path(__file__).parents[1] / "configs"
TASK = "task my_dag.my_task"


def _mistakes(mapping):
    with pytest.raises(PlanError) as caught:
        kd.Plan.from_dict(mapping, path=TASK)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", [path.name for path in CONFIGS.glob("*.yaml")])
def test_the_values_of_a_file_are_the_same_plan(name, monkeypatch) -> None:
    monkeypatch.chdir(CONFIGS)
    values = {"day": "2013-04-01"} if "daily" in name else {"month": "2013-03"}
    mapping = read_yaml(name, values, as_written=lambda _: False).value
    without = kd.Plan.from_dict(mapping, path=name)
    assert replace(without, name="") == replace(kd.load_plan(name, values=values), name="")


def test_values_may_be_those_of_python(tmp_path) -> None:
    plan = kd.Plan.from_dict(
        {
            "reference": {"path": tmp_path / "flights", "where": {"month": 1, "day": [True, "02"]}},
            "current": {"path": "now", "as_of": date(2013, 2, 28)},
            "columns": {"include": ("dep_*", "carrier")},
        },
        path=TASK,
    )
    assert plan.reference.path == str(tmp_path / "flights")
    assert plan.reference.where == {"month": "1", "day": ("true", "02")}
    assert plan.current.path == "now"
    assert plan.current.as_of == "2013-02-28"
    assert plan.selection.include == ("dep_*", "carrier")
    assert plan.path == plan.name == TASK
    assert kd.Plan.from_dict({"reference": "a", "name": "mine"}, path=TASK).name == "mine"


def test_relative_paths_begin_at_the_working_directory() -> None:
    plan = kd.Plan.from_dict({"reference": "a/../b", "history": "h.db"}, path="a/folder: task")
    assert plan.reference.path == "b"
    assert plan.history == "h.db"


def test_placeholders_are_not_filled(monkeypatch) -> None:
    monkeypatch.setenv("FLIGHTS", "no")
    plan = kd.Plan.from_dict({"reference": "${FLIGHTS}/{{ ds }}"})
    assert plan.reference.path == "${FLIGHTS}/{{ ds }}"


def test_all_mistakes_are_told_at_once_without_lines() -> None:
    wrong = {
        "current": {"path": "b", "lable": "May"},
        "limits": {"drift": "much"},
        "columns": {"each": {"x": {"bins": {"kind": "quantile"}}}},
        "output": None,
    }
    assert set(_mistakes(wrong)) == {
        f"{TASK}: reference: is missing; expected text or a mapping",
        f"{TASK}: current.lable: unknown key; known: path, where, label, as_of, version, options, "
        "checksums. Did you mean 'label'?",
        f"{TASK}: limits.drift: expected a number above 0, got 'much'",
        f"{TASK}: columns.each.x.bins.kind: expected one of quantiles, uniform, edges, categories, "
        "got 'quantile'. Did you mean 'quantiles'?",
        f"{TASK}: output: expected a mapping, got nothing",
    }


def test_what_contradicts_itself_is_refused_as_in_a_file() -> None:
    assert _mistakes({"reference": "a.parquet", "output": {"html": "a.parquet"}}) == [
        f"{TASK}: output.html: would overwrite the reference; give it its own name"
    ]
    (newer,) = _mistakes({"reference": "a", "version": 2})
    assert newer.startswith(f"{TASK}: version: plan format 2, this kl-drift reads up to 1")


def test_what_no_file_could_hold_is_refused() -> None:
    expected = "expected text, a number, true or false, a list or a mapping, got"
    wrong = {"reference": "a", "name": "half \ud800", "columns": {"include": {"x"}}}
    assert _mistakes(wrong) == [
        f"{TASK}: name: holds half of a surrogate pair, which is not valid text",
        f"{TASK}: columns.include: {expected} set",
    ]
    assert _mistakes({"reference": b"a"}) == [f"{TASK}: reference: {expected} bytes"]
    assert _mistakes({"reference": "a", 7: 1}) == [f"{TASK}: a key must be text, got 7"]
    assert _mistakes("plan.yaml") == [f"{TASK}: expected a mapping, got str"]
    endless = {}
    endless["columns"] = endless
    assert _mistakes(endless) == [f"{TASK}: nested too deeply; does it hold itself?"]


def test_secrets_are_not_repeated() -> None:
    said = "\n".join(
        _mistakes({"reference": {"path": "s3://b", "options": 5}, "history": ["hunter2"]})
    )
    assert "hunter2" not in said
    assert "got (hidden)" in said


def test_a_mapping_is_checked_like_a_file() -> None:
    table = pa.table({"x": list(range(100)) * 20})
    mapping = {"reference": "ref.json", "columns": {"each": {"y": {"limits": {"drift": 1.0}}}}}
    plan = kd.Plan.from_dict(mapping, path=TASK)
    with pytest.raises(PlanError, match=f"^{TASK}: columns.each.y: fits no column"):
        plan.check_columns(kd.fit(table).columns)


def test_the_mapping_is_left_as_it_is() -> None:
    mapping = {"reference": "a", "columns": {"include": ["x"]}}
    before = yaml.safe_dump(mapping)
    kd.Plan.from_dict(mapping)
    assert yaml.safe_dump(mapping) == before
