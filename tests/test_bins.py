from __future__ import annotations

import base64
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings

from kl_drift import canonical
from kl_drift.counts.bins import (
    CategoryBins,
    NumericBins,
    bins_from_dict,
    level_hash,
    level_text,
    number_text,
    successor,
)
from kl_drift.errors import BinsError
from kl_drift.testing import bins, category_bins, numeric_bins, pair_bins

DAY = 86_400_000_000
THIRD_OF_FLOAT32 = float(np.float32(1 / 3))


def numeric(*edges, domain="float", scale=0):
    return NumericBins(domain=domain, edges=edges, scale=scale)


def labels(over):
    return [over.label(cell) for cell in range(over.cells)]


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (numeric(), ["any value", "NaN", "null"]),
        (numeric(0.5), ["below 0.5", "0.5 or more", "NaN", "null"]),
        (
            numeric(0.0, 5e-324, 0.5),
            ["below 0", "exactly 0", "above 0 to 0.5", "0.5 or more", "NaN", "null"],
        ),
        (numeric(-1.0, 5e-324), ["below -1", "-1 to 0", "above 0", "NaN", "null"]),
        (numeric(5e-324), ["0 or less", "above 0", "NaN", "null"]),
        (
            numeric(THIRD_OF_FLOAT32, successor(THIRD_OF_FLOAT32)),
            ["below 0.333333", "exactly 0.333333", "above 0.333333", "NaN", "null"],
        ),
        (
            numeric(0.30000000000000004, 0.3000000000000001, 0.5),
            ["below 0.3", "exactly 0.3", "above 0.3 to 0.5", "0.5 or more", "NaN", "null"],
        ),
        (
            numeric(1360021.5311, 1360021.5372, 1360021.5411),
            [
                "below 1360021.531",
                "1360021.531 to 1360021.537",
                "1360021.537 to 1360021.541",
                "1360021.541 or more",
            ],
        ),
        (numeric(1e300, 1e301), ["below 1e+300", "1e+300 to 1e+301", "1e+301 or more"]),
        (
            numeric(0, 10, 11, domain="integer"),
            ["below 0", "0 to 9", "exactly 10", "above 10", "null"],
        ),
        (numeric(10**30, domain="integer"), [f"below {10**30}", f"above {10**30 - 1}", "null"]),
        (
            numeric(1250, 2000, 2001, domain="decimal", scale=2),
            ["below 12.50", "12.50 to 19.99", "exactly 20.00", "above 20.00", "null"],
        ),
        (numeric(5, domain="decimal", scale=-3), ["below 5000", "above 4000", "null"]),
        (numeric(1, domain="decimal", scale=12), ["below 0.000000000001", "above 0.000000000000"]),
        (
            numeric(int("1" * 40), domain="decimal", scale=2),
            [f"below {'1' * 38}.11", f"above {'1' * 38}.10", "null"],
        ),
        (
            numeric(0, 15_744, domain="date"),
            ["below 1970-01-01", "1970-01-01 to 2013-02-07", "above 2013-02-07", "null"],
        ),
        (
            numeric(2**31 - 1, domain="date"),
            ["below 2147483647 days", "above 2147483646 days", "null"],
        ),
        (
            numeric(DAY // 3, DAY // 2, DAY, domain="time"),
            [
                "below 08:00:00",
                "08:00:00 to 11:59:59.999999",
                "12:00:00 to 23:59:59.999999",
                "above 23:59:59.999999",
                "null",
            ],
        ),
        (
            numeric(0, DAY, domain="timestamp"),
            [
                "below 1970-01-01 00:00:00",
                "1970-01-01 00:00:00 to 1970-01-01 23:59:59.999999",
                "above 1970-01-01 23:59:59.999999",
                "null",
            ],
        ),
        (
            numeric(DAY, domain="instant"),
            ["below 1970-01-02 00:00:00Z", "above 1970-01-01 23:59:59.999999Z", "null"],
        ),
        (numeric(2**63 - 1, domain="timestamp"), [f"below {2**63 - 1} µs"]),
        (
            numeric(0, 90_000_000, domain="duration"),
            ["below 0:00:00", "0:00:00 to 0:01:29.999999", "above 0:01:29.999999", "null"],
        ),
        (
            CategoryBins(domain="string", levels=("a", "it's", "x\ny")),
            [
                "'a'",
                '"it\'s"',
                r"'x\ny'",
                "other levels",
                "values never seen in the reference",
                "null",
            ],
        ),
    ],
    ids=str,
)
def test_labels_are_words(over, expected) -> None:
    assert labels(over)[: len(expected)] == expected
    assert len(labels(over)) == over.cells


