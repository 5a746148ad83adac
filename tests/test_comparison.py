"""Two profiles become a report: what is found, what is named, and that the numbers fit together."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr

from kl_drift.api import compare, fit, scan
from kl_drift.artefact import report_to_dict
from kl_drift.counts.binning import Categories, Edges
from kl_drift.counts.bins import CategoryBins, NumericBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import ColumnProfile, Profile
from kl_drift.counts.selection import Selection
from kl_drift.errors import BinsMismatchError, ColumnNotFoundError
from kl_drift.judging.policy import Policy, Status, Verdict
from kl_drift.judging.report import ColumnReport, Report
from kl_drift.render import words
from kl_drift.render.numbers import percent
from kl_drift.statistics.noise import rows_needed
from kl_drift.version import __version__

SMOOTHINGS: list[Any] = ["jeffreys", "laplace", {"floor": 1e-4}, "none"]


def normal(n: int, mean: float = 0.0, sd: float = 1.0, seed: int = 0) -> dict[str, Any]:
    return {"x": np.random.default_rng(seed).normal(mean, sd, n)}


def profile(counts: tuple[int, ...], edges: tuple[float, ...] | None = None) -> Profile:
    """Return a profile of one column ``x``; the last count is that of nulls."""
    cuts = tuple(float(i) for i in range(len(counts) - 3)) if edges is None else edges
    histogram = Histogram(bins=NumericBins(domain="float", edges=cuts), counts=counts)
    return Profile(
        columns={"x": ColumnProfile(type="double", histogram=histogram)}, rows=sum(counts)
    )


# ---------------------------------------------------------------- how much


def test_undrifted_data_hardly_diverges() -> None:
    n = 100_000
    reference = {**normal(n), "k": np.random.default_rng(5).integers(0, 200, n).astype(str)}
    current = {**normal(n, seed=1), "k": np.random.default_rng(6).integers(0, 200, n).astype(str)}
    report = compare(current, reference)
    assert {column.status for column in report} == {Status.OK}
    for column in report:
        assert column.kl is not None
        assert 0 <= column.kl < 1e-3
        assert column.kl_reverse is not None
        assert column.kl_reverse < 1e-3


@pytest.mark.parametrize("shift", [0.1, 0.2, 0.5, 1.0])
def test_a_shift_gives_about_the_analytic_divergence(shift: float) -> None:
    column = compare(normal(200_000, shift, seed=1), normal(200_000))["x"]
    assert column.kl == pytest.approx(shift**2 / 2, rel=0.06)
    assert column.kl_bits == pytest.approx(column.kl / math.log(2))


def test_a_wider_current_diverges_about_as_it_should() -> None:
    column = compare(normal(200_000, sd=1.25, seed=1), normal(200_000))["x"]
    exact = (1.25**2 - 1) / 2 - math.log(1.25)
    assert 0.9 * exact < column.kl < exact * 1.02


def test_the_direction_is_current_from_reference() -> None:
    now, then = (400, 300, 300, 0, 0, 0), (200, 300, 500, 0, 0, 0)
    column = compare(profile(now), profile(then), smoothing="none")["x"]
    p, q = np.array(now) / 1000, np.array(then) / 1000
    assert column.kl == pytest.approx(rel_entr(p, q).sum(), rel=1e-12)
    assert column.kl_reverse == pytest.approx(rel_entr(q, p).sum(), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=str)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_numbers_fit_together(smoothing: Any, data: st.DataObject) -> None:
    counts = st.lists(st.integers(0, 10**6), min_size=7, max_size=7).filter(any).map(tuple)
    now, then = data.draw(counts), data.draw(counts)
    report = compare(profile(now), profile(then), smoothing=smoothing)
    column = report["x"]
    assert sum(cell.current for cell in column.cells) == pytest.approx(1)
    assert sum(cell.reference for cell in column.cells) == pytest.approx(1)
    assert column.jeffreys == pytest.approx(column.kl + column.kl_reverse, abs=1e-9)
    assert column.psi == column.jeffreys
    assert 0 <= column.jensen_shannon <= math.log(2) + 1e-12
    assert (column.current_nulls, column.reference_nulls) == (
        pytest.approx(now[-1] / sum(now)),
        pytest.approx(then[-1] / sum(then)),
    )
    json.dumps(report_to_dict(report), allow_nan=False)
    if not math.isfinite(column.kl):
        assert smoothing == "none"
        assert any(n and not m for n, m in zip(now, then, strict=True))
        return
    assert column.kl == pytest.approx(column.cross_entropy - column.entropy, abs=1e-9)
    assert sum(cell.contribution for cell in column.cells) == pytest.approx(column.kl, abs=1e-9)
    assert sum(cell.signed for cell in column.cells) == pytest.approx(column.kl, abs=1e-9)
    assert all(cell.contribution >= 0 for cell in column.cells)
    null = _smoothed_null_share(now, then, smoothing)
    assert column.kl == pytest.approx(
        column.kl_null + (1 - null) * column.kl_values, rel=1e-9, abs=1e-9
    )


def _smoothed_null_share(now: tuple[int, ...], then: tuple[int, ...], smoothing: Any) -> float:
    n, m, k = sum(now), sum(then), len(now)
    if smoothing == "jeffreys":
        like, expected = ((m * share + 0.5) / (m + k / 2) for share in (now[-1] / n, then[-1] / m))
        return (n * like + expected) / (n + 1)
    if smoothing == "laplace":
        return (now[-1] + 1) / (n + k)
    if smoothing == "none":
        return now[-1] / n
    floored = [max(count / n, smoothing["floor"]) for count in now]
    return floored[-1] / sum(floored)


@pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=str)
@pytest.mark.parametrize("counts", [(5000, 0, 7, 0, 0), (5000, 0, 0, 0, 0), (9, 8, 7, 6, 5)])
def test_a_distribution_compared_with_itself_is_0_exactly(
    smoothing: Any, counts: tuple[int, ...]
) -> None:
    same = profile(counts)
    column = compare(same, same, smoothing=smoothing)["x"]
    assert (column.kl, column.kl_reverse, column.psi, column.jensen_shannon) == (0, 0, 0, 0)
    assert (column.kl_null, column.kl_values) == (0, 0)
    assert column.interval is not None
    assert column.interval[0] == 0
    assert column.status == ("ok" if sum(counts) >= 5_000 else "undecided")
    assert column.top_cells == ()


def test_without_smoothing_missing_support_is_infinite_and_null_in_json() -> None:
    report = compare(profile((990, 10, 0, 0, 0)), profile((1000, 0, 0, 0, 0)), smoothing="none")
    column = report["x"]
    assert column.kl == column.cross_entropy == column.jeffreys == math.inf
    assert math.isfinite(column.kl_reverse)
    assert [cell.contribution for cell in column.cells] == [0, math.inf, 0, 0, 0]
    plain = report.to_dict()["columns"][0]
    assert plain["kl"] is plain["cross_entropy"] is plain["kl_bits"] is None
    assert plain["kl_reverse"] == column.kl_reverse
    assert plain["cells"][1]["contribution"] is None
    json.dumps(report_to_dict(report), allow_nan=False)


def test_without_smoothing_nulls_where_there_were_none_are_infinite() -> None:
    column = compare(profile((900, 0, 0, 0, 100)), profile((1000, 0, 0, 0, 0)), smoothing="none")[
        "x"
    ]
    assert column.kl == column.kl_null == math.inf
    report = compare(
        profile((900, 0, 0, 0, 100)),
        profile((1000, 0, 0, 0, 0)),
        smoothing="none",
        policy=Policy(rule="point"),
    )
    assert report["x"].status == "drift"


@pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=str)
@pytest.mark.parametrize(
    "policy", [None, Policy(rule="point"), Policy(rule="point", min_rows=0)], ids=["", "point", "0"]
)
def test_a_current_without_rows_is_undecided(smoothing: Any, policy: Policy | None) -> None:
    reference = fit({**normal(5_000), "k": ["a", "b"] * 2_500})
    for empty in (
        scan({"x": pa.array([], pa.float64()), "k": pa.array([], pa.string())}, like=reference),
        {"x": pa.array([], pa.float64()), "k": pa.array([], pa.string())},
    ):
        report = compare(empty, reference, smoothing=smoothing, policy=policy)
        assert report.status == "undecided"
        assert {column.status for column in report} == {Status.UNDECIDED}
        assert "the current snapshot has 0" in words.reason(report["x"])
        assert report["x"].current_nulls is None
        assert report["x"].new_levels == ()
        json.dumps(report_to_dict(report), allow_nan=False)


@pytest.mark.parametrize("smoothing", ["jeffreys", "laplace", {"floor": 1e-4}], ids=str)
def test_a_reference_without_rows_is_undecided(smoothing: Any) -> None:
    empty, full = profile((0, 0, 0, 0, 0)), profile((900, 50, 50, 0, 0))
    report = compare(full, empty, smoothing=smoothing, policy=Policy(rule="point"))
    assert report["x"].status == "undecided"
    assert "the reference snapshot has 0" in words.reason(report["x"])


# ---------------------------------------------------------------- what moved


def test_a_missing_a_new_and_a_changed_column_are_findings_that_never_pass() -> None:
    n = 5_000
    reference = fit({**normal(n), "gone": [1] * n, "typed": [1, 2] * (n // 2)})
    current = {**normal(n, seed=1), "typed": ["1", "2"] * (n // 2), "fresh": [1] * n}
    report = compare(current, reference)
    assert report.status == "drift"
    found = {column.name: (column.finding, str(column.status)) for column in report}
    assert found == {
        "gone": ("missing", "drift"),
        "typed": ("type changed", "drift"),
        "fresh": ("new", "warn"),
        "x": ("", "ok"),
    }
    assert (
        words.reason(report["gone"]) == "missing from the current snapshot; int64 in the reference"
    )
    assert words.reason(report["fresh"]) == "new: int64, not in the reference"
    assert "int64 in the reference, string in the current snapshot" in words.reason(report["typed"])
    for name in ("gone", "typed", "fresh"):
        assert report[name].kl is report[name].interval is report[name].current_nulls is None
        assert report[name].cells == ()
    assert (report["gone"].current_rows, report["gone"].reference_rows) == (0, n)
    assert (report["fresh"].current_rows, report["fresh"].reference_rows) == (n, 0)


def test_a_finding_is_worse_than_any_number() -> None:
    report = compare(normal(50_000, 3.0), fit({**normal(50_000), "gone": [1] * 50_000}))
    assert [column.name for column in report] == ["gone", "x"]
    assert report.drifted == ("gone", "x")


def test_findings_are_never_ok_whatever_the_policy() -> None:
    lenient = Policy(warn=1e9, drift=1e9, null_drift=1e9, min_rows=10**9)
    reference = fit({"x": [1, 2] * 600, "gone": [1] * 1_200})
    report = compare({"x": ["1"] * 5, "new": [1] * 5}, reference, policy=lenient)
    assert {str(column.status) for column in report} == {"drift", "warn"}


def test_a_flood_of_nulls_is_a_drift_although_the_values_stayed() -> None:
    n = 20_000
    x = np.random.default_rng(0).normal(size=n)
    flooded = pa.array(x, mask=np.random.default_rng(1).random(n) < 0.05)
    report = compare({"x": flooded}, {"x": pa.array(x, mask=np.arange(n) % 100 == 0)})
    assert report["x"].status == "drift"
    assert words.reason(report["x"]).startswith("the share of nulls moved from 1.0 % to 5")
    assert report["x"].kl < 0.05, "any common limit would have let it pass"
    assert report["x"].kl_values < 0.001
    assert report["x"].top_cells[0].label == "null"
    assert "null: 1.0 % → 5" in words.sentence(report["x"])


def test_all_null_now_and_all_null_then() -> None:
    n = 5_000
    filled, empty = normal(n), {"x": pa.nulls(n, pa.float64())}
    for now, then in ((empty, filled), (filled, empty), ({"x": pa.nulls(n)}, filled)):
        column = compare(now, then)["x"]
        assert column.status == "drift"
        assert math.isfinite(column.kl)
        assert column.kl > 1
    assert compare(empty, empty)["x"].status == "ok"


def test_new_and_vanished_categories_are_named() -> None:
    then = ["common"] * 9_000 + ["leaves"] * 900 + ["rare"] * 3 + [f"r{i}" for i in range(97)]
    now = ["common"] * 9_000 + ["arrives"] * 700 + ["also"] * 200 + ["é\n'x'"] * 100
    column = compare({"k": now}, {"k": then})["k"]
    assert [(level.level, level.share) for level in column.new_levels] == [
        ("arrives", 0.07),
        ("also", 0.02),
        ("é\n'x'", 0.01),
    ]
    assert [(level.level, level.share) for level in column.vanished_levels] == [("leaves", 0.09)]
    assert column.status == "drift"
    assert column.top_cells[0].label == "values never seen in the reference"


def test_more_new_categories_than_are_remembered() -> None:
    now = ["a"] * 5_000 + [f"new {i}" for i in range(5_000)]
    column = compare({"k": now}, {"k": ["a", "b"] * 5_000})["k"]
    assert len(column.new_levels) == 50
    assert column.cells[-2].current == 0.5, "the rows are counted all the same"


def test_a_category_that_was_too_rare_to_be_missed_has_not_vanished() -> None:
    column = compare({"k": ["a"] * 1_000}, {"k": ["a"] * 9_995 + ["b"] * 5})["k"]
    assert column.vanished_levels == ()


def test_neighbours_that_moved_alike_are_one_cell() -> None:
    column = compare(normal(50_000, 0.5, seed=1), normal(50_000))["x"]
    assert 1 <= len(column.top_cells) <= 3
    top = column.top_cells[0]
    assert "or more" in top.label or "above" in top.label
    assert top.current > top.reference
    for cell in column.top_cells:
        assert cell.contribution >= 0.05 * column.kl


def test_shares_are_those_counted_not_those_smoothed() -> None:
    column = compare(profile((90, 10, 0, 0, 0)), profile((50, 50, 0, 0, 0)))["x"]
    assert [cell.current for cell in column.cells] == [0.9, 0.1, 0, 0, 0]
    assert [cell.reference for cell in column.cells] == [0.5, 0.5, 0, 0, 0]


# ---------------------------------------------------------------- which profiles


def test_profiles_over_other_bins_are_refused_by_both_digests() -> None:
    one, other = fit(normal(5_000)), fit(normal(5_000, seed=1))
    with pytest.raises(BinsMismatchError, match="columns that differ: x") as caught:
        compare(other, one)
    for side in (one, other):
        assert side.bins_digest[:12] in str(caught.value)
    assert "scan the current snapshot like this reference" in str(caught.value)


def test_a_profile_that_did_not_count_the_column_is_refused() -> None:
    table = {"id": list(range(60)), "x": [1, 2, 3] * 20}
    counted, set_aside = fit(table, columns=["id"]), fit(table, columns=["i*", "x"])
    with pytest.raises(BinsMismatchError, match="counted in the reference, not in the current"):
        compare(replace(set_aside, columns={"id": set_aside["id"]}), counted)


def test_columns_that_were_not_selected_are_not_spoken_of() -> None:
    n = 3_000
    reference = fit({**normal(n), "y": [1] * n, "id": list(range(n))}, columns=["x"])
    report = compare({**normal(n, seed=1), "id": ["changed"] * n}, reference)
    assert [column.name for column in report] == ["x"]
    assert report.unjudged == ()


def test_a_partition_key_on_one_side_only_is_no_finding(tmp_path: Any) -> None:
    for month in ("1", "2"):
        pd.DataFrame({"x": np.arange(2_000) % 9}).to_parquet(_folder(tmp_path, month) / "p.parquet")
    folder, file = tmp_path / "month=1", tmp_path / "month=2" / "p.parquet"
    for current, reference in (
        (file, tmp_path),
        (tmp_path, file),
        (folder, tmp_path),
        (tmp_path, folder),
        (tmp_path, tmp_path),
    ):
        report = compare(current, reference)
        assert report.status == "ok", words.summary(report)
        assert [column.name for column in report] == ["x"]
    named = fit(tmp_path, columns=["month", "x"])
    assert compare(file, named)["month"].finding == "missing", "it was asked for"


def _folder(root: Any, month: str) -> Any:
    (root / f"month={month}").mkdir()
    return root / f"month={month}"


def test_stated_bins_and_categories_are_compared_as_well() -> None:
    n = 6_000
    reference = fit(
        {"x": np.arange(n) % 100, "k": np.arange(n) % 7, "s": ["a", "b", "c"] * (n // 3)},
        bins={"x": Edges(edges=(50,)), "k": Categories(top=3), "s": Categories(levels=("a",))},
    )
    report = compare({"x": [75] * n, "k": [1] * n, "s": ["b"] * n}, reference)
    assert [(cell.label, cell.current) for cell in report["x"].cells] == [
        ("below 50", 0),
        ("above 49", 1),
        ("null", 0),
    ]
    assert report["k"].status == report["s"].status == report["x"].status == "drift"
    kept = reference["s"].histogram
    assert kept is not None
    assert isinstance(kept.bins, CategoryBins)
    assert kept.bins.levels == ("a",)


# ---------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def report() -> Report:
    n = 5_000
    reference = {**normal(n), "still": np.arange(n) % 5, "id": np.arange(n), "gone": [1] * n}
    current = {**normal(n, 1.0, seed=1), "still": np.arange(n) % 5, "id": np.arange(n)}
    return compare(current, reference)


def test_a_report_says_who_was_compared(report: Report) -> None:
    assert report.current.source == report.reference.source == "a table"
    assert report.current.rows == report.reference.rows == 5_000
    assert report.created_by == __version__
    assert datetime.fromisoformat(report.created).tzinfo is not None
    assert len(report.bins_digest) == 64


def test_a_report_is_as_bad_as_its_worst_column(report: Report) -> None:
    assert report.status is Status.DRIFT
    assert report.drifted == ("gone", "x")
    assert report.with_status(Status.OK) == ("still",)
    assert [column.name for column in report] == ["gone", "x", "still"]
    assert words.summary(report) == "drift: 2 of 3 columns drifted (gone, x)"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stil", r"no column 'stil' in this report\. Did you mean 'still'\?"),
        ("nothing like it", r"no column 'nothing like it' in this report\.$"),
        ("id", "column 'id' was not judged \\(identifier\\)"),
    ],
)
def test_a_column_that_is_not_there_is_answered_with_what_is(
    report: Report, name: str, said: str
) -> None:
    with pytest.raises(ColumnNotFoundError, match=said) as caught:
        report[name]
    assert isinstance(caught.value, LookupError)


def test_a_report_as_plain_types(report: Report) -> None:
    plain = report.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["status"] == "drift"
    assert [column["name"] for column in plain["columns"]] == ["gone", "x", "still"]
    assert plain["columns"][1]["kl"] == report["x"].kl
    assert plain["columns"][1]["interval"] == list(report["x"].interval)
    assert plain["columns"][0]["cells"] == []
    assert [column["name"] for column in plain["unjudged"]] == ["id"]


def test_a_report_as_a_data_frame(report: Report) -> None:
    frame = report.to_pandas()
    assert list(frame["name"]) == ["gone", "x", "still"]
    assert list(frame["status"]) == ["drift", "drift", "ok"]
    assert frame["kl"].isna().tolist() == [True, False, False]
    assert frame.loc[1, "kl"] == report["x"].kl
    assert frame.loc[1, "lower"] < frame.loc[1, "kl"] < frame.loc[1, "upper"]
    assert frame.loc[1, "moved"] == report["x"].top_cells[0].label
    assert frame.loc[1, "moved_current"] == report["x"].top_cells[0].current
    assert list(frame["limit"])[1:] == [0.05, 0.02]


def test_a_report_of_nothing_is_undecided_and_has_its_columns() -> None:
    empty = compare({"id": list(range(60))}, {"id": list(range(60))})
    assert empty.status == "undecided"
    assert empty.columns == ()
    assert words.summary(empty) == "undecided: no column was judged"
    assert list(empty.to_pandas().columns) == list(
        compare({"x": [1]}, {"x": [1]}).to_pandas().columns
    )
    nothing = compare({"x": [1]}, fit({"x": [1]}, columns=Selection(types=("string",))))
    assert nothing.status == "undecided"


def test_a_sentence_says_what_moved_unless_all_is_well(report: Report) -> None:
    assert words.sentence(report["x"]).startswith("drift: KL ")
    assert "% → " in words.sentence(report["x"])
    assert words.sentence(report["still"]).startswith("ok: no sign of drift: KL 0.0000 nats")
    assert "→" not in words.sentence(report["still"])


def test_numbers_of_a_column_without_numbers() -> None:
    verdict = Verdict(status=Status.DRIFT, which="finding")
    column = ColumnReport(name="x", verdict=verdict, finding="missing", reference_type="int8")
    assert column.kl_bits is column.psi is None
    assert words.sentence(column) == (
        "drift: missing from the current snapshot; int8 in the reference"
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100.0 %"), (0.0213, "2.1 %"), (0.0004, "0.04 %"), (1e-6, "0.0001 %")],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


# ---------------------------------------------------------------- what could not be judged


@pytest.mark.parametrize("rule", ["gates", "point"])
@pytest.mark.parametrize(
    ("rows", "reference"), [(["a"], ["a"]), (["a"], ["a"] * 5_000), (["b"], ["a"] * 5_000)]
)
def test_one_row_decides_nothing(rows: list[str], reference: list[str], rule: Any) -> None:
    column = compare({"x": rows}, {"x": reference}, policy=Policy(rule=rule))["x"]
    assert column.status == "undecided"
    assert words.reason(column) == (
        "too few rows to judge: the current snapshot has 1; at least 2 are needed"
    )


def test_few_rows_of_a_constant_are_as_undecided_as_few_rows_of_anything_else() -> None:
    reference = fit({"x": [7.0] * 5_000, "y": [0.0, 1.0] * 2_500})
    needed = 2 * math.ceil(rows_needed(0.02, 5_000, 2) / 2)
    for rows, status in ((needed - 2, "undecided"), (needed, "ok")):
        report = compare({"x": [7.0] * rows, "y": [0.0, 1.0] * (rows // 2)}, reference)
        assert report["x"].status == status
        assert report["x"].kl == report["x"].noise_floor == 0


def test_new_values_in_few_rows_are_drift_where_they_are_certain() -> None:
    column = compare({"x": ["b"] * 5}, {"x": ["a"] * 5_000})["x"]
    assert column.status == "drift"


def test_a_snapshot_without_rows_has_no_divergence_and_is_undecided() -> None:
    column = compare({"x": pa.array([], pa.float64())}, {"x": [0.5, 1.5] * 1_000})["x"]
    assert (column.status, words.reason(column)) == (
        "undecided",
        "the current snapshot has 0 rows",
    )
    assert column.kl is column.kl_reverse is column.interval is column.noise_floor is None


def unjudged_table(nulls: int, rows: int = 2_000) -> pa.Table:
    """Return columns that are not judged by default, the first rows of each null."""
    there = [None] * nulls + [1] * (rows - nulls)
    columns: dict[str, list[Any]] = {
        "id": list(range(rows)),
        "uuid": [f"{row:032x}" for row in range(rows)],
        "moment": [datetime(2013, 1, 1) + timedelta(seconds=row) for row in range(rows)],
    }
    return pa.table(
        {
            name: [value if given else None for value, given in zip(values, there, strict=True)]
            for name, values in columns.items()
        }
    )


@pytest.mark.parametrize("name", ["id", "uuid", "moment"])
def test_the_nulls_of_a_column_that_is_not_judged_have_their_limit(name: str) -> None:
    reference = fit(unjudged_table(0))
    assert reference[name].histogram is None
    same = compare(unjudged_table(2), reference)
    (left,) = (each for each in same.unjudged if each.name == name)
    assert (left.reference_nulls, left.current_nulls) == (0, 0.001)
    column = compare(unjudged_table(2_000), reference)[name]
    assert (column.status, column.finding) == ("drift", "nulls moved")
    assert (column.reference_nulls, column.current_nulls) == (0, 1)
    assert column.kl_null > 5
    assert compare(unjudged_table(200), reference)[name].status == "drift"
    wide = Policy(null_drift=1.0)
    assert [c.name for c in compare(unjudged_table(200), reference, policy=wide)] == []


def test_a_column_of_which_the_reference_did_not_count_the_nulls_has_none_that_moved() -> None:
    reference = fit(unjudged_table(0))
    columns = {**reference.columns, "uuid": replace(reference["uuid"], nulls_counted=False)}
    report = compare(unjudged_table(2_000), replace(reference, columns=columns))
    assert [column.name for column in report] == ["id", "moment"]
