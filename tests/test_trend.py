"""Slow ramps: found where no single snapshot shows one, and not where there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pytest

import kl_drift as kd
from kl_drift.artefact import report_to_dict, schema
from kl_drift.errors import PlanError
from kl_drift.judging.limits import Trend
from kl_drift.judging.policy import Evidence, Policy, Status, decide
from kl_drift.render.html import render_html
from kl_drift.render.markdown import to_markdown
from kl_drift.render.terminal import to_text

pytestmark = pytest.mark.slow  # simulations

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
FOUND = json.loads((ROOT / "docs" / "figures" / "trends.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "how-to" / "references.md").read_text(encoding="utf-8")
ROWS, ORDINARY, DAYS = 4_000, 30, 24


def day(number: int, ramp: float) -> pa.Table:
    """Return a day whose means stray; that of x climbs from the 30th on."""
    generator = np.random.default_rng(number)
    x, y = generator.normal(0, 0.05, 2)
    climbed = ramp * max(0, number - ORDINARY + 1) / DAYS
    columns = {"x": generator.normal(x + climbed, 1, ROWS), "y": generator.normal(y, 1, ROWS)}
    return pa.table(columns)


def checked(tmp_path: Path, ramp: float, **keys: object) -> list[kd.Report]:
    reference = kd.fit(pa.concat_tables(day(n, 0) for n in range(100, 120)))
    kd.save(reference, tmp_path / "reference.json")
    plan = kd.Plan.from_dict(
        {
            "reference": {"path": tmp_path / "reference.json"},
            "history": tmp_path / "h.sqlite",
            "name": "days",
        }
        | keys
    )
    return [kd.check(plan, current=day(number, ramp)) for number in range(ORDINARY + DAYS)]


@pytest.fixture(scope="module")
def climbing(tmp_path_factory: pytest.TempPathFactory) -> list[kd.Report]:
    return checked(tmp_path_factory.mktemp("climbing"), 0.18, trend={})


def test_a_ramp_that_no_single_day_shows_is_a_warning(
    climbing: list[kd.Report], tmp_path: Path
) -> None:
    without = checked(tmp_path, 0.18)
    assert {report["x"].status for report in without} == {Status.OK}
    warned = [report["x"] for report in climbing if report["x"].status is not Status.OK]
    assert warned
    assert {column.status for column in warned} == {Status.WARN}
    assert all(column.trend.exceeds for column in warned)
    first = climbing.index(next(report for report in climbing if report["x"] in warned))
    assert ORDINARY + 5 < first < ORDINARY + DAYS
    assert {report["y"].status for report in climbing} == {Status.OK}


def test_the_trend_is_told_everywhere(climbing: list[kd.Report]) -> None:
    report = climbing[-1]
    column = report["x"]
    reason = kd.reason(column)
    assert reason.startswith(f"slow rise over the last {column.trend.rising} snapshots: ")
    assert "sd above the ordinary" in reason
    assert (column.verdict.value, column.verdict.limit) == (
        column.trend.statistic,
        column.trend.limit,
    )
    document = report_to_dict(report)
    jsonschema.validate(document, schema("report"))
    (found,) = [each["trend"] for each in document["columns"] if each["name"] == "x"]
    assert found["statistic"] == column.trend.statistic > found["limit"] == column.trend.limit
    for text in (to_text(report), to_markdown(report), render_html(report)):
        assert f"slow rise over the last {column.trend.rising}" in " ".join(text.split())
    assert "Slow rise" in render_html(report)
    assert (report.to_pandas()["which"] == "trend").sum() == 1


def test_there_is_no_trend_before_there_is_a_past(climbing: list[kd.Report]) -> None:
    assert [report["x"].trend for report in climbing[:14]] == [None] * 14
    sizes = [report["x"].trend.snapshots for report in climbing[14:]]
    assert sizes == [min(number + 1, 20) for number in range(len(sizes))]


def test_the_trend_is_measured_to_the_fixed_reference(tmp_path: Path) -> None:
    """The day before climbs along; January does not."""
    reference = {"path": tmp_path / "reference.json", "choose": "previous"}
    reports = checked(tmp_path, 0.18, trend={"snapshots": 20, "weight": 0.2}, reference=reference)
    assert reports[-1].reference.choice == "previous"
    assert reports[-1]["x"].trend.exceeds


def test_a_trend_only_worsens_a_verdict() -> None:
    trend = Trend(statistic=2.0, limit=1.0, snapshots=20, rising=9)
    still = Trend(statistic=0.5, limit=1.0, snapshots=20, rising=9)
    ok = Evidence(kl=0.001, kl_null=0, current_rows=9, reference_rows=9, interval=(0, 0.002),
                  noise_floor=0.001, trend=trend)  # fmt: skip
    drift = Evidence(kl=1.0, kl_null=0, current_rows=9, reference_rows=9, interval=(0.9, 1.1),
                     noise_floor=0.001, trend=trend)  # fmt: skip
    undecided = Evidence(kl=0.1, kl_null=0, current_rows=9, reference_rows=9, trend=trend)
    quiet = Evidence(kl=0.001, kl_null=0, current_rows=9, reference_rows=9, interval=(0, 0.002),
                     noise_floor=0.001, trend=still)  # fmt: skip
    said = [decide("x", each, Policy()) for each in (ok, drift, undecided, quiet)]
    assert [each.status for each in said] == ["warn", "drift", "undecided", "ok"]
    assert [each.which for each in said] == ["trend", "stated", "noise", "stated"]
    assert (said[0].value, said[0].limit) == (2.0, 1.0)
    assert said[0].alone == said[3]
    columns = [kd.ColumnReport(name="x", verdict=each, trend=trend) for each in said[:3]]
    rise = "slow rise over the last 9 snapshots: their KL to the fixed reference, weighted, is 2 sd"
    assert [rise in kd.reason(column) for column in columns] == [True, True, True]
    assert "; this snapshot alone: no sign of drift: KL 0.0010 nats" in kd.reason(columns[0])
    quiet_column = kd.ColumnReport(name="x", verdict=said[3], trend=still)
    assert rise not in kd.reason(quiet_column)


def test_the_simulation_says_what_the_page_says() -> None:
    import trends

    seed = trends.SEEDS - 1
    assert trends.month(seed, 0.0) == FOUND["quiet"][seed]
    total = {
        world: {key: sum(each[key] for each in FOUND[world]) for key in FOUND[world][0]}
        for world in ("quiet", "ramp")
    }
    quiet, ramp = total["quiet"], total["ramp"]
    assert FOUND["checks"] == trends.SEEDS * trends.COLUMNS * trends.DAYS
    assert quiet["trend"] <= 5 * trends.SEEDS  # the budget is one a month; false ones come in runs
    assert ramp["columns_trend"] > 1.3 * ramp["columns_alone"]
    page = " ".join(PAGE.split())
    assert (
        f"In {FOUND['checks']:,} checks of columns that only stray, {quiet['trend']} trends were "
        f"found, in {quiet['columns_trend']} of {FOUND['columns']} columns" in page
    )
    assert (
        f"the trend found {ramp['columns_trend']} of {FOUND['columns']} within the month, "
        f"single days {ramp['columns_alone']}" in page
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trend: {}", "p.yaml:3: trend: is found in the history; add  history: checks.sqlite"),
        ("history: h\ntrend: {weight: 2}", "p.yaml:4: trend.weight: expected a number above 0 and "
         "of at most 1, got 2"),
        ("history: h\ntrend: {}\nsmoothing: none", "p.yaml:4: trend: cannot be told with  "
         "smoothing: none, where KL may be infinite"),
        ("history: h\ntrend:", "p.yaml:4: trend: expected a mapping, got nothing"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.yaml").write_text(f"version: 1\nreference: a\n{text}\n")
    with pytest.raises(PlanError) as caught:
        kd.load_plan(tmp_path / "p.yaml")
    assert str(caught.value).replace(f"{tmp_path}/", "") == said
