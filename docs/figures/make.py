"""The figures and the tables of the explanations, measured with kl_drift itself.

`python docs/figures/make.py` draws every figure beside this file and prints every table. Each
function that measures is seeded, and a test holds the pages to the tables. The year of flights was
measured by year.py, which takes some minutes; here it is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import kl_drift as kd
from kl_drift.counts.bins import NumericBins
from kl_drift.counts.histogram import Histogram
from kl_drift.judging.measurement import measure_noise
from kl_drift.statistics.inference import kl_interval
from kl_drift.statistics.noise import noise_floor, noise_mean
from kl_drift.statistics.samples import merge_cells
from kl_drift.statistics.smoothing import smooth_reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HERE = Path(__file__).parent
FLIGHTS = HERE.parents[1] / "examples" / "flights"
MONTHS = [f"2013-{month:02d}" for month in range(1, 13)]
SEED = 20130101
ROWS = 100_000

YEAR = json.loads((HERE / "year.json").read_text(encoding="utf-8"))
JUDGED = [day for day in YEAR if "status" in day]

GREY, BLUE, ORANGE, GREEN, RED = "#8a8f98", "#0072b2", "#e69f00", "#009e73", "#d55e00"

BINNINGS = {
    "10 of equal width": kd.Uniform(count=10),
    "20 of equal width": kd.Uniform(count=20),
    "20 quantiles, no tails": kd.Quantiles(count=20, tails=()),
    "kl-drift's default": kd.Quantiles(),
}
FALSE_ROWS = (50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000)
FALSE_CELLS = 100
FALSE_REFERENCE = 1_000_000
METHODS = ("laplace on both sides", "half a row per cell on both sides", "default")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers stand on the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


# How much of a true divergence do bins keep?


@cache
def share_kept() -> dict[str, dict[str, float]]:
    """Return, for each shift and binning, binned KL (by the exact cell shares) / true KL."""
    from scipy.stats import lognorm, norm, pareto

    exact = kd.continuous.closed_form
    normal, shifted, wider = norm(0, 1), norm(0.3, 1), norm(0, 1.25)
    standard = {"mean": 0.0, "sd": 1.0}
    cases = {
        "normal, moved by 0.3 sd": (
            normal,
            shifted,
            exact("normal", current={"mean": 0.3, "sd": 1.0}, reference=standard),
        ),
        "normal, sd × 1.25": (
            normal,
            wider,
            exact("normal", current={"mean": 0.0, "sd": 1.25}, reference=standard),
        ),
        "lognormal (σ = 1.5), moved by 0.3 σ": (
            lognorm(1.5),
            lognorm(1.5, scale=np.exp(0.45)),
            exact(
                "lognormal",
                current={"mu": 0.45, "sigma": 1.5},
                reference={"mu": 0.0, "sigma": 1.5},
            ),
        ),
        "Pareto tail, α from 2 to 1.6": (
            pareto(2),
            pareto(1.6),
            exact(
                "pareto",
                current={"alpha": 1.6, "xm": 1.0},
                reference={"alpha": 2.0, "xm": 1.0},
            ),
        ),
    }
    return {
        case: {name: binned(then, now, each) / true for name, each in BINNINGS.items()}
        for case, (then, now, true) in cases.items()
    }


def binned(reference: Any, current: Any, binning: Any) -> float:
    """Return the KL of two laws over bins that were fitted on a sample of the reference."""
    sample = reference.rvs(ROWS, random_state=np.random.default_rng(SEED))
    bins = kd.fit({"x": sample}, bins=binning)["x"].histogram.bins
    now, then = (np.diff([0.0, *law.cdf(bins.edges), 1.0]) for law in (current, reference))
    return float(kd.kl_divergence(now, then))


def share_kept_table() -> str:
    rows = (
        [case, *(f"{each:.2f}" for each in kept.values())] for case, kept in share_kept().items()
    )
    return table(["share of the true KL kept", *BINNINGS], rows)


def draw_share_kept(figure: Figure) -> None:
    axes = figure.subplots()
    places = np.arange(len(share_kept()))
    for step, (name, colour) in enumerate(zip(BINNINGS, (GREY, ORANGE, GREEN, BLUE), strict=True)):
        kept = [by_binning[name] for by_binning in share_kept().values()]
        axes.bar(places + (step - 1.5) * 0.2, kept, 0.18, label=name, color=colour)
    axes.set_xticks(places, [case.replace(", ", "\n") for case in share_kept()])
    axes.set(ylabel="share of the true KL kept", ylim=(0, 1.02))
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)


# What does a cell for each common value do?


def zeros() -> tuple[np.ndarray, np.ndarray]:
    """Return a column that is 40 % zeros, and a fresh one in which half of those are 0.001."""
    generator = np.random.default_rng(SEED)

    def column() -> np.ndarray:
        return np.where(generator.random(ROWS) < 0.4, 0.0, generator.lognormal(3, 1, ROWS))

    reference, current = column(), column()
    places = np.flatnonzero(current == 0)
    current[places[: len(places) // 2]] = 0.001
    return reference, current


@cache
def atoms() -> dict[str, kd.ColumnReport]:
    """Return what plain unique quantiles and kl-drift's bins find of the zeros that moved."""
    reference, current = zeros()
    plain = np.unique(np.quantile(reference, np.arange(1, 20) / 20))
    ways = {
        "20 of equal width": kd.Uniform(),
        "20 quantiles, repeated ones dropped": kd.Edges(edges=tuple(plain.tolist())),
        "kl-drift's default, with atoms": kd.Quantiles(),
    }
    found = {}
    for name, binning in ways.items():
        profile = kd.fit({"x": reference}, bins=binning)
        found[name] = kd.compare(kd.scan({"x": current}, like=profile), profile)["x"]
    return found


