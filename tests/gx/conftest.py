"""Real contexts of Great Expectations, a reference, and batches that drift or do not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read once, as it is imported

import great_expectations as gx
import numpy as np
import pandas as pd
import pytest

import kl_drift as kd


def made(
    rows: int = 8_000, seed: int = 0, *, shift: float = 0.0, nulls: float = 0.02
) -> pd.DataFrame:
    """Return amounts that may be shifted, codes, and counts that are null now and then."""
    random = np.random.default_rng(seed)
    count = pd.Series(random.integers(0, 9, rows)).astype("Int64")
    count[random.random(rows) < nulls] = pd.NA
    return pd.DataFrame(
        {
            "amount": random.normal(shift, 1.0, rows),
            "code": random.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "count": count,
        }
    )


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("reference") / "reference.json"
    kd.save(kd.fit(made()), path)
    return str(path)


@pytest.fixture(scope="session")
def ordinary() -> pd.DataFrame:
    return made(seed=1)


@pytest.fixture(scope="session")
def shifted() -> pd.DataFrame:
    return made(seed=2, shift=0.6)


@pytest.fixture
def context() -> Any:
    return gx.get_context(mode="ephemeral")


@pytest.fixture
def definition(context: Any) -> Callable[..., Any]:
    """Return a maker of validation definitions over data frames."""

    def make(expectations: Sequence[Any], name: str = "daily") -> Any:
        source = context.data_sources.add_or_update_pandas("frames")
        data = source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("all")
        suite = context.suites.add(gx.ExpectationSuite(name=name))
        for each in expectations:
            suite.add_expectation(each)
        return context.validation_definitions.add(
            gx.ValidationDefinition(name=name, data=data, suite=suite)
        )

    return make


@pytest.fixture
def validated(definition: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Return what runs expectations over a data frame: their results, in the order given."""

    def run(frame: pd.DataFrame, *expectations: Any, **options: Any) -> list[Any]:
        for place, each in enumerate(expectations):
            each.meta = {"place": place}
        options = {"result_format": "SUMMARY", **options}
        run = definition(expectations).run(batch_parameters={"dataframe": frame}, **options)
        assert len(run.results) == len(expectations)
        return sorted(run.results, key=lambda each: each.expectation_config.meta["place"])

    return run


@pytest.fixture
def root() -> Path:
    return Path(__file__).parents[2]
