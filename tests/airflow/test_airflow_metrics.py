"""What Airflow's metrics hear of a check: by StatsD, plain and tagged, and by OpenTelemetry."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk._shared.observability.metrics import stats
from airflow.sdk._shared.observability.metrics.otel_logger import SafeOtelLogger
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from structlog.testing import capture_logs

from kl_drift import Policy, compare
from kl_drift.airflow import _metrics
from kl_drift.airflow._summary import Findings

REPORT = compare(
    {"a × b": [1.0, 2.0] * 900, "hour(x)": [1.0, 1.0] * 900, "fine": [1.0, 2.0] * 900},
    {"a × b": [1.0, 2.0] * 800, "hour(x)": [1.0, 2.0] * 800, "fine": [1.0, 2.0] * 800},
)
FINDINGS: Any = Findings(plan=SimpleNamespace(name="flights daily", policy=Policy()), report=REPORT)  # type: ignore[arg-type] # all that is asked of a plan
WORST = REPORT["hour(x)"].kl
LOG: Any = SimpleNamespace(exception=lambda *_: pytest.fail("nothing may go wrong"))


def measure_by(factory: Any) -> None:
    """Let Airflow's metrics go by a factory; Airflow 3.3 asks the module, 3.2 a class."""
    if hasattr(stats, "initialize"):
        stats.initialize(factory=factory, export_legacy_names=True)
    else:
        stats.Stats.initialize(factory=factory)


def backend() -> Any:
    return stats._get_backend() if hasattr(stats, "_get_backend") else stats.Stats.instance


def place(map_index: int = -1) -> dict[str, Any]:
    return {"dag_id": "dag", "task_id": "group.check", "map_index": map_index}


class Heard:
    """A StatsD server that keeps what it is sent."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.5)

    def all(self) -> list[str]:
        found: list[str] = []
        try:
            while True:
                found += self.socket.recv(65_536).decode().splitlines()
        except TimeoutError:
            return found


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    """Listen as the StatsD server of this Airflow."""
    from airflow.sdk.observability.metrics.statsd_logger import get_statsd_logger

    server = Heard()
    for key, value in {
        "STATSD_ON": "True", "STATSD_HOST": "127.0.0.1",
        "STATSD_PORT": str(server.socket.getsockname()[1]), "STATSD_PREFIX": "airflow",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"AIRFLOW__METRICS__{key}", value)
    measure_by(get_statsd_logger)
    yield server
    server.socket.close()
    backend().statsd.close()
    measure_by(stats.NoStatsLogger)


def emit(map_index: int = -1) -> None:
    with capture_logs() as logged:
        _metrics.emit(FINDINGS, 1.5, place(map_index), LOG)
    assert logged == [], "no backend complains of a name"


def test_plain_statsd_tells_checks_apart_by_name(heard: Heard) -> None:
    emit()
    emit(map_index=3)
    _metrics.emit_failure("flights daily", place(), LOG)
    assert WORST is not None
    ratio = WORST / Policy().drift
    one = {
        f"airflow.kl_drift.flights_daily.limit_ratio:{ratio}|g",
        "airflow.kl_drift.flights_daily.columns.ok:2|g",
        "airflow.kl_drift.flights_daily.columns.warn:0|g",
        "airflow.kl_drift.flights_daily.columns.undecided:0|g",
        "airflow.kl_drift.flights_daily.columns.drift:1|g",
        "airflow.kl_drift.flights_daily.rows.current:1800|g",
        "airflow.kl_drift.flights_daily.rows.reference:1600|g",
        "airflow.kl_drift.flights_daily.seconds:1.5|g",
        "airflow.kl_drift.flights_daily.checks.drift:1|c",
    }
    mapped = {line.replace("flights_daily.", "flights_daily.3.") for line in one}
    said = heard.all()
    assert set(said) == one | mapped | {"airflow.kl_drift.flights_daily.failures:1|c"}
    assert len(said) == len(set(said))


def test_tagged_statsd_tells_them_apart_by_tags(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    monkeypatch.setenv("AIRFLOW__KL_DRIFT__COLUMN_METRICS", "True")
    emit(map_index=3)
    said = heard.all()
    own = "check=flights_daily,dag_id=dag,task_id=group_check,map_index=3"
    assert f"airflow.kl_drift.columns,{own},status=drift:1|g" in said
    columns = [line for line in said if line.startswith("airflow.kl_drift.kl,")]
    assert {line.partition("column=")[2].partition(":")[0] for line in columns} == {
        "a_b", "hour_x", "fine",
    }  # fmt: skip


def test_opentelemetry_has_a_series_for_each_check(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    measure_by(lambda: SafeOtelLogger(provider))
    try:
        emit()
        emit(map_index=3)
        data = reader.get_metrics_data()
    finally:
        measure_by(stats.NoStatsLogger)
        provider.shutdown()
    assert data is not None
    found = {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert sorted(found) == [
        f"airflow.kl_drift.{end}" for end in ("checks", "columns", "limit_ratio", "rows", "seconds")
    ]
    seconds = found["airflow.kl_drift.seconds"]
    assert [(point.attributes or {}).get("map_index") for point in seconds] == [None, "3"]
    drifted = [
        point.value  # type: ignore[union-attr] # of a gauge or a sum
        for point in found["airflow.kl_drift.columns"]
        if (point.attributes or {})["status"] == "drift"
    ]
    assert drifted == [1, 1]


def test_no_two_columns_share_a_name() -> None:
    assert _metrics.distinct(["a b", "a×b", "ok", "…"]) == {
        "a b": "a_b", "a×b": "a_b_2", "ok": "ok", "…": "_",
    }  # fmt: skip
    assert len(set(_metrics.distinct(["a_b", "a b", "a_b_2"]).values())) == 3


def test_an_infinite_divergence_is_a_number_that_backends_take() -> None:
    report = compare(
        {"x": ["b"] * 500 + ["a"] * 500}, {"x": ["a"] * 1_000}, smoothing="none",
        policy=Policy(rule="point"),
    )  # fmt: skip
    gauges = {name: value for name, value, _ in _metrics._of_check(report, Policy(), 1.0)}
    assert gauges["limit_ratio"] == 1e6
