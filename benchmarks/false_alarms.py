"""How often does each rule cry wolf, and how often does it see a drift?

Makes worlds of 100 columns. Their days differ by sampling alone (steady), by a life of their own
too (varied), or also by odd days (heavy-tailed). Limits are learned from 30 days of each; then
every rule judges 30 further days on which nothing happened, and days that were shifted by 0.05 and
by 0.1 nats on top of that. Counts are drawn over cells directly; all else is kl-drift itself.

Besides: shorter histories, fewer columns, another reference, days smaller than those learned from;
what could be seen if the law of every column were known; slow ramps; and how often the limits of
the interval hold. Writes docs/figures/false_alarms.json and prints it as Markdown tables.

    python benchmarks/false_alarms.py [--quick] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kl_drift.counts.bins import CategoryBins, NumericBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import ColumnProfile, Profile, merge
from kl_drift.history.calibration import Replayed, learn, replay
from kl_drift.history.trend import ewma_trend
from kl_drift.judging.limits import Budget, ColumnLimits, LearnedLimits
from kl_drift.statistics.divergence import kl_divergence, psi
from kl_drift.statistics.inference import (
    benjamini_hochberg,
    kl_interval,
    p_value_above,
    p_value_equal,
)
from kl_drift.statistics.noise import noise_floor
from kl_drift.statistics.samples import merge_cells
from kl_drift.statistics.smoothing import smooth

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

OUTPUT = Path(__file__).parents[1] / "docs" / "figures" / "false_alarms.json"
SEED = 20130101
WARN, DRIFT, NULL = 0.02, 0.05, 0.01
DAYS = 30
SHIFTS = (0.05, 0.1)
SHIFTED = 3  # days of each column for each shift
CHECKS = 100 * DAYS  # what false alarms are counted per
BUDGET = Budget(false_alarms=1, checks=CHECKS)
SIZES = (500, 5_000, 50_000, 1_000_000)
INCIDENT = 3  # its day
ROWS_VARY = 0.3  # sd of the log of a day's rows


# --- worlds


@dataclass(frozen=True, kw_only=True)
class World:
    """How much days differ: a factor, and the degrees of freedom of the size of a day's tilt."""

    variation: float
    df: float = math.inf


