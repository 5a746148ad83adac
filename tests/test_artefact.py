"""Profiles and reports as files: the same bytes for the same thing; nothing else is believed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from pyarrow import fs

from kl_drift import canonical
from kl_drift.api import compare, fit, scan
from kl_drift.artefact import (
    VERSIONS,
    is_profile_path,
    load_profile,
    load_report,
    profile_from_dict,
    profile_to_dict,
    report_to_dict,
    save,
    schema,
)
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import LeftOut, Profile
from kl_drift.engines import files, lakes
from kl_drift.errors import (
    ArtefactCorruptError,
    ArtefactError,
    ArtefactNotFoundError,
    ArtefactTooNewError,
    UsageError,
)
from kl_drift.judging.limits import Trend
from kl_drift.judging.policy import Verdict
from kl_drift.judging.report import (
    Beyond,
    CellChange,
    ColumnReport,
    LevelChange,
    Report,
    Side,
    Unjudged,
)
from kl_drift.snapshot import Snapshot
from kl_drift.testing import profiles

KINDS: dict[str, Callable[..., Any]] = {"profile": load_profile, "report": load_report}


@pytest.fixture(scope="module")
def profile() -> Profile:
    n = 2_000
    generator = np.random.default_rng(0)
    return fit(
        {
            "x": generator.normal(size=n),
            "k": generator.choice(["a", "ç", "\u2028", ""], n),
            "ü/.": np.arange(n) % 7,
            "id": np.arange(n),
        }
    )


@pytest.fixture(scope="module")
def report(profile: Profile) -> Report:
    return compare({"x": np.zeros(1_500), "k": ["new"] * 1_500}, profile)


@pytest.fixture(params=["profile", "report"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def saved(tmp_path: Path, kind: str, profile: Profile, report: Report) -> Path:
    """Return the path of a saved profile or report."""
    save(profile if kind == "profile" else report, tmp_path / "x.json")
    return tmp_path / "x.json"


def edited(path: Path, edit: Callable[[dict[str, Any]], object], *, sealed: bool = False) -> Path:
    """Edit a document; ``sealed``: and give it the digest of what it holds now."""
    document = json.loads(path.read_text(encoding="utf-8"))
    edit(document)
    if sealed:
        header = ("kl_drift", "version", "written", "digest")
        body = {key: value for key, value in document.items() if key not in header}
        document["digest"] = canonical.digest(body)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


# ---------------------------------------------------------------- round trips


def test_a_profile_comes_back_equal(profile: Profile, tmp_path: Path) -> None:
    save(profile, tmp_path / "x.json")
    loaded = load_profile(tmp_path / "x.json")
    assert loaded == profile
    assert (loaded.created, loaded.created_by) == (profile.created, profile.created_by)
    assert loaded.bins_digest == profile.bins_digest
    later = {"x": [0.5], "k": ["b"], "ü/.": [1], "id": [2]}
    assert scan(later, like=loaded) == scan(later, like=profile)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(profile=profiles())
def test_any_profile_comes_back_equal_and_fits_its_schema(profile: Profile) -> None:
    text = canonical.dumps(profile_to_dict(profile))
    assert profile_from_dict(json.loads(text)) == profile
    assert canonical.dumps(profile_to_dict(profile_from_dict(json.loads(text)))) == text
    jsonschema.validate(json.loads(text), schema("profile"))


def test_a_report_comes_back_equal_and_fits_its_schema(report: Report, tmp_path: Path) -> None:
    save(report, tmp_path / "x.json")
    assert load_report(str(tmp_path / "x.json")) == report
    document = report_to_dict(report)
    assert {key: document[key] for key in report.to_dict()} == report.to_dict()
    jsonschema.validate(document, schema("report"))


def test_equal_profiles_have_equal_bytes_and_one_digest(profile: Profile, tmp_path: Path) -> None:
    shuffled = replace(profile, columns=dict(reversed(profile.columns.items())))
    assert shuffled == profile
    later = replace(profile, created="2099-01-01T00:00:00+00:00", created_by="9.9.9")
    for name, one in (("a", profile), ("b", shuffled), ("c", later)):
        save(one, tmp_path / name)
    first, second, third = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == second
    digests = {json.loads(text)["digest"] for text in (first, second, third)}
    assert len(digests) == 1, "who wrote it and when is no part of what it says"
    assert first != third
    assert first.endswith(b"}\n")
    other = replace(profile, as_of="2013-01-01")
    assert profile_to_dict(other)["digest"] not in digests


def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 2.0**60]
    for data in (values, [2**62 + 1, -(2**63), 2**63 - 1]):
        found = fit({"x": data})
        save(found, tmp_path / "x.json")
        assert load_profile(tmp_path / "x.json") == found
    wide = pa.array([Decimal(10**37 + 1), Decimal(-(10**37))], pa.decimal128(38, 0))
    found = fit({"x": wide})
    save(found, tmp_path / "x.json")
    assert load_profile(tmp_path / "x.json") == found
    assert str(found["x"].range) == f"{-(10**37)} … {10**37 + 1}"


# ---------------------------------------------------------------- what is not believed


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_refused(saved: Path, kind: str, kept: float) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ArtefactCorruptError, match=f"saved {kind}: not valid JSON.*cut short"):
        KINDS[kind](saved)


def test_an_edited_file_is_refused(saved: Path, kind: str) -> None:
    key = {"profile": "rows", "report": "status"}[kind]
    edited(saved, lambda document: document.update({key: 7}))
    with pytest.raises(ArtefactCorruptError, match="do not match its digest") as caught:
        KINDS[kind](saved)
    assert f"make the {kind} again" in str(caught.value)
    assert str(saved) in str(caught.value)


def test_every_edit_of_a_body_is_noticed(saved: Path, kind: str) -> None:
    whole = saved.read_text(encoding="utf-8")
    written = re.search(r',"written":\{[^}]*\}', whole)
    assert written
    for place in range(0, len(whole) - 2, max(1, len(whole) // 150)):
        if written.start() <= place < written.end() or not whole[place].isalnum():
            continue
        other = "1" if whole[place] == "0" else "0" if whole[place].isdigit() else "z"
        saved.write_text(whole[:place] + other + whole[place + 1 :], encoding="utf-8")
        with pytest.raises((ArtefactCorruptError, ArtefactTooNewError)):
            KINDS[kind](saved)


def test_who_wrote_it_is_no_part_of_the_digest(saved: Path, kind: str) -> None:
    edited(saved, lambda document: document.update(written={"by": "0.0.1", "at": "long ago"}))
    loaded = KINDS[kind](saved)
    by = loaded.created_by
    assert by == "0.0.1"


def test_the_other_kind_is_refused(saved: Path, kind: str) -> None:
    other = {"profile": "report", "report": "profile"}[kind]
    with pytest.raises(ArtefactCorruptError, match=f"expected a saved {other}, found a {kind}"):
        KINDS[other](saved)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b"PAR1\x15\x04",
        b"rows: 3",
        b"{",
        b'{"kl_drift": "profile", "version": 1,',
        b"[" * 100_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_no_json_is_refused(tmp_path: Path, kind: str, text: bytes) -> None:
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(ArtefactCorruptError, match=rf"x\.json: not a saved {kind}: not valid JSON"):
        KINDS[kind](tmp_path / "x.json")


@pytest.mark.parametrize("text", ["null", "3", "[]", "{}", '"profile"', '{"kl_drift": 7}', "NaN"])
def test_other_json_is_refused(tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ArtefactCorruptError, match=f"expected a saved {kind}, found"):
        KINDS[kind](tmp_path / "x.json")


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None, 10**30])
def test_a_version_that_is_none_is_refused(saved: Path, kind: str, version: object) -> None:
    edited(saved, lambda document: document.update(version=version))
    expected = ArtefactTooNewError if version == 10**30 else ArtefactCorruptError
    with pytest.raises(expected, match=r"version|format"):
        KINDS[kind](saved)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\ud800"], ids=["NaN", "infinity", "half a character"]
)
def test_what_canonical_json_lacks_is_refused(saved: Path, kind: str, value: object) -> None:
    edited(saved, lambda document: document.update(as_of=value, digest=""))
    with pytest.raises(ArtefactCorruptError, match="do not match its digest"):
        KINDS[kind](saved)


@pytest.mark.parametrize("missing", ["digest", "kl_drift", "version"])
def test_a_missing_header_is_refused(saved: Path, kind: str, missing: str) -> None:
    edited(saved, lambda document: document.pop(missing))
    with pytest.raises(ArtefactCorruptError):
        KINDS[kind](saved)


def _forgeries() -> Iterator[Any]:
    def column(**changes: Any) -> Callable[[dict[str, Any]], object]:
        return lambda document: document["columns"]["x"].update(changes)

    yield pytest.param(lambda document: document.pop("rows"), id="no rows")
    yield pytest.param(lambda document: document.pop("columns"), id="no columns")
    yield pytest.param(lambda document: document.pop("written"), id="no writer")
    yield pytest.param(lambda document: document.update(columns=[]), id="columns in a list")
    yield pytest.param(lambda document: document.update(rows=3), id="other rows")
    yield pytest.param(lambda document: document.update(sources=None), id="no sources")
    yield pytest.param(column(counts=[1, 2]), id="too few counts")
    yield pytest.param(column(counts=None), id="no counts")
    yield pytest.param(column(bins={"kind": "sketch"}), id="unknown bins")
    yield pytest.param(column(bins={"kind": "numeric", "domain": "float"}), id="no edges")
    yield pytest.param(column(range={"domain": "float"}), id="half a range")
    yield pytest.param(lambda document: document["columns"]["x"].pop("type"), id="no type")


@pytest.mark.parametrize("forge", list(_forgeries()))
def test_a_profile_that_is_not_whole_is_refused_although_its_digest_holds(
    tmp_path: Path, profile: Profile, forge: Callable[[dict[str, Any]], object]
) -> None:
    save(profile, tmp_path / "x.json")
    edited(tmp_path / "x.json", forge, sealed=True)
    with pytest.raises(ArtefactCorruptError, match=r"not a whole profile.*fit or scan it again"):
        load_profile(tmp_path / "x.json")


# ---------------------------------------------------------------- places


def test_a_missing_file_is_not_found(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ArtefactNotFoundError, match=f"no {kind} at {tmp_path}") as caught:
        KINDS[kind](tmp_path / "x.json")
    assert isinstance(caught.value, FileNotFoundError)


def test_a_folder_is_no_artefact(tmp_path: Path, kind: str, profile: Profile) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(ArtefactError, match=r"x\.json: cannot be read"):
        KINDS[kind](tmp_path / "x.json")
    with pytest.raises(OSError, match=r"x\.json"):
        save(profile, tmp_path / "x.json")
    assert os.listdir(tmp_path) == ["x.json"]  # noqa: PTH208 - hidden files count too


def test_a_wrong_option_is_said_to_be_one(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match=r"options .* are for s3:// and gs://"):
        KINDS[kind](tmp_path / "x.json", {"region": "eu-west-1"})


def test_a_crash_while_saving_leaves_the_old_one(
    saved: Path, kind: str, profile: Profile, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = KINDS[kind](saved)

    def crash(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="No space left on device"):
        save(replace(profile, as_of="later") if kind == "profile" else report, saved)
    assert KINDS[kind](saved) == before
    assert os.listdir(saved.parent) == ["x.json"]  # noqa: PTH208 - hidden files count too


def test_a_profile_is_known_by_its_name() -> None:
    for path in ("x.json", Path("a/x.json"), "s3://bucket/x.json"):
        assert is_profile_path(path)
    for other in ("x.parquet", "x.json/", Path("json"), 5, None, Snapshot(path="x.json")):
        assert not is_profile_path(other)


# ---------------------------------------------------------------- schemas


@pytest.mark.parametrize("name", ["profile", "report", "limits"])
def test_a_schema_describes_every_field_and_allows_no_other(name: Any) -> None:
    found = schema(name)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["title"] == f"kl-drift {name}, version {VERSIONS[name]}"
    jsonschema.Draft202012Validator.check_schema(found)
    objects = [each for each in _within(found) if "properties" in each]
    assert len(objects) >= 4
    for each in objects:
        assert each["additionalProperties"] is False
        assert each["title"]
        for key, value in each["properties"].items():
            assert value.get("description") or "$ref" in value, key


def _within(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _within(each)
    elif isinstance(value, list):
        for each in value:
            yield from _within(each)


def test_the_schema_of_a_report_has_the_fields_of_a_report() -> None:
    parts = schema("report")["$defs"]
    for name, kind, more in (
        ("cell", CellChange, set()),
        ("level", LevelChange, set()),
        ("beyond", Beyond, set()),
        ("column", ColumnReport, {"kl_bits", "status"}),
        ("unjudged", Unjudged, set()),
        ("verdict", Verdict, set()),
        ("side", Side, set()),
        ("trend", Trend, set()),
    ):
        names = {field.name for field in fields(kind)} | more
        assert set(parts[name]["properties"]) == set(parts[name]["required"]) == names
    assert set(parts["why"]["properties"]) == {field.name for field in fields(Uncounted)}
    for kind in ("report", "profile"):
        assert schema(kind)["$defs"]["why"]["properties"]["kind"]["enum"] == list(Kind)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("rows",), -1),
        (("digest",), "abc"),
        (("version",), 1),
        (("more",), 1),
        (("columns", "x", "more"), 1),
        (("columns", "x", "counts", 0), -1),
        (("columns", "x", "counts", 0), 0.5),
        (("columns", "x", "bins", "kind"), "sketch"),
        (("columns", "x", "bins", "domain"), "hour"),
        (("columns", "k", "bins", "known"), None),
        (("columns", "x", "counts"), ...),
    ],
)
def test_a_schema_refuses_what_is_wrong(
    profile: Profile, place: tuple[Any, ...], value: object
) -> None:
    document = json.loads(canonical.dumps(profile_to_dict(profile)))
    jsonschema.validate(document, schema("profile"))
    *way, last = place
    inner = document
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema("profile"))


def test_infinite_numbers_fit_the_schema(profile: Profile) -> None:
    table = {"x": [99.0] * 1_500, "k": ["new"] * 1_500, "ü/.": [None] * 1_500, "id": ["a"] * 1_500}
    for smoothing in ("none", "jeffreys"):
        document = report_to_dict(compare(table, profile, smoothing=smoothing))
        jsonschema.validate(json.loads(canonical.dumps(document)), schema("report"))


def test_an_unknown_schema_is_refused() -> None:
    with pytest.raises(UsageError, match="no schema 'plan'; known: profile, report"):
        schema("plan")  # type: ignore[arg-type]


# ---------------------------------------------------------------- secrets


def test_no_secret_is_ever_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"x": np.arange(2_000) % 7}), tmp_path / "x.parquet")
    for module in (files, lakes):
        monkeypatch.setattr(module, "filesystem", lambda *_: (fs.LocalFileSystem(), str(tmp_path)))
    secret = "s3cr3t/+x"  # noqa: S105 - made up
    uri = f"s3://AKIA:{secret}@bucket/flights?session_token={secret}"
    snapshot = Snapshot(path=uri, options={"secret_key": secret, "access_key": "AKIA"})
    profile = fit(snapshot)
    report = compare(snapshot, profile)
    assert profile.sources == ("s3://bucket/flights",)
    for name, artefact in (("profile", profile), ("report", report)):
        save(artefact, tmp_path / f"{name}.json")
        shown = (tmp_path / f"{name}.json").read_text() + repr(artefact) + str(artefact)
        assert "s3cr3t" not in shown
        assert "AKIA" not in shown


def test_files_that_were_left_out_are_remembered(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    profile = fit(tmp_path)
    save(profile, tmp_path / ".profile.json")
    loaded = load_profile(tmp_path / ".profile.json")
    assert loaded.left_out == (LeftOut(kind="hidden", files=1, names=("_SUCCESS",)),)
    assert loaded == profile
    assert [str(each) for each in (loaded + loaded).left_out] == ["2 hidden (_SUCCESS, …)"]
    jsonschema.validate(profile_to_dict(profile), schema("profile"))
