from __future__ import annotations

import pyarrow as pa
import pytest

from kl_drift.counts.arrays import TEMPORAL, family_of
from kl_drift.counts.binning import Categories, Edges, Quantiles, Uniform
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.selection import Selection, choose
from kl_drift.errors import ColumnNotFoundError, ColumnTypeError, UsageError
from kl_drift.testing import ARROW_TYPES, NESTED_TYPES

SCHEMA = {
    "id": pa.int64(),
    "dep_delay": pa.float64(),
    "dep_time": pa.time64("us"),
    "arr_delay": pa.float32(),
    "fare": pa.decimal128(9, 2),
    "carrier": pa.dictionary(pa.int32(), pa.string()),
    "raw": pa.binary(),
    "cancelled": pa.bool_(),
    "took": pa.duration("s"),
    "day": pa.date32(),
    "at": pa.timestamp("us"),
    "at_utc": pa.timestamp("ns", "UTC"),
    "route": pa.list_(pa.string()),
    "month": pa.string(),
    "gone": pa.null(),
}
JUDGED = {
    *("id", "dep_delay", "dep_time", "arr_delay", "fare", "carrier", "raw", "cancelled"),
    *("took", "month", "gone"),
}


def chosen(keys=(), **selection):
    return choose(SCHEMA, keys, Selection(**selection))


def names(keys=(), **selection):
    return set(chosen(keys, **selection).wanted)


def test_every_column_is_counted_or_has_its_reason() -> None:
    found = chosen()
    assert set(found.wanted) == JUDGED
    assert set(found.left) == SCHEMA.keys() - JUDGED
    assert found.ranged == ("day", "at", "at_utc")
    assert found.left["at"].kind is Kind.MOVES
    assert found.left["route"].kind is Kind.NESTED


@pytest.mark.parametrize("kind", ARROW_TYPES, ids=str)
def test_every_type_can_be_counted(kind) -> None:
    family = family_of(kind)
    judge = {"x": ("value",)} if family in TEMPORAL else {}
    (want,) = choose({"x": kind}, (), Selection(judge=judge)).wanted.values()
    assert want.family == family
    assert want.domain == ("float" if family == "null" else family)
    categorical = family in ("string", "binary", "boolean")
    assert isinstance(want.binning, Categories if categorical else Quantiles)


@pytest.mark.parametrize("kind", [*NESTED_TYPES, pa.month_day_nano_interval()], ids=str)
def test_a_type_that_cannot_be_counted_is_left_with_the_reason(kind) -> None:
    found = choose({"x": kind, "y": pa.int8()}, (), Selection())
    assert set(found.wanted) == {"y"}
    expected = Kind.NESTED if pa.types.is_nested(kind) else Kind.UNKNOWN_TYPE
    assert found.left["x"].kind is expected


def test_decimals_are_binned_at_the_scale_of_the_reference() -> None:
    assert chosen().wanted["fare"].scale == 2
    assert chosen().wanted["dep_delay"].scale == 0
    kind = pa.dictionary(pa.int8(), pa.decimal128(5, -2))
    assert choose({"x": kind}, (), Selection()).wanted["x"].scale == -2


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"include": ("dep_delay", "carrier")}, {"dep_delay", "carrier"}),
        ({"include": ("dep_*",)}, {"dep_delay", "dep_time"}),
        ({"include": ("*_delay", "id")}, {"dep_delay", "arr_delay", "id"}),
        ({"include": ("?d",)}, {"id"}),
        ({"include": ("[df]*",)}, {"dep_delay", "dep_time", "fare"}),
        ({"exclude": ("dep_*", "gone")}, JUDGED - {"dep_delay", "dep_time", "gone"}),
        ({"include": ("*_delay",), "exclude": ("arr_*",)}, {"dep_delay"}),
        ({"include": ("dep_delay",), "exclude": ("dep_delay",)}, set()),
        ({"types": ("float",)}, {"dep_delay", "arr_delay"}),
        ({"types": ("integer", "boolean")}, {"id", "cancelled"}),
        (
            {"types": ("numeric",)},
            {"id", "dep_delay", "dep_time", "arr_delay", "fare", "took"},
        ),
        ({"types": ("categorical",)}, {"carrier", "raw", "cancelled", "month"}),
        ({"types": ("string",), "include": ("c*",)}, {"carrier"}),
        ({"types": ("temporal",)}, set()),
        ({"types": ("time", "duration")}, {"dep_time", "took"}),
    ],
    ids=lambda value: str(sorted(value)),  # sets have no order of their own
)
def test_names_patterns_and_types(selection, expected) -> None:
    assert names(**selection) == expected
    left = chosen(**selection).left
    assert set(left) == SCHEMA.keys() - expected
    assert {left[name].kind for name in JUDGED - expected} <= {Kind.NOT_SELECTED}


