"""Drift of feature columns between Parquet snapshots, measured as Kullback-Leibler divergence.

The front door: a lazy map from name to module. Importing it imports nothing heavy.

>>> import kl_drift as kd
>>> reference = kd.fit({"x": list(range(100)) * 20})
>>> current = kd.scan({"x": list(range(50)) * 40}, like=reference)
>>> report = kd.compare(current, reference)
>>> report.drifted
('x',)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kl_drift.version import __version__

if TYPE_CHECKING:
    from kl_drift import errors
    from kl_drift.api import calibrate, check, closest_reference, compare, fit, scan
    from kl_drift.artefact import load_limits, load_profile, load_report, save
    from kl_drift.counts.binning import Categories, Edges, Quantiles, Uniform
    from kl_drift.counts.profile import Profile, merge
    from kl_drift.counts.selection import Selection
    from kl_drift.engines.sql import SqlTable
    from kl_drift.errors import KLDriftError
    from kl_drift.history.calibration import learn
    from kl_drift.history.record import History
    from kl_drift.judging.policy import Policy, Status
    from kl_drift.judging.report import ColumnReport, Report
    from kl_drift.judging.sensitivity import smallest_drifts
    from kl_drift.plan.plan import Plan, load_plan
    from kl_drift.render.words import moved, reason, sentence, summary
    from kl_drift.snapshot import Snapshot
    from kl_drift.statistics import continuous
    from kl_drift.statistics.closest import closest
    from kl_drift.statistics.divergence import (
        contributions,
        cross_entropy,
        entropy,
        jeffreys,
        jensen_shannon,
        kl_divergence,
        psi,
        signed_contributions,
    )
    from kl_drift.statistics.smoothing import Smoothing, smooth

_HOME = {
    "Categories": "counts.binning",
    "ColumnReport": "judging.report",
    "Edges": "counts.binning",
    "History": "history.record",
    "KLDriftError": "errors",
    "Plan": "plan.plan",
    "Policy": "judging.policy",
    "Profile": "counts.profile",
    "Quantiles": "counts.binning",
    "Report": "judging.report",
    "Selection": "counts.selection",
    "Smoothing": "statistics.smoothing",
    "Snapshot": "snapshot",
    "SqlTable": "engines.sql",
    "Status": "judging.policy",
    "Uniform": "counts.binning",
    "calibrate": "api",
    "check": "api",
    "closest": "statistics.closest",
    "closest_reference": "api",
    "compare": "api",
    "contributions": "statistics.divergence",
    "cross_entropy": "statistics.divergence",
    "entropy": "statistics.divergence",
    "fit": "api",
    "jeffreys": "statistics.divergence",
    "jensen_shannon": "statistics.divergence",
    "kl_divergence": "statistics.divergence",
    "learn": "history.calibration",
    "load_limits": "artefact",
    "load_plan": "plan.plan",
    "load_profile": "artefact",
    "load_report": "artefact",
    "merge": "counts.profile",
    "moved": "render.words",
    "psi": "statistics.divergence",
    "reason": "render.words",
    "save": "artefact",
    "scan": "api",
    "sentence": "render.words",
    "signed_contributions": "statistics.divergence",
    "smallest_drifts": "judging.sensitivity",
    "smooth": "statistics.smoothing",
    "summary": "render.words",
}
"""Where each public name lives."""

_MODULES = {"continuous": "statistics.continuous", "errors": "errors"}
"""Where the public modules live."""

__all__ = [
    "Categories",
    "ColumnReport",
    "Edges",
    "History",
    "KLDriftError",
    "Plan",
    "Policy",
    "Profile",
    "Quantiles",
    "Report",
    "Selection",
    "Smoothing",
    "Snapshot",
    "SqlTable",
    "Status",
    "Uniform",
    "__version__",
    "calibrate",
    "check",
    "closest",
    "closest_reference",
    "compare",
    "continuous",
    "contributions",
    "cross_entropy",
    "entropy",
    "errors",
    "fit",
    "jeffreys",
    "jensen_shannon",
    "kl_divergence",
    "learn",
    "load_limits",
    "load_plan",
    "load_profile",
    "load_report",
    "merge",
    "moved",
    "psi",
    "reason",
    "save",
    "scan",
    "sentence",
    "signed_contributions",
    "smallest_drifts",
    "smooth",
    "summary",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        value: object = import_module(f"kl_drift.{_MODULES[name]}")
    elif name in _HOME:
        value = getattr(import_module(f"kl_drift.{_HOME[name]}"), name)
    else:
        from kl_drift.errors import did_you_mean

        raise AttributeError(f"kl_drift has no {name!r}.{did_you_mean(name, [*_HOME, *_MODULES])}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