def atoms_table() -> str:
    rows = ([name, f"{column.kl:.4f}", column.status] for name, column in atoms().items())
    return table(["half of the zeros become 0.001", "KL", "status"], rows)


def draw_atoms(figure: Figure) -> None:
    _, plain, ours = atoms().values()
    columns = (("20 quantiles, repeated ones dropped", plain), ("with atoms", ours))
    for axes, (title, column) in zip(figure.subplots(1, 2, sharey=True), columns, strict=True):
        shown = [cell for cell in column.cells if cell.reference or cell.current][:5]
        places = np.arange(len(shown))
        axes.bar(places - 0.2, [cell.reference for cell in shown], 0.38, color=GREY)
        axes.bar(places + 0.2, [cell.current for cell in shown], 0.38, color=BLUE)
        labels = [cell.label.replace(" to ", " to\n") for cell in shown]
        axes.set_xticks(places, labels, fontsize=8)
        axes.set_title(f"{title}: KL {column.kl:.4f}")
    figure.axes[0].set_ylabel("share of rows")
    figure.axes[1].legend(["reference", "current"], frameon=False)


# What does a fresh sample without drift score?


def shares() -> dict[str, np.ndarray]:
    """Return 100 cells: equal, and skewed as one over the square of the rank."""
    skewed = 1.0 / np.arange(1, FALSE_CELLS + 1) ** 2
    return {
        "equal shares": np.full(FALSE_CELLS, 1 / FALSE_CELLS),
        "skewed shares": skewed / skewed.sum(),
    }


@cache
def false_kl(repetitions: int = 300) -> dict[str, dict[int, tuple[float, ...]]]:
    """Return the mean KL of an undrifted sample, by shares and rows, in the order of METHODS."""
    generator = np.random.default_rng(SEED)
    found: dict[str, dict[int, tuple[float, ...]]] = {}
    for name, truth in shares().items():
        reference = generator.multinomial(FALSE_REFERENCE, truth, size=repetitions)
        found[name] = {
            rows: _scores(generator.multinomial(rows, truth, size=repetitions), reference)
            for rows in FALSE_ROWS
        }
    return found


def _scores(current: np.ndarray, reference: np.ndarray) -> tuple[float, ...]:
    pairs = (
        kd.smooth(current, reference, "laplace"),
        (smooth_reference(current), smooth_reference(reference)),
        kd.smooth(current, reference),
    )
    return tuple(float(np.mean(kd.kl_divergence(now, then))) for now, then in pairs)


def expected(rows: int) -> float:
    return float(noise_mean(rows, FALSE_REFERENCE, FALSE_CELLS))


def false_kl_table() -> str:
    header = ["shares", "current rows", *METHODS, "(k − 1)/2 · (1/n + 1/m)"]
    return table(
        header,
        (
            [name, f"{rows:,}", *(f"{score:.3f}" for score in scores), f"{expected(rows):.3f}"]
            for name, by_rows in false_kl().items()
            for rows, scores in by_rows.items()
            if rows in (100, 200, 1_000, 5_000, 20_000)
        ),
    )


