"""What Airflow itself says of the provider, asked as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import jsonschema
import pytest

from kl_drift.airflow.provider import get_provider_info


def airflow(*words: str) -> str:
    command = [str(Path(sys.executable).parent / "airflow"), *words, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "named",
    [
        "kl_drift.airflow.operators",
        "kl_drift.airflow.decorators.drift_check_task",
        "kl_drift.airflow.notifier.DriftNotifier",
        "kl_drift.airflow.links.DriftReportLink",
        "kl_drift.airflow.hooks.HistoryHook",
        "reports_folder",
    ],
)
def test_airflow_shows_the_provider_and_all_that_it_brings(shown: str, named: str) -> None:
    assert named in shown


@pytest.fixture(scope="module")
def shown() -> str:
    (provider,) = json.loads(airflow("providers", "get", "kl-drift", "--full"))
    assert provider["package-name"] == "kl-drift"
    return json.dumps(provider)


def test_the_plugin_is_loaded_without_an_error() -> None:
    assert "kl_drift" in airflow("plugins")


def test_airflow_knows_the_default_of_the_setting(airflow_home: Path) -> None:
    from airflow.sdk.configuration import conf

    assert conf.get("kl_drift", "reports_folder") == f"{airflow_home}/kl_drift"


def test_every_class_that_is_named_is_there() -> None:
    from airflow.sdk.module_loading import import_string

    info = get_provider_info()
    named = [
        *(each["class-name"] for each in info["task-decorators"]),
        *(each["hook-class-name"] for each in info["connection-types"]),
        *info["notifications"],
        *info["extra-links"],
    ]
    assert len(named) == 4
    for name in named:
        assert callable(import_string(name))


def test_the_information_is_as_airflow_wants_it() -> None:
    import airflow as package

    schema = json.loads(
        Path(package.__path__[0], "provider_info.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.validate(get_provider_info(), schema)
    assert get_provider_info()["package-name"] == metadata("kl-drift")["Name"]


@pytest.mark.parametrize(
    ("module", "before"), [("provider", "os"), ("plugin", "airflow.sdk.plugins_manager")]
)
def test_what_every_process_of_airflow_loads_is_light(module: str, before: str) -> None:
    code = (
        f"import sys, {before}; before = set(sys.modules); "
        f"import kl_drift.airflow.{module}; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    added = done.stdout.splitlines()[-1].split()
    assert f"kl_drift.airflow.{module}" in added
    assert {name.partition(".")[0] for name in added} <= {"kl_drift"} | sys.stdlib_module_names
