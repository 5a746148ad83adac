"""The closest of several references: in Python, in a plan, on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kl_drift as kd
from kl_drift.errors import BinsMismatchError, PlanError, UsageError
from kl_drift.judging.limits import MIN_SNAPSHOTS
from kl_drift.judging.nearest import closest_profile
from kl_drift.statistics.closest import closest, closest_in_sum

FLIGHTS = Path(__file__).parents[1] / "examples" / "flights"
ROWS = 4_000


def table(seed: int, x: float = 0.0, y: float = 0.0) -> pa.Table:
    generator = np.random.default_rng(seed)
    return pa.table({"x": generator.normal(x, 1, ROWS), "y": generator.normal(y, 1, ROWS)})


def test_one_distribution_is_a_sum_of_one() -> None:
    current, references = [90, 10], {"a": [80, 20], "b": [10, 90]}
    alone = closest(current, references)
    assert closest_in_sum([current], {name: [each] for name, each in references.items()}) == alone


def test_sums_are_of_divergences_and_of_standard_errors() -> None:
    first = closest([90, 10], {"a": [80, 20], "b": [60, 40]})
    both = closest_in_sum([[90, 10]] * 2, {"a": [[80, 20]] * 2, "b": [[60, 40]] * 2})
    assert both.best == "a"
    for name in "ab":
        assert both.divergences[name] == pytest.approx(2 * first.divergences[name])
        assert both.intervals[name] == pytest.approx([2 * each for each in first.intervals[name]])


def test_references_must_have_as_many_distributions() -> None:
    with pytest.raises(UsageError, match="reference 'a' has 1 distributions and current has 2"):
        closest_in_sum([[1, 2], [3, 4]], {"a": [[1, 2]]})


def test_the_columns_decide_together() -> None:
    """By x alone the first is closer, by y alone the second, and y weighs more."""
    references = {"same x": table(1, 0, 0.8), "same y": table(2, 0.4, 0)}
    found = kd.closest_reference(table(3), references)
    assert (found.best, found.ties) == ("same y", ())
    assert kd.closest_reference(table(3), references, columns=["x"]).best == "same x"
    lower, upper = found.intervals["same x"]
    assert 0 < lower < found.divergences["same x"] - found.divergences["same y"] < upper


def test_a_tie_is_called_a_tie() -> None:
    ties = 0
    for seed in range(20):
        references = {"a": table(3 * seed), "b": table(3 * seed + 1), "c": table(1, 0.5, 0)}
        found = kd.closest_reference(table(3 * seed + 2), references)
        assert found.best in ("a", "b")
        assert "c" not in found.ties
        ties += len(found.ties) == 1
    assert ties >= 19


def test_no_reference_is_favoured_because_the_bins_were_fitted_on_it() -> None:
    """Thousands of rare levels: to the first reference none of its own is new."""
    generator = np.random.default_rng(7)

    def rare() -> pa.Table:
        return pa.table({"c": [str(each) for each in generator.zipf(1.4, 20_000)]})

    for _ in range(5):
        fitted, other = rare(), rare()
        found = kd.closest_reference(rare(), {"fitted": fitted, "other": other}, columns=["c"])
        assert len(found.ties) == 1


def test_all_are_counted_over_the_bins_of_a_saved_profile(tmp_path: Path) -> None:
    profile = kd.fit(table(0))
    kd.save(profile, tmp_path / "a.json")
    references = {"b": table(5, 1, 1), "a": str(tmp_path / "a.json")}
    expected = closest_profile(
        kd.scan(table(3), like=profile),
        {"b": kd.scan(table(5, 1, 1), like=profile), "a": profile},
    )
    assert kd.closest_reference(table(3), references) == expected
    with pytest.raises(UsageError, match="cannot change a saved profile"):
        kd.closest_reference(table(3), references, columns=["x"])


def test_what_cannot_be_compared_is_refused() -> None:
    profile, other = kd.fit(table(0)), kd.fit(table(1))
    with pytest.raises(BinsMismatchError, match="reference 'b' was counted over other bins"):
        kd.closest_reference(profile, {"a": profile, "b": other})
    with pytest.raises(UsageError, match="at least one reference"):
        kd.closest_reference(profile, {})
    with pytest.raises(UsageError, match="no counted column in common"):
        closest_profile(profile, {"a": kd.Profile(columns={}, rows=0)})


# In a plan


@pytest.fixture
def plan(tmp_path: Path) -> kd.Plan:
    for name, shift in (("winter", 0.0), ("summer", 1.0), ("twin", 1.0)):
        pq.write_table(table(len(name), shift), tmp_path / f"{name}.parquet")
    closest = {
        "winter": tmp_path / "winter.parquet",
        "summer": {"path": tmp_path / "summer.parquet", "label": "July"},
    }
    return kd.Plan.from_dict(
        {
            "reference": {"path": tmp_path / "winter.parquet", "choose": {"closest": closest}},
            "history": tmp_path / "h.sqlite",
            "name": "seasons",
        }
    )


def test_a_plan_judges_against_the_closest(plan: kd.Plan) -> None:
    warm, cold = kd.check(plan, current=table(11, 1.0)), kd.check(plan, current=table(12, 0.0))
    assert warm.reference.source == "summer, the closest of winter, summer"
    assert (warm.reference.choice, warm.reference.ties) == ("closest:summer", ())
    assert cold.reference.choice == "closest:winter"
    assert kd.Status.DRIFT not in {warm.status, cold.status}
    assert kd.check(plan, current=table(12, 4.0)).status is kd.Status.DRIFT


def test_a_report_says_that_it_is_a_tie(plan: kd.Plan, tmp_path: Path) -> None:
    twin = kd.Snapshot(path=str(tmp_path / "twin.parquet"))
    both = {"summer": plan.closest["summer"], "twin": twin}
    report = kd.check(kd.Plan(**_fields(plan) | {"closest": both}), current=table(11, 1.0))
    (tie,) = report.reference.ties
    best = report.reference.choice.removeprefix("closest:")
    assert {best, tie} == {"summer", "twin"}
    assert report.reference.source == (
        f"{best}, the closest of summer, twin; the rows cannot tell it from {tie}"
    )
    assert report.to_dict()["reference"]["ties"] == [tie]


def _fields(plan: kd.Plan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in kd.Plan.__dataclass_fields__}


@pytest.mark.slow
def test_limits_are_learned_from_what_each_was_closest_to(plan: kd.Plan) -> None:
    for number in range(MIN_SNAPSHOTS + 1):
        report = kd.check(plan, current=table(20 + number, 1.0 * (number % 2)))
    assert report["x"].history_limit < 0.1  # to winter alone, summer days would teach 0.5 and more
    past = [table(20 + number, 1.0 * (number % 2)) for number in range(MIN_SNAPSHOTS + 1)]
    learned, _ = kd.calibrate(plan, past)
    assert learned.choice == "closest"
    assert learned.limit("x", ROWS) < 0.1


def test_mistakes_of_a_choice_are_answered(tmp_path: Path) -> None:
    text = """version: 1