def draw_false_kl(figure: Figure) -> None:
    panels = zip(figure.subplots(1, 2, sharey=True), false_kl().items(), strict=True)
    for axes, (name, by_rows) in panels:
        for place, (method, colour) in enumerate(zip(METHODS, (ORANGE, GREEN, BLUE), strict=True)):
            scores = [each[place] for each in by_rows.values()]
            axes.loglog(FALSE_ROWS, scores, "o-", color=colour, label=method, markersize=4)
        noise = [expected(rows) for rows in FALSE_ROWS]
        axes.loglog(FALSE_ROWS, noise, ":", color="black", label="(k − 1)/2 · (1/n + 1/m)")
        axes.axhline(0.05, color=RED, linewidth=0.8)
        axes.set_title(f"{name}, 100 cells")
        axes.set_xlabel("current rows, without drift")
        axes.minorticks_off()
    figure.axes[0].set_ylabel("mean KL, nats")
    figure.axes[0].annotate("drift limit", (60, 0.053), color=RED, fontsize=8)
    figure.axes[0].legend(frameon=False, loc="lower left", fontsize=8)


# How much is noise?


def noise_table() -> str:
    """Return the mean of an undrifted KL and what it stays below in 999 of 1,000 samples."""
    rows = (1_000, 5_000, 20_000, 100_000)
    return table(
        ["cells", *(f"{each:,} rows" for each in rows)],
        (
            [
                cells,
                *(
                    f"{noise_mean(each, ROWS, cells):.4f}, {noise_floor(each, ROWS, cells):.4f}"
                    for each in rows
                ),
            ]
            for cells in (10, 25, 53)
        ),
    )


# How often is each rule right?


SHIFTS = {
    "none": 0.0,
    "0.2 sd (KL 0.02)": 0.2,
    "0.316 sd (KL 0.05)": 0.316,
    "0.5 sd (KL 0.125)": 0.5,
}
RULE_ROWS = (500, 5_000)


@cache
def verdicts(repetitions: int = 100) -> dict[tuple[str, int], list[kd.ColumnReport]]:
    """Return what is found of samples of a normal column, by shift and rows."""
    from scipy.stats import norm

    generator = np.random.default_rng(SEED)
    reference = kd.fit({"x": generator.normal(size=ROWS)})
    found = {}
    for name, shift in SHIFTS.items():
        cut = norm(shift, 1).cdf(reference["x"].histogram.bins.edges)
        truth = np.diff([0.0, *cut, 1.0, 1.0, 1.0])  # no NaN, no null
        for rows in RULE_ROWS:
            samples = generator.multinomial(rows, truth, size=repetitions)
            found[name, rows] = [_judged(sample, reference) for sample in samples]
    return found


def _judged(counts: np.ndarray, reference: kd.Profile) -> kd.ColumnReport:
    column = reference["x"]
    histogram = replace(column.histogram, counts=tuple(counts.tolist()))
    columns = {"x": replace(column, histogram=histogram)}
    return kd.compare(replace(reference, rows=histogram.rows, columns=columns), reference)["x"]


def verdicts_table() -> str:
    """Return how often each rule says what; a point rule asks only whether KL is above."""
    limits = kd.Policy()
    says: dict[str, Callable[[kd.ColumnReport], bool]] = {
        f"KL > {limits.warn}": lambda column: column.kl > limits.warn,
        f"KL > {limits.drift}": lambda column: column.kl > limits.drift,
        **{str(each): partial(_has_status, each) for each in kd.Status},
    }
    rows = (
        [name, f"{rows:,}", *(f"{np.mean([*map(say, found)]):.0%}" for say in says.values())]
        for (name, rows), found in verdicts().items()
    )
    return table(["true shift", "rows", *says], rows).replace("%", " %")


def _has_status(status: kd.Status, column: kd.ColumnReport) -> bool:
    return column.status is status


# What do levels do that the reference never held?


@cache
def unseen() -> dict[str, tuple[float, float]]:
    """Return the KL of users without drift, and of products of which 2 % are new.

    As kl-drift counts them; with half a row expected of new levels; with new levels in `other`.
    """
    worlds = (_levels(users=100_000, new=0.0), _levels(users=200, new=0.02))
    return {
        "as kl-drift does": tuple(_kl(*world) for world in worlds),
        "new levels expected to be ½ row": tuple(
            _kl(*map(_without_singletons, world)) for world in worlds
        ),
        "new levels counted as `other`": tuple(_merged_kl(*world) for world in worlds),
    }


