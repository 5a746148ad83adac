from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
import vl_convert
from browser import opened
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect

import kl_drift as kd
from kl_drift.artefact import load_report, save
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.errors import MissingExtraError
from kl_drift.judging.policy import Status, Verdict
from kl_drift.judging.report import CellChange, ColumnReport, LevelChange, Report, Side, Unjudged
from kl_drift.render import charts
from kl_drift.render.html import render_html
from kl_drift.render.words import DIRECTION, printable

FLIGHTS = Path(__file__).parents[1] / "examples" / "flights"
HOSTILE = "</script><img src=x onerror=alert(1)>'\"{{ 7 * 7 }}\u2028"


def cell(label: str, reference: float, current: float, contribution: float = 0.01) -> CellChange:
    return CellChange(
        label=label,
        reference=reference,
        current=current,
        contribution=contribution,
        signed=current - reference,
    )


def verdict(status: Status) -> Verdict:
    return Verdict(status=status, which="stated", statistic="kl", value=0.1404, limit=0.05)


def column(name: str, status: Status = Status.DRIFT, **changes: object) -> ColumnReport:
    cells = (cell("below 5", 0.25, 0.5, 0.0931), cell("5 or more", 0.75, 0.5, 0.0473))
    known = ColumnReport(
        name=name,
        verdict=verdict(status),
        type="int64",
        current_rows=2_000,
        reference_rows=5_000,
        current_nulls=0.0512,
        reference_nulls=0.0191,
        kl=0.1404,
        kl_reverse=0.1308,
        jeffreys=0.2712,
        jensen_shannon=0.0338,
        entropy=1.6931,
        cross_entropy=1.8335,
        kl_null=0.0011,
        kl_values=0.1399,
        cells=cells,
        top_cells=cells[:1],
    )
    return replace(known, **changes)


def report_of(*columns: ColumnReport, unjudged: tuple[Unjudged, ...] = ()) -> Report:
    return Report(
        current=Side(source="flights/month=02", rows=2_000, as_of="2013-02-28"),
        reference=Side(source="flights/month=01", rows=5_000, created="2013-02-01T06:30:00+00:00"),
        columns=columns,
        unjudged=unjudged,
        bins_digest="0123456789abcdef",
        created="2013-03-01T07:00:00+00:00",
        created_by="0.1.0",
    )


