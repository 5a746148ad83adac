"""Great Expectations' own KL expectation beside kl-drift's."""

from __future__ import annotations

import importlib.util
import math

import great_expectations as gx
import numpy as np
import pandas as pd
import pytest

import kl_drift as kd
from kl_drift.gx import ExpectColumnKLDriftToBeLessThan


@pytest.fixture
def page(root):
    return (root / "docs/how-to/great-expectations.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script():
    from pathlib import Path

    path = Path(__file__).parents[2] / "docs/figures/beside_gx.py"
    spec = importlib.util.spec_from_file_location("beside_gx", path)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["beside_gx"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def numbers(seed, shift=0.0, rows=5_000):
    return pd.Series(np.random.default_rng(seed).normal(shift, 1, rows))


def codes(seed, rows=5_000):
    shares = np.random.default_rng(seed).dirichlet([3, 2, 2, 1])
    return pd.Series(np.random.default_rng(seed + 1).choice(list("abcd"), rows, p=shares))


def weights(then, edges):
    if edges is None:
        shares = then.value_counts(normalize=True).sort_index()
        return {"values": shares.index.tolist(), "weights": shares.tolist()}
    bins = [-math.inf, *edges, math.inf]
    counts, _ = np.histogram(then, bins=bins)
    return {"bins": bins, "weights": (counts / counts.sum()).tolist()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("make", "edges"),
    [(numbers, (-1.0, -0.25, 0.5, 1.0)), (numbers, (0.0,)), (codes, None)],
    ids=["five bins", "two bins", "categories"],
)
def test_both_agree_where_both_are_defined(validated, tmp_path, make, edges, seed) -> None:
    """The same bins, no smoothing, no nulls, and nothing new: one number."""
    then, now = make(seed), make(seed + 10)
    bins = {"x": kd.Edges(edges=edges)} if edges else None
    kd.save(kd.fit(then.to_frame("x"), bins=bins), tmp_path / "reference.json")
    mine, own = validated(
        now.to_frame("x"),
        ExpectColumnKLDriftToBeLessThan(
            column="x", reference=tmp_path / "reference.json", threshold=9, smoothing="none"
        ),
        gx.expectations.ExpectColumnKLDivergenceToBeLessThan(
            column="x", partition_object=weights(then, edges), threshold=9
        ),
    )
    assert mine.success is own.success is True
    assert own.result["observed_value"] > 1e-5
    assert mine.result["observed_value"] == pytest.approx(own.result["observed_value"], abs=1e-9)


def test_the_table_in_the_documentation_is_what_the_script_finds(page, script) -> None:
    found = script.table()
    assert script.written(page) == found
    assert found.count("`None`") >= 2
    assert "aborts the whole suite" in found
    assert "| 90 % of the rows became null | succeeds" in found