def _levels(*, users: int, new: float) -> tuple[kd.Profile, kd.Profile]:
    """Return the current and the reference profile of levels as common as one over their rank."""
    generator = np.random.default_rng(SEED)
    weights = 1.0 / np.arange(1, users + 1)
    names = generator.choice(users, size=(2, ROWS), p=weights / weights.sum()).astype("U6")
    names[1, : round(new * ROWS)] = "new"
    reference = kd.fit({"level": names[0]}, columns=["level"])
    return kd.scan({"level": names[1]}, like=reference), reference


def _kl(current: kd.Profile, reference: kd.Profile) -> float:
    return kd.compare(current, reference)["level"].kl


def _without_singletons(profile: kd.Profile) -> kd.Profile:
    column = profile["level"]
    bins = replace(column.histogram.bins, singletons=0)
    histogram = replace(column.histogram, bins=bins)
    return replace(profile, columns={"level": replace(column, histogram=histogram)})


def _merged_kl(current: kd.Profile, reference: kd.Profile) -> float:
    bins = reference["level"].histogram.bins
    counts = np.array([each["level"].histogram.counts for each in (current, reference)])
    counts[:, bins.other_cell] += counts[:, bins.unseen_cell]
    return float(kd.kl_divergence(*kd.smooth(*np.delete(counts, bins.unseen_cell, axis=1))))


def unseen_table() -> str:
    rows = ([name, f"{same:.4f}", f"{new:.4f}"] for name, (same, new) in unseen().items())
    return table(["KL of", "100,000 users, no drift", "200 products, 2 % of rows new"], rows)


# Do levels that come and go alarm where nothing drifts?


WORLDS = {
    "100,000 users, all alike": (np.ones(100_000), 1_000, 1_000, 0.0),
    "5,000 users, all alike": (np.ones(5_000), 1_000, 10_000, 0.0),
    "5,000 levels by rank": (1.0 / np.arange(1, 5_001), 1_000, 1_000, 0.0),
    "the same, a larger reference": (1.0 / np.arange(1, 5_001), 100_000, 10_000, 0.0),
    "the same, 10 % of rows new": (1.0 / np.arange(1, 5_001), 100_000, 10_000, 0.1),
}


@cache
def many_levels(repetitions: int = 20) -> dict[str, list[kd.ColumnReport]]:
    """Return what is found of samples of many levels, by how common these are."""
    generator = np.random.default_rng(SEED)
    found: dict[str, list[kd.ColumnReport]] = {}
    for name, (weights, then, now, new) in WORLDS.items():
        truth = weights / weights.sum()
        for _ in range(repetitions):
            names = [
                generator.choice(len(truth), rows, p=truth).astype("U6") for rows in (then, now)
            ]
            names[1][: round(new * now)] = "new"
            reference = kd.fit({"level": names[0]}, columns=["level"])
            column = kd.compare({"level": names[1]}, reference)["level"]
            found.setdefault(name, []).append(column)
    return found


def many_levels_table() -> str:
    rows = (
        [
            name,
            f"{WORLDS[name][1]:,}",
            f"{WORLDS[name][2]:,}",
            f"{np.mean([each.kl for each in columns]):.4f}",
            f"{np.mean([each.expected_new_share for each in columns]):.1%}",
            f"{np.mean([each.new_share for each in columns]):.1%}",
            f"{np.mean([each.interval[0] > 0.02 for each in columns]):.0%}",
            f"{np.mean([each.detected for each in columns]):.0%}",
        ]
        for name, columns in many_levels().items()
    )
    header = [
        "levels", "reference rows", "current rows", "mean KL", "new levels expected", "found",
        "lower limit > 0.02", "certain",
    ]  # fmt: skip
    return table(header, rows).replace("%", " %")


# Is a flood of a new value found behind a large reference?


FLOODS = ((1_000_000, 10_000, 0.02), (1_000_000, 1_000, 0.05), (1_000_000, 10_000, 0.0))


