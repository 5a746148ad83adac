"""What a year of checks is like: how often learned limits cry wolf, and what they see, by world.

A world is 100 columns whose days differ in one way: not at all (iid), by a life of their own
(daily), by weekday, with the season, each resembling the day before (AR), with heavy tails (t2,
lognormal), or after a new level that was accepted. Unacknowledged incidents of 0.3 nats are put
into the past of every column. Limits are learned from that past; every rule then judges 30 quiet
days, and triples of days on which every column moved for good by 0.05 and by 0.1 nats.

A day is drawn as the direction and the size of what moved: KL = |v|²/2, v the sum of what moved and
of the noise of 5,000 rows in 20 cells. All that is learned from it is kl-drift itself. Writes
docs/figures/histories.json and prints it as a Markdown table.

    python benchmarks/histories.py [--quick] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kl_drift.history.learning import Lesson, alarms, study
from kl_drift.history.straying import Scatter
from kl_drift.judging.confirmation import Confirmation

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

OUTPUT = Path(__file__).parents[1] / "docs" / "figures" / "histories.json"
SEED = 20130107
START = date(2013, 1, 7)  # a Monday
ROWS, CELLS = 5_000, 20
DAYS, CHECKS = 30, 3_000
ALPHA = 1 / CHECKS
SHIFTS = (0.05, 0.1)
INCIDENT = 0.3
WITHIN = 3  # days that a shift is to be seen in
WORLDS = ("iid", "daily", "weekday", "season", "AR 0.3", "AR 0.5", "t2", "lognormal", "new level")
INCIDENTS = (0, 1, 2, 5)
CERTAIN = float(stats.ncx2.isf(0.05, CELLS, 2 * ROWS * 0.02) / (2 * ROWS))
"""The KL of which the lower 95 % limit is 0.02 nats: what is below it is nobody's business."""

PLAIN = "mean and sd of all days"
RULES = (PLAIN, "1 of 1", "2 of 3", "3 of 3")


@dataclass(frozen=True, kw_only=True)
class Past:
    """The cube roots of KL of every column: the past, the quiet days, the shifted ones."""

    past: Floats
    """Shape (C, T)."""
    quiet: Floats
    """Shape (C, days)."""
    shifted: Sequence[Floats]
    """For each shift (C, triples, 3)."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How many ways a column moves in, and how far it does on a usual day."""

    weights: Floats
    """Shape (C, cells): of the squares of each way, summing to 1."""
    scale: Floats
    """Shape (C,)."""

    def ways(self, days: int, generator: np.random.Generator) -> Floats:
        """Return random directions of length about 1, shape (C, days, cells)."""
        shape = (len(self.scale), days, CELLS)
        return generator.standard_normal(shape) * np.sqrt(self.weights)[:, np.newaxis]

    def worth(self, nats: float, days: int, generator: np.random.Generator) -> Floats:
        """Return moves in random directions that alone are worth so many nats."""
        ways = self.ways(days, generator)
        length = np.linalg.norm(ways, axis=-1, keepdims=True)
        return np.asarray(ways / length * math.sqrt(2 * nats))


def make_columns(count: int, generator: np.random.Generator) -> Columns:
    """Return columns, two of three ordered (few ways to move), the others categories (many)."""
    ordered = np.arange(count)[:, np.newaxis] % 3 > 0
    place = np.arange(CELLS)
    few, many = 0.45**place * (place < 3), 0.85**place * (place < 18)
    weights = np.where(ordered, few / few.sum(), many / many.sum())
    return Columns(weights=weights, scale=0.075 * np.exp(generator.normal(0, 0.5, count)))


def sizes(world: str, shape: tuple[int, int], generator: np.random.Generator) -> Floats:
    """Return by how much a day's move is larger than usual."""
    if world == "t2":
        return np.asarray(0.85 * np.sqrt(2 / generator.chisquare(2, shape)))
    if world == "lognormal":
        return np.asarray(0.6 * np.exp(generator.normal(0, 1, shape)))
    return np.full(shape, 0.0 if world == "iid" else 1.0)


def moves(world: str, columns: Columns, days: int, generator: np.random.Generator) -> Floats:
    """Return what moved on each day, shape (C, days, cells)."""
    count, day = len(columns.scale), np.arange(days)
    size = columns.scale[:, np.newaxis] * sizes(world, (count, days), generator)
    found = columns.ways(days, generator) * size[..., np.newaxis]
    found += generator.standard_normal(found.shape) / math.sqrt(ROWS)
    if world == "weekday":
        weekend = (day % 7 >= 5) - 2 / 7
        found += weekend[:, np.newaxis] * columns.worth(0.05, 1, generator)
    if world == "season":
        turn = np.sin(2 * math.pi * (day + generator.integers(365)) / 365)
        found += turn[:, np.newaxis] * columns.worth(0.1, 1, generator)
    if world == "new level":
        found += columns.worth(0.05, 1, generator)
    if world.startswith("AR"):
        found = alike(found, float(world.split()[1]), generator)
    return found


