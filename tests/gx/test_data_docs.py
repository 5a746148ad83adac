"""Data Docs, built by Great Expectations and looked at in a real browser."""

from __future__ import annotations

import copy
import json
from contextlib import contextmanager
from pathlib import Path

import great_expectations as gx
import pytest
import vl_convert
from conftest import made
from great_expectations.core import ExpectationValidationResult
from great_expectations.expectations.registry import get_renderer_impl
from great_expectations.expectations.row_conditions import Column
from great_expectations.render.components import LegacyDiagnosticRendererType, LegacyRendererType
from playwright.sync_api import expect

import kl_drift as kd
from kl_drift.gx import (
    ExpectColumnKLDriftToBeLessThan,
    ExpectTableKLDriftToBeLessThan,
    rendering,
)
from kl_drift.gx.registration import TYPES

HOSTILE = "</script><img src=x onerror=alert(1)>$column"
RENDERERS = (
    LegacyRendererType.PRESCRIPTIVE,
    LegacyDiagnosticRendererType.OBSERVED_VALUE,
    LegacyDiagnosticRendererType.UNEXPECTED_STATEMENT,
    LegacyDiagnosticRendererType.UNEXPECTED_TABLE,
    "atomic.prescriptive.summary",
    "atomic.diagnostic.observed_value",
)
ASKED = "https://cdn.jsdelivr.net/npm/"


@pytest.fixture(scope="module")
def vega():
    """Return Vega, Vega-Lite 5 and vega-embed, as Data Docs ask for them."""
    return vl_convert.javascript_bundle(vl_version="5.21")


