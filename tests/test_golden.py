"""Every profile, report and file of limits ever written can be read, and says what it said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from golden import make_golden

from kl_drift import canonical
from kl_drift.api import compare, scan
from kl_drift.artefact import (
    VERSIONS,
    Kind,
    limits_to_dict,
    load_limits,
    load_profile,
    load_report,
    profile_to_dict,
    report_to_dict,
    save,
    schema,
)
from kl_drift.counts.bins import Domain, LevelDomain
from kl_drift.errors import ArtefactTooNewError
from kl_drift.judging.limits import LearnedLimits
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.render import words
from kl_drift.render.terminal import to_text
from kl_drift.upgrade import upgrade_limits

GOLDEN = Path(make_golden.__file__).parent
PROFILES = sorted(GOLDEN.glob("profile-*.json"))
REPORTS = sorted(GOLDEN.glob("report-*.json"))
LIMITS = sorted(GOLDEN.glob("limits-*.json"))
HEADER = ("kl_drift", "version", "written", "digest")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_there_is_a_golden_file_of_every_version() -> None:
    for kind, found in (("profile", PROFILES), ("report", REPORTS), ("limits", LIMITS)):
        versions = [f"{kind}-{version}.json" for version in range(1, VERSIONS[kind] + 1)]
        assert [path.name for path in found] == versions


def test_the_golden_profile_holds_every_domain_and_kind_of_column() -> None:
    document = read(PROFILES[-1])
    bins = [column["bins"] for column in document["columns"].values() if "bins" in column]
    numeric = {each["domain"] for each in bins if each["kind"] == "numeric"}
    levels = {each["domain"] for each in bins if each["kind"] == "categories"}
    assert numeric == set(get_args(Domain))
    assert levels == set(get_args(LevelDomain))
    assert {each["kind"] for each in bins} == {"numeric", "categories", "pair"}
    kinds = {column.get("why", {}).get("kind", "") for column in document["columns"].values()}
    assert {"", "not selected", "identifier", "nested type", "moves by construction"} <= kinds
    findings = {column["finding"] for column in read(REPORTS[-1])["columns"]}
    assert findings == {"", "missing", "new", "type changed"}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.name)
def test_a_golden_profile_says_what_it_said_when_it_was_written(path: Path) -> None:
    document, loaded = read(path), load_profile(path)
    assert loaded.bins_digest == document["bins_digest"]
    assert loaded.rows == document["rows"]
    for name, column in document["columns"].items():
        histogram = loaded[name].histogram
        assert (histogram and list(histogram.counts)) == column.get("counts")
        assert (histogram and histogram.bins.to_dict()) == column.get("bins")
        assert loaded[name].nulls == column.get("nulls", 0)
        assert loaded[name].unseen == column.get("unseen", {})


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.name)
def test_a_golden_profile_still_serves_as_a_reference(path: Path) -> None:
    reference = load_profile(path)
    again = scan(make_golden.table(), like=reference)
    assert again.counted == reference.counted
    assert {column.kl for column in compare(again, reference)} == {0.0}


def test_the_newest_golden_profile_says_what_is_counted_today() -> None:
    loaded, today = load_profile(PROFILES[-1]), make_golden.profile()
    assert loaded == today
    assert (loaded.created, loaded.created_by) == (today.created, today.created_by)


def test_the_newest_golden_report_says_what_is_found_today() -> None:
    loaded, today = load_report(REPORTS[-1]), make_golden.report()
    _same(report_to_dict(loaded), report_to_dict(today), "report")
    assert to_text(loaded) == to_text(today)


def test_a_report_of_version_1_keeps_its_numbers() -> None:
    first = load_report(GOLDEN / "report-1.json")
    assert (first["text"].kl, first["many_texts"].kl) == (1.2718834001749455, 0.15782613263910042)


@pytest.mark.parametrize("path", LIMITS, ids=lambda path: path.name)
def test_golden_limits_say_what_they_said_when_they_were_written(path: Path) -> None:
    document, loaded = read(path), load_limits(path)
    for kind, read_back in (("columns", loaded.columns), ("nulls", loaded.nulls)):
        for name, column in document[kind].items():
            for point in column["points"] if document["version"] > 1 else column:
                assert read_back[name].limit(point["rows"]) == pytest.approx(point["limit"])


def test_limits_of_version_1_say_why_nothing_was_learned() -> None:
    document, loaded = read(LIMITS[0]), load_limits(LIMITS[0])
    assert loaded.unlearned["level"] == Unlearned(kind=WhyNot.TOO_FEW, snapshots=10, needed=14)
    assert loaded.left_out["2013-01-09"] == Unlearned(kind=WhyNot.ON_REQUEST)
    for key, found in (("unlearned", loaded.unlearned), ("left_out", loaded.left_out)):
        assert {name: words.unlearned(why) for name, why in found.items()} == document[key]


def test_a_sentence_that_no_version_wrote_is_kept() -> None:
    said = {"day": "{it} rained\non 3 snapshots"}
    limits = upgrade_limits({**read(LIMITS[0]), "left_out": said})
    why = LearnedLimits.from_dict(limits).left_out["day"]
    assert why == Unlearned(kind=WhyNot.OTHER, said=said["day"])
    assert words.unlearned(why) == r"{it} rained\non 3 snapshots"
    assert Unlearned.from_dict(why.to_dict()) == why


def test_the_newest_golden_limits_say_what_is_learned_today() -> None:
    loaded, today = load_limits(LIMITS[-1]), make_golden.limits()
    assert (loaded.created, loaded.created_by) == (today.created, today.created_by)
    _same(limits_to_dict(loaded), limits_to_dict(today), "report")


def _same(then: Any, now: Any, where: str) -> None:
    """Compare exactly, but for the last digits of measured numbers and what hashes over them."""
    if isinstance(then, dict):
        assert then.keys() == now.keys(), where
        for key in then.keys() - ({"digest"} if where == "report" else set()):
            _same(then[key], now[key], f"{where}.{key}")
    elif isinstance(then, list):
        assert len(then) == len(now), where
        for place, (one, other) in enumerate(zip(then, now, strict=True)):
            _same(one, other, f"{where}[{place}]")
    elif isinstance(then, float) and isinstance(now, float):
        assert math.isclose(then, now, rel_tol=1e-9, abs_tol=1e-12), where
    else:
        assert then == now, where


def test_the_newest_golden_profile_is_what_is_saved_today(tmp_path: Path) -> None:
    save(make_golden.profile(), tmp_path / "x.json")
    assert (tmp_path / "x.json").read_bytes() == PROFILES[-1].read_bytes()


def test_a_loaded_profile_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    save(load_profile(PROFILES[-1]), tmp_path / "x.json")
    assert (tmp_path / "x.json").read_bytes() == PROFILES[-1].read_bytes()


@pytest.mark.parametrize("path", PROFILES + REPORTS + LIMITS, ids=lambda path: path.name)
def test_the_digest_of_a_golden_file_holds(path: Path) -> None:
    document = read(path)
    body = {key: value for key, value in document.items() if key not in HEADER}
    assert document["digest"] == canonical.digest(body)
    assert path.read_text(encoding="utf-8") == canonical.dumps(document) + "\n"


@pytest.mark.parametrize("path", PROFILES + REPORTS + LIMITS, ids=lambda path: path.name)
def test_a_golden_file_fits_the_schema_of_its_version(path: Path) -> None:
    document = read(path)
    if document["version"] == VERSIONS[document["kl_drift"]]:
        jsonschema.validate(document, schema(document["kl_drift"]))


@pytest.mark.parametrize("kind", ["profile", "report", "limits"])
def test_a_newer_file_is_refused_and_says_what_to_do(kind: Kind, tmp_path: Path) -> None:
    newer = VERSIONS[kind] + 1
    document = read(GOLDEN / f"{kind}-{VERSIONS[kind]}.json") | {"version": newer, "body": "other"}
    (tmp_path / "x.json").write_text(json.dumps(document))
    load = {"profile": load_profile, "report": load_report, "limits": load_limits}[kind]
    with pytest.raises(ArtefactTooNewError) as caught:
        load(tmp_path / "x.json")
    assert str(caught.value) == (
        f"{tmp_path}/x.json: {kind} format {newer}, this kl-drift reads up to {newer - 1}; "
        "run  pip install --upgrade kl-drift"
    )


def test_what_is_written_today_is_what_the_golden_profile_wrote() -> None:
    assert profile_to_dict(make_golden.profile()) == read(PROFILES[-1])
