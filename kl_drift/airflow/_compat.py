"""What the Airflow at hand can do: the one place that compares versions or looks for features.

Knows Airflow's version and its context. Has never heard of drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def asset_state(context: Mapping[str, Any], asset: Any) -> Any | None:
    """Return the JSON that Airflow keeps for an asset between runs; ``None`` before Airflow 3.3."""
    stores = context.get("asset_state_store")
    return None if stores is None else stores[asset]


def partition_key(context: Mapping[str, Any]) -> str | None:
    """Return the partition that the run is about; ``None`` without one, or before Airflow 3.3."""
    return context.get("partition_key")
