"""The action in real checkpoints, with a real web hook."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import great_expectations as gx
import pytest
from conftest import made
from hook import Hook

from kl_drift.errors import SuiteError
from kl_drift.gx import (
    ExpectColumnKLDriftToBeLessThan,
    ExpectTableKLDriftToBeLessThan,
    KLDriftAction,
    outcomes,
)
from kl_drift.gx.checkpoint import told

SECRET = "kh7Tq"  # noqa: S105 - made up, to be looked for


@pytest.fixture
def hook(monkeypatch):
    with Hook() as each:
        monkeypatch.setenv("DRIFT_ALERTS", each.url)
        yield each


def action(**fields):
    return KLDriftAction(name="alert", urls=["${DRIFT_ALERTS}"], **fields)


@pytest.fixture
def checkpoint(context, definition):
    def make(expectations, *actions, name="daily", result_format="SUMMARY"):
        return context.checkpoints.add(
            gx.Checkpoint(
                name=name,
                validation_definitions=[definition(expectations, name)],
                actions=list(actions),
                result_format=result_format,
            )
        )

    return make


def run(checkpoint, frame):
    return checkpoint.run(batch_parameters={"dataframe": frame})


def column(reference, name="amount", **fields):
    return ExpectColumnKLDriftToBeLessThan(
        column=name, reference=reference, threshold=0.05, **fields
    )


@pytest.mark.parametrize("result_format", ["BOOLEAN_ONLY", "COMPLETE"])
def test_an_alert_says_column_kl_interval_limit_what_moved_and_batch(
    checkpoint, reference, shifted, hook, result_format
) -> None:
    daily = checkpoint([column(reference)], action(), result_format=result_format)
    result = run(daily, shifted)
    (alert,) = hook.received
    (found,) = outcomes(result)[0].columns
    lower, upper = found["interval"]
    assert alert["title"] == "drift in daily: amount"
    assert "suite daily, batch frames-frame:" in alert["message"]
    assert (
        f"amount: drift (critical): KL {found['kl']:.4f} nats ({lower:.4f}–{upper:.4f})"
        in alert["message"]
    )
    assert "above the limit 0.05" in alert["message"]
    assert "% of rows" in alert["message"]


def test_a_good_day_alerts_of_nothing(checkpoint, reference, ordinary, hook) -> None:
    assert run(checkpoint([column(reference)], action()), ordinary).success is True
    assert hook.received == []


def test_errors_and_undecided_days_alert_too(checkpoint, reference, hook) -> None:
    daily = checkpoint([column(reference), column("gone.json", "code")], action())
    run(daily, made(rows=50))
    (alert,) = hook.received
    title, _, columns = alert["title"].partition(": ")
    assert (title, set(columns.split(", "))) == ("undecided and error in daily", {"amount", "code"})
    assert "too few rows to judge" in alert["message"]
    assert "no profile at gone.json" in alert["message"]


def test_a_batch_that_cannot_be_counted_alerts_with_its_reason(
    checkpoint, reference, ordinary, hook
) -> None:
    from great_expectations.expectations.row_conditions import Column

    daily = checkpoint([column(reference, row_condition=Column("not_there") == 1)], action())
    (outcome,) = outcomes(run(daily, ordinary))
    assert (outcome.status, outcome.kind) == ("error", "MetricError")
    assert "not_there" in hook.received[0]["message"]


@pytest.mark.parametrize(
    ("least", "heard"),
    [
        ("info", {"amount", "code", "count"}),
        ("warning", {"amount", "code"}),
        ("critical", {"amount"}),
    ],
)
def test_alerts_are_routed_at_or_above_a_severity(
    checkpoint, reference, hook, least, heard
) -> None:
    daily = checkpoint(
        [
            column(reference, "amount", severity="critical"),
            column(reference, "code", severity="warning"),
            column(reference, "count", severity="info"),
        ],
        action(minimum_severity=least),
    )
    run(daily, made(seed=8, shift=1).assign(code="d", count=1))
    (alert,) = hook.received
    assert set(alert["title"].partition(": ")[2].split(", ")) == heard


def test_the_table_expectation_alerts_with_every_column_that_moved(
    checkpoint, reference, shifted, hook
) -> None:
    daily = checkpoint([ExpectTableKLDriftToBeLessThan(reference=reference)], action())
    run(daily, shifted.assign(code="a"))
    (alert,) = hook.received
    assert "amount: drift" in alert["message"]
    assert "code: drift" in alert["message"]
    assert "count:" not in alert["message"]


def test_the_second_failure_in_a_row_alerts(
    checkpoint, reference, ordinary, shifted, hook, tmp_path
) -> None:
    daily = checkpoint([column(reference)], action(times=2, state=str(tmp_path / "state.json")))
    for frame, alerts in (
        (shifted, 0), (ordinary, 0), (shifted, 0), (shifted, 1), (shifted, 2), (ordinary, 2),
        (shifted, 2),
    ):  # fmt: skip
        run(daily, frame)
        assert len(hook.received) == alerts


@pytest.fixture
def over_files(context, definition, reference, shifted, tmp_path):
    """Return a maker of checkpoints: one suite over several files, each of the asset named."""
    suite = definition([column(reference)]).suite
    made(seed=1).to_parquet(tmp_path / "good.parquet")
    shifted.to_parquet(tmp_path / "bad.parquet")
    source = context.data_sources.add_pandas_filesystem("files", base_directory=tmp_path)

    def make(*files):
        definitions = []
        for asset, file in files:
            name = f"{asset} {file}"
            if asset not in source.get_asset_names():
                source.add_parquet_asset(asset)
            data = source.get_asset(asset).add_batch_definition_path(name, path=f"{file}.parquet")
            definitions.append(
                context.validation_definitions.add(
                    gx.ValidationDefinition(name=name, suite=suite, data=data)
                )
            )
        alert = action(times=2, state=str(tmp_path / "state.json"))
        return context.checkpoints.add(
            gx.Checkpoint(name="files", validation_definitions=definitions, actions=[alert])
        )

    return make


@pytest.mark.parametrize("second", ["good", "bad"])
def test_each_batch_of_a_shared_suite_has_its_own_row_of_failures(over_files, hook, second) -> None:
    """A good one ends no row but its own, and two bad ones in one run are no two in a row."""
    daily = over_files(("a", "bad"), ("b", second))
    for alerts in (0, 1):
        daily.run()
        assert len(hook.received) == alerts


def test_a_result_that_took_the_place_of_another_is_no_green(over_files, hook) -> None:
    daily = over_files(("a", "bad"), ("a", "good"))
    with pytest.raises(SuiteError, match="results of a bad were replaced"):
        daily.run()
    daily.actions = []
    daily.save()
    result = daily.run()
    assert result.success is True  # what Great Expectations makes of it
    with pytest.raises(SuiteError, match="own asset, suite or checkpoint"):
        told(result)


def test_two_expectations_of_one_column_have_each_their_row_of_failures(
    checkpoint, reference, shifted, hook, tmp_path
) -> None:
    daily = checkpoint(
        [column(reference), ExpectColumnKLDriftToBeLessThan(
            column="amount", reference=reference, threshold=9
        )],
        action(times=2, state=str(tmp_path / "state.json")),
    )  # fmt: skip
    for alerts in (0, 1):
        run(daily, shifted)
        assert len(hook.received) == alerts


def test_an_alert_is_not_repeated_before_it_has_cooled_down(
    checkpoint, reference, shifted, hook, tmp_path
) -> None:
    state = tmp_path / "state.json"
    daily = checkpoint([column(reference)], action(cooldown_hours=24, state=str(state)))
    run(daily, shifted)
    run(daily, shifted)
    assert len(hook.received) == 1
    run(daily, made(rows=50))  # undecided is another message than drift
    assert len(hook.received) == 2
    document = json.loads(state.read_text())
    (entry,) = document["expectations"].values()
    assert (entry["failures"], entry["status"]) == (3, "undecided")
    entry["alerted"] = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    state.write_text(json.dumps(document))
    run(daily, made(rows=50))
    assert len(hook.received) == 3


def test_an_alert_that_was_not_delivered_is_sent_again(
    checkpoint, reference, shifted, hook, tmp_path, monkeypatch
) -> None:
    daily = checkpoint(
        [column(reference)], action(cooldown_hours=24, state=str(tmp_path / "state.json"))
    )
    works = hook.url
    with Hook(status=500) as broken:
        monkeypatch.setenv("DRIFT_ALERTS", broken.url)
        run(daily, shifted)
    monkeypatch.setenv("DRIFT_ALERTS", works)
    run(daily, shifted)
    assert len(hook.received) == 1


@pytest.mark.parametrize("url", ["json://127.0.0.1:9/", "nowhere://", "json://127.0.0.1:x"])
def test_a_delivery_that_fails_changes_no_verdict(
    checkpoint, reference, shifted, ordinary, url, monkeypatch, caplog
) -> None:
    monkeypatch.setenv("DRIFT_ALERTS", f"{url}?token={SECRET}")
    daily = checkpoint([column(reference)], action())
    assert run(daily, shifted).success is False
    assert run(daily, ordinary).success is True
    assert "refused it" in caplog.text
    assert SECRET not in caplog.text


def test_a_variable_that_is_not_set_changes_no_verdict(
    checkpoint, reference, shifted, monkeypatch, caplog
) -> None:
    monkeypatch.delenv("DRIFT_ALERTS", raising=False)
    assert run(checkpoint([column(reference)], action()), shifted).success is False
    assert "DRIFT_ALERTS" in caplog.text


@pytest.mark.parametrize("text", ["{", '{"expectations": {"x": {}}}', "[]", '{"expectations": 1}'])
def test_a_damaged_memory_keeps_no_alert_from_being_sent(
    checkpoint, reference, shifted, hook, tmp_path, text, caplog
) -> None:
    state = tmp_path / "state.json"
    state.write_text(text)
    run(checkpoint([column(reference)], action(cooldown_hours=1, state=str(state))), shifted)
    assert len(hook.received) == 1
    assert "begun anew" in caplog.text
    assert json.loads(state.read_text())["version"] == 1


@pytest.mark.parametrize("text", ["version: 1\n", '{"kl_drift": "profile"}', "PAR1"])
def test_a_file_that_is_no_memory_is_left_as_it_is(
    checkpoint, reference, shifted, hook, tmp_path, text, caplog
) -> None:
    state = tmp_path / "state.json"
    state.write_text(text)
    run(checkpoint([column(reference)], action(cooldown_hours=1, state=str(state))), shifted)
    assert len(hook.received) == 1
    assert "is no memory of alerts and is left as it is" in caplog.text
    assert state.read_text() == text


def test_a_memory_that_cannot_be_written_fails_no_checkpoint(
    checkpoint, reference, shifted, hook, tmp_path, caplog
) -> None:
    (tmp_path / "file").write_text("")
    state = str(tmp_path / "file" / "state.json")
    result = run(
        checkpoint([column(reference)], action(times=1, cooldown_hours=1, state=state)), shifted
    )
    assert result.success is False
    assert len(hook.received) == 1
    assert "cannot be kept" in caplog.text


def test_secrets_are_nowhere_but_on_the_way_to_the_service(
    reference, shifted, tmp_path, monkeypatch, caplog, capfd
) -> None:
    caplog.set_level(logging.DEBUG)
    with Hook() as hook:
        monkeypatch.setenv("DRIFT_ALERTS", hook.url.replace("://", f"://user:{SECRET}@"))
        context = gx.get_context(mode="file", project_root_dir=tmp_path)
        suite = context.suites.add(gx.ExpectationSuite(name="s", expectations=[column(reference)]))
        data = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(
                name="v", data=data.add_batch_definition_whole_dataframe("all"), suite=suite
            )
        )
        alert = action(state=str(tmp_path / "state.json"))
        daily = context.checkpoints.add(
            gx.Checkpoint(name="c", validation_definitions=[definition], actions=[alert])
        )
        result = run(daily, shifted)
    assert len(hook.received) == 1
    told = [repr(alert), str(alert), alert.json(), repr(result), caplog.text, *capfd.readouterr()]
    files = [path for path in Path(tmp_path).rglob("*") if path.is_file()]
    assert len(files) > 4
    assert not any(SECRET in text for text in told)
    assert not any(SECRET in path.read_text(errors="replace") for path in files)
    (stored,) = (tmp_path / "gx/checkpoints").iterdir()
    assert "${DRIFT_ALERTS}" in stored.read_text()
    assert context.checkpoints.get("c").actions == [alert]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"urls": [f"slack://{SECRET}"]}, "no config template"),
        ({"urls": []}, "at least one URL"),
        ({"times": 2}, "need a memory"),
        ({"cooldown_hours": 1}, "need a memory"),
        ({"minimum_severity": "high"}, "minimum_severity"),
    ],
)
def test_mistakes_are_refused_where_the_action_is_written(fields, said) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        KLDriftAction(**{"name": "alert", "urls": ["${DRIFT_ALERTS}"], **fields})
    assert SECRET not in str(refused.value)


def test_a_checkpoint_without_kl_drift_expectations_is_refused(checkpoint, ordinary, hook) -> None:
    lost = checkpoint([gx.expectations.ExpectTableRowCountToBeBetween(min_value=1)], action())
    with pytest.raises(SuiteError, match="has 0 of at least 1 kl-drift expectations"):
        run(lost, ordinary)


def test_other_expectations_of_the_suite_are_left_to_other_actions(
    checkpoint, reference, ordinary, hook
) -> None:
    daily = checkpoint(
        [column(reference), gx.expectations.ExpectTableRowCountToBeBetween(max_value=1)], action()
    )
    assert run(daily, ordinary).success is False
    assert hook.received == []
