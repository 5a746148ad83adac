"""Great Expectations' engines hand out the profile that the core would have counted."""

from __future__ import annotations

import great_expectations as gx
import numpy as np
import pandas as pd
import pytest
from great_expectations.validator.metric_configuration import MetricConfiguration

import kl_drift as kd
from kl_drift.artefact import profile_from_dict
from kl_drift.gx.metrics import PROFILE_METRIC


def frame(rows=1_000, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": random.lognormal(size=rows),
            "code": random.choice(["a", "b", "c", None], size=rows),
            "count": pd.array(random.integers(0, 9, rows), dtype="Int64"),
        }
    )


@pytest.fixture(scope="session")
def context():
    return gx.get_context(mode="ephemeral")


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "reference.json"
    kd.save(kd.fit(frame()), path)
    return str(path)


def metric(context, data, **values):
    domain = {key: values.pop(key) for key in list(values) if "condition" in key}
    source = context.data_sources.add_or_update_pandas("frames")
    asset = source.add_dataframe_asset("frame")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": data})
    validator = context.get_validator(batch=batch)
    return validator.get_metric(
        MetricConfiguration(PROFILE_METRIC, metric_domain_kwargs=domain, metric_value_kwargs=values)
    )


def test_the_profile_of_a_batch_is_that_of_the_core(context, reference) -> None:
    today = frame(seed=1)
    counted = profile_from_dict(metric(context, today, reference=reference))
    expected = kd.scan(today, like=kd.load_profile(reference))
    assert counted.columns == expected.columns
    assert counted.rows == len(today)


def test_only_the_columns_asked_for_are_counted(context, reference) -> None:
    today = frame().assign(new=1)
    counted = metric(context, today, reference=reference, columns=["amount"])
    assert list(counted["columns"]) == ["amount"]


def test_a_row_condition_leaves_out_rows(context, reference) -> None:
    today = frame()
    counted = metric(
        context,
        today,
        reference=reference,
        row_condition="count > 4",
        condition_parser="pandas",
    )
    assert counted["rows"] == int((today["count"] > 4).sum())
