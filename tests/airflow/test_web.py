"""The page of reports in Airflow's own API: who may see it, what it shows, what it never opens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kl_drift import api, save
from kl_drift.airflow._reports import report_location, report_url, reports_folder

RUN = "manual__2013-02-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def client(airflow_db: Path) -> Iterator[Any]:
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    assert airflow_db.exists()
    with TestClient(create_app(apps="core"), raise_server_exceptions=False) as opened:
        yield opened


def _token(role: str | None) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ann", role=role)))


@pytest.fixture(scope="module")
def viewer(client: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {_token('viewer')}"}


@pytest.fixture
def saved(airflow_home: Path) -> Path:
    where = Path(report_location("flights", RUN, "check"))
    save(api.compare({"x": [1.0, 2.0] * 900}, {"x": [1.0, 2.0] * 800}), where)
    assert where.is_relative_to(airflow_home / "kl_drift")
    return where


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
def test_the_link_leads_to_that_page(client: Any, viewer: dict[str, str]) -> None:
    link = report_url("flights", RUN, "check")
    assert client.get(link, headers=viewer).status_code == 200


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
    outside = saved.parents[3].parent / "secret" / "-1.json"
    save(api.compare({"hushed": [1.0, 2.0] * 900}, {"hushed": [1.0, 2.0] * 900}), outside)
    answer = client.get(page(*ids), headers=viewer)
    assert "hushed" not in answer.text
    assert "columns drifted" not in answer.text


@given(st.lists(st.text(min_size=1), min_size=3, max_size=3), st.integers(-1, 10**6))
def test_no_ids_lead_out_of_the_folder_of_reports(ids: list[str], map_index: int) -> None:
    folder = Path(reports_folder())
    where = Path(os.path.normpath(report_location(ids[0], ids[1], ids[2], map_index)))
    assert where.relative_to(folder).parts[-1] == f"{map_index}.json"
    assert len(where.relative_to(folder).parts) == 4
    assert all(len(part.encode()) < 255 for part in where.parts)


def test_a_damaged_report_is_named_and_nothing_else_is_shown(
    client: Any, viewer: dict[str, str], saved: Path
) -> None:
    saved.write_text("{half")
    answer = client.get(page("flights", RUN, "check", "-1"), headers=viewer)
    assert answer.status_code == 500
    assert "not a saved report: no JSON" in answer.text
    assert "Traceback" not in answer.text


def test_the_tab_and_the_page_are_there_only_where_access_can_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kl_drift.airflow.plugin import KLDriftPlugin

    plugin = KLDriftPlugin()
    assert [each["url_prefix"] for each in plugin.fastapi_apps] == ["/kl_drift"]
    (tab,) = plugin.external_views
    assert tab["destination"] == "task_instance"
    assert not tab["href"].startswith("/"), "a base path would be lost"
    monkeypatch.delitem(sys.modules, "kl_drift.airflow.web")
    monkeypatch.setitem(sys.modules, "airflow.api_fastapi.core_api.security", None)
    without = KLDriftPlugin()
    assert without.fastapi_apps == []
    assert without.external_views == []