def test_case_matters() -> None:
    with pytest.raises(ColumnNotFoundError, match="no column 'DEP_\\*'"):
        chosen(include=("DEP_*",))


def test_a_name_may_look_like_a_pattern() -> None:
    schema = {"x[0]": pa.int8(), "x0": pa.int8(), "a*": pa.int8(), "ab": pa.int8()}
    assert set(choose(schema, (), Selection(include=("x[0]",))).wanted) == {"x[0]"}
    assert set(choose(schema, (), Selection(include=("x?",))).wanted) == {"x0"}
    assert set(choose(schema, (), Selection(exclude=("a*",))).wanted) == {"x[0]", "x0", "ab"}


def test_a_named_column_stays_even_if_it_looks_like_an_identifier() -> None:
    assert chosen(include=("id",)).wanted["id"].named
    assert chosen(bins={"id": Uniform()}).wanted["id"].named
    assert not chosen(include=("i*",)).wanted["id"].named
    assert not chosen().wanted["id"].named


def test_partition_keys_are_counted_if_they_are_named() -> None:
    found = chosen(keys=("month",))
    assert set(found.wanted) == JUDGED - {"month"}
    assert found.left["month"].kind is Kind.PARTITION_KEY
    assert names(("month",), include=("mon*",)) == set()
    assert names(("month",), include=("month",)) == {"month"}
    assert "month" in names(("month",), bins={"month": Categories(top=5)})


@pytest.mark.parametrize(
    ("name", "judged", "expected"),
    [
        ("at", ("value",), {"at": ("timestamp", "")}),
        ("at", ("hour",), {"hour(at)": ("hour", "hour")}),
        ("at_utc", ("age",), {"age(at_utc)": ("duration", "age")}),
        ("day", ("weekday",), {"weekday(day)": ("weekday", "weekday")}),
        (
            "at_utc",
            ("value", "weekday"),
            {"at_utc": ("instant", ""), "weekday(at_utc)": ("weekday", "weekday")},
        ),
    ],
)
def test_what_is_judged_of_a_moment(name, judged, expected) -> None:
    found = chosen(judge={name: judged})
    wanted = {key: want for key, want in found.wanted.items() if key not in JUDGED}
    assert {key: (want.domain, want.derivation) for key, want in wanted.items()} == expected
    assert {want.column for want in wanted.values()} == {name}
    if "value" in judged:
        assert name not in found.left
    else:
        assert name in found.ranged
        assert found.left[name] == Uncounted(kind=Kind.JUDGED_AS, parts=judged)


def test_hours_are_levels_and_ages_are_numbers() -> None:
    found = chosen(judge={"at": ("hour", "weekday", "age", "value")}, numeric=Uniform(count=7))
    assert isinstance(found.wanted["hour(at)"].binning, Categories)
    assert isinstance(found.wanted["weekday(at)"].binning, Categories)
    assert found.wanted["age(at)"].binning == found.wanted["at"].binning == Uniform(count=7)


def test_one_way_of_binning_for_all_or_for_some() -> None:
    few, wide, cuts = Categories(top=3), Uniform(count=5), Edges(edges=(0, 15))
    found = chosen(
        numeric=wide, categories=few, bins={"dep_delay": cuts, "*_delay": Quantiles(count=4)}
    ).wanted
    assert found["dep_delay"].binning == cuts
    assert found["arr_delay"].binning == Quantiles(count=4)
    assert found["fare"].binning == wide
    assert found["carrier"].binning == few


