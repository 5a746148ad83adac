"""The door of Great Expectations: it counts the rows where they are, kl-drift judges.

Importing it makes the expectations and the action known to Great Expectations, which stored suites
and checkpoints need before they are loaded; :func:`register` says so where an import would look
unused.
"""

from __future__ import annotations

from kl_drift.errors import MissingExtraError

try:
    import great_expectations as _  # noqa: F401 - asked for here, so that one message says it
except ModuleNotFoundError as error:
    raise MissingExtraError("gx", "kl_drift.gx") from error

from kl_drift.gx.action import KLDriftAction
from kl_drift.gx.expectations import (
    ExpectColumnKLDriftToBeLessThan,
    ExpectTableKLDriftToBeLessThan,
)
from kl_drift.gx.outcome import Outcome, outcomes
from kl_drift.gx.parquet import parquet_batch
from kl_drift.gx.registration import check_suite, guard, register
from kl_drift.gx.suites import suite

__all__ = [
    "ExpectColumnKLDriftToBeLessThan",
    "ExpectTableKLDriftToBeLessThan",
    "KLDriftAction",
    "Outcome",
    "check_suite",
    "guard",
    "outcomes",
    "parquet_batch",
    "register",
    "suite",
]