def alike(found: Floats, correlation: float, generator: np.random.Generator) -> Floats:
    """Put the days of each column in an order in which neighbours are alike, by their size."""
    walk = generator.standard_normal(found.shape[:2])
    for day in range(1, walk.shape[1]):
        walk[:, day] *= math.sqrt(1 - correlation**2)
        walk[:, day] += correlation * walk[:, day - 1]
    by_size = np.argsort((found**2).sum(axis=-1), axis=1)
    rank = np.argsort(np.argsort(walk, axis=1), axis=1)
    order = np.take_along_axis(by_size, rank, axis=1)
    return np.take_along_axis(found, order[..., np.newaxis], axis=1)


def roots(found: Floats) -> Floats:
    return np.asarray(np.cbrt((found**2).sum(axis=-1) / 2))


def draw(world: str, days: int, incidents: int, count: int, seed: Sequence[int]) -> Past:
    """Return the past of a world and what is to be judged."""
    generator = np.random.default_rng(seed)
    columns = make_columns(count, generator)
    found = moves(world, columns, days + DAYS, generator)
    past = found[:, :days].copy()
    for column in range(count):
        hit = generator.choice(days, incidents, replace=False)
        moved = columns.worth(INCIDENT, incidents, generator)[column]
        past[column, hit] += moved
    triples = found[:, days:].reshape(count, DAYS // WITHIN, WITHIN, CELLS)
    return Past(
        past=roots(past),
        quiet=roots(found[:, days:]),
        shifted=[
            roots(triples + columns.worth(nats, DAYS // WITHIN, generator)[:, :, np.newaxis])
            for nats in SHIFTS
        ],
    )


def moment(day: int) -> str:
    return (START + timedelta(days=day)).isoformat()


def scatter_of(past: Floats) -> Scatter:
    """Return what kl-drift would have measured."""
    count, days = past.shape
    return Scatter(
        names=tuple(f"column {each}" for each in range(count)),
        grid=(ROWS,),
        moments=tuple(map(moment, range(days))),
        rows=np.full(days, ROWS),
        kl=np.repeat(past[:, np.newaxis] ** 3, 2, axis=1),
    )


def bounds(lesson: Lesson) -> tuple[Floats, Floats]:
    """Return each column's limit on the days that are judged, and what is a drift at once."""
    days = range(len(lesson.scatter.moments), len(lesson.scatter.moments) + DAYS)
    points = [[its.at(ROWS, moment(day)) for day in days] for its in lesson.limits.values()]
    found = np.array([[(each.limit, each.at_once) for each in row if each] for row in points])
    return found[..., 0], found[..., 1]


def plain_bounds(past: Floats) -> Floats:
    """Return the limit that the mean and the deviation of all days set, odd ones included."""
    days = past.shape[1]
    spread = past.std(axis=1, ddof=1) * math.sqrt(1 + 1 / days)
    limit = (past.mean(axis=1) + stats.t.isf(ALPHA, days - 1) * spread) ** 3
    return np.asarray(np.repeat(limit[:, np.newaxis], DAYS, axis=1))


def judge(x: Floats, limit: Floats, far: Floats, confirm: Confirmation) -> Flags:
    """Say on which days a column drifted, as a check does."""
    kl = x**3
    exceeds = (kl > limit) & (kl > CERTAIN)
    return alarms(exceeds, exceeds & (kl > far), confirm)


def episodes(drifted: Flags) -> Floats:
    """Count, for each column, how often an alarm began that no day before had raised."""
    before = np.zeros_like(drifted)
    for lag in range(1, WITHIN + 1):
        before[:, lag:] |= drifted[:, :-lag]
    return np.asarray((drifted & ~before).sum(axis=1), np.float64)


def play(rule: str, world: Past) -> dict[str, Any]:
    """Return what a rule says of a world, per column."""
    confirm = Confirmation.parse("1 of 1" if rule == PLAIN else rule)
    if rule == PLAIN:
        limit = plain_bounds(world.past)
        far = limit
    else:
        limit, far = bounds(study(scatter_of(world.past), alpha=ALPHA, confirm=confirm))
    drifted = judge(world.quiet, limit, far, confirm)
    triples = (len(limit), DAYS // WITHIN, WITHIN)
    seen = [
        judge(each, limit.reshape(triples), far.reshape(triples), confirm) for each in world.shifted
    ]
    return {
        "episodes": episodes(drifted),
        "days": drifted.sum(axis=1),
        "warned": ((world.quiet**3 > np.maximum(limit, CERTAIN)) & ~drifted).sum(axis=1),
        "limit": np.median(limit, axis=1),
        "seen": [float(each.any(axis=-1).mean()) for each in seen],
        "at_once": [float(each[..., 0].mean()) for each in seen],
    }


def rates(rule: str, worlds: Sequence[Past]) -> dict[str, Any]:
    """Return false alarms per 3,000 checks with their standard error, and the share of shifts seen.

    The worst decile is that of columns with most false alarms: what they have of all there are.
    """
    found = [play(rule, world) for world in worlds]
    per_check = CHECKS / DAYS
    each = np.array([one["episodes"].mean() * per_check for one in found])
    columns = np.sort(np.concatenate([one["episodes"] for one in found]))[::-1]
    worst = columns[: max(len(columns) // 10, 1)].mean() * per_check
    return {
        "false_episodes": round(float(each.mean()), 2),
        "standard_error": round(float(each.std(ddof=1) / math.sqrt(len(each))), 2),
        "false_days": round(float(np.mean([one["days"].mean() for one in found]) * per_check), 2),
        "warnings": round(float(np.mean([one["warned"].mean() for one in found]) * per_check), 1),
        "worst_decile": round(float(worst), 1),
        "limit": float(f"{np.median([np.median(one['limit']) for one in found]):.3g}"),
        **{
            f"{name}_{nats}": round(float(np.mean([one[name][place] for one in found])), 3)
            for name in ("seen", "at_once")
            for place, nats in enumerate(SHIFTS)
        },
    }


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is drawn."""

    repetitions: int = 5
    columns: int = 100
    worlds: tuple[str, ...] = WORLDS
    incidents: tuple[int, ...] = INCIDENTS
    lengths: tuple[int, ...] = (30, 60, 90)  # of the daily world; others have 60 days


QUICK = Effort(repetitions=3, worlds=("daily", "weekday", "t2"), incidents=(0, 2), lengths=(60,))


def settings(effort: Effort) -> Iterator[tuple[str, int, int]]:
    """Yield worlds, days of the past and incidents."""
    for world in effort.worlds:
        lengths = effort.lengths if world == "daily" else (30,) if world == "new level" else (60,)
        for days in lengths:
            for incidents in effort.incidents:
                yield world, days, incidents


def run(effort: Effort, rules: Sequence[str] = RULES) -> dict[str, Any]:
    found = []
    for world, days, incidents in settings(effort):
        worlds = [
            draw(world, days, incidents, effort.columns, (SEED, days, incidents, repetition))
            for repetition in range(effort.repetitions)
        ]
        found += [
            {"world": world, "days": days, "incidents": incidents, "rule": rule}
            | rates(rule, worlds)
            for rule in rules
        ]
    return {
        "seed": SEED,
        "checks": CHECKS,
        "repetitions": effort.repetitions,
        "columns": effort.columns,
        "found": found,
    }


def said(numbers: Mapping[str, Any]) -> str:
    """Write false episodes ± standard error | power at 0.05 / 0.1 within three days."""
    power = " / ".join(f"{numbers[f'seen_{nats}']:.2f}" for nats in SHIFTS)
    return f"{numbers['false_episodes']:.1f} ± {numbers['standard_error']:.1f} · {power}"


def markdown(results: Mapping[str, Any]) -> str:
    """Return one table: a row for each world, past and number of incidents, a column a rule."""
    rows: dict[tuple[str, int, int], list[str]] = {}
    rules = list(dict.fromkeys(each["rule"] for each in results["found"]))
    for each in results["found"]:
        rows.setdefault((each["world"], each["days"], each["incidents"]), []).append(said(each))
    lines = [
        ["false episodes · power", *rules],
        ["---", *["---:"] * len(rules)],
        *(
            [f"{world}, {days} days, {hit} incidents", *cells]
            for (world, days, hit), cells in rows.items()
        ),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the JSON file")
    options = parser.parse_args()
    start = time.perf_counter()
    results = run(QUICK if options.quick else Effort())
    if options.output != OUTPUT or not options.quick:
        text = json.dumps(results, indent=1, allow_nan=False, ensure_ascii=False)
        options.output.write_text(f"{text}\n", encoding="utf-8")
    print(markdown(results))
    print(f"\n{results['repetitions']} repetitions, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
