"""The year of flights that the documentation tells is what the checks say."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import kl_drift as kd
from kl_drift.history.record import History

pytestmark = pytest.mark.slow  # days of a year of flights

ROOT = Path(__file__).parents[1]
FOUND: list[dict[str, Any]] = json.loads((ROOT / "docs/figures/year.json").read_text("utf-8"))
BY_DATE = {day["date"]: day for day in FOUND}
JUDGED = [day for day in FOUND if "status" in day]
TAKEN_OUT = {day["date"] for day in FOUND if day["acknowledged"]}

AGAIN = [
    day["date"]
    for place, day in enumerate(JUDGED)
    if day["kind"] == "event" or day["status"] != "ok" or place % 24 == 0
]
"""Every event, every day that is not ok, and every 24th day are judged again."""


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("year", ROOT / "docs" / "figures" / "year.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["year"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["year"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("year")


@pytest.fixture(scope="module")
def record(script: ModuleType, folder: Path) -> Any:
    """The year as the story left it: the days, without those that were taken out."""
    return script.Record(year=script.read_year(folder), acknowledged=TAKEN_OUT)


def test_every_flight_is_in_one_snapshot(record: Any) -> None:
    assert sum(profile.rows for profile in record.year.profiles.values()) == 336_776
    assert list(record.year.profiles) == list(BY_DATE)
    assert len(JUDGED) == 275


def test_the_kind_of_every_day_is_read_off_its_flights(record: Any) -> None:
    for date, known in record.year.truths.items():
        day = BY_DATE[date]
        assert (known.flights, known.kind) == (day["flights"], day["kind"])
        assert (known.cancelled, known.late) == pytest.approx((day["cancelled"], day["late"]), 1e-4)


def test_taken_out_are_the_events_of_the_first_months_and_those_that_were_named(
    script: ModuleType,
) -> None:
    assert {day["date"] for day in FOUND if script.taken_out(day)} == TAKEN_OUT


@pytest.mark.parametrize("date", AGAIN)
def test_a_day_is_judged_as_the_story_says(record: Any, date: str) -> None:
    found, told = record.day(date), BY_DATE[date]
    assert (found["status"], found["drifted"]) == (told["status"], told["drifted"])
    assert found["kl"] == pytest.approx(told["kl"], rel=1e-3)
    assert found["limit"] == pytest.approx(told["limit"], rel=1e-3)


@pytest.mark.parametrize("date", AGAIN[::12])
def test_the_other_rules_say_what_the_story_says(record: Any, date: str) -> None:
    found, told = record.otherwise(date), BY_DATE[date]
    assert found["others"] == told["others"]
    assert found["kl_still"] == pytest.approx(told["kl_still"], rel=1e-3)


@pytest.mark.parametrize("date", ["2013-09-11", "2013-09-12"])
def test_a_check_with_this_history_says_the_same(record: Any, folder: Path, date: str) -> None:
    """The plan of the story, run on an ordinary day and on the storm after it."""
    plan = kd.load_plan(folder / "configs" / "flights-daily.yaml", values={"day": date})
    plan = replace(plan, name=f"flights-until-{date}")
    history = History.open(plan.history)
    report = record.still(date)
    for each in [*record.before(date)[-118:], "2013-02-08"]:
        profile = record.year.profiles[each]
        its = replace(report, current=replace(report.current, rows=profile.rows))
        history.add(plan.name, profile, its)
    history.acknowledge(plan.name, "2013-02-08", note="snow", by="the test")
    report = kd.check(plan)
    told = BY_DATE[date]
    assert (report.status, list(report.drifted)) == (told["status"], told["drifted"])
    for column, limit in told["limit"].items():
        assert report[column].history_limit == pytest.approx(limit, rel=1e-3)


def test_the_story_holds() -> None:
    """What the page says in words: quiet on ordinary days, the worst named, and what is missed."""
    said = Counter((day["kind"], day["status"]) for day in JUDGED)
    ordinary = sum(day["kind"] == "ordinary" for day in JUDGED)
    assert said["ordinary", "drift"] < 0.02 * ordinary
    assert said["ordinary", "ok"] > 0.92 * ordinary
    worst = [day for day in JUDGED if day["cancelled"] > 0.1]
    assert {day["status"] for day in worst} == {"drift"}
    fixed = [day["others"]["January to March, fixed limits"] for day in JUDGED]
    assert fixed.count("drift") > 0.9 * len(fixed)
    missed = [day for day in JUDGED if day["kind"] == "event" and day["status"] != "drift"]
    assert [day["date"] for day in missed if day["cancelled"] >= 0.07] == ["2013-07-23"]
    assert sum(day["status"] == "undecided" for day in missed) == 5
    assert max(day["date"] for day in missed) < "2013-09"
    summer = [day for day in JUDGED if "2013-06-15" <= day["date"] <= "2013-10-15"]
    assert min(day["limit"]["dep_delay"] for day in summer) > 0.3
    assert min(day["kl_still"]["air_time"] for day in JUDGED) > 0.02
    assert min(day["kl_still"]["flight"] for day in JUDGED if day["date"] > "2013-06-20") > 0.02
    below = [
        day
        for day in JUDGED
        if "dep_delay" in day["drifted"] and day["kl"]["dep_delay"] <= day["limit"]["dep_delay"]
    ]
    assert below
    assert min(day["cancelled"] for day in below) > 0.05