@cache
def floods(repetitions: int = 200) -> dict[tuple[int, int, float], tuple[float, float]]:
    """Return how often the lower limit exceeds 0.05: of merged cells alone, and as it is."""
    generator = np.random.default_rng(SEED)
    bins = NumericBins(domain="float", edges=tuple(float(edge) for edge in range(20)))
    truth = np.array([0.0, *[1 / 19] * 19, 0.0, 0.0, 0.0])
    found = {}
    for then, now, share in FLOODS:
        limits = []
        for _ in range(repetitions):
            reference = generator.multinomial(then, truth)
            current = generator.multinomial(now - round(now * share), truth)
            current[0] += round(now * share)
            merged = kl_interval(*merge_cells(current, reference), confidence=0.975)[0]
            sides = (
                Histogram(bins=bins, counts=tuple(side.tolist())) for side in (current, reference)
            )
            limits.append((merged, measure_noise(*sides, threshold=0.02).interval[0]))
        found[then, now, share] = tuple(np.mean(np.array(limits) > 0.05, axis=0))
    return found


def floods_table() -> str:
    rows = (
        [f"{share:.0%} of {now:,} rows", f"{then:,}", *(f"{each:.0%}" for each in found)]
        for (then, now, share), found in floods().items()
    )
    header = [
        "where the reference has none", "reference rows", "merged limit > 0.05",
        "lower limit > 0.05",
    ]  # fmt: skip
    return table(header, rows).replace("%", " %")


# Is anything drift in random halves of real data?


def real_halves_table() -> str:
    found = json.loads((HERE / "real_halves.json").read_text(encoding="utf-8"))
    header = ["rows on each side", "tables", "columns", *map(str, kd.Status), "10 % new: drift"]
    rows = (
        [
            f"{each['rows']:,}",
            each["tables"],
            f"{each['columns']:,}",
            *(f"{each[str(status)]:,}" for status in kd.Status),
            f"{each['found']:,} of {each['new']:,}",
        ]
        for each in found
    )
    return table(header, rows)


# What does each direction see?