@contextmanager
def opened(browser, file, vega):
    """Open a page of Data Docs with Vega's scripts and nothing else from outside."""
    complaints = []

    def answer(route) -> None:
        if route.request.url == file.as_uri():
            route.continue_()
        elif route.request.url == f"{ASKED}vega@5":
            route.fulfill(body=vega, content_type="text/javascript")
        else:
            route.fulfill(body="", content_type="text/javascript")

    def said(message) -> None:
        """Keep what vega-embed complains of; the bundle's Vega is newer than that of Data Docs."""
        if message.type == "warning" and "The compiled spec uses Vega v5" not in message.text:
            complaints.append(message.text)

    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.route("**/*", answer)
    page.on("console", said)
    page.on("dialog", lambda each: (complaints.append("opened a dialog"), each.dismiss()))
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    yield page
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of Data Docs over results of every kind."""
    folder = tmp_path_factory.mktemp("docs")
    frame = made().assign(**{HOSTILE: 1, "label": ["a", HOSTILE] * 4_000})
    kd.save(kd.fit(frame), folder / "reference.json")
    reference = str(folder / "reference.json")
    today = made(seed=2, shift=0.6).assign(
        **{HOSTILE: [1, 2] * 4_000, "label": ["a", "b", HOSTILE, "</script><b>"] * 2_000}
    )
    context = gx.get_context(mode="file", project_root_dir=folder)
    data = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    column = ExpectColumnKLDriftToBeLessThan
    few = {"row_condition": Column("amount") > 3}
    expectations = [
        column(column="amount", reference=reference, threshold=0.05),
        column(column="code", reference=reference, threshold={"$PARAMETER": "limit"}),
        column(column="count", reference=reference, policy={"drift": 0.1}, **few),
        column(column="gone", reference=reference),
        column(column="amount", reference="nowhere.json", severity="warning"),
        column(column="amount", reference=reference, row_condition=Column("not_there") == 1),
        column(column="label", reference=reference, statistic="jeffreys", threshold=0.01),
        ExpectTableKLDriftToBeLessThan(reference=reference),
        gx.expectations.ExpectColumnValuesToNotBeNull(column="amount"),
    ]
    suite = context.suites.add(gx.ExpectationSuite(name="drift", expectations=expectations))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name="v", data=data.add_batch_definition_whole_dataframe("all"), suite=suite
        )
    )
    checkpoint = gx.Checkpoint(
        name="c",
        validation_definitions=[definition],
        actions=[gx.checkpoint.UpdateDataDocsAction(name="docs")],
    )
    result = context.checkpoints.add(checkpoint).run(
        batch_parameters={"dataframe": today}, expectation_parameters={"limit": 0.2}
    )
    (run,) = result.run_results.values()
    return folder / "gx/uncommitted/data_docs/local_site", run.results


def page_of(site, kind):
    (file,) = (site[0] / kind).rglob("*.html")
    return file


def words(page):
    return " ".join(page.locator("body").inner_text().split())


def test_the_page_of_a_run_says_what_was_found_and_draws_it(browser, vega, site) -> None:
    with opened(browser, page_of(site, "validations"), vega) as page:
        text = words(page)
        for sentence in (
            "KL(current‖reference) must not exceed 0.05 nats, noise aside, from",
            "drift: KL 0.",
            "above the limit 0.05; with this many rows, chance alone gives up to",
            "KL(current‖reference) of every column must not exceed 0.05 nats",
            "ColumnNotFoundError: no column 'gone' in this profile",
            "ArtefactNotFoundError: no profile at nowhere.json",
            "undecided: too few rows to judge",
            "Jeffreys' divergence",
            "not_there",
        ):
            assert sentence in text
        assert "unexpected Exception occurred during data docs rendering" not in text
        header = page.locator("th", has_text="By chance")
        assert header.count() >= 4
        drawn = page.locator(".vega-embed :is(canvas, svg.marks)")
        asked = page_of(site, "validations").read_text(encoding="utf-8").count("vegaEmbed('#")
        assert asked >= 5  # columns by themselves, and of the table's those that need attention
        expect(drawn).to_have_count(asked, timeout=60_000)
        for each in drawn.all():
            box = each.bounding_box()
            assert box is not None
            assert box["width"] > 150
            assert box["height"] > 200


def test_the_charts_are_those_of_vega_lite_5(browser, vega, site) -> None:
    """Hand each specification to Vega-Lite 5 itself, and read what it makes of the data."""
    details = [result.result.get("details", {}) for result in site[1]]
    columns = [each for found in details for each in rendering.columns_of(found) if each.cells]
    assert len(columns) > 5
    with opened(browser, page_of(site, "validations"), vega) as page:
        for column in columns:
            drawn = page.evaluate(
                """async (spec) => {
                    const place = document.body.appendChild(document.createElement("div"));
                    const {view, vgSpec} = await vegaEmbed(place, spec);
                    return {rows: view.data("cells"), schema: vgSpec["$schema"]};
                }""",
                rendering.chart(column),
            )
            assert [each["label"] for each in drawn["rows"]] == [
                cell.label for cell in column.cells
            ]
            assert drawn["schema"].endswith("vega/v5.json")  # what Vega-Lite 5 compiles to


def test_the_page_of_the_suite_says_what_is_expected(browser, vega, site) -> None:
    with opened(browser, page_of(site, "expectations"), vega) as page:
        text = words(page)
        assert text.count("must not exceed") == 8
        assert "must not exceed limit (suite parameter) nats" in text
        assert "If" in text


def test_what_comes_from_the_data_stays_text(browser, vega, site) -> None:
    """Names of columns and levels; opening a dialog fails any test of this file."""
    with opened(browser, page_of(site, "validations"), vega) as page:
        assert page.locator("img[onerror]").count() == 0
        assert HOSTILE in words(page)
        assert "'</script><b>' (25.0 %)" in words(page)


# Every renderer, over results of every kind, damaged ones included


def damaged(results):
    """Yield results with parts missing, as older or other writers may have left them."""
    for result in results:
        document = result.to_json_dict()
        for drop in ("columns", "status", "summary", "error", "statistic"):
            partial = copy.deepcopy(document)
            partial["result"].get("details", {}).pop(drop, None)
            yield partial
        for key in ("kl", "interval", "top_cells", "cells", "reason", "verdict", "name"):
            partial = copy.deepcopy(document)
            for column in partial["result"].get("details", {}).get("columns", []):
                column.pop(key, None)
            yield partial
        for rest in ({}, {"details": None}, {"details": {}}):
            yield {**document, "result": rest}
        yield {**document, "exception_info": {}}
    yield {"success": False, "result": {}, "expectation_config": None}


def test_no_renderer_raises_whatever_it_is_handed(site) -> None:
    ours = [each for each in site[1] if each.expectation_config.type in TYPES]
    assert len(ours) == 8
    seen = 0
    for document in damaged(ours):
        config = document.pop("expectation_config")
        for kind in TYPES:
            for name in RENDERERS:
                result = ExpectationValidationResult(**copy.deepcopy(document))
                result.expectation_config = config and ours[0].expectation_config
                _, render = get_renderer_impl(kind, name)
                shown = render(result=result)
                json.dumps(
                    [getattr(each, "to_json_dict", lambda each=each: each)() for each in shown]
                    if isinstance(shown, list)
                    else str(shown)
                )
                seen += 1
    assert seen > 500


@pytest.mark.parametrize("name", RENDERERS)
def test_a_renderer_without_anything_says_nothing_and_does_not_raise(name) -> None:
    for kind in TYPES:
        _, render = get_renderer_impl(kind, name)
        render(configuration=None, result=None, runtime_configuration=None)


def test_the_picture_in_the_documentation_is_there(root: Path) -> None:
    assert (root / "docs/images/data-docs.png").stat().st_size > 20_000
