"""A real Airflow for the tests of this folder: its own home, its own database, the real DAGs.

Airflow reads its settings when it is imported, so they are set when this file is, which is before
any test of this folder is collected. Every process has a home of its own (pytest-xdist starts
several). This folder must never become a package: as `airflow` it would stand in Airflow's way.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent

if "airflow" in sys.modules:
    raise RuntimeError("Airflow was imported before its home was set; import it in tests, not here")


def _bundle(name: str, path: Path) -> dict[str, object]:
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": classpath, "kwargs": {"path": str(path)}}


def _settings(home: Path) -> dict[str, str]:
    bundles = [_bundle("dags-folder", ROOT / "dags"), _bundle("tests", ROOT / "tests/airflow/dags")]
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API_AUTH__JWT_SECRET": "known to these tests only, and long enough for HS512" * 2,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }


for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
_HOME = Path(tempfile.mkdtemp(prefix="kl-drift-airflow-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(_settings(_HOME))


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """Return this process's AIRFLOW_HOME."""
    return _HOME


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Path:
    """Return the file of a migrated database; `dag.test()` wants one."""
    command = [str(Path(sys.executable).parent / "airflow"), "db", "migrate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return airflow_home / "airflow.db"


@pytest.fixture(scope="session")
def airflow_3_3() -> bool:
    """Return whether this Airflow keeps state for assets and tells tasks their partition."""
    return Version(version("apache-airflow")) >= Version("3.3")


@pytest.fixture(scope="module")
def client(airflow_db: Path) -> Iterator[Any]:
    """Open the API server in this process."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    assert airflow_db.exists()
    with TestClient(create_app(apps="core"), raise_server_exceptions=False) as opened:
        yield opened
