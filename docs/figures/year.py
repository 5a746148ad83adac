"""A year of flights, judged day by day as checks with a history do it; writes year.json.

Every day of 2013 is a snapshot of some 900 rows. Bins are fitted on January to March; from April on
each day is judged, by limits learned from the days before it. Which days were out of the ordinary
is said by a rule on cancellations and delays alone, stated before anything was judged. A day that
is named and is such an event is acknowledged, so nothing is learned from it; what was missed stays.

    python docs/figures/year.py        # some minutes
"""

from __future__ import annotations

import json
import runpy
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.progress import track

import kl_drift as kd
from kl_drift.judging.comparison import compare_profiles
from kl_drift.judging.limits import LearnedLimits
from kl_drift.plan.plan import Plan, load_plan

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUTPUT = HERE / "year.json"
PLAN = ROOT / "configs" / "flights-daily.yaml"
START = "2013-04-01"
"""The first day that is judged; those before it are the history."""

REMEMBERED = 90  # as a check does
SHOWN = ("dep_delay", "air_time", "flight")
"""The columns that the figure draws."""


# What happened, by the airlines' own numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a day was like.

    Parameters
    ----------
    flights : int
        How many were to leave.
    cancelled, late : float
        The share that did not leave, and of the others that which left more than an hour late.
    """

    flights: int
    cancelled: float
    late: float

    @property
    def kind(self) -> str:
        """``event``: more than 5 % cancelled or more than 20 % late; ``ordinary``: at most half."""
        if self.cancelled > 0.05 or self.late > 0.20:
            return "event"
        return "ordinary" if self.cancelled <= 0.025 and self.late <= 0.10 else "between"


def truth(day: Path) -> Truth:
    delay = pq.read_table(day / "part-0.parquet", columns=["dep_delay"], partitioning=None)[0]
    left = len(delay) - delay.null_count
    return Truth(
        flights=len(delay),
        cancelled=delay.null_count / len(delay),
        late=pc.sum(pc.greater(delay, 60)).as_py() / left,
    )


# What is said of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """The days, counted over bins that were fitted on January to March."""

    plan: Plan
    fixed: kd.Profile
    profiles: Mapping[str, kd.Profile]
    truths: Mapping[str, Truth]


def read_year(folder: Path) -> Year:
    """Write the days as snapshots below a folder, beside the plan, and count them."""
    write_days = runpy.run_path(str(ROOT / "examples" / "by_day.py"))["write_days"]
    paths = write_days(folder / "out" / "flights-by-day")
    (folder / "configs").mkdir()
    copy = folder / "configs" / PLAN.name
    copy.write_bytes(PLAN.read_bytes())
    plan = load_plan(copy, values={"day": START})
    fixed = kd.fit(plan.reference, columns=plan.selection)
    profiles = {
        date: kd.scan(kd.Snapshot(path=str(path), as_of=date), like=fixed)
        for date, path in paths.items()
    }
    truths = {date: truth(path) for date, path in paths.items()}
    return Year(plan=plan, fixed=fixed, profiles=profiles, truths=truths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a history holds: which days its owner took out, and what each was compared with."""

    year: Year
    acknowledged: set[str] = field(default_factory=set)
    windows: dict[str, kd.Profile | None] = field(default_factory=dict)

    def before(self, date: str) -> list[str]:
        """Return the days before, without those that were taken out."""
        days = self.year.profiles
        return [each for each in days if each < date and each not in self.acknowledged]

    def window(self, date: str) -> kd.Profile | None:
        """Return the last 28 of them, merged; None where they are fewer."""
        if date not in self.windows:
            past = [self.year.profiles[each] for each in self.before(date)]
            self.windows[date] = self.year.plan.choice.of(self.year.profiles[date], past)
        return self.windows[date]

    def moving(self, date: str, learned: LearnedLimits | None = None) -> kd.Report:
        """Compare a day with the 28 before it."""
        plan, current = self.year.plan, self.year.profiles[date]
        return compare_profiles(
            current, self.window(date), plan.policy, plan.smoothing, learned, fitted=False
        )

    def still(self, date: str, learned: LearnedLimits | None = None) -> kd.Report:
        """Compare a day with January to March."""
        policy = self.year.plan.policy
        return kd.compare(self.year.profiles[date], self.year.fixed, policy=policy, learned=learned)

    def learned(self, date: str, *, moving: bool) -> LearnedLimits:
        """Return what the last 90 days teach, each compared as this one is."""
        plan, fixed, days = self.year.plan, self.year.fixed, self.before(date)[-REMEMBERED:]
        return kd.learn(
            [self.year.profiles[each] for each in days],
            fixed,
            budget=plan.calibration.budget(len(fixed.counted)),
            confirm=plan.confirmation,
            against=[self.window(each) for each in days] if moving else None,
            choice=str(plan.choice) if moving else "",
        )

    def day(self, date: str) -> dict[str, Any]:
        """Say what a day was and, from April on, what was found of it."""
        known = self.year.truths[date]
        day = {"date": date, **asdict(known), "kind": known.kind, "acknowledged": False}
        if self.window(date):
            learned = self.learned(date, moving=True) if date >= START else None
            report = self.moving(date, learned)
            day["kl"] = {name: report[name].kl for name in SHOWN}
            if learned:
                day["limit"] = {name: report[name].history_limit for name in SHOWN}
                day |= {"status": str(report.status), "drifted": [*report.drifted]}
        return rounded(day)

    def otherwise(self, date: str) -> dict[str, Any]:
        """Return what simpler rules say of a day, and its KL against January to March."""
        still, learned = self.still(date), self.learned(date, moving=False)
        found = {
            "others": {
                "January to March, fixed limits": str(still.status),
                "January to March, learned limits": str(self.still(date, learned).status),
                "the 28 days before, fixed limits": str(self.moving(date).status),
            },
            "kl_still": {name: still[name].kl for name in SHOWN},
        }
        return rounded(found)


def taken_out(day: Mapping[str, Any]) -> bool:
    """Say whether a day is acknowledged: an event of the first months, or one that was named."""
    return day["kind"] == "event" and bool(day["date"] < START or day["drifted"])


def walk(year: Year) -> list[dict[str, Any]]:
    """Go through the year day by day."""
    record, days = Record(year=year), []
    for date in track(year.profiles):
        day = record.day(date)
        if date >= START:
            day |= record.otherwise(date)
        if taken_out(day):
            day["acknowledged"] = True
            record.acknowledged.add(date)
        days.append(day)
    return days


def rounded(value: Any) -> Any:
    """Return numbers with five significant digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        days = walk(read_year(Path(folder)))
    lines = ",\n".join(json.dumps(day, ensure_ascii=False) for day in days)
    OUTPUT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
