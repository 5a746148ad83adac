"""kl-drift in Airflow: a lazy map from name to module, so that a DAG file stays quick.

Importing it imports neither Airflow nor anything heavy; each name brings its own module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kl_drift.errors import did_you_mean

if TYPE_CHECKING:
    from kl_drift.airflow.checkpoint import GXCheckpointOperator
    from kl_drift.airflow.decorators import drift_check_task
    from kl_drift.airflow.exceptions import (
        DriftDetectedError,
        DriftMistakeError,
        DriftUndecidedError,
        ExpectationsNotEvaluatedError,
        ExpectationsUnmetError,
    )
    from kl_drift.airflow.hooks import HistoryHook
    from kl_drift.airflow.links import DriftReportLink
    from kl_drift.airflow.notifier import DriftNotifier
    from kl_drift.airflow.operators import (
        DriftBranchOperator,
        DriftCheckOperator,
        DriftGateOperator,
        FitReferenceOperator,
        MergeProfilesOperator,
        PromoteReferenceOperator,
        ScanSnapshotOperator,
    )
    from kl_drift.airflow.retention import PruneReportsOperator

_HOME = {
    "DriftBranchOperator": "operators",
    "DriftCheckOperator": "operators",
    "DriftDetectedError": "exceptions",
    "DriftGateOperator": "operators",
    "DriftMistakeError": "exceptions",
    "DriftNotifier": "notifier",
    "DriftReportLink": "links",
    "DriftUndecidedError": "exceptions",
    "ExpectationsNotEvaluatedError": "exceptions",
    "ExpectationsUnmetError": "exceptions",
    "FitReferenceOperator": "operators",
    "GXCheckpointOperator": "checkpoint",
    "HistoryHook": "hooks",
    "MergeProfilesOperator": "operators",
    "PromoteReferenceOperator": "operators",
    "PruneReportsOperator": "retention",
    "ScanSnapshotOperator": "operators",
    "drift_check_task": "decorators",
}
"""Where each public name lives."""

__all__ = [
    "DriftBranchOperator",
    "DriftCheckOperator",
    "DriftDetectedError",
    "DriftGateOperator",
    "DriftMistakeError",
    "DriftNotifier",
    "DriftReportLink",
    "DriftUndecidedError",
    "ExpectationsNotEvaluatedError",
    "ExpectationsUnmetError",
    "FitReferenceOperator",
    "GXCheckpointOperator",
    "HistoryHook",
    "MergeProfilesOperator",
    "PromoteReferenceOperator",
    "PruneReportsOperator",
    "ScanSnapshotOperator",
    "drift_check_task",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"kl_drift.airflow has no {name!r}.{did_you_mean(name, _HOME)}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
