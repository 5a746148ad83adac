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
    from kl_drift import continuous, errors
    from kl_drift.api import calibrate, check, closest_reference, compare, fit, scan
    from kl_drift.artefact import load_limits, load_profile, load_report, save
    from kl_drift.binning import Categories, Edges, Quantiles, Uniform
    from kl_drift.calibration import learn
    from kl_drift.columns import Selection
    from kl_drift.divergence import (
        closest,
        contributions,
        cross_entropy,
        entropy,
        jeffreys,
        jensen_shannon,
        kl_divergence,
        psi,
        signed_contributions,
    )
    from kl_drift.engines.sql import SqlTable
    from kl_drift.errors import KLDriftError
    from kl_drift.history import History
    from kl_drift.plan import Plan, load_plan
    from kl_drift.policy import Policy, Status
    from kl_drift.profile import Profile, merge
    from kl_drift.report import ColumnReport, Report
    from kl_drift.smoothing import Smoothing, smooth
    from kl_drift.snapshot import Snapshot

_HOME = {
    "Categories": "binning",
    "ColumnReport": "report",
    "Edges": "binning",
    "History": "history",
    "KLDriftError": "errors",
    "Plan": "plan",
    "Policy": "policy",
    "Profile": "profile",
    "Quantiles": "binning",
    "Report": "report",
    "Selection": "columns",
    "Smoothing": "smoothing",
    "Snapshot": "snapshot",
    "SqlTable": "engines.sql",
    "Status": "policy",
    "Uniform": "binning",
    "calibrate": "api",
    "check": "api",
    "closest": "divergence",
    "closest_reference": "api",
    "compare": "api",
    "continuous": "",
    "contributions": "divergence",
    "cross_entropy": "divergence",
    "entropy": "divergence",
    "errors": "",
    "fit": "api",
    "jeffreys": "divergence",
    "jensen_shannon": "divergence",
    "kl_divergence": "divergence",
    "learn": "calibration",
    "load_limits": "artefact",
    "load_plan": "plan",
    "load_profile": "artefact",
    "load_report": "artefact",
    "merge": "profile",
    "psi": "divergence",
    "save": "artefact",
    "scan": "api",
    "signed_contributions": "divergence",
    "smooth": "smoothing",
}
"""Where each public name lives; an empty home is a module of that name."""

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
    "psi",
    "save",
    "scan",
    "signed_contributions",
    "smooth",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        from kl_drift.errors import did_you_mean

        raise AttributeError(f"kl_drift has no {name!r}.{did_you_mean(name, _HOME)}")
    home = _HOME[name]
    value = (
        getattr(import_module(f"kl_drift.{home}"), name)
        if home
        else import_module(f"kl_drift.{name}")
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