def test_runs_of_cells_have_one_label() -> None:
    integers = numeric(0, 10, 20, domain="integer")
    assert integers.label(0, 1) == "below 10"
    assert integers.label(1, 2) == "0 to 19"
    assert integers.label(1, 3) == "above -1"
    assert integers.label(0, 3) == "any value"
    zero_inflated = numeric(-1.0, 0.0, 5e-324, 2.5)
    assert zero_inflated.label(1, 2) == "-1 to 0"
    assert zero_inflated.label(0, 2) == "0 or less"
    assert zero_inflated.label(3, 4) == "above 0"
    hours = CategoryBins(domain="hour", levels=("06", "07", "08"))
    assert hours.label(0, 2) == "'06' to '08'"


def test_only_the_levels_of_a_clock_are_ordered() -> None:
    assert numeric(1.0).ordered
    assert CategoryBins(domain="hour", levels=()).ordered
    assert CategoryBins(domain="weekday", levels=()).ordered
    assert not CategoryBins(domain="string", levels=()).ordered


@pytest.mark.parametrize(
    ("over", "cells", "value_cells", "nan", "null"),
    [
        (numeric(), 3, 1, 1, 2),
        (numeric(1.0, 2.0), 5, 3, 3, 4),
        (numeric(domain="integer"), 2, 1, None, 1),
        (numeric(1, 2, domain="date"), 4, 3, None, 3),
        (CategoryBins(domain="string", levels=()), 3, 0, None, 2),
        (CategoryBins(domain="boolean", levels=("false", "true")), 5, 2, None, 4),
    ],
)
def test_the_places_of_cells(over, cells, value_cells, nan, null) -> None:
    assert (over.cells, over.value_cells, over.nan_cell, over.null_cell) == (
        cells,
        value_cells,
        nan,
        null,
    )


def test_other_and_unseen_stand_between_the_levels_and_null() -> None:
    over = CategoryBins(domain="string", levels=("a", "b"))
    assert (over.other_cell, over.unseen_cell, over.null_cell) == (2, 3, 4)


def test_a_long_level_is_cut() -> None:
    text = level_text("x" * 200)
    assert len(text) == 60
    assert text.endswith("…")
    assert level_text("x" * 58) == f"'{'x' * 58}'"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, 5e-324),
        (-0.0, 5e-324),
        (1.0, 1.0000000000000002),
        (1.7976931348623157e308, math.inf),
        (-5e-324, 0.0),
        (7, 8),
        (2**64, 2**64 + 1),
    ],
)
def test_the_successor_is_the_next_value_of_the_domain(value, expected) -> None:
    assert successor(value) == expected
    assert type(successor(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (-0.0, "0"), (1e14, "100000000000000"), (1e15, "1e+15"), (1 / 3, "0.333333")],
)
def test_floats_are_written_short(value, text) -> None:
    assert number_text(value, "float") == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"domain": "float", "edges": (1.0, 1.0)}, "edges must increase: 1.0 is followed by 1.0"),
        ({"domain": "float", "edges": (0.0, -0.0)}, "edges must increase"),
        ({"domain": "integer", "edges": (2, 1)}, "edges must increase: 2 is followed by 1"),
        ({"domain": "float", "edges": (math.nan,)}, "edge nan is not a finite float"),
        ({"domain": "float", "edges": (math.inf,)}, "edge inf is not a finite float"),
        ({"domain": "float", "edges": (1,)}, "edge 1 is not a finite float"),
        ({"domain": "integer", "edges": (1.0,)}, "edge 1.0 is not a finite int"),
        ({"domain": "integer", "edges": (True,)}, "edge True is not a finite int"),
        ({"domain": "date", "edges": ("2013-01-01",)}, "bins over the domain 'date' need"),
        ({"domain": "float", "edges": (), "scale": 2}, "the domain 'float' have no scale"),
    ],
)
def test_refuses_edges_that_make_no_bins(arguments, message) -> None:
    with pytest.raises(BinsError, match=message):
        NumericBins(**arguments)