@cache
def directions() -> dict[str, kd.ColumnReport]:
    """Return two changes of a category that holds 5 % of 100,000 rows."""
    common, rare = ["common"] * (ROWS * 95 // 100), ["rare"] * (ROWS * 5 // 100)
    alone = ["common"] * ROWS
    with_rare, without = {"x": common + rare}, {"x": alone}
    return {
        "it vanishes": kd.compare(without, with_rare)["x"],
        "it appears": kd.compare(with_rare, without)["x"],
    }


def directions_table() -> str:
    rows = (
        [name, f"{each.kl:.3f}", f"{each.kl_reverse:.3f}", each.status]
        for name, each in directions().items()
    )
    return table(
        ["a category of 5 %", "KL(current‖reference)", "KL(reference‖current)", "status"], rows
    )


# What happened in a year of flights?


@cache
def delays() -> dict[str, kd.ColumnReport]:
    """Return the departure delay of each later month, compared with January."""
    reference = kd.fit(FLIGHTS / f"month={MONTHS[0]}", columns=["dep_delay"])
    return {
        month: kd.compare(kd.scan(FLIGHTS / f"month={month}", like=reference), reference)[
            "dep_delay"
        ]
        for month in MONTHS[1:]
    }


def delays_table() -> str:
    return table(
        ["month", "KL", "of the null flag", "of the values", "null rows", "status"],
        (
            [
                month,
                f"{each.kl:.4f}",
                f"{each.kl_null:.4f}",
                f"{each.kl_values:.4f}",
                f"{each.current_nulls:.1%}".replace("%", " %"),
                each.status,
            ]
            for month, each in delays().items()
        ),
    )


def draw_delays(figure: Figure) -> None:
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    found = delays().values()
    null_part = np.array([column.kl_null for column in found])
    total = np.array([column.kl for column in found])
    upper.bar(MONTHS[1:], null_part, 0.6, color=ORANGE, label="null flag")
    upper.bar(MONTHS[1:], total - null_part, 0.6, null_part, color=BLUE, label="values")
    _limit(upper, 0.02, "warn", ORANGE)
    _limit(upper, 0.05, "drift", RED)
    upper.set(ylabel="KL against January, nats", ylim=(0, 0.066))
    upper.legend(frameon=False, loc="upper left", ncols=2)
    lower.bar(MONTHS[1:], [column.current_nulls for column in found], 0.6, color=ORANGE)
    lower.axhline(next(iter(found)).reference_nulls, color=GREY, linewidth=1)
    lower.set(ylabel="null share")
    lower.set_xticks(range(len(found)), [month[-2:] for month in MONTHS[1:]])
    lower.set_xlabel("month of 2013; the grey line is January's share")


def _limit(axes: Axes, limit: float, name: str, colour: str) -> None:
    axes.axhline(limit, color=colour, linewidth=0.8)
    axes.annotate(f"{name} limit", (2.0, limit), color=colour, fontsize=8, va="bottom", ha="center")


# What happened in a year of flights, day by day?

DEFAULT_RULE = "the 28 days before, learned limits"
KINDS = {"event": "events", "between": "days between", "ordinary": "ordinary days"}


def status_by(rule: str, day: dict[str, Any]) -> str:
    return day["status"] if rule == DEFAULT_RULE else day["others"][rule]


def year_rules_table() -> str:
    """Return how many days of each kind each rule names, or cannot tell."""
    counts = {kind: sum(day["kind"] == kind for day in JUDGED) for kind in KINDS}
    return table(
        ["compared with, by", *(f"{KINDS[kind]} ({n})" for kind, n in counts.items())],
        (
            [f"**{rule}**" if rule == DEFAULT_RULE else rule, *(said(rule, kind) for kind in KINDS)]
            for rule in (*JUDGED[0]["others"], DEFAULT_RULE)
        ),
    )


def said(rule: str, kind: str) -> str:
    found = [status_by(rule, day) for day in JUDGED if day["kind"] == kind]
    undecided = found.count("undecided")
    named = f"{found.count('drift')} named"
    return f"{named}, {undecided} undecided" if undecided else named


def days_table(days: Iterable[dict[str, Any]]) -> str:
    return table(
        ["day", "flights", "cancelled", "an hour late", "KL of dep_delay", "its limit", "named"],
        (
            [
                f"{date.fromisoformat(day['date']):%a %d %b}",
                f"{day['flights']:,}",
                *(f"{day[share]:.1%}".replace("%", " %") for share in ("cancelled", "late")),
                f"{day['kl']['dep_delay']:.2f}",
                f"{day['limit']['dep_delay']:.2f}",
                ", ".join(f"`{name}`" for name in day["drifted"]) or "–",
            ]
            for day in days
        ),
    )


def events() -> list[dict[str, Any]]:
    return [day for day in JUDGED if day["kind"] == "event"]


def year_worst_table() -> str:
    """Return the days on which more than a tenth of the flights was cancelled."""
    return days_table(day for day in events() if day["cancelled"] > 0.1)


def year_missed_table() -> str:
    return days_table(day for day in events() if day["status"] != "drift")


def year_false_table() -> str:
    return days_table(
        day for day in JUDGED if day["kind"] == "ordinary" and day["status"] == "drift"
    )


INK, PALE, PALER = "#30363d", "#cfe0ec", "#e9edf1"
LOOKS: dict[str, tuple[str, str]] = {
    "history": ("white", "#c8ccd1"),
    "history, taken out": ("#c8ccd1", "#c8ccd1"),
    "ordinary, quiet": (PALE, PALE),
    "between, quiet": ("#9dbfd8", "#9dbfd8"),
    "event, named": (RED, RED),
    "event, missed": ("white", RED),
    "between, named": (ORANGE, ORANGE),
    "ordinary, named": (INK, INK),
}
"""Fill and edge of a day in the calendar."""


def look(day: dict[str, Any]) -> str:
    if "status" not in day:
        return "history, taken out" if day["acknowledged"] else "history"
    if day["status"] == "drift":
        return f"{day['kind']}, named"
    return "event, missed" if day["kind"] == "event" else f"{day['kind']}, quiet"


def draw_calendar(figure: Figure) -> None:
    from matplotlib.patches import Rectangle

    axes = figure.subplots()
    for day in YEAR:
        when, (fill, edge) = date.fromisoformat(day["date"]), LOOKS[look(day)]
        place = (when.day - 0.42, when.month - 0.42)
        axes.add_patch(Rectangle(place, 0.84, 0.84, facecolor=fill, edgecolor=edge, linewidth=1.2))
    axes.set(xlim=(0.4, 31.6), ylim=(12.6, 0.4), aspect="equal")
    axes.set_xticks([1, 5, 10, 15, 20, 25, 31])
    axes.set_yticks(range(1, 13), [f"{date(2013, month, 1):%b}" for month in range(1, 13)])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    shown = [
        Rectangle((0, 0), 1, 1, facecolor=fill, edgecolor=edge, label=f"{name} ({count})")
        for name, (fill, edge) in LOOKS.items()
        if (count := sum(look(day) == name for day in YEAR))
    ]
    figure.legend(
        handles=shown, ncols=4, loc="outside lower center", frameon=False, fontsize=8,
        handlelength=1, handleheight=1,
    )  # fmt: skip


def draw_year(figure: Figure) -> None:
    panels = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
    for axes, name in zip(panels, YEAR[-1]["kl"], strict=True):
        draw_days(axes, name)
    for day in apart(events()):
        when, kl = date.fromisoformat(day["date"]), day["kl"]["dep_delay"]
        panels[0].annotate(
            f"{when.day} {when:%b}", (when, kl), (0, 5), textcoords="offset points", fontsize=7,
            ha="center",
        )  # fmt: skip
    panels[0].annotate("the first history", (0.01, 0.03), xycoords="axes fraction", fontsize=8)
    first = [date(2013, month, 1) for month in range(1, 13)]
    panels[-1].set_xticks(first, [f"{each:%b}" for each in first], ha="left")
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="outside upper center", frameon=False, fontsize=8)
    figure.supylabel("KL, nats", fontsize=9)


