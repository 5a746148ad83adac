"""Great Expectations' own KL expectation beside kl-drift's, on the same batches: the page's table.

`python docs/figures/beside_gx.py` writes the table into the page, between its markers.
"""

from __future__ import annotations

import logging
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd

import kl_drift as kd
from kl_drift.gx import ExpectColumnKLDriftToBeLessThan

PAGE = Path(__file__).parents[1] / "how-to" / "great-expectations.md"
BEGIN, END = "<!-- table: beside -->", "<!-- end of table -->"
LIMIT = 0.1
DAYS = 40
EDGES = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A reference and batches: one, or many of which the failures are counted."""

    name: str
    reference: pd.Series
    batches: tuple[pd.Series, ...]
    edges: tuple[Any, ...] = ()  # of the reference's bins; none: categories
    closed: bool = False  # whether Great Expectations is told of the bins between the edges only


def normal(rows: int, seed: int, shift: float = 0.0) -> pd.Series:
    return pd.Series(np.random.default_rng(seed).normal(shift, 1.0, rows))


def codes(rows: int, seed: int, *new: str) -> pd.Series:
    drawn = np.random.default_rng(seed).choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    return pd.Series([*drawn, *new])


def within(rows: pd.Series) -> pd.Series:
    return rows[rows.abs() < 3]


def with_nulls(rows: pd.Series, share: float) -> pd.Series:
    return rows.mask(np.random.default_rng(2).random(len(rows)) < share)


def cases() -> list[Case]:
    then, now, fine = normal(20_000, 0), normal(10_000, 1), tuple(np.linspace(-3, 3, 51).tolist())
    whole = pd.Series(np.random.default_rng(4).integers(0, 9, 10_000)).astype("Int64")
    times = pd.Series(pd.date_range("2026-01-01", periods=10_000, freq="min"))
    small = tuple(within(normal(120, seed))[:100] for seed in range(DAYS))
    return [
        Case(name="nothing drifted", reference=then, batches=(now,), edges=EDGES),
        Case(name="the mean moved by 0.6 sd", reference=then, batches=(now + 0.6,), edges=EDGES),
        Case(
            name="one row of some 10,000 outside the range of the reference",
            reference=within(then),
            batches=(pd.concat([within(now), pd.Series([3.5])]),),
            edges=fine,
            closed=True,
        ),
        Case(
            name="one new category in 10,001 rows",
            reference=codes(20_000, 0),
            batches=(codes(10_000, 1, "new"),),
        ),
        Case(
            name="90 % of the rows became null",
            reference=then,
            batches=(with_nulls(now, 0.9),),
            edges=EDGES,
        ),
        Case(
            name=f"nothing drifted; 100 rows a day, 50 bins, {DAYS} days",
            reference=within(then),
            batches=small,
            edges=fine,
            closed=True,
        ),
        Case(
            name="nullable whole numbers, 2 % of them null in both",
            reference=with_nulls(whole, 0.02),
            batches=(with_nulls(whole, 0.02),),
            edges=tuple(range(1, 9)),
        ),
        Case(name="timestamps", reference=times, batches=(times,), edges=tuple(times[::2_500])),
    ]


def partition(case: Case) -> dict[str, Any]:
    """Return the reference as Great Expectations wants it, which is left to its users."""
    values = case.reference.dropna()
    if not case.edges:
        shares = values.value_counts(normalize=True).sort_index()
        return {"values": shares.index.tolist(), "weights": shares.tolist()}
    if not isinstance(case.edges[0], int | float):
        return {"bins": list(case.edges), "weights": [1 / (len(case.edges) - 1)] * 3}
    bins = list(case.edges) if case.closed else [-math.inf, *case.edges, math.inf]
    counts, _ = np.histogram(values.astype(float), bins=bins)
    return {"bins": bins, "weights": (counts / counts.sum()).tolist()}


def theirs(case: Case, _: Path) -> Any:
    return gx.expectations.ExpectColumnKLDivergenceToBeLessThan(
        column="x", partition_object=partition(case), threshold=LIMIT
    )


def ours(case: Case, path: Path) -> Any:
    of_times = case.edges and isinstance(case.edges[0], pd.Timestamp)
    bins = {"x": kd.Edges(edges=case.edges)} if case.edges and not of_times else None
    judge = {"x": "value"} if of_times else None
    kd.save(kd.fit(case.reference.to_frame("x"), columns=["x"], bins=bins, judge=judge), path)
    return ExpectColumnKLDriftToBeLessThan(column="x", reference=path, threshold=LIMIT)


def results(expectation: Any, batches: tuple[pd.Series, ...]) -> list[Any]:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    data = asset.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name="s", expectations=[expectation]))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="v", data=data, suite=suite)
    )
    found = []
    for batch in batches:
        try:
            run = definition.run(batch_parameters={"dataframe": batch.to_frame("x")})
            found.append(run.results[0])
        except Exception as error:  # noqa: BLE001 - it aborts the suite, which is what is shown
            found.append(error)
    return found


def said(found: list[Any]) -> str:
    """Say what an expectation answered, in a few words."""
    statuses = [None if isinstance(one, Exception) else _status(one) for one in found]
    if len(found) > 1:
        loud = sum(status in ("drift", "fails") for status in statuses)
        unsure = statuses.count("undecided")
        return f"alarms on {loud} of {len(found)}{f', undecided on {unsure}' if unsure else ''}"
    (one,), (status,) = found, statuses
    if status is None:
        return f"aborts the whole suite: `{type(one).__name__}`"
    value = one.result.get("observed_value")
    return f"{status}, {'`None`' if value is None else f'{value:.4f}'}"


def _status(one: Any) -> str:
    """Return kl-drift's status, or what there is of Great Expectations' own."""
    details = one.result.get("details") or {}
    if "status" in details:
        return str(details["status"])
    if "raised_exception" not in one.exception_info or one.exception_info["raised_exception"]:
        return "error"
    return "succeeds" if one.success else "fails"


def table() -> str:
    """Return the table, in Markdown."""
    lines = ["| Batch | Great Expectations' own | kl-drift |", "| --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            path = Path(folder) / f"{len(lines)}.json"
            answers = [said(results(make(case, path), case.batches)) for make in (theirs, ours)]
            lines.append(f"| {case.name} | {' | '.join(answers)} |")
    return "\n".join(lines)


def written(page: str) -> str:
    """Return the table that stands in a page."""
    return page.partition(BEGIN)[2].partition(END)[0].strip()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    found = table()
    print(found)
    if PAGE.exists():
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{after}", encoding="utf-8")