def test_the_first_pattern_that_fits_is_taken() -> None:
    found = chosen(bins={"dep_*": Uniform(count=2), "*_delay": Uniform(count=3)}).wanted
    assert found["dep_delay"].binning == Uniform(count=2)
    assert found["arr_delay"].binning == Uniform(count=3)


def test_a_pattern_may_fit_columns_of_other_types() -> None:
    found = chosen(bins={"*": Edges(edges=(0,))}).wanted
    assert found["dep_delay"].binning == Edges(edges=(0,))
    assert found["carrier"].binning == Categories()


def test_numbers_and_dates_may_be_categories() -> None:
    each = {"id": "integer", "dep_delay": "float", "fare": "decimal", "day": "date"}
    found = chosen(bins=dict.fromkeys(each, Categories()), judge={"day": ("value",)}).wanted
    assert {name: found[name].domain for name in each} == each
    assert {found[name].binning for name in each} == {Categories()}


@pytest.mark.parametrize(
    "selection",
    [
        {"include": ("dep_dealy",)},
        {"exclude": ("dep_dealy",)},
        {"bins": {"dep_dealy": Uniform()}},
        {"judge": {"dep_dealy": ("value",)}},
    ],
    ids=str,
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(selection) -> None:
    with pytest.raises(ColumnNotFoundError) as caught:
        chosen(**selection)
    message = str(caught.value)
    assert message.startswith("no column 'dep_dealy' in the snapshot. Did you mean 'dep_delay'?")
    assert "It has: id, dep_delay, " in message
    assert message.endswith("… (15 in all)")


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(ColumnNotFoundError, match=r"no column 'zz\*' in the snapshot\. It has"):
        chosen(include=("dep_delay", "zz*"))


def test_what_is_judged_is_asked_by_name_not_by_pattern() -> None:
    with pytest.raises(ColumnNotFoundError, match=r"no column 'at\*'"):
        chosen(judge={"at*": ("hour",)})


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"judge": {"dep_delay": ("value",)}}, "column 'dep_delay' is double: judge is for dates"),
        ({"judge": {"dep_time": ("weekday",)}}, r"column 'dep_time' is time64\[us\]: judge is for"),
        ({"judge": {"day": ("hour",)}}, r"column 'day' is date32\[day\]: a date has no hour"),
        ({"judge": {"day": ("age",)}}, "a date has no age; judge its weekday or value"),
        ({"bins": {"carrier": Uniform()}}, "bins of kind 'uniform' need an ordered column"),
        ({"bins": {"took": Categories()}}, "'categories' need text, numbers or dates"),
    ],
    ids=str,
)
def test_refuses_what_a_type_does_not_allow(selection, message) -> None:
    with pytest.raises(ColumnTypeError, match=message):
        chosen(**selection)


def test_refuses_what_is_judged_of_nothing_known() -> None:
    with pytest.raises(UsageError, match="column 'at': cannot judge 'month' of it; known: value, "):
        chosen(judge={"at": ("month",)})


def test_nothing_to_judge_is_as_if_it_were_not_asked() -> None:
    assert chosen(judge={"at": ()}) == chosen()


def test_refuses_a_derived_column_beside_one_of_that_name() -> None:
    for schema in (
        {"at": pa.timestamp("s"), "hour(at)": pa.int8()},
        {"hour(at)": pa.int8(), "at": pa.timestamp("s")},
    ):
        with pytest.raises(UsageError, match=r"column 'at': 'hour\(at\)' is to be judged, and"):
            choose(schema, (), Selection(judge={"at": ("hour",)}))
        assert set(choose(schema, (), Selection()).wanted) == {"hour(at)"}
        both = choose(schema, (), Selection(judge={"at": ("age",)})).wanted
        assert set(both) == {"hour(at)", "age(at)"}


def test_refuses_a_type_that_is_none() -> None:
    with pytest.raises(
        UsageError, match=r"types: 'flaot' is unknown\. Did you mean 'float'\? Known"
    ):
        chosen(types=("flaot",))
    with pytest.raises(UsageError, match="'i' is unknown"):
        chosen(types="integer")
