"""The pages of all checks in Airflow's own API: what they show, and who may acknowledge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kl_drift as kd
from kl_drift.history.record import History

REFERENCE = kd.fit({"x": [1.0, 2.0, 3.0] * 900, "<b>": ["a", "b"] * 1350})


def day(number: int, shifted: bool = False) -> tuple[kd.Profile, kd.Report]:
    rows = {"x": [1.0, 2.0, 3.0] * 900, "<b>": ["a", "b"] * 1350}
    rows |= {"x": [1.0, 1.0, 1.0 + number] * 900} if shifted else {}
    profile = replace(kd.scan(rows, like=REFERENCE), as_of=f"2013-03-{number:02d}")
    return profile, kd.compare(profile, REFERENCE)


def place(dag: str, number: int) -> dict[str, Any]:
    ids = {"dag_id": dag, "run_id": f"run {number}", "task_id": "check", "map_index": -1}
    return {**ids, "try_number": 1, "logical_date": None, "owner": "ann"}


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Record two checks of Airflow, one of nobody, and one that could not run."""
    where = tmp_path / "history.sqlite"
    monkeypatch.setenv("AIRFLOW__KL_DRIFT__HISTORY", str(where))
    made = History.open(where)
    for number in range(1, 6):
        drifted = number > 2
        for dag, shifted in (("red", drifted), ("green", False)):
            made.add(f"{dag}/flights", *day(number, shifted), place=place(dag, number))
    made.add("by hand", *day(1))
    made.add_failure("blind", "no such file: <x>", place=place("red", 9))
    return made


def signed_in(role: str | None) -> dict[str, str]:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username="ann", role=role)
    return {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}


OURS = {"X-KL-Drift": "1", "Sec-Fetch-Site": "same-origin"}


def order(page: str, *names: str) -> list[str]:
    """Return names in the order in which a page shows them."""
    return sorted((name for name in names if name in page), key=page.index)


@pytest.mark.usefixtures("history")
def test_the_list_has_what_is_red_first_and_every_check(client: Any) -> None:
    answer = client.get("/kl_drift/checks", headers=signed_in("viewer"))
    assert answer.status_code == 200, answer.text
    names = ("red/flights", "blind", "green/flights", "by hand")
    assert order(answer.text, *names) == list(names[:2]) + order(answer.text, *names[2:])
    assert len(order(answer.text, *names)) == 4
    assert "no such file: &lt;x&gt;" in answer.text
    assert "red, ann" in answer.text
    assert '<td class="day">2013-03-03</td>' in answer.text, "since when it drifts"
    assert "last runs: 2 ok, 3 drift" in answer.text
    assert "script-src 'sha256-" in answer.headers["content-security-policy"]
    of_dag = client.get("/kl_drift/checks?dag_id=green", headers=signed_in("viewer")).text
    assert order(of_dag, *names) == ["green/flights"]


@pytest.mark.usefixtures("history")
def test_a_check_shows_columns_runs_and_kl_over_time(client: Any) -> None:
    there = "/kl_drift/check?name=red%2Fflights&column=x"
    page = client.get(there, headers=signed_in("viewer")).text
    assert 'aria-label="2 columns, 5 runs"' in page
    assert '<path class="drift" d="M2 0h3v1h-3z"/>' in page
    assert 'aria-label="KL over 5 runs"' in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert 'href="/dags/red/runs/run%205/tasks/check/plugin/drift"' in page
    assert "<form" not in page, "a viewer may not acknowledge"
    missing = client.get("/kl_drift/check?name=nothing", headers=signed_in("viewer"))
    assert (missing.status_code, "no check &#x27;nothing&#x27;" in missing.text) == (404, True)


