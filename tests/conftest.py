"""What is dear to start and shared by all tests: PostgreSQL, an object store, a Spark session."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from needed import needed

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pyspark.sql import SparkSession
    from sqlalchemy import URL

_main = sys.modules["__main__"]
if _main.__spec__ is None and not hasattr(_main, "__file__"):
    # So is the main module of a worker of pytest-xdist. pyspark, which Great Expectations imports,
    # takes it for a doctest that it must skip, and ends the process.
    _main.__spec__ = ModuleSpec("__main__", None)


settings.register_profile("quick", max_examples=20)

_NEEDS = {"browser": "browser", "spark": "java"}
"""What a test needs by the fixtures that it asks for: fixture, marker."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the tests that need more than Python, before markers select."""
    for item in items:
        for fixture in _NEEDS.keys() & set(item.fixturenames):
            item.add_marker(_NEEDS[fixture])


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """A PostgreSQL server that listens on a socket in a folder of its own, nowhere else."""
    from servers import postgresql

    with postgresql() as url:
        yield url


@pytest.fixture(scope="module")
def no_aws() -> Iterator[None]:
    """Keep whatever credentials this machine has out of the tests."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patched.delenv(name)
        patched.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="module")
def endpoint(no_aws: None) -> Iterator[str]:
    """An S3 server on this machine: its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium, to open pages in; not longer, since it keeps an event loop running."""
    from browser import chromium

    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A Spark of two threads, in a time zone that is not UTC."""
    from pyspark.sql import SparkSession

    os.environ["JAVA_HOME"] = needed("java.sh")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # At exit it tells of each connection that closes, when pytest's log is closed already.
    logging.getLogger("py4j").setLevel(logging.WARNING)
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "America/New_York",
    }
    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    yield session
    session.stop()
