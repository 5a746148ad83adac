"""Slow ramps: how often the trend finds one, and how often it cries wolf where there is none.

    python benchmarks/trends.py          write docs/figures/trends.json

Ten columns are checked daily, 2,000 rows a day, each with a mean that strays by 0.1 sd from day
to day. After 40 ordinary days, a month follows: an ordinary one, or one in which every column's
mean moves, a little every day, by 0.3 sd in all. The checks are those of a plan with a history and
`trend: {}`: the limits are learned anew each day, from what was before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from kl_drift.counts.bins import NumericBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import ColumnProfile, Profile
from kl_drift.history.calibration import learn
from kl_drift.history.trend import find_trends
from kl_drift.judging.comparison import compare_profiles
from kl_drift.judging.limits import Budget
from kl_drift.judging.policy import Policy, Status
from kl_drift.statistics.smoothing import Smoothing

FIGURES = Path(__file__).parents[1] / "docs" / "figures" / "trends.json"
SEEDS, COLUMNS, BEFORE, DAYS, ROWS = 8, 10, 40, 30, 2_000
RAMP, STRAYS = 0.3, 0.1
BINS = NumericBins(domain="float", edges=tuple(np.linspace(-2, 2, 17).tolist()))
BUDGET = Budget.monthly(1, columns=COLUMNS)


def profile(generator: np.random.Generator, means: Sequence[float], rows: int, day: int) -> Profile:
    """Return what a day counts of normal columns."""
    columns = {}
    for place, mean in enumerate(means):
        below = ndtr(np.array([*BINS.edges, np.inf]) - mean)
        counts = generator.multinomial(rows, np.diff(below, prepend=0.0))
        padded = (*counts.tolist(), *[0] * (BINS.cells - len(counts)))
        columns[f"c{place:02}"] = ColumnProfile(
            type="double", histogram=Histogram(bins=BINS, counts=padded)
        )
    return Profile(columns=columns, rows=rows, sources=(f"day {day:03}",))


def world(seed: int, ramp: float) -> tuple[Profile, list[Profile]]:
    """Return the reference and the days of a world."""
    generator = np.random.default_rng(seed)
    reference = profile(generator, [0.0] * COLUMNS, 50_000, -1)
    rising = [0.0] * BEFORE + [ramp * (day + 1) / DAYS for day in range(DAYS)]
    return reference, [
        profile(generator, generator.normal(moved, STRAYS, COLUMNS).tolist(), ROWS, day)
        for day, moved in enumerate(rising)
    ]


def month(seed: int, ramp: float) -> dict[str, int]:
    """Return how many of the columns' checks alarm by themselves, and by their trend."""
    reference, days = world(seed, ramp)
    smoothing = Smoothing()
    alone, slow, found, seen = 0, 0, set[str](), set[str]()
    for day in range(BEFORE, BEFORE + DAYS):
        earlier, current = days[:day], days[day]
        learned = learn(earlier, reference, budget=BUDGET)
        report = compare_profiles(current, reference, Policy(), smoothing, learned)
        trends = find_trends(earlier, current, reference, budget=BUDGET, smoothing=smoothing)
        off = {column.name for column in report if column.status is not Status.OK}
        rising = {name for name, trend in trends.items() if trend.exceeds}
        alone, slow = alone + len(off), slow + len(rising)
        seen, found = seen | off, found | rising
    return {"alone": alone, "trend": slow, "columns_alone": len(seen), "columns_trend": len(found)}


def main() -> None:
    """Write what was found, seed by seed."""
    results = {
        "checks": SEEDS * COLUMNS * DAYS,
        "columns": SEEDS * COLUMNS,
        "quiet": [month(seed, 0.0) for seed in range(SEEDS)],
        "ramp": [month(seed, RAMP) for seed in range(SEEDS)],
    }
    FIGURES.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name in ("quiet", "ramp"):
        print(name, {key: sum(each[key] for each in results[name]) for key in results[name][0]})


if __name__ == "__main__":
    main()
