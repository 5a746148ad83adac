"""A saved report carries what a reader needs to recompute every number in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import beta

import kl_drift as kd
from kl_drift.statistics.divergence import (
    cross_entropy,
    entropy,
    jensen_shannon,
    kl_divergence,
    psi,
)
from kl_drift.statistics.inference import debiased_kl, kl_interval, p_value_equal
from kl_drift.statistics.noise import noise_floor
from kl_drift.statistics.samples import merge_cells
from kl_drift.statistics.smoothing import smooth, with_unseen_mass

FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"


def flood() -> tuple[pa.Table, pa.Table]:
    """Return numbers and levels of which some came that the reference never held."""
    rng = np.random.default_rng(1)

    def table(rows: int, new: int) -> pa.Table:
        numbers, levels = rng.normal(size=rows), rng.zipf(1.5, size=rows).astype("U12")
        numbers[:new], levels[:new] = -999.0, "new"
        return pa.table({"number": numbers, "level": levels, "still": [1] * rows})

    return table(3_000, 100), table(200_000, 0)


CASES = {
    "flights": lambda: (str(FLIGHTS / "month=2013-07"), str(FLIGHTS / "month=2013-01")),
    "flood": flood,
}
POLICIES = {"plain": kd.Policy(), "clustered": kd.Policy(confidence=0.9, design_effect=2.5)}


@pytest.fixture(
    scope="module",
    params=[(c, p, s) for c in CASES for p in POLICIES for s in ("jeffreys", "laplace")],
    ids=str,
)
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    case, policy, smoothing = request.param
    report = kd.compare(*CASES[case](), policy=POLICIES[policy], smoothing=smoothing)
    path = tmp_path_factory.mktemp("report") / "report.json"
    kd.save(report, path)
    return json.loads(path.read_text(encoding="utf-8"))


def counts(column: dict[str, Any]) -> tuple[Any, Any]:
    """Return the rows of every cell, current first."""
    sides = ("current", "reference")
    found = [np.array([c[s] for c in column["cells"]]) * column[f"{s}_rows"] for s in sides]
    current, reference = (np.rint(side) for side in found)
    assert (current.sum(), reference.sum()) == (column["current_rows"], column["reference_rows"])
    return current, reference


def expected(column: dict[str, Any], current: Any, reference: Any) -> Any:
    """Allow for new levels, in the last cell but two."""
    if column["singletons"] is None:
        return reference
    other, unseen = len(current) - 3, len(current) - 2
    singletons = column["singletons"]
    return with_unseen_mass(current, reference, other=other, unseen=unseen, singletons=singletons)


def test_every_divergence_is_what_the_cells_give(document: Any) -> None:
    for column in document["columns"]:
        current, reference = counts(column)
        allowed = expected(column, current, reference)
        p, q = smooth(current, allowed, document["smoothing"])
        null = [[side[-1], 1 - side[-1]] for side in (p, q)]
        for name, value in (
            ("kl", kl_divergence(p, q)),
            ("kl_reverse", kl_divergence(q, p)),
            ("jeffreys", psi(p, q)),
            ("jensen_shannon", jensen_shannon(p, q)),
            ("entropy", entropy(p)),
            ("cross_entropy", cross_entropy(p, q)),
            ("kl_null", kl_divergence(*null)),
        ):
            assert column[name] == pytest.approx(value, rel=1e-9, abs=1e-15), name


def test_what_noise_leaves_is_what_the_cells_give(document: Any) -> None:
    for column in document["columns"]:
        current, reference = counts(column)
        allowed = expected(column, current, reference)
        used = (current > 0) | (allowed > 0)
        sides = (
            current[used] / column["design_effect"],
            allowed[used] / column["reference_design_effect"],
        )
        merged = merge_cells(*sides, ordered=column["ordered"])
        half = (1 + column["confidence"]) / 2
        exact = exact_limit(column, current, reference)
        lower = max(kl_interval(*merged, confidence=half)[0], exact)
        upper = kl_interval(*sides, confidence=column["confidence"])[1]
        low, high = column["interval"]
        assert low == pytest.approx(min(lower, column["kl"]), rel=1e-9, abs=1e-15)
        assert high == pytest.approx(max(lower, upper, column["kl"]), rel=1e-9, abs=1e-15)
        assert column["kl_debiased"] == pytest.approx(debiased_kl(*sides), rel=1e-9)
        floor = noise_floor(sides[0].sum(), sides[1].sum(), used.sum())
        assert column["noise_floor"] == pytest.approx(floor, rel=1e-9)
        equal = p_value_equal(*sides, ordered=column["ordered"])
        assert column["p_value"] == pytest.approx(equal, rel=1e-6, abs=1e-300)


def exact_limit(column: dict[str, Any], current: Any, reference: Any) -> float:
    """Return the largest two-cell limit, written out anew from its definition."""
    ours, effect = column["design_effect"], column["reference_design_effect"]
    n, m, alpha = current.sum() / ours, reference.sum() / effect, 1 - column["confidence"]
    unseen = len(current) - 2 if column["singletons"] is not None else None
    empty = [cell for cell in range(len(current)) if not reference[cell] and cell != unseen]
    once, twice = (int((reference == rows).sum()) for rows in (1, 2))
    limits = [two_cells(current[empty].sum() / ours, n, 0, m, alpha, good(once, twice, m, effect))]
    for cell in range(len(current)):
        share, least = alpha / len(current), 0.0
        if cell == unseen:
            share, least = alpha, good(column["singletons"], column["doubletons"], m, effect)
        rows = current[cell] / ours, n, reference[cell] / effect, m
        limits.append(two_cells(*rows, share, least))
    return max(limits)


def good(once: float, twice: float, m: float, effect: float) -> float:
    once, twice = once / effect, twice / effect
    return min(1.0, (once + 2.33 * math.sqrt(once + 2 * twice) + 3) / m)


def two_cells(u: float, n: float, v: float, m: float, alpha: float, least: float) -> float:
    if not u or v >= m:
        return 0.0
    p = float(beta.ppf(alpha / 2, u, n - u + 1))
    q = max(least, float(beta.ppf(1 - alpha / 2, v + 1, m - v)))
    return float(kl_divergence([p, 1 - p], [q, 1 - q])) if p > q else 0.0


def test_the_shares_of_new_levels_are_what_the_cells_give(document: Any) -> None:
    for column in document["columns"]:
        if column["singletons"] is None:
            assert column["new_share"] is column["expected_new_share"] is None
            continue
        current, reference = counts(column)
        assert column["new_share"] == current[-2] / current.sum()
        assert column["expected_new_share"] == column["singletons"] / reference.sum()
        assert sum(each["share"] for each in column["new_levels"]) <= column["new_share"] + 1e-12
