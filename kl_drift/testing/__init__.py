"""Helpers for tests: that nothing drifted, that profiles are equal; strategies, an engine's laws.

Knows how to draw what kl-drift could meet, and what every engine must do with it. What draws needs
Hypothesis, which kl-drift itself does not, and is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kl_drift.testing.comparing import assert_profiles_equal
from kl_drift.testing.drifting import assert_no_drift

if TYPE_CHECKING:
    from kl_drift.testing.laws import EngineLaws
    from kl_drift.testing.strategies import (
        ARROW_TYPES,
        NESTED_TYPES,
        arrow_arrays,
        arrow_tables,
        bins,
        category_bins,
        histograms,
        numeric_bins,
        pair_bins,
        profiles,
        same_bins,
    )

__all__ = [
    "ARROW_TYPES",
    "NESTED_TYPES",
    "EngineLaws",
    "arrow_arrays",
    "arrow_tables",
    "assert_no_drift",
    "assert_profiles_equal",
    "bins",
    "category_bins",
    "histograms",
    "numeric_bins",
    "pair_bins",
    "profiles",
    "same_bins",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"kl_drift.testing has no {name!r}")
    module = "laws" if name == "EngineLaws" else "strategies"
    try:
        found: object = getattr(import_module(f"kl_drift.testing.{module}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ImportError(
            f"kl_drift.testing.{name} needs Hypothesis, which is not installed: "
            "run  pip install hypothesis"
        ) from error
    globals()[name] = found
    return found
