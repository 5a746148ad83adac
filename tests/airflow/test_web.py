"""The page of reports in Airflow's own API: who may see it, what it shows, what it never opens."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_drift import api, save
from kl_drift.airflow._reports import report_location, reports_folder, saved_tries
from kl_drift.airflow._whereabouts import tab_path

RUN = "manual__2013-02-01T00:00:00+00:00"


def _token(role: str | None) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ann", role=role)))


@pytest.fixture(scope="module")
def viewer(client: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {_token('viewer')}"}


@pytest.fixture
def saved(airflow_home: Path) -> Path:
    where = Path(report_location(place()))
    save(api.compare({"x": [1.0, 2.0] * 900}, {"x": [1.0, 2.0] * 800}), where)
    assert where.is_relative_to(airflow_home / "kl_drift")
    assert saved_tries(place()) == [1]
    return where


def place(*ids: str, map_index: int = -1, try_number: int = 1) -> dict[str, Any]:
    dag, run, task = ids or ("flights", RUN, "check")
    found = {"dag_id": dag, "run_id": run, "task_id": task}
    return {**found, "map_index": map_index, "try_number": try_number}


def page(*ids: str) -> str:
    return "/kl_drift/reports/" + "/".join(ids)


@pytest.mark.parametrize("map_index", ["-1", "{MAP_INDEX}"])
@pytest.mark.usefixtures("saved")
def test_the_saved_report_is_a_page_for_those_who_may_read_the_dag(
    client: Any, viewer: dict[str, str], map_index: str
) -> None:
    shown = client.get(page("flights", RUN, "check", map_index), headers=viewer)
    assert shown.status_code == 200, shown.text
    assert shown.headers["content-type"].startswith("text/html")
    assert "0 of 1 columns drifted" in shown.text


@pytest.mark.usefixtures("saved")
def test_each_try_has_its_report_and_one_that_left_none_says_so(
    client: Any, viewer: dict[str, str]
) -> None:
    there = page("flights", RUN, "check", "-1")
    once = client.get(there, headers=viewer).text
    assert "try 1" not in once, "there is nothing to choose"
    failed = client.get(f"{there}?try_number=2", headers=viewer)
    assert (failed.status_code, "Try 2 of this task has saved no drift report" in failed.text) == (
        404, True,
    )  # fmt: skip
    assert '<a href="?try_number=1">try 1</a>' in failed.text
    third = report_location(place(try_number=3))
    save(api.compare({"third": [1.0, 2.0] * 900}, {"third": [1.0, 2.0] * 900}), third)
    try:
        latest = client.get(there, headers=viewer).text
        first = client.get(f"{there}?try_number=1", headers=viewer).text
    finally:
        Path(third).unlink()
    assert "third" in latest
    assert "<b>try 3</b>" in latest
    assert "third" not in first
    assert '<a href="?try_number=3">try 3</a>' in first


def test_the_page_says_how_to_get_back_outside_the_frame(
    client: Any, viewer: dict[str, str], saved: Path
) -> None:
    assert saved.exists()
    there = page("flights", RUN, "check", "-1")
    back = f'<a href="/{tab_path(place())}">Back to the task in Airflow</a>'
    assert back in client.get(there, headers=viewer).text
    framed = viewer | {"Sec-Fetch-Dest": "iframe"}
    assert "Back to the task" not in client.get(there, headers=framed).text


def test_whoever_is_not_signed_in_is_led_there_and_back(client: Any) -> None:
    where = page("flights", RUN, "check", "-1") + "?try_number=1"
    for token in ({}, {"Authorization": "Bearer no"}):
        person = {"Sec-Fetch-Dest": "document", **token}
        answer = client.get(where, headers=person, follow_redirects=False)
        assert answer.status_code == 307
        back = quote(f"http://testserver{where}", safe="")
        assert answer.headers["location"] == f"/api/v2/auth/login?next={back}"
    framed = client.get(where, headers={"Sec-Fetch-Dest": "iframe"})
    assert (framed.status_code, "parent.location.reload()" in framed.text) == (401, True)
    forbidden = {"Authorization": f"Bearer {_token(None)}", "Sec-Fetch-Dest": "document"}
    assert client.get(where, headers=forbidden).status_code == 403, "no use in signing in again"


@pytest.mark.usefixtures("saved")
def test_nobody_else_sees_it(client: Any) -> None:
    where = page("flights", RUN, "check", "-1")
    assert client.get(where).status_code == 401
    assert client.get(where, headers={"Authorization": "Bearer no"}).status_code in (401, 403)
    nobody = {"Authorization": f"Bearer {_token(None)}"}
    assert client.get(where, headers=nobody).status_code == 403


def test_a_task_without_a_report_says_so(client: Any, viewer: dict[str, str]) -> None:
    answer = client.get(page("flights", RUN, "other", "-1"), headers=viewer)
    assert answer.status_code == 404
    assert "has saved no drift report" in answer.text


@pytest.mark.parametrize(
    "ids",
    [
        ("..", "..", "secret", "-1"),
        ("%2e%2e", "%2e%2e", "secret", "-1"),
        ("flights", "..%2f..%2f..", "secret", "-1"),
        ("flights", "..%5c..", "secret", "-1"),
        ("flights", RUN, "..", "../../../secret/-1"),
        ("flights", RUN, "check", "..%2f..%2f..%2f..%2fsecret%2f-1"),
        ("~", RUN, "check", "-1"),
    ],
)
def test_no_request_leads_out_of_the_folder_of_reports(
    client: Any, viewer: dict[str, str], saved: Path, ids: tuple[str, ...]
) -> None:
    outside = saved.parents[4].parent / "secret" / "-1.json"
    save(api.compare({"hushed": [1.0, 2.0] * 900}, {"hushed": [1.0, 2.0] * 900}), outside)
    answer = client.get(page(*ids), headers=viewer)
    assert "hushed" not in answer.text
    assert "columns drifted" not in answer.text


@given(st.lists(st.text(min_size=1), min_size=3, max_size=3), st.integers(-1, 10**6))
def test_no_ids_lead_out_of_the_folder_of_reports(ids: list[str], map_index: int) -> None:
    folder = Path(reports_folder())
    where = Path(os.path.normpath(report_location(place(*ids, map_index=map_index))))
    assert where.relative_to(folder).parts[-2:] == (str(map_index), "1.json")
    assert len(where.relative_to(folder).parts) == 5
    assert all(len(part.encode()) < 255 for part in where.parts)


def test_a_damaged_report_is_named_and_nothing_else_is_shown(
    client: Any, viewer: dict[str, str], saved: Path
) -> None:
    saved.write_text("{half")
    answer = client.get(page("flights", RUN, "check", "-1"), headers=viewer)
    assert answer.status_code == 500
    assert "not a saved report: not valid JSON" in answer.text
    assert "Traceback" not in answer.text


def test_the_tab_and_the_page_are_there_only_where_access_can_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kl_drift.airflow.plugin import KLDriftPlugin

    plugin = KLDriftPlugin()
    assert [each["url_prefix"] for each in plugin.fastapi_apps] == ["/kl_drift"]
    views = plugin.external_views
    assert [view["destination"] for view in views] == ["nav", "dag", "task_instance"]
    assert len({view["url_route"] for view in views}) == 3, "Airflow takes the first of a route"
    for view in views:
        assert not view["href"].startswith("/"), "a base path would be lost"
    monkeypatch.delitem(sys.modules, "kl_drift.airflow.web")
    monkeypatch.setitem(sys.modules, "airflow.api_fastapi.core_api.security", None)
    without = KLDriftPlugin()
    assert without.fastapi_apps == []
    assert without.external_views == []
