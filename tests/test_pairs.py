"""Two columns together: bins, exact joint counts, what they show that neither shows alone."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kl_drift as kd
from kl_drift.artefact import (
    load_profile,
    load_report,
    profile_to_dict,
    report_to_dict,
    save,
    schema,
)
from kl_drift.counts.bins import CategoryBins, NumericBins, PairBins
from kl_drift.errors import BinsError, DomainError, PairError, PlanError, UsageError
from kl_drift.history.record import History
from kl_drift.judging.policy import Policy, Status
from kl_drift.render.html import render_html
from kl_drift.render.markdown import to_markdown
from kl_drift.render.terminal import to_text
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.joint import kl_dependence

FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
ROWS = 5_000


def normals(rows: int, correlation: float, seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    x, noise = generator.normal(size=(2, rows))
    return {"x": x, "y": correlation * x + math.sqrt(1 - correlation**2) * noise}


@pytest.fixture(scope="module")
def reference() -> kd.Profile:
    return kd.fit(normals(100_000, 0, seed=0), pairs=[("x", "y")])


# ---------------------------------------------------------------- what it is for


@pytest.mark.slow
def test_a_change_of_correlation_that_no_column_shows_is_certain(reference: kd.Profile) -> None:
    for seed in range(1, 41):
        report = kd.compare(normals(ROWS, 0.15, seed), reference)
        assert report["x × y"].detected, seed
        assert not report["x"].detected, seed
        assert not report["y"].detected, seed


@pytest.mark.slow
def test_without_a_change_pairs_are_quiet(reference: kd.Profile) -> None:
    reports = [kd.compare(normals(ROWS, 0, seed), reference) for seed in range(100, 200)]
    assert sum(report["x × y"].detected for report in reports) == 0
    assert {column.status for report in reports for column in report} == {Status.OK}
    unusual = sum(report["x × y"].p_value < 0.05 for report in reports)
    assert 1 <= unusual <= 12, "of 100, 5 are expected at 5 %"


def test_a_limit_of_the_pair_makes_it_an_alarm(reference: kd.Profile) -> None:
    small = Policy(columns={"x × y": Policy(warn=0.002, drift=0.003)})
    policy = Policy(columns=small.columns)
    report = kd.compare(normals(50_000, 0.15, 1), reference, policy=policy)
    assert report.drifted == ("x × y",)


def test_a_drift_of_one_column_is_no_change_of_dependence(reference: kd.Profile) -> None:
    moved = normals(50_000, 0, 1)
    moved["x"] = moved["x"] + 0.5
    column = kd.compare(moved, reference)["x × y"]
    assert column.kl is not None
    assert column.kl_dependence is not None
    assert column.kl > 0.1
    assert column.kl_dependence < 0.002
    assert f"{column.kl_dependence:.4f} nats of it neither column shows alone" in kd.sentence(
        column
    )


# ---------------------------------------------------------------- bins


def test_ordered_columns_get_five_cells_and_categories_four_levels_and_the_rest() -> None:
    rows = {
        "x": np.arange(1_000),
        "k": [f"k{i % 9}" for i in range(1_000)],
        "z": [0, 0, 0, 1] * 250,
    }
    pairs = [("x", "k"), ("x", "z")]
    profile = kd.fit(rows, columns=["x", "k", "z"], pairs=pairs)
    first, second = profile["x × k"].histogram.bins.sides
    assert first == NumericBins(domain="integer", edges=(200, 400, 600, 800))
    assert second == CategoryBins(domain="string", levels=("k0", "k1", "k2", "k3"))
    assert profile["x × k"].histogram.bins.shape == (6, 6)
    assert profile["x × z"].histogram.bins.sides[1].edges == (1,), "every value has its cell"


def test_the_joint_cells_are_named_and_counted_as_a_person_would() -> None:
    then = {
        "x": pa.array([1.0, 2, 3, 4, 5, math.nan, None, None] * 20),
        "k": pa.array(["a", "b", "c", "d", "e", "a", "f", None] * 20),
    }
    reference = kd.fit(then, pairs=[("x", "k")])
    bins = reference["x × k"].histogram.bins
    now = {
        "x": pa.array([1.0, 9.0, -9.0, math.inf, math.nan, None, None, 2.0]),
        "k": pa.array(["a", "never", "e", None, "b", "a", None, "b"]),
    }
    counts = kd.scan(now, like=reference)["x × k"].histogram.counts
    found = {bins.label(cell): rows for cell, rows in enumerate(counts) if rows}
    assert found == {
        "x 1 or less & k 'a'": 1,
        "x 5 or more & k other levels": 1,
        "x 1 or less & k other levels": 1,
        "x 5 or more & k null": 1,
        "x NaN & k 'b'": 1,
        "x null & k 'a'": 1,
        "x null & k null": 1,
        "x exactly 2 & k 'b'": 1,
    }
    assert counts[bins.null_cell] == 1
    assert bins.label(bins.null_cell) == "x null & k null"


def test_a_column_cannot_be_paired_with_itself_in_bins() -> None:
    side = NumericBins(domain="integer", edges=())
    with pytest.raises(BinsError, match="'x' is paired with itself"):
        PairBins(columns=("x", "x"), sides=(side, side))


# ---------------------------------------------------------------- counting


def test_joint_counts_are_exact_whatever_the_parts(tmp_path: Path) -> None:
    table = pq.read_table(FLIGHTS / "month=2013-01", columns=["dep_delay", "carrier"])
    pq.write_table(table, tmp_path / "small.parquet", row_group_size=997)
    reference = kd.fit(str(FLIGHTS / "month=2013-01"), pairs=[("dep_delay", "carrier")])
    scanned = kd.scan(tmp_path / "small.parquet", like=reference)
    name = "dep_delay × carrier"
    assert scanned[name].histogram == reference[name].histogram
    bins = scanned[name].histogram.bins
    edges, levels = bins.sides[0].edges, bins.sides[1].levels
    delays, carriers = table["dep_delay"].to_pylist(), table["carrier"].to_pylist()
    counted = Counter(
        (
            bins.sides[0].null_cell if d is None else sum(e <= d for e in edges),
            levels.index(c) if c in levels else len(levels),
        )
        for d, c in zip(delays, carriers, strict=True)
    )
    expected = [counted[divmod(cell, bins.shape[1])] for cell in range(bins.cells)]
    assert list(scanned[name].histogram.counts) == expected


def test_pairs_of_parts_of_a_moment_are_counted() -> None:
    report = kd.compare(
        FLIGHTS / "month=2013-02",
        FLIGHTS / "month=2013-01",
        columns=kd.Selection(
            include=("dep_delay", "origin"),
            judge={"time_hour": ("hour", "weekday", "age")},
            pairs=(("hour(time_hour)", "dep_delay"), ("age(time_hour)", "weekday(time_hour)")),
        ),
    )
    assert report["hour(time_hour) × dep_delay"].type == "timestamp[us, tz=UTC] × float"
    assert report["age(time_hour) × weekday(time_hour)"].kl is not None


# ---------------------------------------------------------------- in every place


def test_pairs_are_saved_loaded_merged_and_shown(tmp_path: Path, reference: kd.Profile) -> None:
    save(reference, tmp_path / "reference.json")
    loaded = load_profile(tmp_path / "reference.json")
    assert loaded == reference
    assert loaded.bins_digest == reference.bins_digest
    jsonschema.validate(profile_to_dict(loaded), schema("profile"))
    one, two = (kd.scan(normals(2_000, 0.5, seed), like=loaded) for seed in (1, 2))
    both = kd.merge([one, two])
    assert both["x × y"].histogram == one["x × y"].histogram + two["x × y"].histogram
    report = kd.compare(both, loaded)
    assert report["x × y"].status is Status.DRIFT
    phrase = "nats of it neither column shows alone"
    page = render_html(report)
    assert "KL that neither column shows alone" in page
    for text in (to_text(report), to_markdown(report), kd.sentence(report["x × y"])):
        assert phrase in text
    save(report, tmp_path / "report.json")
    jsonschema.validate(report_to_dict(report), schema("report"))
    loaded = load_report(tmp_path / "report.json")
    assert {column.name: column.kl_dependence is None for column in loaded} == {
        "x × y": False,
        "x": True,
        "y": True,
    }
    assert not report.to_pandas()["kl_dependence"].isna().all()


def test_a_reference_without_the_pair_has_other_bins(reference: kd.Profile) -> None:
    assert kd.fit(normals(100_000, 0, seed=0)).bins_digest != reference.bins_digest


def test_a_pair_whose_column_is_missing_or_has_changed_is_a_finding(reference: kd.Profile) -> None:
    rows = normals(1_000, 0, 1)
    missing = kd.compare({"x": rows["x"]}, reference)
    assert missing["x × y"].finding == missing["y"].finding == "missing"
    changed = kd.compare({"x": rows["x"], "y": ["a"] * 1_000}, reference)
    assert changed["x × y"].finding == changed["y"].finding == "type changed"
    assert kd.reason(changed["x × y"]) == (
        "type changed: 'y' was double in the reference, string in the current snapshot"
    )


def test_limits_are_learned_for_pairs_too(reference: kd.Profile) -> None:
    past = [kd.scan(normals(ROWS, 0, seed), like=reference) for seed in range(20)]
    learned = kd.learn(past, reference)
    assert set(learned.columns) == {"x", "y", "x × y"}
    report = kd.compare(normals(ROWS, 0.5, 99), reference, learned=learned)
    limit = report["x × y"].history_limit
    assert limit is not None
    assert 0 < limit < 0.05
    assert report.drifted == ("x × y",)


def test_no_rows_and_all_null_are_no_trouble(reference: kd.Profile) -> None:
    nothing = {name: pa.array([], pa.float64()) for name in ("x", "y")}
    assert kd.compare(nothing, reference)["x × y"].status is Status.UNDECIDED
    nulls = {name: pa.nulls(9_000) for name in ("x", "y")}
    column = kd.compare(nulls, reference)["x × y"]
    assert column.status is Status.DRIFT
    assert column.current_nulls == 1


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("dep_delay", "distanse"), "no column 'distanse' is counted. Did you mean 'distance'"),
        (("dep_delay", "zzz"), "no column 'zzz' is counted. Counted are: "),
        (("dep_delay", "carrier"), "'carrier' is not counted by itself (not selected)"),
        (
            ("dep_delay", "time_hour"),
            "'time_hour' is not counted by itself (moves by construction)",
        ),
    ],
)
def test_a_pair_that_cannot_be_is_refused(pair: tuple[str, str], message: str) -> None:
    selection = kd.Selection(exclude=("carrier",), pairs=(pair,))
    with pytest.raises(PairError, match="dep_delay × ") as raised:
        kd.fit(FLIGHTS / "month=2013-01", columns=selection)
    assert message in str(raised.value)


def test_an_identifier_is_refused_unless_it_is_named() -> None:
    rows = {"id": [f"id-{i}" for i in range(100)], "x": np.arange(100) % 7}
    with pytest.raises(
        PairError, match=r"'id × x': column 'id' .* \(identifier\); select it by its name"
    ):
        kd.fit(rows, pairs=[("id", "x")])
    assert kd.fit(rows, columns=["id", "x"], pairs=[("id", "x")])["id × x"].histogram


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("x", "x")], "'x' is paired with itself"),
        ([("x", "y"), ("y", "x")], "'y × x' is listed twice"),
        ([("x",)], "expected two names"),
        (["xy"], "expected two names"),
        ([("x", "x × y")], "no column 'x × y' is counted"),
    ],
)
def test_what_is_no_pair_is_refused(pairs: Any, message: str) -> None:
    with pytest.raises((UsageError, PairError), match=message):
        kd.fit(normals(100, 0, 1), pairs=pairs)


def test_the_name_of_a_pair_may_not_be_taken() -> None:
    rows = normals(100, 0, 1) | {"x × y": [1, 2] * 50}
    with pytest.raises(PairError, match="'x × y' is also the name of a column; rename that column"):
        kd.fit(rows, pairs=[("x", "y")])


def test_pairs_are_chosen_when_the_reference_is_fitted(reference: kd.Profile) -> None:
    with pytest.raises(UsageError, match="cannot change a saved profile"):
        kd.compare(normals(100, 0, 1), reference, pairs=[("x", "y")])


# ---------------------------------------------------------------- plans


def plan_of(tmp_path: Path, pairs: str, more: str = "") -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(
        f"version: 1\nreference: {FLIGHTS}/month=2013-01\ncurrent: {FLIGHTS}/month=2013-07\n"
        f"columns:\n  include: [dep_delay, distance, carrier]\n  pairs:\n{pairs}{more}"
    )
    return path


def test_a_plan_states_pairs_and_their_limits(tmp_path: Path) -> None:
    each = "  each:\n    dep_delay × distance: {limits: {drift: 0.5}}\n"
    report = kd.check(plan_of(tmp_path, "  - [dep_delay, distance]\n", each))
    assert report["dep_delay × distance"].status is Status.WARN
    stricter = kd.check(plan_of(tmp_path, "  - [dep_delay, distance]\n"))
    assert stricter["dep_delay × distance"].status is Status.DRIFT


def test_a_history_remembers_pairs(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  - [dep_delay, distance]\n")
    plan.write_text(f"{plan.read_text()}history: h.sqlite\n")
    kd.check(plan)
    (entry,) = History.open(tmp_path / "h.sqlite").profiles("plan")
    assert isinstance(entry.profile["dep_delay × distance"].histogram.bins, PairBins)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ("  - [dep_delay, dep_delay]\n", "plan.yaml:7: columns.pairs[0]: 'dep_delay' is paired"),
        (
            "  - [dep_delay, distance]\n  - [distance, dep_delay]\n",
            "plan.yaml:8: columns.pairs[1]: 'distance × dep_delay' is listed twice",
        ),
        ("  - [dep_delay]\n", "plan.yaml:7: columns.pairs[0]: expected a list of two names"),
        ("  - dep_delay\n", "plan.yaml:7: columns.pairs[0]: expected a list"),
        ("  - [dep_delay, 7]\n", "plan.yaml:7: columns.pairs[0][1]: expected text"),
        (
            "  - [dep_delay, carrier]\n  - [dep_delay, distanse]\n",
            "plan.yaml:8: columns.pairs[1]: 'dep_delay × distanse': no column 'distanse' is "
            "counted. Did you mean 'distance'?",
        ),
        (
            "  - [dep_delay, origin]\n",
            "plan.yaml:7: columns.pairs[0]: 'dep_delay × origin': column 'origin' is not counted "
            "by itself (not selected)",
        ),
    ],
)
def test_a_mistake_in_a_pair_names_file_line_and_key(
    tmp_path: Path, pairs: str, message: str
) -> None:
    with pytest.raises(PlanError) as raised:
        kd.check(plan_of(tmp_path, pairs))
    assert message in str(raised.value)


# ---------------------------------------------------------------- what neither shows alone


def test_dependence_is_zero_for_a_reweighted_reference_and_all_where_marginals_stay() -> None:
    generator = np.random.default_rng(7)
    then = generator.dirichlet(np.ones(30)).reshape(5, 6)
    weighted = then * generator.random((5, 1)) * generator.random(6)
    assert kl_dependence(weighted / weighted.sum(), then) == pytest.approx(0, abs=1e-12)
    uniform = np.full((2, 2), 0.25)
    tilted = np.array([[0.3, 0.2], [0.2, 0.3]])
    whole = float(kl_divergence(tilted.ravel(), uniform.ravel()))
    assert kl_dependence(tilted, uniform) == pytest.approx(whole)


def test_dependence_of_an_independent_reference_is_mutual_information() -> None:
    now = np.random.default_rng(3).dirichlet(np.ones(20)).reshape(4, 5)
    rows, columns = now.sum(axis=1), now.sum(axis=0)
    then = np.outer([0.1, 0.2, 0.3, 0.4], [0.2] * 5)
    information = float(kl_divergence(now.ravel(), np.outer(rows, columns).ravel()))
    assert kl_dependence(now, then) == pytest.approx(information, rel=1e-9)


def test_dependence_of_what_the_reference_excludes_is_infinite() -> None:
    assert kl_dependence([[0.5, 0], [0, 0.5]], [[0, 0.5], [0.5, 0]]) == math.inf


def test_dependence_needs_two_tables_of_one_shape() -> None:
    with pytest.raises(DomainError, match="expected a table"):
        kl_dependence([0.5, 0.5], [0.5, 0.5])
    with pytest.raises(DomainError, match="reference one of"):
        kl_dependence([[0.5, 0.5]], [[0.5], [0.5]])