reference:
  path: a
  choose:
    closest: {winter: a, summer: {path: b.json, where: {month: 7}}}
output: {report: b.json}
"""
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(PlanError) as caught:
        kd.load_plan(tmp_path / "p.yaml")
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "p.yaml:5: reference.choose.closest.summer.where: is for rows, and the path is a saved "
        "profile; remove it",
        "p.yaml:6: output.report: would overwrite the reference 'summer'; give it its own name",
    ]
    (tmp_path / "p.yaml").write_text(text.replace("summer: {path: b.json, where: {month: 7}}", ""))
    with pytest.raises(PlanError, match=r"p\.yaml:5: reference\.choose\.closest: expected"):
        kd.load_plan(tmp_path / "p.yaml")


def test_options_of_a_reference_among_others_are_not_shown(tmp_path: Path) -> None:
    option = "{path: b, options: {secret_key: [hunter2]}}"
    (tmp_path / "p.yaml").write_text(
        f"version: 1\nreference: {{path: a, choose: {{closest: {{w: a, s: {option}}}}}}}\n"
    )
    with pytest.raises(PlanError) as caught:
        kd.load_plan(tmp_path / "p.yaml")
    assert "hunter2" not in str(caught.value)


# On the command line


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kl_drift", "closest", *arguments],
        capture_output=True, check=False, cwd=FLIGHTS, encoding="utf-8",
    )  # fmt: skip


@pytest.mark.slow
def test_the_command_names_the_closest() -> None:
    months = ["--reference", "winter=month=2013-01", "--reference", "summer=month=2013-07"]
    done = run("month=2013-06", *months, "--columns", "dep_delay,arr_delay,air_time")
    assert done.returncode == 0, done.stderr
    head, first, second = done.stdout.splitlines()
    assert head == "summer is the closest (KL(current‖reference) in nats, summed over columns)"
    assert first.startswith("summer  0.")
    assert second.startswith("winter  0.")
    assert "  farther by 0." in second
    found = json.loads(run("month=2013-06", *months, "--columns", "dep_delay", "--json").stdout)
    assert found.keys() == {"best", "tie", "ties", "divergences", "intervals", "confidence"}
    assert found["best"] == "summer"


@pytest.mark.slow
def test_the_command_says_that_it_is_a_tie() -> None:
    names = ["--reference", "a=month=2013-01", "--reference", "b=month=2013-01"]
    done = run("month=2013-02", *names, "--columns", "carrier")
    assert done.stdout.startswith("a tie: the rows cannot tell a from b (")


@pytest.mark.slow
def test_a_reference_needs_a_name() -> None:
    done = run("month=2013-02", "--reference", "january")
    assert done.returncode == 3
    assert done.stderr == "kl-drift: --reference: expected KEY=VALUE, got 'january'\n"
