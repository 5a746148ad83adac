"""No silent green: stored suites and checkpoints in other processes, and what guards them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import great_expectations as gx
import pytest
from conftest import made

import kl_drift as kd
from kl_drift.errors import SuiteError
from kl_drift.gx import (
    ExpectColumnKLDriftToBeLessThan,
    ExpectTableKLDriftToBeLessThan,
    KLDriftAction,
    guard,
    register,
    suite,
)

QUIET = "import warnings; warnings.simplefilter('ignore')\n"


def in_another_process(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a file: pyspark takes ``python -c`` for a run of doctests, and ends it with 0."""
    script = folder / "script.py"
    script.write_text(QUIET + dedent(code), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script)],
        cwd=folder, capture_output=True, check=False, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return the folder of a file context with suites, checkpoints and a day's Parquet."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "days/dt=2026-01-01").mkdir(parents=True)
    made(seed=1).to_parquet(folder / "days/dt=2026-01-01/part-0.parquet")
    kd.save(kd.fit(made()), folder / "reference.json")
    reference = str(folder / "reference.json")
    context = gx.get_context(mode="file", project_root_dir=folder)
    source = context.data_sources.add_pandas_filesystem("days", base_directory=folder / "days")
    data = source.add_parquet_asset("days").add_batch_definition_path("day", "dt=2026-01-01")
    stored = context.suites.add(suite(reference, name="drift"))
    column = ExpectColumnKLDriftToBeLessThan(column="amount", reference=reference, threshold=0.05)
    other = gx.expectations.ExpectTableRowCountToBeBetween(min_value=1)
    mixed = context.suites.add(gx.ExpectationSuite(name="mixed", expectations=[column, other]))
    for name, each, actions in (
        ("with_action", stored, [KLDriftAction(name="alert", urls=["${DRIFT_ALERTS}"])]),
        ("without", mixed, []),
    ):
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=name, data=data, suite=each)
        )
        context.checkpoints.add(
            gx.Checkpoint(name=name, validation_definitions=[definition], actions=actions)
        )
    return folder


RUN = """
    import great_expectations as gx
    {before}
    context = gx.get_context(mode="file", project_root_dir=".")
    result = context.checkpoints.get("{name}").run()
    (run,) = result.run_results.values()
    print(result.success, sorted(each.expectation_config.type for each in run.results))
"""


def test_a_stored_checkpoint_runs_in_a_new_process(project) -> None:
    known = "import kl_drift.gx; kl_drift.gx.register()"
    done = in_another_process(RUN.format(before=known, name="with_action"), project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "True"
    assert done.stdout.count("expect_column_kl_drift_to_be_less_than") == 3


def test_without_kl_drift_great_expectations_is_green_about_nothing(project) -> None:
    """The trap that the rest of this file is about; should it ever close, so much the better."""
    done = in_another_process(RUN.format(before="", name="without"), project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True ['expect_table_row_count_to_be_between']"


def test_a_checkpoint_with_the_action_does_not_even_load_without_kl_drift(project) -> None:
    done = in_another_process(RUN.format(before="", name="with_action"), project)
    assert done.returncode == 1
    assert "kl_drift" in done.stderr


def test_a_suite_loaded_too_early_is_refused(project) -> None:
    code = """
        import great_expectations as gx
        context = gx.get_context(mode="file", project_root_dir=".")
        early = context.suites.get("mixed")
        from kl_drift.gx import check_suite, guard
        guard(context, "mixed", "drift")
        print("stored suites are whole")
        check_suite(early)
    """
    done = in_another_process(code, project)
    assert done.stdout.strip() == "stored suites are whole", done.stderr
    assert "SuiteError: suite 'mixed' has 0 of at least 1 kl-drift expectations" in done.stderr


def test_a_suite_saved_by_a_process_that_did_not_know_it_is_refused(project) -> None:
    context = gx.get_context(mode="file", project_root_dir=project)
    context.suites.add(suite(str(project / "reference.json"), name="saved"))
    code = """
        import great_expectations as gx
        context = gx.get_context(mode="file", project_root_dir=".")
        context.suites.get("saved").save()
    """
    done = in_another_process(code, project)
    assert done.returncode == 0, done.stderr
    with pytest.raises(SuiteError, match="suite 'saved' has 0 of at least 3 kl-drift expectations"):
        guard(context, "saved")
    with pytest.raises(SuiteError, match="saved"):
        guard(context)
    context.suites.delete("saved")


def test_one_lost_of_many_is_noticed(project) -> None:
    context = gx.get_context(mode="file", project_root_dir=project)
    path = project / "gx/expectations/partly.json"
    context.suites.add(suite(str(project / "reference.json"), name="partly"))
    document = json.loads(path.read_text())
    document["expectations"].pop()
    path.write_text(json.dumps(document))
    with pytest.raises(SuiteError, match="has 2 of at least 3"):
        guard(context, "partly")
    path.unlink()


def test_a_type_that_nothing_knows_is_refused(project) -> None:
    context = gx.get_context(mode="file", project_root_dir=project)
    path = project / "gx/expectations/foreign.json"
    context.suites.add(suite(str(project / "reference.json"), name="foreign"))
    text = path.read_text()
    path.write_text(text.replace("expect_column_kl_drift_to", "expect_column_kldrift_to", 1))
    with pytest.raises(
        SuiteError, match="expect_column_kldrift_to_be_less_than stand in the store"
    ):
        guard(context, "foreign")
    path.unlink()


def test_a_suite_that_is_not_there_is_refused(project) -> None:
    context = gx.get_context(mode="file", project_root_dir=project)
    with pytest.raises(SuiteError, match=r"no suite 'drfit' in the store; it has \['drift'"):
        guard(context, "drfit")
    with pytest.raises(SuiteError, match="nothing to guard"):
        guard(gx.get_context(mode="ephemeral"))


def test_whole_suites_pass_the_guard(project) -> None:
    context = gx.get_context(mode="file", project_root_dir=project)
    guard(context)
    guard(context, "drift", at_least=3)
    with pytest.raises(SuiteError, match="has 1 of at least 2"):
        guard(context, "mixed", at_least=2)


def test_both_expectations_are_registered_and_nothing_else_in_their_place() -> None:
    assert register() == {
        "expect_column_kl_drift_to_be_less_than",
        "expect_table_kl_drift_to_be_less_than",
    }
    usurper = type("ExpectTableKLDriftToBeLessThan", (ExpectTableKLDriftToBeLessThan,), {})
    try:
        with pytest.raises(SuiteError, match="another class is registered"):
            register()
    finally:
        from great_expectations.expectations import registry

        registry._registered_expectations[usurper.expectation_type] = ExpectTableKLDriftToBeLessThan