WORLDS = {
    "steady": World(variation=0),
    "varied": World(variation=1),
    "heavy-tailed": World(variation=1, df=5),
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column in its ordinary state, and the directions in which its days differ."""

    bins: NumericBins | CategoryBins
    shares: Floats
    directions: Floats
    """Shape (d, k), of log-probabilities: standard normal weights give a mean square of 1."""
    scale: float

    def tilts(self, world: World, days: int, generator: np.random.Generator) -> Floats:
        size = self.scale * world.variation * np.ones((days, 1))
        if math.isfinite(world.df):
            size *= np.sqrt((world.df - 2) / generator.chisquare(world.df, (days, 1)))
        return size * (generator.standard_normal((days, len(self.directions))) @ self.directions)

    def tilted(self, tilts: Floats) -> Floats:
        shares = self.shares * np.exp(tilts - tilts.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))

    def shifts(self, nats: float, days: int, generator: np.random.Generator) -> Floats:
        """Return tilts in random directions that alone are worth so many nats."""
        tilts = generator.standard_normal((days, len(self.directions))) @ self.directions
        low, high = np.zeros((days, 1)), np.full((days, 1), 20.0)
        for _ in range(30):
            middle = (low + high) / 2
            tilted = self.tilted(middle * tilts)
            above = (tilted * self.log_ratio(tilted)).sum(axis=-1, keepdims=True) > nats
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return low * tilts

    def log_ratio(self, shares: Floats) -> Floats:
        """Return ln(p/q), 0 where a cell is empty for good."""
        there = self.shares > 0
        return np.log(np.where(there, shares, 1.0) / np.where(there, self.shares, 1.0))


def make_column(index: int, generator: np.random.Generator) -> Column:
    """Return a column of one of three shapes, of 14 to 30 cells; every other one has nulls."""
    values = int(generator.integers(13, 28))
    shape = ("quantiles", "uniform", "geometric")[index % 3]
    plain = {
        "quantiles": np.diff([0, 0.001, *np.linspace(0.01, 0.99, values - 3), 0.999, 1]),
        "uniform": np.full(values, 1 / values),
        "geometric": 0.75 ** np.arange(values) / 4,
    }[shape]
    null = 10 ** generator.uniform(-2.3, -1) if index % 2 else 0.0
    if shape == "geometric":
        bins: NumericBins | CategoryBins = CategoryBins(
            domain="string", levels=tuple(f"level {index} {i}" for i in range(values))
        )
        directions = np.eye(values)
    else:
        bins = NumericBins(domain="integer", edges=tuple(range(index, index + values - 1)))
        place = np.linspace(-1, 1, values)
        directions = np.stack([place, place**2, place**3 - place])
    extra = bins.cells - values
    shares = np.concatenate([plain / plain.sum() * (1 - null), np.zeros(extra - 1), [null]])
    directions = np.pad(directions, ((0, 1), (0, extra)))
    directions[-1, -1] = 1.0  # the share of nulls moves by itself
    directions -= (directions @ shares)[:, np.newaxis]
    directions /= math.sqrt((directions**2 @ shares).sum())
    return Column(
        bins=bins,
        shares=shares,
        directions=directions,
        scale=0.075 * math.exp(generator.normal(0, 0.5)),
    )


def name_of(index: int) -> str:
    return f"column {index}"


def days_rows(rows: int, days: int, generator: np.random.Generator) -> NDArray[np.int64]:
    spread = generator.lognormal(-(ROWS_VARY**2) / 2, ROWS_VARY, days)
    return np.maximum(1, rows * spread).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One experiment: what was learned from, and what is judged."""

    world: str
    rows: int
    columns: int = 100
    history: int = DAYS
    merged: bool = True  # the reference: all days of the history, or one more day by itself
    history_rows: int | None = None  # where the days learned from were larger or smaller
    incident: bool = False  # a day of the history on which every column moved by half a nat
    left_out: bool = False  # that day, by its owner


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A month of a world: its columns, what was learned, and the days to be judged."""

    columns: Sequence[Column]
    reference: Profile
    history: Sequence[Profile]
    leave_out: Sequence[str]
    rows: NDArray[np.int64]
    """Shape (days,): of the quiet days, then of the shifted ones."""
    counts: Sequence[NDArray[np.int64]]
    """For each column (days, k)."""


PLAIN = Setting(world="varied", rows=5_000)
VARIANTS = {
    "100 columns, 30 days": PLAIN,
    "100 columns, 14 days": replace(PLAIN, history=14),
    "20 columns, 14 days": replace(PLAIN, columns=20, history=14),
    "the same, heavy-tailed": replace(PLAIN, columns=20, history=14, world="heavy-tailed"),
    "5 columns, 14 days": replace(PLAIN, columns=5, history=14),
    "5 columns, 60 days": replace(PLAIN, columns=5, history=60),
    "reference of one day": replace(PLAIN, merged=False),
    "learned from 50,000 rows a day": replace(PLAIN, history_rows=50_000),
    "an incident in the history": replace(PLAIN, incident=True),
    "the same, left out": replace(PLAIN, incident=True, left_out=True),
}


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is drawn; ``columns`` of the worlds and of the ramps."""

    repetitions: int = 12
    sizes: tuple[int, ...] = SIZES
    variants: tuple[str, ...] = tuple(VARIANTS)
    columns: int = 100
    law: int = 20_000  # days that the law of a column is taken from
    pairs: int = 4_000


QUICK = Effort(
    repetitions=2,
    sizes=(5_000,),
    variants=("the same, left out",),
    columns=10,
    law=2_000,
    pairs=200,
)


def draw(setting: Setting, generator: np.random.Generator) -> Sample:
    world = WORLDS[setting.world]
    columns = [make_column(index, generator) for index in range(setting.columns)]
    past_rows = days_rows(setting.history_rows or setting.rows, setting.history + 1, generator)
    past = [ordinary_days(column, world, past_rows, generator) for column in columns]
    if setting.incident:
        for column, counts in zip(columns, past, strict=True):
            moved = column.tilted(column.shifts(0.5, 1, generator))
            counts[INCIDENT] = generator.multinomial(past_rows[INCIDENT], moved[0])
    days = [profile(columns, [c[day] for c in past], day) for day in range(len(past_rows))]
    rows = days_rows(setting.rows, DAYS + SHIFTED * len(SHIFTS), generator)
    return Sample(
        columns=columns,
        reference=merge(days[:-1]) if setting.merged else days[-1],
        history=days[:-1],
        leave_out=[f"day {INCIDENT}"] if setting.left_out else [],
        rows=rows,
        counts=[judged_days(column, world, rows, generator) for column in columns],
    )


def ordinary_days(
    column: Column, world: World, rows: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    tilts = column.tilts(world, len(rows), generator)
    return generator.multinomial(rows, column.tilted(tilts))


def judged_days(
    column: Column, world: World, rows: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    shifts = [column.shifts(nats, SHIFTED, generator) for nats in SHIFTS]
    quiet = np.zeros((DAYS, len(column.shares)))
    tilts = column.tilts(world, len(rows), generator) + np.vstack([quiet, *shifts])
    return generator.multinomial(rows, column.tilted(tilts))


def profile(columns: Sequence[Column], counts: Sequence[NDArray[np.int64]], day: int) -> Profile:
    return Profile(
        columns={
            name_of(index): ColumnProfile(
                type="int64" if column.bins.ordered else "string",
                histogram=Histogram(bins=column.bins, counts=tuple(map(int, each))),
            )
            for index, (column, each) in enumerate(zip(columns, counts, strict=True))
        },
        rows=int(counts[0].sum()),
        sources=(f"day {day}",),
    )


# --- rules


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is measured of C columns on each day, shape (C, days)."""

    kl: Floats
    psi: Floats
    p_equal: Floats
    above_warn: Flags
    """Whether the lower 95 % limit of KL exceeds 0.02."""
    above_drift: Flags
    noise_floor: Floats
    kl_null: Floats
    null_above: Flags


def measure(sample: Sample) -> Evidence:
    each = [
        measure_column(column, counts, sample.reference[name_of(index)], sample.rows)
        for index, (column, counts) in enumerate(zip(sample.columns, sample.counts, strict=True))
    ]
    return Evidence(**{name: np.array([found[name] for found in each]) for name in each[0]})


def measure_column(
    column: Column, now: NDArray[np.int64], reference: ColumnProfile, rows: NDArray[np.int64]
) -> dict[str, Any]:
    assert reference.histogram
    then = np.array(reference.histogram.counts)
    shares, expected = smooth(now, then)
    used = (then > 0) | now.any(axis=0)
    ordered = column.bins.ordered
    merged = merge_cells(now[:, used], then[used], ordered=ordered)
    flags = [np.stack([side[..., -1], side.sum(-1) - side[..., -1]], -1) for side in (now, then)]
    null, null_then = (
        np.stack([side[..., -1], 1 - side[..., -1]], -1) for side in (shares, expected)
    )
    return {
        "kl": kl_divergence(shares, expected),
        "psi": psi(shares, expected),
        "p_equal": p_value_equal(now[:, used], then[used], ordered=ordered),
        "above_warn": np.asarray(p_value_above(*merged, WARN)) < 0.05,
        "above_drift": np.asarray(p_value_above(*merged, DRIFT)) < 0.05,
        "noise_floor": noise_floor(rows, then.sum(), used.sum()),
        "kl_null": kl_divergence(null, null_then),
        "null_above": np.asarray(p_value_above(*flags, NULL)) < 0.05,
    }


def decide(found: Evidence, limits: Floats, null_limits: Floats) -> Flags:
    """Say what is a drift: above the practical limit for certain, and above the learned one.

    A null flag has its own limits. Limits that were not learned are NaN, and do not hold it back.
    """
    learned = ~np.isnan(limits)
    certain = np.where(learned, found.above_warn, found.above_drift)
    null = found.null_above & ~(found.kl_null <= null_limits)
    return (certain & ~(found.kl <= limits)) | null


def table_of(limit: Callable[[str, float], float | None], sample: Sample) -> Floats:
    names = map(name_of, range(len(sample.columns)))
    return np.array([[limit(name, n) for n in sample.rows] for name in names], dtype=np.float64)


def with_t(limits: Mapping[str, ColumnLimits], quantile: Callable[[int], float]) -> Any:
    """Return a limit by another quantile than the one learned."""
    changed = {
        name: ColumnLimits(
            points=tuple(replace(p, quantile=quantile(p.snapshots)) for p in column.points)
        )
        for name, column in limits.items()
    }
    return lambda name, n: changed[name].limit(n) if name in changed else None


def as_stated(replayed: Sequence[Replayed], columns: int) -> Callable[[int], float]:
    """Return the quantile of the plain rule: of the pooled residuals from 20 columns on, else t."""
    residuals = [day.point.z_score(day.kl) for day in replayed if day.point]
    pooled = float(np.quantile(residuals, 1 - BUDGET.alpha))
    return lambda size: pooled if columns >= 20 else t_quantile(size)


def t_quantile(size: int) -> float:
    return float(stats.t.isf(BUDGET.alpha, size - 1))


T, POOLED, DEFAULT = "both gates, t", "both gates, pooled quantile", "both gates (kl-drift)"
LEARNED = (T, POOLED, DEFAULT)
GATE_3 = "undecided for too few rows"


def judge(sample: Sample) -> dict[str, Flags]:
    """Return what each rule says of every column and day."""
    found = measure(sample)
    past = sample.history, sample.reference
    learned = learn(*past, budget=BUDGET, leave_out=sample.leave_out)
    replayed = replay(*past, budget=BUDGET, leave_out=sample.leave_out)
    nothing = np.full_like(found.kl, np.nan)
    null = table_of(learned.null_limit, sample)

    def by_history(limit: Callable[[str, float], float | None]) -> Flags:
        return decide(found, table_of(limit, sample), null)

    adjusted = np.array([benjamini_hochberg(day) for day in found.p_equal.T]).T
    stated = as_stated(replayed, len(sample.columns))
    alarms = by_history(learned.limit)
    ordinary = found.kl <= table_of(learned.limit, sample)
    return {
        "KL > 0.1": found.kl > 0.1,
        "KL > 0.05": found.kl > 0.05,
        "PSI > 0.1": found.psi > 0.1,
        "p < 0.05": found.p_equal < 0.05,
        "p < 0.05, Benjamini–Hochberg": adjusted < 0.05,
        "lower limit > 0.02": found.above_warn,
        "lower limit > 0.05": decide(found, nothing, nothing),
        T: by_history(with_t(learned.columns, t_quantile)),
        POOLED: by_history(with_t(learned.columns, stated)),
        DEFAULT: alarms,
        GATE_3: (found.noise_floor > WARN) & ~ordinary & ~alarms,
    }


def rates(setting: Setting, repetitions: int, seed: int) -> dict[str, dict[str, float]]:
    """Return false alarms per 3,000 checks, their standard error, and the share of shifts seen."""
    generator = np.random.default_rng(seed)
    said = [judge(draw(setting, generator)) for _ in range(repetitions)]
    return {rule: rate(np.array([each[rule] for each in said])) for rule in said[0]}


def rate(said: Flags) -> dict[str, float]:
    quiet = said[..., :DAYS].mean(axis=(1, 2)) * CHECKS
    shifted = said[..., DAYS:].reshape(-1, len(SHIFTS), SHIFTED).mean(axis=(0, 2))
    return {
        "false_alarms": round(float(quiet.mean()), 2),
        "standard_error": round(float(quiet.std(ddof=1)) / math.sqrt(len(said)), 2),
        **{
            f"power_{nats}": round(float(seen), 3)
            for nats, seen in zip(SHIFTS, shifted, strict=True)
        },
    }


# --- slow ramps


def ramps(world: str, repetitions: int, seed: int, columns: int = 100) -> dict[str, float]:
    """Return how often a ramp from 0 to 0.02 nats in 30 days is found, and a trend without one."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(repetitions):
        sample = draw(Setting(world=world, rows=5_000, columns=columns), generator)
        learned = learn(sample.history, sample.reference, budget=BUDGET)
        for index, column in enumerate(sample.columns):
            name = name_of(index)
            histogram = sample.reference[name].histogram
            assert histogram
            steady = trends(column, sample.counts[index][:DAYS], histogram, learned, name)
            moving = ramp(column, WORLDS[world], sample.rows[:DAYS], generator)
            found.append([*steady, *trends(column, moving, histogram, learned, name)])
    quiet_daily, quiet_trend, daily, trend = np.array(found).transpose(1, 0, 2)
    return {
        "false_alarms": round(float(quiet_daily.mean() * CHECKS), 2),
        "false_trends": round(float(quiet_trend.mean() * CHECKS), 2),
        "found_by_single_days": round(float(daily.any(axis=1).mean()), 3),
        "found_by_trend": round(float(trend.any(axis=1).mean()), 3),
    }


def ramp(
    column: Column, world: World, rows: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    growing = np.linspace(0, 1, len(rows))[:, np.newaxis] * column.shifts(0.02, 1, generator)
    tilts = column.tilts(world, len(rows), generator) + growing
    return generator.multinomial(rows, column.tilted(tilts))


def trends(
    column: Column,
    now: NDArray[np.int64],
    reference: Histogram,
    learned: LearnedLimits,
    name: str,
) -> tuple[list[bool], list[bool]]:
    """Say for each day whether the learned limit is exceeded, and whether the trend's is."""
    rows = now.sum(axis=-1)
    kl = np.asarray(kl_divergence(*smooth(now, np.array(reference.counts))))
    limits = [learned.limit(name, n) for n in rows]
    single = [bool(limit and value > limit) for value, limit in zip(kl, limits, strict=True)]
    slow = []
    for day in range(1, len(rows) + 1):
        trend = ewma_trend(learned, name, kl[:day].tolist(), rows[:day].tolist())
        slow.append(trend is not None and trend.exceeds)
    return single, slow


# --- the interval


def coverage(rows: int, nats: float, repetitions: int, seed: int) -> dict[str, float]:
    """Return how often each 95 % limit holds: the lower of merged cells, as reports do, and raw."""
    generator = np.random.default_rng(seed)
    held = np.zeros(3)
    pairs = 20
    for index in range(repetitions // pairs):
        column = make_column(index, generator)
        used = column.shares > 0
        shares = column.tilted(column.shifts(nats, pairs, generator))[:, used]
        now = generator.multinomial(rows, shares)
        then = generator.multinomial(100_000, column.shares[used], pairs)
        true = np.asarray(kl_divergence(shares, column.shares[used]))
        unmerged, upper = kl_interval(now, then)
        lower, _ = kl_interval(*merge_cells(now, then, ordered=column.bins.ordered))
        upper = np.maximum(upper, lower)
        held += [np.sum(lower <= true), np.sum(upper >= true), np.sum(unmerged <= true)]
    shares = np.round(held / (repetitions // pairs * pairs), 3)
    return dict(zip(("lower", "upper", "lower_unmerged"), shares.tolist(), strict=True))


# --- what could be seen


def best(world: str, effort: Effort, repetitions: int) -> dict[str, dict[str, float]]:
    """Return what kl-drift sees, and what it would see if the law of every column were known."""
    generator = np.random.default_rng(SEED)
    learned, known = [], []
    for _ in range(repetitions):
        sample = draw(Setting(world=world, rows=5_000, columns=effort.columns), generator)
        found = measure(sample)
        limits = learn(sample.history, sample.reference, budget=BUDGET)
        null = table_of(limits.null_limit, sample)
        true = [
            true_limit(
                column, WORLDS[world], sample.reference[name_of(index)], effort.law, generator
            )
            for index, column in enumerate(sample.columns)
        ]
        learned.append(decide(found, table_of(limits.limit, sample), null))
        known.append(decide(found, np.broadcast_to(np.c_[true], found.kl.shape), null))
    return {"learned": rate(np.array(learned)), "known": rate(np.array(known))}


def true_limit(
    column: Column,
    world: World,
    reference: ColumnProfile,
    days: int,
    generator: np.random.Generator,
) -> float:
    """Return the KL that an ordinary day of 5,000 rows exceeds once in 3,000 days."""
    assert reference.histogram
    counts = ordinary_days(column, world, days_rows(5_000, days, generator), generator)
    kl = kl_divergence(*smooth(counts, np.array(reference.histogram.counts)))
    return float(np.quantile(kl, 1 - BUDGET.alpha))


# --- the whole


def run(effort: Effort) -> dict[str, Any]:
    few = max(2, effort.repetitions // 4)
    return {
        "seed": SEED,
        "checks": CHECKS,
        "budget": BUDGET.false_alarms,
        "repetitions": effort.repetitions,
        "alarms": list(alarms(effort)),
        "variants": list(variants(effort)),
        "known": [
            {"world": world, "limits": limits, **numbers}
            for world in WORLDS
            for limits, numbers in best(world, effort, few).items()
        ],
        "trends": [{"world": world, **ramps(world, few, SEED, effort.columns)} for world in WORLDS],
        "coverage": [
            {"rows": rows, "kl": nats, "pairs": effort.pairs}
            | coverage(rows, nats, effort.pairs, SEED)
            for rows in effort.sizes
            for nats in (0.0, 0.005, 0.05, 0.3)
        ],
    }


def alarms(effort: Effort) -> Iterator[dict[str, Any]]:
    for world in WORLDS:
        for rows in effort.sizes:
            setting = Setting(world=world, rows=rows, columns=effort.columns)
            for rule, numbers in rates(setting, effort.repetitions, SEED + rows).items():
                yield {"world": world, "rows": rows, "rule": rule, **numbers}


def variants(effort: Effort) -> Iterator[dict[str, Any]]:
    """Vary one thing at a time, over as many columns in all as half the main table."""
    for name in effort.variants:
        setting = VARIANTS[name]
        setting = replace(setting, columns=min(setting.columns, effort.columns))
        repetitions = max(2, effort.repetitions * effort.columns // setting.columns // 2)
        for rule, numbers in rates(setting, repetitions, SEED).items():
            if rule in LEARNED:
                yield {"variant": name, "rule": rule, **numbers}


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers stand on the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def markdown(results: Mapping[str, Any]) -> str:
    return "\n\n".join(
        [
            *(alarm_table(results["alarms"], world) for world in WORLDS),
            variant_table(results["variants"]),
            known_table(results["known"]),
            trend_table(results["trends"]),
            coverage_table(results["coverage"]),
        ]
    )


def said(numbers: Mapping[str, float]) -> str:
    """Write false alarms | power at 0.05 / 0.1."""
    wrong, powers = numbers["false_alarms"], [numbers[f"power_{nats}"] for nats in SHIFTS]
    return f"{wrong:,.1f} · {' / '.join(f'{power:.2f}' for power in powers)}"


def alarm_table(found: Sequence[Mapping[str, Any]], world: str) -> str:
    here = [each for each in found if each["world"] == world]
    sizes = sorted({each["rows"] for each in here})
    rules = list(dict.fromkeys(each["rule"] for each in here))
    cells = {(each["rule"], each["rows"]): said(each) for each in here}
    return table(
        [f"{world}: false alarms · power", *(f"{n:,}" for n in sizes)],
        [[rule, *(cells[rule, n] for n in sizes)] for rule in rules],
    )


def variant_table(found: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(each["variant"] for each in found))
    cells = {(each["variant"], each["rule"]): said(each) for each in found}
    return table(
        ["5,000 rows, varied", *LEARNED],
        [[name, *(cells[name, rule] for rule in LEARNED)] for name in names],
    )


def known_table(found: Sequence[Mapping[str, Any]]) -> str:
    cells = {(each["world"], each["limits"]): said(each) for each in found}
    return table(
        ["limits, 5,000 rows", "learned", "law of the column known"],
        [[world, cells[world, "learned"], cells[world, "known"]] for world in WORLDS],
    )


def trend_table(found: Sequence[Mapping[str, Any]]) -> str:
    names = ["false_alarms", "false_trends", "found_by_single_days", "found_by_trend"]
    return table(
        ["ramp to 0.02 nats in 30 days", *(name.replace("_", " ") for name in names)],
        [[each["world"], *(each[name] for name in names)] for each in found],
    )


def coverage_table(found: Sequence[Mapping[str, Any]]) -> str:
    names = ["lower", "upper", "lower_unmerged"]
    return table(
        ["each 95 % limit holds", "KL", *(name.replace("_", ", ") for name in names)],
        [[f"{each['rows']:,} rows", each["kl"], *(each[name] for name in names)] for each in found],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the JSON file")
    options = parser.parse_args()
    effort = QUICK if options.quick else Effort()
    start = time.perf_counter()
    results = run(effort)
    text = json.dumps(results, indent=1, allow_nan=False, ensure_ascii=False)
    if options.output != OUTPUT or not options.quick:
        options.output.write_text(f"{text}\n", encoding="utf-8")
    print(markdown(results))
    print(f"\n{effort.repetitions} repetitions, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