def test_integers_of_any_size_are_edges() -> None:
    assert numeric(-(10**400), 10**400, domain="decimal").value_cells == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": ("a", "b", "a")}, "level 'a' is listed twice"),
        ({"levels": (), "known": b"1234567"}, "not a sorted run of 8-byte hashes"),
        ({"levels": (), "known": b"22222222" + b"11111111"}, "not a sorted run"),
    ],
)
def test_refuses_levels_that_make_no_bins(arguments, message) -> None:
    with pytest.raises(BinsError, match=message):
        CategoryBins(domain="string", **arguments)


def test_the_hash_of_a_level_is_the_same_on_every_machine() -> None:
    assert level_hash("a").hex() == "40f89e395b66422f"
    assert level_hash("").hex() == "e4a6a0577479b2b4"
    assert len(level_hash("\ud800")) == 8


def test_the_digest_is_the_same_on_every_machine() -> None:
    over = NumericBins(domain="float", edges=(0.0, 0.1, 1e300))
    assert canonical.dumps(over.to_dict()) == (
        '{"domain":"float","edges":[0.0,0.1,1e+300],"kind":"numeric"}'
    )
    assert over.digest == "2a2ba94eb5888c899a1aeb61fb1dab1dda9e0bec144f065b49bdb7f30ba4d01e"


def test_a_negative_zero_among_the_edges_is_a_zero() -> None:
    assert numeric(-0.0) == numeric(0.0)
    assert numeric(-0.0).digest == numeric(0.0).digest


@given(bins() | pair_bins(), bins() | pair_bins())
@settings(max_examples=200, deadline=None)
def test_equal_bins_have_equal_digests_and_others_do_not(one, two) -> None:
    again = bins_from_dict(json.loads(canonical.dumps(one.to_dict())))
    assert again == one
    assert again.digest == one.digest
    assert (one == two) == (one.digest == two.digest)


@given(numeric_bins())
@example(NumericBins(domain="float", edges=(-sys.float_info.max,)))
@settings(max_examples=200, deadline=None)
def test_no_two_cells_of_a_column_have_one_label(over) -> None:
    assert len(set(labels(over))) == over.cells


@given(category_bins())
@settings(max_examples=100, deadline=None)
def test_no_two_levels_have_one_label(over) -> None:
    assert len(set(labels(over))) == over.cells


def changed(plain, **changes):
    return {key: value for key, value in {**plain, **changes}.items() if value is not ...}


NUMERIC = numeric(1.0, 2.0).to_dict()
CATEGORIES = CategoryBins(domain="string", levels=("a",), known=level_hash("b")).to_dict()


@pytest.mark.parametrize(
    "junk",
    [
        {},
        {"kind": "spline"},
        {"kind": ["numeric"]},
        changed(NUMERIC, domain="real"),
        changed(NUMERIC, domain=["float"]),
        changed(NUMERIC, domain=...),
        changed(NUMERIC, edges=...),
        changed(NUMERIC, edges=None),
        changed(NUMERIC, edges="12"),
        changed(NUMERIC, edges=[2.0, 1.0]),
        changed(NUMERIC, edges=[1]),
        changed(NUMERIC, edges=[math.inf]),
        changed(NUMERIC, edges=[[1.0]]),
        changed(NUMERIC, scale="2"),
        changed(NUMERIC, scale=2),
        changed(NUMERIC, scale=True),
        changed(CATEGORIES, domain="duration"),
        changed(CATEGORIES, levels="abc"),
        changed(CATEGORIES, levels=["a", 1]),
        changed(CATEGORIES, levels=["a", "a"]),
        changed(CATEGORIES, known=None),
        changed(CATEGORIES, known="not base64!"),
        changed(CATEGORIES, known="é"),
        changed(CATEGORIES, known=base64.b64encode(b"short").decode()),
        changed(CATEGORIES, singletons=1.0),
        changed(CATEGORIES, singletons=...),
        None,
        [],
        "numeric",
        7,
    ],
    ids=str,
)
def test_refuses_junk(junk) -> None:
    with pytest.raises(BinsError):
        bins_from_dict(junk)