class Reader(HTMLParser):
    """What a browser makes of a page: tags with attributes, and the text of some of them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[tuple[str, str]] = [("", "")]
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.pieces.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self.pieces.append(("", ""))

    def handle_data(self, data: str) -> None:
        tag, text = self.pieces[-1]
        self.pieces[-1] = (tag, text + data)

    def texts(self, tag: str) -> list[str]:
        return [text.strip() for found, text in self.pieces if found == tag]

    @property
    def words(self) -> str:
        """What a person can read, on one line, with ordinary spaces."""
        shown = "".join(text for tag, text in self.pieces if tag not in ("script", "style"))
        return " ".join(shown.split())

    def scripts(self, kind: str | None) -> list[str]:
        kinds = [attributes.get("type") for tag, attributes in self.tags if tag == "script"]
        texts = [text for tag, text in self.pieces if tag == "script"]
        return [text for found, text in zip(kinds, texts, strict=True) if found == kind]


def test_every_number_of_a_column_is_on_the_page() -> None:
    words = Reader(render_html(report_of(column("dep_delay")))).words
    for title, nats, bits in (
        ("KL(current‖reference)", "0.1404", "0.2026"),
        ("KL(reference‖current)", "0.1308", "0.1887"),
        ("Jeffreys, PSI", "0.2712", "0.3913"),
        ("Jensen–Shannon", "0.0338", "0.0488"),
        ("Entropy", "1.6931", "2.4426"),
        ("Cross-entropy", "1.8335", "2.6452"),
        ("KL of the null flag", "0.0011", "0.0016"),
        ("KL of the values", "0.1399", "0.2018"),
    ):
        assert f"{title}{nats} nats {bits} bits" in words
    assert "Nulls, reference → current1.9 % → 5.1 %" in words
    assert "Rows, reference → current5,000 → 2,000" in words
    assert "drift: KL 0.1404 nats, above the limit 0.05." in words
    assert "below 5: 25.0 % → 50.0 % of rows 66.3 % of KL" in words


def test_the_header_says_who_was_compared_when_and_in_which_unit() -> None:
    words = Reader(render_html(report_of(column("dep_delay"), column("day", Status.OK)))).words
    assert "drift 1 of 2 columns drifted (dep_delay)" in words
    assert "Reference flights/month=01 5,000 rows · profiled 2013-02-01 06:30:00 UTC" in words
    assert "Current flights/month=02 2,000 rows · as of 2013-02-28" in words
    assert DIRECTION in words
    assert "Compared 2013-03-01 07:00:00 UTC by kl-drift 0.1.0" in words


def test_columns_keep_the_reports_order_and_only_drift_is_open() -> None:
    statuses = (Status.DRIFT, Status.UNDECIDED, Status.WARN, Status.OK)
    page = Reader(render_html(report_of(*(column(f"a {each}", each) for each in statuses))))
    sections = [attrs for tag, attrs in page.tags if attrs.get("class") == "column"]
    assert [each["data-name"] for each in sections] == [f"a {each}" for each in statuses]
    assert ["open" in each for each in sections] == [True, False, False, False]
    rows = [attrs for tag, attrs in page.tags if tag == "tr" and "data-status" in attrs]
    assert [each["data-status"] for each in rows] == [str(each) for each in statuses]


def test_new_and_vanished_categories_are_named_with_their_shares() -> None:
    new = tuple(LevelChange(level=f"N{i}", share=0.02) for i in range(10))
    gone = (LevelChange(level="BOS", share=0.031),)
    drifted = column("dest", new_levels=new, vanished_levels=gone)
    words = Reader(render_html(report_of(drifted))).words
    assert "New categories: 'N0' 2.0 % 'N1' 2.0 %" in words
    assert "2 more 'N8' 2.0 % 'N9' 2.0 %" in words
    assert "Vanished categories: 'BOS' 3.1 % of rows of the reference" in words


def test_columns_that_could_not_be_compared_show_no_numbers() -> None:
    found = [
        ColumnReport(
            name=finding,
            verdict=Verdict(status=Status.DRIFT, which="finding"),
            finding=finding,
            type="int8",
            reference_type="int64",
        )
        for finding in ("missing", "new", "type changed")
    ]
    page = Reader(render_html(report_of(*found)))
    for said in (
        "missing from the current snapshot; int64 in the reference",
        "new: int8, not in the reference",
        "type changed: int64 in the reference, int8 in the current snapshot",
    ):
        assert page.words.count(said) == 2  # in the overview and in its section
    assert "nats" not in page.words.partition("Columndrift")[2].partition("How to read")[0]
    assert "chart" not in [attrs.get("class") for _, attrs in page.tags]


def test_an_infinite_divergence_is_written_as_such() -> None:
    endless = column(
        "x", kl=math.inf, kl_reverse=math.inf, jeffreys=math.inf, cells=(cell("a", 0, 1, math.inf),)
    )
    page = Reader(render_html(report_of(replace(endless, top_cells=endless.cells))))
    assert "KL(current‖reference)∞ nats ∞ bits" in page.words
    assert json.loads(page.scripts("application/json")[0]) == [["a", 0.0, 1.0, None, 1.0]]


def test_a_report_without_columns_or_rows_is_a_page_too() -> None:
    empty = report_of()
    nobody = Side(source="", rows=0)
    page = Reader(render_html(replace(empty, current=nobody, reference=nobody)))
    assert "No column was judged" in page.words
    assert "undecided no column was judged" in page.words
    assert "0 rows" in page.words


def test_an_undecided_column_without_rows_is_shown() -> None:
    bare = column(
        "x",
        verdict=Verdict(
            status=Status.UNDECIDED, which="rows", side="current", rows=0, rows_needed=1
        ),
        current_rows=0,
        current_nulls=None,
        reference_nulls=None,
        kl=0.0,
        top_cells=(),
    )
    words = Reader(render_html(report_of(bare))).words
    assert "undecided: the current snapshot has 0 rows." in words
    assert "Nulls, reference → current– → –" in words
    assert "Rows, reference → current5,000 → 0" in words


def test_unjudged_columns_stand_in_a_table_with_reason_and_ranges() -> None:
    left = Unjudged(
        name="time_hour",
        type="timestamp[us]",
        why=Uncounted(kind=Kind.MOVES),
        reference_range="2013-01-01 … 2013-01-31",
        current_range="2013-02-01 … 2013-02-28",
        reference_nulls=0.0,
    )
    words = Reader(render_html(report_of(column("x"), unjudged=(left,)))).words
    assert "1 column not judged" in words
    assert "time_hourtimestamp[us]dates always move; to judge its parts, add" in words
    assert "2013-01-01 … 2013-01-312013-02-01 … 2013-02-280 % → –" in words


def test_a_saved_report_and_equal_reports_give_the_same_page(tmp_path: Path) -> None:
    report = report_of(column("x"), column("y", Status.OK))
    save(report, tmp_path / "report.json")
    page = render_html(report)
    assert render_html(load_report(tmp_path / "report.json")) == page
    assert page.startswith("<!doctype html>\n")


def test_names_and_texts_from_the_data_come_out_as_text() -> None:
    levels = (LevelChange(level=HOSTILE, share=0.1),)
    cells = (cell(HOSTILE, 0.2, 0.4), cell("b", 0.8, 0.6))
    hostile = column(
        HOSTILE,
        verdict=Verdict(status=Status.DRIFT, which="finding"),
        finding="type changed",
        type=HOSTILE,
        reference_type=HOSTILE,
        changed=HOSTILE,
        cells=cells,
        top_cells=cells,
        new_levels=levels,
        vanished_levels=levels,
    )
    left = Unjudged(
        name=HOSTILE,
        type=HOSTILE,
        why=Uncounted(kind=Kind.TYPE_CHANGED, reference_type=HOSTILE, column=HOSTILE),
        reference_range=HOSTILE,
        current_range=HOSTILE,
    )
    side = Side(source=HOSTILE, rows=1, as_of=HOSTILE, created=HOSTILE)
    report = report_of(hostile, unjudged=(left,))
    page = Reader(render_html(replace(report, current=side, reference=side, created_by=HOSTILE)))
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert page.texts("h3") == [printable(HOSTILE)]
    assert len(page.scripts(None)) == 2
    assert json.loads(page.scripts("application/json")[0])[0][0] == HOSTILE


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(name=st.text(min_size=1), level=st.text(st.characters(), min_size=1))
def test_any_name_is_shown_and_can_be_encoded(name: str, level: str) -> None:
    named = column(
        name, cells=(cell(level, 0.5, 0.5),), new_levels=(LevelChange(level=level, share=1),)
    )
    page = render_html(report_of(named))
    page.encode()
    assert Reader(page).texts("h3") == [printable(name).replace(" %", "\xa0%").strip()]


def test_the_page_refers_to_nothing_outside_itself() -> None:
    page = Reader(render_html(report_of(column("x"))))
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            reference = attributes.get(name) or "#"
            assert reference.startswith(("#", "data:")), (tag, name, reference)
    assert "url(" not in page.texts("style")[0]
    assert "@import" not in page.texts("style")[0]


def test_the_page_lets_its_own_two_scripts_run_and_no_other() -> None:
    page = Reader(render_html(report_of(column(HOSTILE))))
    policy = next(attrs["content"] for _, attrs in page.tags if "http-equiv" in attrs)
    hashes = [b64encode(sha256(each.encode()).digest()).decode() for each in page.scripts(None)]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_importing_the_renderer_imports_no_extra() -> None:
    code = "import sys, kl_drift.render.html; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "kl_drift.render.charts" in run.stdout.split()
    assert not {"altair", "jinja2", "markupsafe", "vl_convert"} & set(run.stdout.split())


@pytest.mark.parametrize("package", ["altair", "jinja2", "vl_convert"])
def test_a_missing_extra_is_named_with_its_command(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kl-drift\[report\]'") as caught:
        render_html(report_of(column("x")))
    assert isinstance(caught.value.__cause__, ImportError)


@pytest.mark.parametrize("version", ["5.20", "6.4"])
def test_the_chart_draws_in_vega_lite_5_and_6(version: str) -> None:
    specification = charts.specification()
    names = ("cell", "label", "reference", "current", "contribution")
    rows = [(0, "z", 0.2, 0.7, 0.3), (1, "a", 0.8, 0.3, None)]
    specification["datasets"] = {"cells": [dict(zip(names, row, strict=True)) for row in rows]}
    specification["params"][0]["value"] = ["z", "a"]
    svg = vl_convert.vegalite_to_svg(specification, vl_version=version)
    assert svg.count('fill="var(--reference)"') == 2
    assert svg.count('fill="var(--current)"') == 2
    assert svg.index(">z</text>") < svg.index(">a</text>")
    assert ">∞</text>" in svg


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_bars_stand_out(scheme: int) -> None:
    style = resources.files("kl_drift.render").joinpath("templates", "report.css").read_text()
    root = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", root))
    for ground in ("page", "panel"):
        for ink in ("ink", "muted", "link", "warn", "undecided", "ok"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["on-drift"], colours["drift"]) >= 4.5
    assert contrast(colours["warn"], colours["warn-tint"]) >= 4.5
    for bar in ("current", "contribution", "reference-line"):
        assert contrast(colours[bar], colours["page"]) >= 3, bar
    assert contrast(colours["current"], colours["reference"]) >= 3


# In a real browser.


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """January against July 2013: a real report, with drift, warnings and new categories."""
    report = kd.compare(FLIGHTS / "month=2013-07", FLIGHTS / "month=2013-01")
    file = tmp_path_factory.mktemp("flights") / "report.html"
    file.write_text(render_html(report), encoding="utf-8")
    return report, file


def written(folder: Path, *columns: ColumnReport) -> Path:
    file = folder / "report.html"
    file.write_text(render_html(report_of(*columns)), encoding="utf-8")
    return file


def bars(page: Page, position: int, colour: str) -> int:
    """Wait for the chart of a column and count its bars of a colour."""
    page.locator(f"#column-{position} .chart").scroll_into_view_if_needed()
    page.wait_for_selector(f"#column-{position} .chart svg")
    return page.locator(f'#column-{position} .chart path[fill="var(--{colour})"]').count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_real_report_draws_every_drifted_column(
    browser: Browser, flights: tuple[Report, Path], scheme: str
) -> None:
    report, file = flights
    assert report.drifted
    with opened(browser, file, scheme=scheme) as page:
        for position, name in enumerate(report.drifted, start=1):
            for series in ("reference", "current", "contribution"):
                assert bars(page, position, series) == len(report[name].cells)


def test_light_and_dark_colour_page_and_charts(
    browser: Browser, flights: tuple[Report, Path]
) -> None:
    colours = []
    for scheme in ("light", "dark"):
        with opened(browser, flights[1], scheme=scheme) as page:
            assert bars(page, 1, "current")
            page_colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            bar = page.locator('.chart path[fill="var(--current)"]').first
            colours.append((page_colour, bar.evaluate("bar => getComputedStyle(bar).fill")))
    assert colours == [
        ("rgb(255, 255, 255)", "rgb(31, 98, 196)"),
        ("rgb(15, 19, 24)", "rgb(98, 166, 255)"),
    ]


def test_charts_are_drawn_only_when_they_come_into_view(
    browser: Browser, flights: tuple[Report, Path]
) -> None:
    report, file = flights
    last = len(report.columns)
    with opened(browser, file) as page:
        assert bars(page, 1, "current")
        assert page.locator(f"#column-{last} svg").count() == 0
        page.locator(f"tr:last-child a[href='#column-{last}']").click()
        expect(page.locator(f"#column-{last}")).to_have_attribute("open", "")
        expect(page.locator(f"#column-{last} summary").first).to_be_in_viewport()
        assert bars(page, last, "current") == len(report.columns[-1].cells)


def test_a_link_from_outside_opens_its_column(
    browser: Browser, flights: tuple[Report, Path]
) -> None:
    report, file = flights
    last = len(report.columns)
    with opened(browser, file, fragment=f"#column-{last}") as page:
        expect(page.locator(f"#column-{last} .numbers")).to_be_in_viewport()


def test_the_keyboard_opens_a_column(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, written(tmp_path, column("quiet", Status.OK))) as page:
        page.locator("input[type=checkbox]").focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "quiet"
        page.keyboard.press("Enter")
        expect(page.locator("#column-1 .numbers")).to_be_visible()
        page.locator("#column-1 > summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#column-1 .numbers")).to_be_hidden()


def test_the_filter_lists_what_is_asked_for(browser: Browser, flights: tuple[Report, Path]) -> None:
    report, file = flights
    with opened(browser, file) as page:
        page.get_by_label("Filter columns by name").fill("DELAY")
        delays = [each.name for each in report if "delay" in each.name]
        assert page.locator("tr[data-status]:visible a").all_inner_texts() == delays
        assert page.locator("details.column:visible h3").all_inner_texts() == delays
        expect(page.locator("#filter output")).to_have_text(
            f"{len(delays)} of {len(report.columns)} columns"
        )
        page.get_by_label("Filter columns by name").fill("")
        page.get_by_label("drift").uncheck()
        assert page.locator("tr[data-status=drift]:visible").count() == 0
        page.get_by_label("drift").check()
        assert page.locator("tr[data-status]:visible").count() == len(report.columns)


def test_the_cells_can_be_read_as_a_table(browser: Browser, tmp_path: Path) -> None:
    endless = (cell("below 5", 0.25, 0.5, 0.09314), cell(HOSTILE, 0.0, 0.5, math.inf))
    with opened(browser, written(tmp_path, column("x", cells=endless))) as page:
        page.get_by_text("All 2 cells as a table").click()
        rows = page.locator(".cells tbody tr")
        expect(rows).to_have_count(2)
        assert rows.nth(0).locator("td").all_inner_texts() == [
            "below 5",
            "25.00 %",
            "50.00 %",
            "0.09314",
            "0.25000",
        ]
        assert rows.nth(1).locator("td").nth(3).inner_text() == "∞"
        assert "<img src=x onerror=alert(1)>" in rows.nth(1).locator("td").nth(0).inner_text()


def test_hostile_names_stay_text_in_charts_and_tooltips(browser: Browser, tmp_path: Path) -> None:
    cells = (cell(HOSTILE, 0.2, 0.4), cell(HOSTILE, 0.3, 0.3), cell("b", 0.5, 0.3))
    with opened(browser, written(tmp_path, column(HOSTILE, cells=cells, top_cells=cells))) as page:
        assert bars(page, 1, "current") == 3  # equal labels do not merge their cells
        labels = page.locator(".chart text").all_text_contents()
        assert sum(label.startswith("</script>") for label in labels) == 2
        page.locator('.chart path[fill="var(--current)"]').first.hover(force=True)
        expect(page.locator("#vg-tooltip-element")).to_contain_text("<img src=x onerror=alert(1)>")
        expect(page.locator("#vg-tooltip-element")).to_contain_text("40.00%")
        assert page.locator("img").count() == 0


def test_cells_stand_in_order_and_each_has_its_place(browser: Browser, tmp_path: Path) -> None:
    labels = ["zebra", "10 to 20", "9 to 10", "alpha", "null"]
    cells = tuple(cell(label, 0.2, 0.2) for label in labels)
    with opened(browser, written(tmp_path, column("x", cells=cells))) as page:
        assert bars(page, 1, "current") == len(labels)
        texts = page.locator(".chart text").filter(has_text=re.compile("|".join(labels)))
        placed = [(text.bounding_box()["x"], text.inner_html()) for text in texts.all()]
        assert [label for _, label in sorted(placed)] == labels


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_narrow_screen_needs_no_sideways_scrolling(
    browser: Browser, flights: tuple[Report, Path], width: int
) -> None:
    with opened(browser, flights[1], width=width) as page:
        assert bars(page, 1, "current")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_chart_follows_the_width_of_the_window(
    browser: Browser, flights: tuple[Report, Path]
) -> None:
    with opened(browser, flights[1]) as page:
        assert bars(page, 1, "current")
        svg = page.locator("#column-1 .chart svg")
        wide = svg.bounding_box()["width"]
        page.set_viewport_size({"width": 600, "height": 900})
        page.wait_for_function(
            "wide => document.querySelector('#column-1 svg').clientWidth < wide / 1.5", arg=wide
        )


def test_printing_draws_what_is_open(browser: Browser, flights: tuple[Report, Path]) -> None:
    report, file = flights
    with opened(browser, file) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator(".chart svg")).to_have_count(len(report.drifted))