def apart(days: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the days of the largest KL that stand two weeks apart, as their labels need it."""
    chosen: list[dict[str, Any]] = []
    for day in sorted(days, key=lambda day: -day["kl"]["dep_delay"])[:16]:
        when = date.fromisoformat(day["date"])
        if all(abs((when - date.fromisoformat(each["date"])).days) > 13 for each in chosen):
            chosen.append(day)
    return chosen


def draw_days(axes: Axes, name: str) -> None:
    from matplotlib.ticker import FuncFormatter

    days = [day for day in YEAR if "kl" in day]
    when = [date.fromisoformat(day["date"]) for day in days]
    kl = np.array([day["kl"][name] for day in days])
    still = [day.get("kl_still", {}).get(name, np.nan) for day in days]
    limits = [day.get("limit", {}).get(name, np.nan) for day in days]
    named = np.array([name in day.get("drifted", ()) for day in days])
    axes.axvspan(date(2013, 1, 1), date.fromisoformat(JUDGED[0]["date"]), color=PALER, linewidth=0)
    if name != "dep_delay":
        axes.plot(when, still, color=ORANGE, linewidth=0.9, label="against January to March")
    axes.plot(when, np.where(named, np.nan, kl), ".", color=BLUE, markersize=3.5,
              label="against the 28 days before")  # fmt: skip
    axes.plot(when, np.where(named, kl, np.nan), "o", color=RED, markersize=4.5, label="named")
    axes.step(when, limits, color=INK, linewidth=1, where="mid", label="learned limit")
    axes.set_title(name, loc="left", fontfamily="monospace")
    axes.set(xlim=(date(2013, 1, 1), date(2014, 1, 1)), yscale="log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()


FIGURES: dict[str, tuple[Callable[[Figure], None], float]] = {
    "share-kept": (draw_share_kept, 3.2),
    "atoms": (draw_atoms, 3.0),
    "false-kl": (draw_false_kl, 3.6),
    "flights": (draw_delays, 4.2),
    "calendar": (draw_calendar, 3.9),
    "year": (draw_year, 6.2),
}
"""What is drawn under which name, and its height in inches."""

TABLES: dict[str, Callable[[], str]] = {
    "share-kept": share_kept_table,
    "atoms": atoms_table,
    "false-kl": false_kl_table,
    "noise": noise_table,
    "verdicts": verdicts_table,
    "unseen": unseen_table,
    "many-levels": many_levels_table,
    "floods": floods_table,
    "real-halves": real_halves_table,
    "directions": directions_table,
    "flights": delays_table,
    "year-rules": year_rules_table,
    "year-worst": year_worst_table,
    "year-missed": year_missed_table,
    "year-false": year_false_table,
}


def draw(name: str, folder: Path = HERE) -> Path:
    """Draw one figure as SVG: the same bytes every time."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    paint, height = FIGURES[name]
    style = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(8.0, height), layout="constrained")
        paint(figure)
        path = folder / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})
    return path


def main() -> None:
    for name in FIGURES:
        path = draw(name)
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    for name, written in TABLES.items():
        print(f"\n{name}\n\n{written()}")


if __name__ == "__main__":
    main()
