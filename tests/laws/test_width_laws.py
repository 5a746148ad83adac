"""The same value in another width is the same value, whatever counts it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_drift.api import compare, fit, scan
from kl_drift.counts.binning import Categories, Quantiles, Uniform
from kl_drift.counts.bins import NumericBins, same_from, same_until
from kl_drift.engines.sql import SqlTable

DECIMALS = (
    st.tuples(st.integers(-999_999, 999_999), st.integers(-8, 8))
    .map(lambda parts: float(f"{parts[0]}e{parts[1]}"))
    .filter(lambda value: abs(value) < 2**24 or not value.is_integer())
)
"""Whole numbers beyond 2²⁴ are others in 32 bits."""
COLUMNS = st.lists(st.tuples(DECIMALS, st.integers(10, 40)), min_size=1, max_size=30)
BINNINGS = [Quantiles(), Quantiles(count=3), Uniform(count=7), Categories()]


def column(parts: list[tuple[float, int]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.repeat([value for value, _ in parts], [rows for _, rows in parts])


def table(values: object) -> pa.Table:
    return pa.table({"x": pa.array(values)})


@pytest.mark.slow
@pytest.mark.parametrize("binning", BINNINGS, ids=str)
@given(parts=COLUMNS)
@settings(max_examples=40, deadline=None)
def test_decimals_count_alike_in_32_and_64_bits(binning: Any, parts: list[Any]) -> None:
    wide = table(column(parts))
    narrow = table(column(parts).astype(np.float32))
    for one, other in ((wide, narrow), (narrow, wide)):
        reference = fit(one, columns=["x"], bins={"x": binning})
        assert scan(other, like=reference).counted == reference.counted
        assert compare(other, reference)["x"].kl == 0.0


@given(parts=COLUMNS, seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_sums_that_round_are_what_they_were_to_be(parts: list[Any], seed: int) -> None:
    values = column(parts)
    noise = np.random.default_rng(seed).integers(-4, 5, len(values)) * np.spacing(values)
    noise[values == 0] = 0.0  # nothing is taken for zero
    reference = fit(table(values), columns=["x"])
    assert scan(table(values + noise), like=reference).counted == reference.counted


def test_three_tenths_are_three_tenths() -> None:
    values = np.where(np.arange(6_000) % 2, 0.3, 0.7)
    reference = fit(table(values))
    assert compare(table(np.where(values == 0.3, 0.1 + 0.2, 0.7)), reference)["x"].kl == 0.0
    labels = [cell.label for cell in compare(table(values), reference)["x"].cells]
    assert labels[:5] == [
        "below 0.3",
        "exactly 0.3",
        "above 0.3 to 0.7",
        "exactly 0.7",
        "above 0.7",
    ]


@pytest.mark.parametrize("value", [1.0, -2.5, 0.3, 1e-12, 123_456.75, 1e30, float(2**24), 9e15])
def test_what_lies_beside_an_atom_is_not_in_it(value: float) -> None:
    low, high = same_from(value), same_until(value)
    inside = [low, value, math.nextafter(high, -math.inf)]
    if abs(value) <= 2**24 or abs(value) > 2**53:
        inside.append(float(np.float32(value)))
    beside = [math.nextafter(low, -math.inf), high]
    reference = fit(table([value] * 60))
    counts = scan(table(inside + beside), like=reference).counted["x"].counts
    assert counts[:3] == (1, len(inside), 1)


@given(value=st.integers(-(2**53) + 1, 2**53 - 2))
def test_no_whole_number_is_taken_for_its_neighbour(value: int) -> None:
    assert same_until(float(value)) <= same_from(float(value + 1))
    assert same_from(0.0) == 0.0
    assert same_until(0.0) == 5e-324


@given(parts=COLUMNS)
@settings(max_examples=15, deadline=None)
def test_a_database_puts_what_lies_beside_an_edge_where_arrow_puts_it(parts: list[Any]) -> None:
    reference = fit(table(column(parts)), columns=["x"])
    bins = reference.counted["x"].bins
    assert isinstance(bins, NumericBins)
    edges = [float(edge) for edge in bins.edges]
    beside = [math.nextafter(edge, side) for edge in edges for side in (-math.inf, math.inf)]
    values = [*edges, *beside, *column(parts).astype(np.float32).astype(float).tolist()]
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (x DOUBLE)"))
        connection.execute(sa.text("INSERT INTO t VALUES (:x)"), [{"x": each} for each in values])
    found = scan(SqlTable(engine, "t"), like=reference)
    assert found.counted == scan(table(values), like=reference).counted
