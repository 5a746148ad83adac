"""Rows that belong together: groups of keys, design effects, and what judgements make of them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import StaticPool, create_engine, text

import kl_drift as kd
from kl_drift.artefact import load_profile, save
from kl_drift.counts.clusters import KeyCounter
from kl_drift.counts.profile import GROUPS, SMALLEST, Cluster, merge
from kl_drift.errors import (
    ColumnNotFoundError,
    ColumnTypeError,
    DomainError,
    PlanError,
    UsageError,
)
from kl_drift.plan.plan import Plan
from kl_drift.statistics.clusters import design_effect, flag_design_effect
from kl_drift.testing import assert_profiles_equal

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LEVELS = 20


def customers(count: int, rows: int, alike: float, seed: int = 0) -> pa.Table:
    """Return rows of customers with tastes: two rows are one choice with chance ``alike``."""
    generator = np.random.default_rng(seed)
    tastes = generator.dirichlet(np.full(LEVELS, (1 - alike) / alike / LEVELS), size=count)
    bought = [generator.choice(LEVELS, size=rows, p=taste) for taste in tastes]
    keys = np.repeat([f"customer {seed}.{each}" for each in range(count)], rows)
    return pa.table({"customer_id": keys, "level": np.concatenate(bought).astype(str)})


def test_rows_of_a_group_that_are_all_alike_tell_as_much_as_one() -> None:
    assert design_effect([[50, 0], [0, 50], [50, 0], [0, 50]]) == pytest.approx(200 / 3)
    assert design_effect([[1, 0], [0, 1], [1, 0], [0, 1]]) == pytest.approx(4 / 3)


def test_the_formula_is_that_of_the_definition() -> None:
    groups = np.array([[3.0, 5, 2], [7, 1, 1], [0, 4, 9], [2, 2, 2]])
    n, p = groups.sum(), groups.sum(axis=0) / groups.sum()
    spread = sum(
        (row[cell] - row.sum() * p[cell]) ** 2 * 4 / 3 / (n * p[cell])
        for row in groups
        for cell in range(3)
    )
    assert design_effect(groups) == pytest.approx(spread / 2)


def test_a_design_effect_is_never_below_one_nor_above_the_rows() -> None:
    assert design_effect([[5, 5], [5, 5], [5, 5]]) == 1
    assert design_effect([[9, 0], [7, 0]]) == 1
    assert design_effect([[9, 3], [0, 0]]) == 12
    assert design_effect([[6, 0], [0, 6]]) == 12


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_empty_groups_and_cells_tell_nothing(rows: list[list[int]]) -> None:
    table = np.array(rows)
    if not table.any():
        return
    wider = np.zeros((len(rows) + 2, 5))
    wider[1 : len(rows) + 1, 1:4] = table
    assert design_effect(wider) == design_effect(table)
    assert 1 <= design_effect(table) <= max(1, table.sum())


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2], "groups has 1 dimensions; expected a table, which has 2"),
        ([[0, 0]], "groups: expected some rows, got none"),
        ([[1, -1]], "groups, cell 1"),
    ],
)
def test_what_is_no_table_of_rows_is_refused(groups: list[Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        design_effect(groups)


def test_the_flag_of_a_cell_knows_what_one_customer_alone_does() -> None:
    groups = np.full((10, 3), 10)
    groups[0] = [10, 10, 40]
    assert flag_design_effect(groups, 2) > 3 * flag_design_effect(groups, 0)
    assert flag_design_effect(groups, -1) == flag_design_effect(groups, 2)


def test_the_effect_of_clusters_is_estimated() -> None:
    effects = []
    for seed in range(8):
        profile = kd.fit(customers(100, 50, 0.1, seed), cluster="customer_id")
        effects.append(design_effect(profile["level"].groups))
    assert np.mean(effects) == pytest.approx(5.9, rel=0.1)


def test_clusters_no_longer_look_like_drift() -> None:
    reference = customers(400, 50, 0.5)
    alone, together = 0, 0
    profile = kd.fit(reference, cluster="customer_id")
    for seed in range(1, 13):
        current = customers(20, 50, 0.5, seed)
        rows = kd.compare(current.select(["level"]), reference.select(["level"]))
        alone += rows["level"].status == "drift"
        found = kd.compare(kd.scan(current, like=profile), profile)["level"]
        together += found.status == "drift"
        assert found.design_effect > 10
    assert (alone, together) == (12, 0)


@given(st.lists(st.integers(0, 400), min_size=0, max_size=3))
@settings(max_examples=25, deadline=None)
def test_parts_make_the_whole_also_where_they_cut_customers(cuts: list[int]) -> None:
    whole = customers(40, 10, 0.3)
    reference = kd.fit(whole, cluster="customer_id")
    places = [0, *sorted(cuts), whole.num_rows]
    parts = [
        kd.scan(whole.slice(low, high - low), like=reference) for low, high in pairwise(places)
    ]
    assert_profiles_equal(merge(parts), kd.scan(whole, like=reference))


def test_batches_of_a_stream_are_grouped_like_a_table() -> None:
    whole = customers(30, 11, 0.3)
    reference = kd.fit(whole, cluster="customer_id")
    stream = pa.RecordBatchReader.from_batches(whole.schema, whole.to_batches(max_chunksize=7))
    assert kd.scan(stream, like=reference)["level"] == kd.scan(whole, like=reference)["level"]


def test_a_key_has_one_group_whatever_its_encoding() -> None:
    keys = pa.array([7, 300, None, 7])
    plain = KeyCounter().side(keys)
    assert plain[0] == plain[3] < GROUPS
    assert plain[2] == GROUPS
    encoded: npt.NDArray[np.uint16] = KeyCounter().side(keys.dictionary_encode())
    written = KeyCounter().side(keys.cast(pa.string()))
    assert plain.tolist() == encoded.tolist() == written.tolist()


def test_rows_without_a_key_are_in_no_group() -> None:
    table = pa.table({"key": ["a", None, "b", None], "x": ["u", "u", "v", "v"]})
    profile = kd.fit(table, cluster="key")
    assert sum(map(sum, profile["x"].groups)) == 2
    assert profile.rows == 4


def test_how_many_keys_there_are_is_known() -> None:
    few = Cluster.of("key", [str(each) for each in range(SMALLEST - 1)])
    assert few.clusters == SMALLEST - 1
    profile = kd.fit(customers(2_000, 2, 0.3), cluster="customer_id")
    assert profile.cluster is not None
    assert profile.cluster.clusters == pytest.approx(2_000, rel=0.45)


def test_what_is_known_of_clusters_comes_back_from_a_file(tmp_path: Any) -> None:
    profile = kd.fit(customers(30, 5, 0.3), cluster="customer_id")
    save(profile, tmp_path / "x.json")
    assert_profiles_equal(load_profile(tmp_path / "x.json"), profile)


def test_what_not_every_part_knows_nobody_knows_of_the_whole() -> None:
    table = customers(30, 5, 0.3).append_column("shop", pa.array([str(i % 7) for i in range(150)]))
    one, other, none = (
        kd.fit(table, columns=["level"], cluster=key) for key in ("customer_id", "shop", "")
    )
    assert (one + one).cluster is not None
    for whole in (one + none, one + other, (one + none) + one, one + (none + one)):
        assert whole.cluster is None
        assert whole["level"].groups == ()


def test_a_side_that_knows_nothing_takes_the_effect_of_the_other() -> None:
    keyed = kd.fit(customers(30, 20, 0.5), cluster="customer_id")
    plain = kd.fit(customers(30, 20, 0.5), columns=["level"])
    expected = design_effect(keyed["level"].groups)
    assert kd.compare(plain, keyed)["level"].design_effect == expected
    assert kd.compare(plain, plain)["level"].design_effect == 1


def test_the_larger_of_the_stated_and_the_estimated_effect_counts() -> None:
    keyed = kd.fit(customers(30, 20, 0.5), cluster="customer_id")
    estimated = design_effect(keyed["level"].groups)
    for stated, expected in ((1.5, estimated), (100.0, 100.0)):
        report = kd.compare(keyed, keyed, policy=kd.Policy(design_effect=stated))
        assert report["level"].design_effect == expected


def test_a_level_of_one_customer_may_vanish_with_that_customer() -> None:
    keys = [f"customer {row // 50}" for row in range(5_000)]
    levels = ["rare" if row < 50 else f"level {row % 3}" for row in range(5_000)]
    reference = pa.table({"customer_id": keys, "level": levels})
    current = reference.slice(50)
    alone = kd.compare(current.select(["level"]), reference.select(["level"]))["level"]
    assert [each.level for each in alone.vanished_levels] == ["rare"]
    profile = kd.fit(reference, cluster="customer_id")
    assert not kd.compare(current, profile)["level"].vanished_levels


def test_two_columns_together_take_the_larger_effect_of_either() -> None:
    table = customers(40, 20, 0.5)
    table = table.append_column("other", pa.array([row % 3 for row in range(table.num_rows)]))
    profile = kd.fit(table, cluster="customer_id", pairs=[("level", "other")])
    report = kd.compare(profile, profile)
    assert report["level × other"].design_effect == report["level"].design_effect > 1


def test_the_key_is_not_judged_unless_it_is_named() -> None:
    table = customers(30, 5, 0.3)
    profile = kd.fit(table, cluster="customer_id")
    assert list(profile.counted) == ["level"]
    named = kd.fit(table, columns=["customer_id", "level"], cluster="customer_id")
    assert set(named.counted) == {"customer_id", "level"}


def test_a_column_may_be_called_like_what_is_counted_by_key() -> None:
    table = pa.table({"key": ["a", "b", "b"], "x": [1, 2, 3], "x by key": [4, 4, 5]})
    profile = kd.fit(table, cluster="key")
    assert set(profile.counted) == {"x", "x by key"}
    assert all(each.rows == 3 for each in profile.counted.values())


def test_a_key_that_is_not_there_is_refused() -> None:
    table = customers(30, 5, 0.3)
    with pytest.raises(ColumnNotFoundError, match="no column 'customer' in the snapshot"):
        kd.fit(table, cluster="customer")
    reference = kd.fit(table, cluster="customer_id")
    with pytest.raises(ColumnNotFoundError, match="no column 'customer_id', by which rows belong"):
        kd.scan(table.select(["level"]), like=reference)
    with pytest.raises(UsageError, match="columns, pairs and cluster"):
        kd.compare(table, reference, cluster="customer_id")


def test_spark_counts_by_key_what_is_counted_here(spark: SparkSession) -> None:
    table = customers(40, 20, 0.5)
    reference = kd.fit(table, cluster="customer_id")
    expected, found = (
        kd.scan(rows, like=reference)
        for rows in (table, spark.createDataFrame(table.to_pandas()).repartition(3))
    )
    assert found["level"].groups == expected["level"].groups
    assert found.cluster == expected.cluster


def test_a_database_says_that_it_does_not_count_by_key() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (customer_id TEXT, level TEXT)"))
    reference = kd.fit(customers(30, 5, 0.3), cluster="customer_id")
    with pytest.raises(UsageError, match="belong together by 'customer_id', which is not counted"):
        kd.scan(kd.SqlTable(engine, "t"), like=reference)


def test_a_column_that_holds_no_keys_is_refused() -> None:
    table = pa.table({"at": pa.array([1, 2], pa.timestamp("s")), "x": [1, 2]})
    with pytest.raises(ColumnTypeError, match=r"cluster: column 'at' is timestamp\[s\]"):
        kd.fit(table, cluster="at")


def test_a_plan_names_the_key() -> None:
    plan = Plan.from_dict({"reference": "jan.parquet", "cluster": "customer_id"})
    assert plan.selection.cluster == "customer_id"
    with pytest.raises(PlanError, match="cluster: the reference is a saved profile"):
        Plan.from_dict({"reference": "jan.json", "cluster": "customer_id"})
