"""The worlds that learned limits are measured in: a small run, and the table of the long one."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HISTORIES = runpy.run_path(str(ROOT / "benchmarks" / "histories.py"))


def rates(world: str, incidents: int, rule: str = "3 of 3") -> dict[str, float]:
    drawn = [HISTORIES["draw"](world, 60, incidents, 60, (1, seed)) for seed in range(2)]
    found: dict[str, float] = HISTORIES["rates"](rule, drawn)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("incidents", [1, 5])
def test_incidents_move_no_limit_and_hide_no_drift(incidents: int) -> None:
    clean, hit = rates("daily", 0), rates("daily", incidents)
    assert hit["limit"] == pytest.approx(clean["limit"], rel=0.2)
    assert hit["seen_0.05"] > 0.75
    assert hit["seen_0.1"] > 0.88
    assert rates("daily", incidents, HISTORIES["PLAIN"])["seen_0.05"] < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("world", ["daily", "AR 0.5", "t2"])
def test_three_in_a_row_are_rarely_chance(world: str) -> None:
    assert rates(world, 0)["false_episodes"] <= 6


def test_a_single_day_cannot_tell_heavy_tails_from_incidents() -> None:
    assert rates("t2", 0, "1 of 1")["false_episodes"] > 20


def test_the_page_shows_the_last_long_run() -> None:
    found = json.loads((ROOT / "docs/figures/histories.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/explanation/benchmarks.md").read_text(encoding="utf-8")
    assert HISTORIES["markdown"](found) in page