@pytest.mark.usefixtures("history")
def test_nobody_sees_what_they_may_not_read(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/kl_drift/checks", "/kl_drift/check?name=red%2Fflights"):
        assert client.get(path).status_code == 401
        led = client.get(path, headers={"Sec-Fetch-Dest": "document"}, follow_redirects=False)
        assert led.headers["location"].startswith("/api/v2/auth/login?next=")
    nobody = signed_in(None)
    assert "No check that you may see" in client.get("/kl_drift/checks", headers=nobody).text
    assert client.get("/kl_drift/check?name=red%2Fflights", headers=nobody).status_code == 403
    from kl_drift.airflow import _access

    monkeypatch.setattr(_access, "may_read", lambda user, dag: dag == "green")
    listed = client.get("/kl_drift/checks", headers=signed_in("viewer")).text
    assert order(listed, "red/flights", "green/flights", "blind") == ["green/flights"]


def said(history: History, check: str = "red/flights") -> dict[str, str]:
    profile = history.runs_of(check)[-1].profile
    return {"check": check, "verb": "incident", "profile": profile, "note": "<i>snow</i>"}


def test_who_may_edit_runs_may_acknowledge(client: Any, history: History) -> None:
    there = "/kl_drift/check?name=red%2Fflights"
    user = signed_in("user")
    assert "<form" in client.get(there, headers=user).text
    answer = client.post("/kl_drift/feedback", json=said(history), headers=user | OURS)
    assert answer.status_code == 200, answer.text
    (known,) = history.acknowledgements("red/flights")
    assert (known.as_of, known.note, known.by) == ("2013-03-05", "<i>snow</i>", "ann")
    assert "&lt;i&gt;snow&lt;/i&gt;" in client.get(there, headers=user).text
    listed = client.get("/kl_drift/checks", headers=user).text
    assert "acknowledged by ann: &lt;i&gt;snow&lt;/i&gt;" in listed


@pytest.mark.parametrize(
    ("verb", "more"),
    [("normal", {}), ("missed", {"column": "x"}), ("quiet", {"until": "2999-01-01"})],
)
def test_all_that_can_be_said_is_said_from_the_page(
    client: Any, history: History, verb: str, more: dict[str, str]
) -> None:
    body = said(history) | {"verb": verb} | more
    answer = client.post("/kl_drift/feedback", json=body, headers=signed_in("user") | OURS)
    assert answer.status_code == 200, answer.text
    (told,) = history.feedback("red/flights")
    assert (told.verb, told.by) == (verb, "ann")
    assert {"column": told.column, "until": told.until} == {"column": "", "until": ""} | more
    page = client.get("/kl_drift/check?name=red%2Fflights", headers=signed_in("viewer")).text
    assert f"<td>{verb}</td>" in page


@pytest.mark.parametrize(
    ("role", "headers", "status", "why"),
    [
        ("viewer", OURS, 403, "may not edit the runs"),
        ("user", {"X-KL-Drift": "1", "Sec-Fetch-Site": "same-site"}, 403, "from a page of this"),
        ("user", {"Sec-Fetch-Site": "same-origin"}, 403, "from a page of this"),
        ("user", {"X-KL-Drift": "1", "Origin": "http://evil.example"}, 403, "from a page of this"),
        ("user", {"X-KL-Drift": "1"}, 403, "from a page of this"),
    ],
)
def test_nobody_else_and_no_other_site_may(
    client: Any, history: History, role: str, headers: dict[str, str], status: int, why: str
) -> None:
    answer = client.post(
        "/kl_drift/feedback", json=said(history), headers=signed_in(role) | headers
    )
    assert (answer.status_code, why in answer.json()["detail"]) == (status, True)
    assert client.post("/kl_drift/feedback", json=said(history), headers=OURS).status_code == 401
    assert history.acknowledgements() == ()


def test_what_cannot_be_acknowledged_is_said(client: Any, history: History) -> None:
    user = signed_in("user") | OURS
    for check, status in (("nothing", 404), ("by hand", 403)):
        body = said(history) | {"check": check}
        assert client.post("/kl_drift/feedback", json=body, headers=user).status_code == status
    lost = client.post(
        "/kl_drift/feedback", json=said(history) | {"profile": "f" * 12}, headers=user
    )
    assert lost.status_code == 404, lost.text
    assert "no profile is called" in lost.text, lost.text
    empty = client.post("/kl_drift/feedback", json=said(history) | {"note": ""}, headers=user)
    assert empty.status_code == 422


def test_without_a_history_the_page_says_what_to_do(
    client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unset = client.get("/kl_drift/checks", headers=signed_in("viewer"))
    assert (unset.status_code, "set history_conn_id, or history" in unset.text) == (503, True)
    monkeypatch.setenv("AIRFLOW__KL_DRIFT__HISTORY", str(tmp_path / "none.sqlite"))
    gone = client.get("/kl_drift/check?name=x", headers=signed_in("viewer"))
    assert (gone.status_code, "no history at" in gone.text) == (503, True)
