"""Airflow's connections: an S3 server for real, a history, and secrets that stay where they are."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyarrow import fs
from structlog.testing import capture_logs

from kl_drift import History, Snapshot
from kl_drift.airflow import (
    DriftCheckOperator,
    FitReferenceOperator,
    HistoryHook,
    PromoteReferenceOperator,
)
from kl_drift.airflow._storage import history_url, located, with_connection
from kl_drift.errors import MissingExtraError, UsageError

FLIGHTS = Path(__file__).parent.parent.parent / "examples" / "flights"
SECRET = "s3cr3t/with+signs"  # noqa: S105 - the server takes any


pytestmark = pytest.mark.usefixtures("no_aws")


@pytest.fixture(scope="module")
def lake(endpoint: str) -> Iterator[str]:
    """Put the flights into the object store, with a connection `lake` to it; return its address."""
    files = fs.S3FileSystem(
        access_key="AKIAEXAMPLE", secret_key=SECRET, endpoint_override=endpoint,
        region="us-east-1", allow_bucket_creation=True,
    )  # fmt: skip
    files.create_dir("bucket")
    for month in ("2013-01", "2013-02"):
        part = f"month={month}/part-0.parquet"
        with files.open_output_stream(f"bucket/flights/{part}") as stream:
            stream.write((FLIGHTS / part).read_bytes())
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    conn = {"conn_type": "aws", "login": "AKIAEXAMPLE", "password": SECRET, "extra": extra}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AIRFLOW_CONN_LAKE", json.dumps(conn))
        yield endpoint


@pytest.fixture
def context() -> Any:
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1, xcom={})
    ti.xcom_push = lambda key, value: ti.xcom.update({key: value})
    return {"ti": ti, "run_id": "run", "outlets": [], "outlet_events": {}}


@pytest.mark.usefixtures("lake")
def test_a_check_in_an_object_store_from_fit_to_pointer(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__KL_DRIFT__REPORTS_FOLDER", "s3://lake@bucket/reports")
    with capture_logs() as logged:
        fit = FitReferenceOperator(
            task_id="fit", snapshot="s3://bucket/flights/month=2013-01", columns=["dep_time"],
            profile="s3://bucket/out/january.json", conn_id="lake",
        )  # fmt: skip
        fitted = fit.execute(context)
        assert fitted["profile"] == "s3://lake@bucket/out/january.json"
        check = DriftCheckOperator(
            task_id="check", reference=fitted,
            current={"path": "s3://lake@bucket/flights", "where": {"month": "2013-02"}},
            limits={"warn": 5.0, "drift": 6.0, "null_drift": 5.0},
            profile="s3://lake@bucket/out/february.json", html="s3://lake@bucket/out/page.html",
            pointer="s3://lake@bucket/out/pointer.json",
        )  # fmt: skip
        summary = check.execute(context)
        promote = PromoteReferenceOperator(
            task_id="promote", profile=summary, pointer="s3://lake@bucket/out/pointer.json"
        )
        promote.execute(context)
        check.profile = None
        again = check.execute(context)
    assert summary["status"] == "ok"
    assert again["reference"]["rows"] == summary["current"]["rows"], "the promoted one"
    seen = [logged, context["ti"].xcom, summary, fitted, repr(check), vars(fit), check.findings]
    assert SECRET not in repr(seen)
    assert "AKIAEXAMPLE" not in repr(seen)


@pytest.mark.usefixtures("lake")
def test_the_path_of_airflow_is_a_location() -> None:
    from airflow.sdk import ObjectStoragePath

    from kl_drift.airflow._plans import snapshot

    named = snapshot(ObjectStoragePath("s3://lake@bucket/flights"), None)
    assert (named.path, named.options["access_key"]) == ("s3://bucket/flights", "AKIAEXAMPLE")
    assert SECRET not in repr(named)


@pytest.mark.usefixtures("lake")
def test_a_snapshot_keeps_its_own_keys(lake: str) -> None:
    from kl_drift.airflow._plans import snapshot

    own = Snapshot(path="s3://lake@bucket/flights", label="flights", options={"scheme": "http"})
    named = snapshot(own, None)
    assert named.label == "flights"
    assert named.options == {
        "scheme": "http", "access_key": "AKIAEXAMPLE", "secret_key": SECRET,
        "region": "us-east-1", "endpoint_override": lake,
    }  # fmt: skip


def test_a_location_names_its_connection_and_holds_no_credentials() -> None:
    assert located("/data/x.json", "lake") == ("/data/x.json", {})
    assert located("relative@odd/x.json") == ("relative@odd/x.json", {})
    assert located("file:///data/x.json", "lake") == ("file:///data/x.json", {})
    assert located("s3://bucket/a@b") == ("s3://bucket/a@b", {})
    assert with_connection("s3://bucket/x.json", "lake") == "s3://lake@bucket/x.json"
    assert with_connection("s3://own@bucket/x.json", "lake") == "s3://own@bucket/x.json"
    assert with_connection("s3://own@bucket/a@b", "lake") == "s3://own@bucket/a@b"
    assert with_connection("/data/x.json", "lake") == "/data/x.json"
    for leaky in (
        f"s3://AKIA:{SECRET}@bucket/x", "s3://bucket/x?secret_key=hush", "gs://u:hush@bucket/x",
        "s3://u:hu/hush@bucket/x", "s3://bucket:hush/x", "s3://own@bucket/x?anything=hush",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="holds credentials or options") as caught:
            located(leaky)
        assert "hush" not in str(caught.value)
        assert SECRET.partition("/")[0] not in str(caught.value)


def _connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> str:
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", json.dumps(fields))
    return "elsewhere"


def test_the_usual_extras_of_aws_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "aws_access_key_id": "AKIA", "aws_secret_access_key": SECRET, "aws_session_token": "tok",
        "service_config": {"s3": {"endpoint_url": "http://127.0.0.1:9"}},
        "role_arn": "arn:aws:iam::1:role/r", "assume_role_kwargs": {"ExternalId": "e"},
    }  # fmt: skip
    conn = _connect(monkeypatch, conn_type="aws", extra=extra)
    assert located("s3://bucket/x", conn)[1] == {
        "access_key": "AKIA", "secret_key": SECRET, "session_token": "tok", "external_id": "e",
        "endpoint_override": "http://127.0.0.1:9", "role_arn": "arn:aws:iam::1:role/r",
    }  # fmt: skip


GOOGLE = "google_cloud_platform"


def test_the_usual_extras_of_google_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    conn = _connect(monkeypatch, conn_type=GOOGLE, extra={"token": SECRET, "project": "p"})
    assert located("gs://elsewhere@b/x") == (
        "gs://b/x", {"access_token": SECRET, "project_id": "p"}
    )  # fmt: skip
    _connect(monkeypatch, conn_type=GOOGLE, extra={"is_anonymous": True})
    assert located("gs://b/x", conn)[1] == {"anonymous": "true"}
    _connect(monkeypatch, conn_type=GOOGLE, extra={"key_secret_name": "vault"})
    with pytest.raises(UsageError, match="key_secret_name cannot be read here"):
        located("gs://b/x", conn)


@pytest.fixture
def tokens() -> Iterator[str]:
    """Run what gives tokens to service accounts; return its address."""

    class Tokens(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"access_token": SECRET, "expires_in": 3600}).encode()
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if b"assertion=" in asked else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Tokens) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("where", ["keyfile_dict", "key_path"])
def test_the_key_of_a_service_account_becomes_a_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tokens: str, where: str
) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = {"client_email": "drift@p", "private_key": private.decode(), "token_uri": tokens}
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    stated = json.dumps(key) if where == "keyfile_dict" else str(path)
    conn = _connect(monkeypatch, conn_type=GOOGLE, extra={where: stated})
    assert located("gs://b/x", conn)[1] == {"access_token": SECRET}


def test_a_key_that_is_none_is_a_mistake_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for extra in ({"keyfile_dict": SECRET}, {"key_path": str(tmp_path / "no.json")}):
        conn = _connect(monkeypatch, conn_type=GOOGLE, extra=extra)
        with pytest.raises(UsageError, match="expected the JSON key of a service acc") as caught:
            located("gs://b/x", conn)
        assert SECRET not in str(caught.value)
        assert caught.value.__suppress_context__
    monkeypatch.setitem(sys.modules, "google.oauth2.service_account", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kl-drift\[gcs\]'"):
        located("gs://b/x", conn)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        (
            {"conn_type": "postgres", "host": "db", "schema": "drift", "port": 5433,
             "login": "me@work", "password": "p/w"},
            "postgresql://me%40work:p%2Fw@db:5433/drift",
        ),
        ({"conn_type": "kl_drift", "host": "db", "schema": "drift"}, "postgresql://db/drift"),
        ({"conn_type": "sqlite", "host": "/data/history.sqlite"}, "/data/history.sqlite"),
    ],
)  # fmt: skip
def test_a_history_is_where_its_connection_says(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], url: str
) -> None:
    assert history_url(_connect(monkeypatch, **fields)) == url


def test_a_connection_to_nowhere_is_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="expected a host with a database"):
        history_url(_connect(monkeypatch, conn_type="kl_drift"))
    with pytest.raises(UsageError, match="found no host"):
        history_url(_connect(monkeypatch, conn_type="postgres", schema="drift"))


def test_a_check_is_recorded_in_the_history_of_a_connection(
    context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = str(tmp_path / "history.sqlite")
    conn = _connect(monkeypatch, conn_type="kl_drift", host=where)
    hook = HistoryHook(conn)
    assert hook.test_connection() == (True, f"the history at {where} can be read")
    DriftCheckOperator(
        task_id="check", reference=str(FLIGHTS / "month=2013-01"), check="flights",
        current=str(FLIGHTS / "month=2013-02"), columns=["dep_time"], history_conn_id=conn,
        limits={"warn": 5.0, "drift": 6.0, "null_drift": 5.0},
    ).execute(context)  # fmt: skip
    assert len(hook.get_conn().reports("flights")) == len(History.open(where).reports("flights"))
    assert len(hook.get_conn().reports("flights")) == 1
    _connect(
        monkeypatch, conn_type="postgres", host="127.0.0.1", port=1, schema="d", login="u",
        password=SECRET,
    )  # fmt: skip
    works, said = hook.test_connection()
    assert not works
    assert SECRET not in said
