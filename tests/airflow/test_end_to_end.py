"""A complete Airflow, started as `make airflow` starts it, asked over its REST API.

One test, since starting Airflow takes half a minute: the runs are triggered together, and then
looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from browser import chromium
from live import Live, airflow, free_port
from receivers import http_endpoint, mail_server

HERE = Path(__file__).parent
DAGS = [HERE.parent.parent / "dags", HERE / "dags"]


def test_from_the_trigger_to_the_report_and_the_alert(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 this is no Parquet file")
    smtp_port = free_port()
    with mail_server(smtp_port) as mails, http_endpoint() as (http_port, posts):
        environment = {
            "AIRFLOW_CONN_SMTP_DEFAULT": f"smtp://127.0.0.1:{smtp_port}?disable_ssl=true&disable_tls=true",
            "KL_DRIFT_DATA": str(tmp_path / "data"),
            "KL_DRIFT_TEST_ALERTS": f"json://127.0.0.1:{http_port}/",
            "KL_DRIFT_TEST_BROKEN": str(broken),
            "KL_DRIFT_TEST_HISTORY": str(tmp_path / "history.sqlite"),
            "AIRFLOW__KL_DRIFT__HISTORY": str(tmp_path / "history.sqlite"),
        }
        with airflow(tmp_path / "airflow", DAGS, environment) as live:
            drift, warning, unreadable, promotion, mapped = (
                live.trigger(dag)
                for dag in (
                    "drift_found", "drift_only_warns", "drift_unreadable", "drift_promote",
                    "drift_by_partition",
                )
            )  # fmt: skip
            live.unpause("drift_heard_of")
            assert live.ask("GET", "importErrors")["import_errors"] == []
            drift_fails_without_a_retry(live, drift)
            its_log_and_xcom_say_what_drifted(live, drift)
            the_report_is_for_those_who_are_logged_in(live, drift)
            mail_and_post_say_what_drifted(mails, posts)
            a_warning_triggers_who_waits_for_the_asset(live, warning)
            the_page_of_all_checks_is_used_in_a_browser(live, warning)
            unreadable_data_is_retried(live, unreadable)
            a_person_is_asked(live, promotion)
            the_parts_were_mapped(live, mapped)
            the_answer_makes_the_new_reference(live, promotion)


def drift_fails_without_a_retry(live: Live, run: str) -> None:
    assert live.end(run) == "failed"
    (task,) = live.tasks(run).values()
    assert (task["state"], task["try_number"], task["max_tries"]) == ("failed", 1, 1)


def its_log_and_xcom_say_what_drifted(live: Live, run: str) -> None:
    log = live.log(run, "check")
    assert re.search(r"drift +air_time +0\.\d+", log)
    assert "DriftDetectedError: drift_found.check: drift: 1 of 3 columns drifted" in log
    assert live.frames(run, "check") == [1], "a planned failure is no matter of frames"
    summary = live.xcom(run, "check")
    assert summary["status"] == "drift"
    assert summary["drifted"] == ["air_time"]


def the_report_is_for_those_who_are_logged_in(live: Live, run: str) -> None:
    links = live.ask("GET", f"{run}/taskInstances/check/links")["extra_links"]
    dag, run_id = run.removeprefix("dags/").split("/dagRuns/")
    tab = f"dags/{dag}/runs/{quote(run_id, safe='')}/tasks/check/plugin/drift"
    assert links["Drift report"] == tab
    there = f"{live.url}/kl_drift/reports/{dag}/{quote(run_id, safe='')}/check/-1"
    page = live.client.get(there)
    assert page.status_code == 200, page.text
    assert "air_time" in page.text
    assert f'href="/{tab}"' in page.text, "the way back"
    assert httpx.get(there).status_code == 401


def mail_and_post_say_what_drifted(
    mails: Sequence[Message], posts: Sequence[dict[str, Any]]
) -> None:
    (mail,) = mails
    assert mail["To"] == "data@example.org"
    assert "air_time" in str(mail["Subject"])
    body = b"".join(part.get_payload(decode=True) or b"" for part in mail.walk()).decode()
    assert "/dags/drift_found/runs/" in body
    assert "/tasks/check/plugin/drift" in body
    (post,) = [each for each in posts if "drift_found" in each["title"]]
    assert "air_time: drift: KL" in post["message"]


def a_warning_triggers_who_waits_for_the_asset(live: Live, run: str) -> None:
    assert live.end(run) == "success"
    (event,) = live.ask("GET", "assets/events?source_dag_id=drift_only_warns")["asset_events"]
    assert event["extra"]["kl_drift"]["status"] == "drift"
    heard = live.only_run("drift_heard_of")
    assert live.end(heard) == "success"
    assert live.xcom(heard, "hear") == "drift"


def the_page_of_all_checks_is_used_in_a_browser(live: Live, run: str) -> None:
    complaints: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{live.url}/kl_drift/checks")
        page.fill("input[name=username]", live.login)
        page.fill("input[name=password]", live.password)
        page.keyboard.press("Enter")
        page.wait_for_url("**/kl_drift/checks")  # signed in, and back
        assert page.locator("tbody .badge").all_inner_texts() == ["drift"], "green in the grid"
        page.goto(f"{live.url}/plugin/drift_checks")
        frame = page.frame_locator("iframe")
        frame.get_by_role("link", name="drift_only_warns.check").click()
        heatmap = frame.locator(".heatmap")
        heatmap.click(position={"x": 9, "y": 7})
        frame.get_by_role("heading", name="KL of air_time over time").wait_for()
        assert page.url.endswith("column=air_time"), "the page has an address of its own"
        frame.locator("input[name=note]").fill("known: a new route")
        frame.get_by_role("button", name="Record").click()
        frame.get_by_role("cell", name="known: a new route").wait_for()
        frame.get_by_role("link", name="In Airflow").click()
        report = page.frame_locator("iframe")
        report.get_by_role("heading", name="1 of 3 columns drifted").wait_for()
        assert page.url.endswith("/tasks/check/plugin/drift")
        page.goto(f"{live.url}/dags/drift_only_warns/plugin/drift_of_dag")
        listed = page.frame_locator("iframe").locator("tbody th")
        assert "drift_only_warns.check" in listed.inner_text()
    assert complaints == []
    assert live.states(run) == {"check": "success"}


def unreadable_data_is_retried(live: Live, run: str) -> None:
    assert live.end(run) == "failed"
    (task,) = live.tasks(run).values()
    assert (task["state"], task["try_number"]) == ("failed", 2)
    for attempt in (1, 2):
        assert "broken.parquet" in live.log(run, "check", attempt)


def a_person_is_asked(live: Live, run: str) -> None:
    live.until("somebody is asked", lambda: live.states(run)["approve"] == "awaiting_input")
    assert live.states(run)["promote"] is None
    asked = live.ask("GET", f"{run}/taskInstances/approve/-1/hitlDetails")
    assert asked["subject"] == "Is 2013-07 the new normal?"
    assert "| air_time | drift |" in asked["body"]


def the_answer_makes_the_new_reference(live: Live, run: str) -> None:
    # Nobody answers within a second: Airflow 3.3 fails a task whose answer overtakes its scheduler.
    live.ask("PATCH", f"{run}/taskInstances/approve/-1/hitlDetails", chosen_options=["Approve"])
    assert live.end(run) == "success"
    assert live.xcom(run, "promote")["profile"] == live.xcom(run, "check")["profile"]


def the_parts_were_mapped(live: Live, run: str) -> None:
    assert live.end(run) == "success"
    parts = [task for task in live.tasks(run).values() if task["task_id"] == "scan"]
    assert [part["rendered_map_index"] for part in parts] == [
        f"flights of 2013-0{month}" for month in (4, 5, 6)
    ]
    rows = sum(live.xcom(run, "scan", part=number)["rows"] for number in range(3))
    assert live.xcom(run, "merge")["rows"] == rows
