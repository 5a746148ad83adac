"""Write the golden profile, report and limits of the newest formats, beside this script.

    python tests/golden/make_golden.py

A file once released is never written again: it shows that its version can still be read.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from kl_drift.api import compare, fit, scan
from kl_drift.artefact import VERSIONS, save
from kl_drift.counts.binning import Categories, Edges, Uniform
from kl_drift.counts.profile import Profile
from kl_drift.counts.selection import Selection
from kl_drift.history.calibration import learn
from kl_drift.judging.limits import Budget, LearnedLimits
from kl_drift.judging.report import Report

HERE = Path(__file__).parent
ROWS = 6_000
START = datetime(2013, 1, 1, tzinfo=UTC)
SELECTION = Selection(
    exclude=("left_out",),
    bins={
        "uniform": Uniform(count=4),
        "stated": Edges(edges=("0.50", "12.25")),
        "integer_levels": Categories(top=3),
        "float_levels": Categories(levels=("0.5", "never")),
        "decimal_levels": Categories(),
        "day_levels": Categories(top=2),
    },
    judge={
        "day": ("value", "weekday"),
        "day_levels": ("value",),
        "moment": ("value", "hour"),
        "instant": ("value", "age"),
    },
    pairs=(("float", "text"), ("integer", "hour(moment)")),
)


def table(later: bool = False) -> pa.Table:
    """Return rows without any chance in them, in every domain; some have moved if ``later``."""
    steps = [(7 * i + 3 * later) % ROWS for i in range(ROWS)]
    days = [date(2013, 1 + later, 1) + timedelta(days=step % 28) for step in steps]
    moments = [START + timedelta(days=31 * later, minutes=7 * step) for step in steps]
    texts = ["a", "b", "ç", "'quoted'", "new" if later else "a"]
    return pa.table(
        {
            "integer": [step % 40 * (1 + step % 3) for step in steps],
            "float": [None if s % 50 < 1 + later else (s - 2_999) / 128 + later for s in steps],
            "not_a_number": [float("nan") if step % 4 == 0 else step / 8 for step in steps],
            "stated": [Decimal(step % 2_000).scaleb(-2) for step in steps],
            "uniform": [step % 100 / 4 for step in steps],
            "integer_levels": [step % 7 for step in steps],
            "float_levels": [step % 3 / 2 for step in steps],
            "decimal_levels": [Decimal(step % 3).scaleb(-1) for step in steps],
            "text": [None if step % 11 == 0 else texts[step % 5] for step in steps],
            "many_texts": [f"level {step // (1 + step % 9)}" for step in steps],
            "bytes": [bytes([step % 3]) for step in steps],
            "flag": [step % 3 == 0 for step in steps],
            "day": days,
            "day_levels": days,
            "clock": pa.array([step * 14 for step in steps], pa.int32()).cast(pa.time32("s")),
            "moment": pa.array([m.replace(tzinfo=None) for m in moments], pa.timestamp("us")),
            "instant": pa.array(moments, pa.timestamp("ms", "UTC")),
            "duration": pa.array([step % 600 for step in steps], pa.duration("s")),
            "not_judged": pa.array(moments, pa.timestamp("s", "UTC")),
            "identifier": steps,
            "nested": [[step] for step in steps],
            "left_out": [1] * ROWS,
            "empty": pa.nulls(ROWS),
            "arrives" if later else "leaves": [1] * ROWS,
            "changes": ["1"] * ROWS if later else [1] * ROWS,
        }
    )


def profile() -> Profile:
    """Return the profile of the reference."""
    fitted = fit(table(), columns=SELECTION)
    return replace(fitted, sources=("flights/month=2013-01",), as_of="2013-01-31", **_written(1))


def report() -> Report:
    """Return the report on a later snapshot."""
    scanned = scan(table(later=True), like=profile())
    current = replace(scanned, sources=("flights/month=2013-02",), **_written(2))
    written = _written(3)
    return replace(compare(current, profile()), **written)


def limits() -> LearnedLimits:
    """Return limits learned from days of 2 columns, one of which comes late."""
    days = [_day(number) for number in range(16)]
    reference = fit(pa.concat_tables(days[5:]), columns=["x", "level"])
    past = [
        replace(scan(day, like=reference), as_of=f"2013-01-{number + 1:02}")
        for number, day in enumerate(days)
    ]
    budget = Budget(false_alarms=1, checks=60)
    learned = learn(past, reference, budget=budget, leave_out=["2013-01-09"])
    return replace(learned, **_written(1))


def _day(number: int) -> pa.Table:
    steps = range(600)
    levels = [f"level {step * (number % 4 + 2) % 7}" for step in steps]
    columns = {"x": [None if s % 90 == 0 else s % 50 + number % 5 / 4 for s in steps]}
    level = {"level": levels} if number > 4 else {}
    return pa.table(columns | level)


def _written(month: int) -> dict[str, str]:
    return {"created": f"2013-{month:02}-28T06:00:00+00:00", "created_by": "0.1.0"}


if __name__ == "__main__":
    save(profile(), HERE / f"profile-{VERSIONS['profile']}.json")
    save(limits(), HERE / f"limits-{VERSIONS['limits']}.json")
    save(report(), HERE / f"report-{VERSIONS['report']}.json")
