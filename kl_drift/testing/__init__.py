"""Helpers for testing code that uses kl-drift: strategies, a comparison, and the laws of an engine.

Knows how to draw what kl-drift could meet, and what every engine must do with it. Has never heard
of limits or reports. Needs Hypothesis, which kl-drift itself does not.
"""

try:
    import hypothesis  # noqa: F401 - here to be told of in words where it is missing
except ImportError as error:
    raise ImportError(
        "kl_drift.testing needs Hypothesis, which is not installed: run  pip install hypothesis"
    ) from error

from kl_drift.testing.comparing import assert_profiles_equal
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
    "assert_profiles_equal",
    "bins",
    "category_bins",
    "histograms",
    "numeric_bins",
    "pair_bins",
    "profiles",
    "same_bins",
]
