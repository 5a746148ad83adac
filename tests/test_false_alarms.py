"""The simulation of false alarms: it runs, and what it last found is what is promised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # simulations

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "false_alarms.py"
FOUND = json.loads((ROOT / "docs" / "figures" / "false_alarms.json").read_text("utf-8"))
DEFAULT = [each for each in FOUND["alarms"] if each["rule"] == "both gates (kl-drift)"]
LARGE = [each for each in DEFAULT if each["rows"] >= 5_000]


def name(each) -> str:
    return f"{each.get('world', '')} {each['rows']}"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    output = tmp_path_factory.mktemp("quick") / "found.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--output", str(output)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.read_text("utf-8")), printed


def test_a_quick_run_finds_what_the_long_one_did(quick) -> None:
    found, _ = quick
    assert found.keys() == FOUND.keys()
    assert {each["rule"] for each in found["alarms"]} == {each["rule"] for each in FOUND["alarms"]}
    long = {(each["world"], each["rows"], each["rule"]): each for each in FOUND["alarms"]}
    for each in found["alarms"]:
        twin = long[each["world"], each["rows"], each["rule"]]
        few = 20 if each["rule"] == DEFAULT[0]["rule"] else 90
        assert each["false_alarms"] == pytest.approx(twin["false_alarms"], rel=0.3, abs=few)
        assert each["power_0.1"] == pytest.approx(twin["power_0.1"], abs=0.25)


def test_it_prints_tables(quick) -> None:
    _, printed = quick
    assert "| both gates (kl-drift) |" in printed
    assert "| each 95 % limit holds |" in printed


def test_all_was_measured() -> None:
    worlds = {"steady", "varied", "heavy-tailed"}
    sizes = {500, 5_000, 50_000, 1_000_000}
    assert {(each["world"], each["rows"]) for each in DEFAULT} == {
        (world, rows) for world in worlds for rows in sizes
    }
    assert FOUND["repetitions"] >= 10


@pytest.mark.parametrize("each", DEFAULT, ids=name)
def test_false_alarms_stay_within_what_is_promised(each) -> None:
    assert each["false_alarms"] <= (1 if each["world"] == "steady" else 5)


@pytest.mark.parametrize(
    "each", [each for each in LARGE if each["world"] != "heavy-tailed"], ids=name
)
def test_a_drift_of_a_tenth_of_a_nat_is_seen(each) -> None:
    assert each["power_0.1"] >= 0.8


def test_where_odd_days_are_ordinary_no_limit_would_see_more() -> None:
    power = {(each["world"], each["limits"]): each["power_0.1"] for each in FOUND["known"]}
    assert power["heavy-tailed", "learned"] >= power["heavy-tailed", "known"] - 0.05


@pytest.mark.parametrize("each", FOUND["coverage"], ids=lambda each: f"{name(each)} {each['kl']}")
def test_limits_of_the_interval_hold_as_often_as_stated(each) -> None:
    assert 0.93 <= each["lower"] <= 0.97
    # The upper limit is at least the mean of noise, which is above a KL that noise would hide.
    hidden = each["kl"] == 0 or each["rows"] * each["kl"] < 10
    assert 0.93 <= each["upper"] <= (1 if hidden else 0.97)


@pytest.mark.parametrize("each", FOUND["trends"], ids=lambda each: each["world"])
def test_trends_find_ramps_that_single_days_miss(each) -> None:
    assert each["false_trends"] <= 2 * FOUND["budget"]
    assert each["found_by_trend"] >= max(0.7, each["found_by_single_days"])
