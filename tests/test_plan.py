"""Plans: what a file says, what is said of its mistakes, and what is drafted."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import jsonschema
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kl_drift.api import compare, fit, scan
from kl_drift.counts.binning import Categories, Edges, Quantiles, Uniform
from kl_drift.counts.selection import Selection
from kl_drift.errors import PlanError
from kl_drift.judging.policy import Policy
from kl_drift.plan.draft import draft_plan
from kl_drift.plan.keys import LimitKeys
from kl_drift.plan.placeholders import escaped, fill
from kl_drift.plan.plan import Output, load_plan, plan_schema
from kl_drift.plan.yaml import read_yaml
from kl_drift.statistics.smoothing import Smoothing

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"


@pytest.fixture
def plan(tmp_path):
    """Load a plan from its text."""

    def load(text, **values):
        return load_plan(_written(tmp_path, text), values=values)

    return load


@pytest.fixture
def mistakes(tmp_path):
    """Load a plan that is wrong and return its mistakes, without the folder."""

    def load(text, **values):
        with pytest.raises(PlanError) as caught:
            load_plan(_written(tmp_path, text), values=values)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return load


def _written(folder, text):
    path = folder / "p.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _values(path):
    """Return what a plan says, as a JSON Schema is to see it."""
    document = read_yaml(str(path), {"month": "2013-02"}, as_written=lambda _: False)
    return document.value


# What a plan says


def test_a_path_is_a_whole_plan(plan, tmp_path) -> None:
    found = plan("version: 1\nreference: jan.parquet\n")
    assert found.path == str(tmp_path / "p.yaml")
    assert found.reference.path == str(tmp_path / "jan.parquet")
    assert found.current is None
    assert found.selection == Selection()
    assert found.policy == Policy()
    assert found.smoothing == Smoothing()
    assert found.output == Output()


def test_every_key_finds_its_place(plan, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ENDPOINT", "http://minio")
    found = plan(
        """
version: 1
reference: {path: s3://b/flights, where: {month: [2013-01, 02, 7, 1.50]}, label: then}
current:
  path: ../flights
  where: {month: "{{ month }}", weekend: no}
  label: flights of {{ month }}
  as_of: 2013-02-28
  options: {endpoint_override: "${ENDPOINT}", anonymous: true}
columns:
  include: [dep_*, carrier]
  exclude: [flight]
  types: [numeric, categorical]
  numeric: {kind: uniform, count: 7}
  categories: {top: 9}
  each:
    dep_delay: {bins: {kind: edges, edges: [0, 15.5, "60"]}, limits: {warn: 0.03, drift: 0.08}}
    origin: {bins: {kind: categories, levels: [EWR, no, 01]}}
    arr: {bins: {kind: quantiles, tails: [0.5]}}
    at: {judge: hour}
    on: {judge: [weekday, age]}
limits: {warn: 2e-2, drift: 5e-2, null_drift: 0.02, min_rows: 9, rule: point,
  confidence: 0.9, design_effect: 2}
smoothing: {floor: 1e-4}
output: {report: out/r.json, html: /abs/r.html, profile: s3://b/p.json}
""",
        month="2013-02",
    )
    assert found.reference.path == "s3://b/flights"
    assert found.reference.where == {"month": ("2013-01", "02", "7", "1.50")}
    assert found.reference.label == "then"
    assert found.current.path == str(tmp_path.parent / "flights")
    assert found.current.where == {"month": "2013-02", "weekend": "no"}
    assert found.current.label == "flights of 2013-02"
    assert found.current.as_of == "2013-02-28"
    assert found.current.options == {"endpoint_override": "http://minio", "anonymous": "true"}
    assert found.selection == Selection(
        include=("dep_*", "carrier"),
        exclude=("flight",),
        types=("numeric", "categorical"),
        numeric=Uniform(count=7),
        categories=Categories(top=9),
        bins={
            "dep_delay": Edges(edges=(0, 15.5, "60")),
            "origin": Categories(levels=("EWR", "no", "01")),
            "arr": Quantiles(tails=(0.5,)),
        },
        judge={"at": ("hour",), "on": ("weekday", "age")},
    )
    assert found.smoothing == Smoothing(method="floor", eps=1e-4)
    assert found.output == Output(
        report=str(tmp_path / "out/r.json"), html="/abs/r.html", profile="s3://b/p.json"
    )
    assert found.policy.of("carrier") == Policy(
        warn=0.02,
        drift=0.05,
        null_drift=0.02,
        rule="point",
        confidence=0.9,
        design_effect=2,
        min_rows=9,
        columns=found.policy.columns,
    )
    assert "minio" not in repr(found)


def test_limits_of_a_column_inherit_what_they_do_not_state(plan) -> None:
    policy = plan(
        """
version: 1
reference: a
limits: {warn: 0.01, min_rows: 7}
columns:
  each:
    "dep_*": {limits: {drift: 0.2}}
    "*_delay": {limits: {drift: 0.3}}
    dep_delay: {limits: {null_drift: 0.4}}
    seen: {judge: [hour], limits: {drift: 0.5}}
    hour(seen): {limits: {drift: 0.6}}
"""
    ).policy
    assert policy.of("dep_delay") == Policy(warn=0.01, null_drift=0.4, min_rows=7)
    assert policy.of("dep_time") == Policy(warn=0.01, drift=0.2, min_rows=7)
    assert policy.of("arr_delay").drift == 0.3
    assert policy.of("weekday(seen)").drift == 0.5
    assert policy.of("hour(seen)").drift == 0.6
    assert policy.of("age(dep_x)").drift == 0.2
    assert policy.of("carrier").drift == 0.05


def test_scalars_that_yaml_1_1_would_turn_into_something_else_stay_text(plan) -> None:
    found = plan("version: 1\nreference: 2013-02-28\ncolumns: {include: [on, no, 010, 1:30, 1_0]}")
    assert found.reference.path.endswith("/2013-02-28")
    assert found.selection.include == ("on", "no", "010", "1:30", "1_0")


def test_keys_are_text_and_hold_no_placeholders(plan) -> None:
    each = "{1: {limits: {drift: 1}}, null: {}, on: {}, '{{ x }}': {}, '${X}': {}}"
    found = plan(f"version: 1\nreference: a\ncolumns: {{each: {each}}}")
    each = [key[2] for key in found.lines if key[:2] == ("columns", "each") and len(key) == 3]
    assert each == ["1", "null", "on", "{{ x }}", "${X}"]
    assert found.policy.of("1").drift == 1


def test_an_alias_repeats_a_value(plan) -> None:
    each = "{a: &strict {limits: {drift: 0.3}}, b: *strict}"
    policy = plan(f"version: 1\nreference: x\ncolumns: {{each: {each}}}").policy
    assert policy.of("a").drift == policy.of("b").drift == 0.3


def test_json_is_yaml(plan) -> None:
    written = {"version": 1, "reference": {"path": "a", "label": "été 😀"}}
    assert plan(json.dumps(written)).reference.label == "été 😀"


def test_paths_start_at_the_plan_and_home_is_home(plan, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    found = plan("version: 1\nreference: ~/x.json\ncurrent: ./a/../b/*.parquet\n")
    assert found.reference.path == "/home/ada/x.json"
    assert found.current.path == str(tmp_path / "b/*.parquet")


def test_a_byte_order_mark_and_windows_line_ends_are_no_mistake(plan) -> None:
    assert plan("\ufeffversion: 1\r\nreference: a\r\n").policy == Policy()


def test_a_name_in_each_that_fits_no_column_is_refused(plan, tmp_path) -> None:
    found = plan(
        "version: 1\nreference: a\ncolumns:\n  each:\n"
        '    dep_dely: {limits: {drift: 1}}\n    "arr_*": {}\n    carrier: {}\n'
    )
    found.check_columns(["dep_dely", "arr_delay", "carrier"])
    with pytest.raises(PlanError) as caught:
        found.check_columns(["dep_delay", "arr_delay", "carrier"])
    assert str(caught.value) == (
        f"{tmp_path}/p.yaml:5: columns.each.dep_dely: fits no column of the reference. "
        "Did you mean 'dep_delay'?"
    )


# Mistakes: the file, the line, the key, what is said

_WITH_COLUMNS = "version: 1\nreference: a\ncolumns:\n"
_TYPES = (
    "numeric, categorical, temporal, integer, float, decimal, boolean, string, binary, date, time, "
    "timestamp, duration"
)
_KINDS = "{kind: quantiles, …} or {kind: uniform, …} or {kind: edges, …}"

MISTAKES = {
    "nothing": ("", "p.yaml:1: expected a mapping that begins with  version: 1, got nothing; "
        "run  kl-drift init SNAPSHOT  for a first plan"),
    "a list": ("# why\n- a\n", "p.yaml:1: expected a mapping that begins with  version: 1, got a "
        "list; run  kl-drift init SNAPSHOT  for a first plan"),
    "no version": ("reference: a\n", "p.yaml:1: version: is missing; expected 1"),
    "no reference": ("version: 1\n", "p.yaml:1: reference: is missing; expected text or a mapping"),
    "newer": ("reference: a\nversion: 2\nnew: 1\n", "p.yaml:2: version: plan format 2, this "
        "kl-drift reads up to 1; run  pip install --upgrade kl-drift"),
    "older": ("version: 0\nreference: a\n", "p.yaml:1: version: expected 1, got 0"),
    "version as text": ('version: "1"\nreference: a\n',
        "p.yaml:1: version: expected 1, got '1'; take the quotes away"),
    "version as truth": ("version: true\nreference: a\n",
        "p.yaml:1: version: expected 1, got true"),
    "unknown key": ("version: 1\nreference: a\ncolunms: {}\n",
        "p.yaml:3: colunms: unknown key; known: version, reference, current, name, history, "
        "calibration, season, confirm, trend, columns, cluster, limits, "
        "smoothing, output. Did you mean 'columns'?"),
    "empty key": ("version: 1\nreference:\n",
        "p.yaml:2: reference: expected text or a mapping, got nothing"),
    "empty optional key": ("version: 1\nreference: a\noutput:\n  html:\n",
        "p.yaml:4: output.html: expected text, got nothing"),
    "empty partition": ('version: 1\nreference: {path: a, where: {m: ""}}\n',
        "p.yaml:2: reference.where.m: expected text or a number or true or false or a list, "
        "got empty text"),
    "empty text": ('version: 1\nreference: ""\n',
        "p.yaml:2: reference: expected text or a mapping, got empty text"),
    "number as path": ("version: 1\nreference: 3\n",
        "p.yaml:2: reference: expected text or a mapping, got 3; put it in quotes"),
    "key of a snapshot": ("version: 1\nreference: {path: a, were: {}}\n",
        "p.yaml:2: reference.were: unknown key; known: path, where, label, as_of, version, "
        "options, checksums, choose. Did you mean 'where'?"),
    "no path": ("version: 1\nreference: a\ncurrent:\n  where: {month: 1}\n",
        "p.yaml:3: current.path: is missing; expected text"),
    "where is a list": ("version: 1\nreference:\n  path: a\n  where: [month]\n",
        "p.yaml:4: reference.where: expected a mapping, got a list"),
    "where without values": ("version: 1\nreference:\n  path: a\n  where:\n    month: []\n",
        "p.yaml:5: reference.where.month: expected text or a number or true or false or a list, "
        "got an empty list"),
    "no moment": ("version: 1\nreference:\n  path: a\n  as_of: 2013-02-31\n",
        "p.yaml:4: reference.as_of: expected a date or time such as 2013-02-28 or "
        "2013-02-28T12:00:00+00:00, got '2013-02-31'"),
    "list without brackets": (_WITH_COLUMNS + "  include: dep_*\n",
        "p.yaml:4: columns.include: expected a list, got 'dep_*'; put it in brackets: [dep_*]"),
    "number as name": (_WITH_COLUMNS + "  exclude: [a, 2013]\n",
        "p.yaml:4: columns.exclude[1]: expected text, got 2013; put it in quotes"),
    "unknown type": (_WITH_COLUMNS + "  types:\n  - numeric\n  - categoric\n",
        f"p.yaml:6: columns.types[1]: expected one of {_TYPES}, got 'categoric'. "
        "Did you mean 'categorical'?"),
    "no kind": (_WITH_COLUMNS + "  numeric: {count: 3}\n",
        "p.yaml:4: columns.numeric.kind: is missing; expected one of quantiles, uniform, edges"),
    "unknown kind": (_WITH_COLUMNS + "  each:\n    x:\n      bins:\n        kind: quantil\n",
        "p.yaml:7: columns.each.x.bins.kind: expected one of quantiles, uniform, edges, "
        "categories, got 'quantil'. Did you mean 'quantiles'?"),
    "kind of the others": (_WITH_COLUMNS + "  categories: {kind: quantiles}\n",
        "p.yaml:4: columns.categories.kind: expected categories, got 'quantiles'"),
    "bins as text": (_WITH_COLUMNS + "  numeric: quantiles\n",
        f"p.yaml:4: columns.numeric: expected {_KINDS}, got 'quantiles'"),
    "key of another kind": (_WITH_COLUMNS + "  numeric: {kind: uniform, tails: [0.1]}\n",
        "p.yaml:4: columns.numeric.tails: unknown key; known: kind, count."),
    "key of bins": (_WITH_COLUMNS + "  numeric: {kind: quantiles, cuont: 3}\n",
        "p.yaml:4: columns.numeric.cuont: unknown key; known: kind, count, tails. "
        "Did you mean 'count'?"),
    "no bins": (_WITH_COLUMNS + "  numeric: {kind: uniform, count: 0}\n",
        "p.yaml:4: columns.numeric: count must be from 1 to 10,000, got 0"),
    "an edge": (_WITH_COLUMNS + "  each:\n    x: {bins: {kind: edges, edges: [1, [2]]}}\n",
        "p.yaml:5: columns.each.x.bins.edges[1]: expected a number or text, got a list"),
    "no edges": (_WITH_COLUMNS + "  each:\n    x: {bins: {kind: edges}}\n",
        "p.yaml:5: columns.each.x.bins: edges are empty: state at least one, "
        "e.g. edges: [0, 10, 100]"),
    "a level": (_WITH_COLUMNS + "  each:\n    x: {bins: {kind: categories, levels: [a, 1]}}\n",
        "p.yaml:5: columns.each.x.bins.levels[1]: expected text, got 1; put it in quotes"),
    "odd column": (_WITH_COLUMNS + "  each:\n    a b: {limits: {warm: 1}}\n",
        "p.yaml:5: columns.each['a b'].limits.warm: unknown key; known: warn, drift, null_drift, "
        "rule, confidence, design_effect, min_rows, statistic. Did you mean 'warn'?"),
    "judge": (_WITH_COLUMNS + "  each:\n    x: {judge: hours}\n",
        "p.yaml:5: columns.each.x.judge: expected one of value, hour, weekday, age or a list, "
        "got 'hours'. Did you mean 'hour'?"),
    "judge in a list": (_WITH_COLUMNS + "  each:\n    x: {judge: [hour, weekdays]}\n",
        "p.yaml:5: columns.each.x.judge[1]: expected one of value, hour, weekday, age, "
        "got 'weekdays'. Did you mean 'weekday'?"),
    "judge by pattern": (_WITH_COLUMNS + "  each:\n    '*_at': {judge: hour}\n",
        "p.yaml:5: columns.each.*_at.judge: is for a column named in full, and this is a pattern; "
        "name each column"),
    "zero limit": ("version: 1\nreference: a\nlimits: {warn: 0}\n",
        "p.yaml:3: limits.warn: expected a number above 0, got 0"),
    "limit as text": ("version: 1\nreference: a\nlimits: {drift: yes}\n",
        "p.yaml:3: limits.drift: expected a number above 0, got 'yes'"),
    "infinite limit": ("version: 1\nreference: a\nlimits: {drift: .inf}\n",
        "p.yaml:3: limits.drift: expected a number above 0, got inf, which is not finite"),
    "rows": ("version: 1\nreference: a\nlimits: {min_rows: 1e3}\n",
        "p.yaml:3: limits.min_rows: expected a whole number of at least 0, got 1000.0"),
    "octal rows": ("version: 1\nreference: a\nlimits: {min_rows: 010}\n",
        "p.yaml:3: limits.min_rows: expected a whole number of at least 0, got '010'"),
    "limits that cross": ("version: 1\nreference: a\nlimits:\n  warn: 0.1\n",
        "p.yaml:3: limits: expected 0 < warn ≤ drift, got warn 0.1 and drift 0.05; state both"),
    "limits that cross those inherited": (
        "version: 1\nreference: a\nlimits: {warn: 0.1, drift: 0.2}\n"
        "columns:\n  each:\n    x:\n      limits: {drift: 0.07}\n",
        "p.yaml:7: columns.each.x.limits: expected 0 < warn ≤ drift, got warn 0.1 and drift 0.07; "
        "state both"),
    "smoothing": ("version: 1\nreference: a\nsmoothing: jefreys\n",
        "p.yaml:3: smoothing: expected one of jeffreys, laplace, none or {floor: …}, "
        "got 'jefreys'. Did you mean 'jeffreys'?"),
    "floor": ("version: 1\nreference: a\nsmoothing: {floor: 2}\n",
        "p.yaml:3: smoothing.floor: expected a number above 0 and below 1, got 2"),
    "output": ("version: 1\nreference: a\noutput: {report: r.txt}\n",
        "p.yaml:3: output.report: expected a name that ends in .json, got 'r.txt'"),
    "outputs of one name": ("version: 1\nreference: a\noutput: {report: r.json, profile: r.json}\n",
        "p.yaml:3: output.profile: would overwrite output.report; give it its own name"),
    "output over the reference": ("version: 1\nreference: a.json\noutput: {profile: ./a.json}\n",
        "p.yaml:3: output.profile: would overwrite the reference; give it its own name"),
    "partitions of a profile": ("version: 1\nreference: {path: a.json, where: {a: b}}\n",
        "p.yaml:2: reference.where: is for rows, and the path is a saved profile; remove it"),
    "columns of a profile": ("version: 1\nreference: a.json\ncolumns: {include: [a]}\n",
        "p.yaml:3: columns: the reference is a saved profile, which fixes columns and bins: only "
        "limits may be stated; remove the rest, or name the rows"),
    "no such home": ("version: 1\nreference: ~nobody-of-that-name/x\n",
        "p.yaml:2: reference: begins with ~, and there is no such home folder; write it out"),
    "a key twice": ("version: 1\nreference: a\nlimits: {}\nreference: b\n",
        "p.yaml:2: reference: stands twice, in lines 2 and 4; remove one"),
    "a column twice": (_WITH_COLUMNS + "  each: {x: {}, x: {}}\n",
        "p.yaml:4: columns.each.x: stands twice, in line 4; remove one"),
    "a key that is a list": ("version: 1\nreference: {[a]: b}\n",
        "p.yaml:2: reference: a key must be text, not a list or a mapping"),
    "placeholder without quotes": ("version: 1\nreference: a\ncurrent: {{ month }}\n",
        'p.yaml:3: current: put the placeholder in quotes: "{{ month }}"'),
    "placeholder in a mapping": ("version: 1\nreference:\n  path: a\n  where: {m: {{ month }}}\n",
        'p.yaml:4: reference.where.m: put the placeholder in quotes: "{{ month }}"'),
    "placeholder begins a value": ("version: 1\nreference: {{ root }}/b\n",
        "p.yaml:2: not valid YAML: expected <block end>, but found '<scalar>'. "
        'Put text with a placeholder in quotes: "{{ name }}"'),
    "variable in a mapping": ("version: 1\nreference: {path: ${ROOT}}\n",
        "p.yaml:2: not valid YAML: expected ',' or '}', but got '{'. "
        'Put text with a placeholder in quotes: "{{ name }}"'),
    "placeholder not closed": ("version: 1\nreference: a{{ month\n",
        "p.yaml:2: reference: {{ is not closed by }}; a literal {{ is written {{ '{{' }}"),
    "variable not closed": ("version: 1\nreference: ${month\n",
        "p.yaml:2: reference: ${ is not closed by }; a literal ${ is written $${"),
    "expression": ('version: 1\nreference: "{{ ds | upper }}"\n',
        "p.yaml:2: reference: {{ ds | upper }} is no placeholder: expected ${NAME}, {{ name }} or "
        "one with a default, {{ name:-default }}; expressions are not filled"),
    "tab": ("version: 1\ncolumns:\n\tinclude: [a]\n",
        "p.yaml:3: not valid YAML: found character '\\t' that cannot start any token. "
        "YAML indents with spaces, not with tabs"),
    "colon": ("version: 1\nreference: a: b\n",
        "p.yaml:2: not valid YAML: mapping values are not allowed here. "
        "Put text that holds a colon in quotes, and indent keys of one mapping alike"),
    "star": (_WITH_COLUMNS + "  include: [*_delay]\n",
        "p.yaml:4: not valid YAML: found undefined alias '_delay'. "
        'Put a pattern that begins with * in quotes: "*_delay"'),
    "bracket": ("version: 1\nreference: [a\n",
        "p.yaml:3: not valid YAML: expected ',' or ']', but got '<stream end>'."),
    "two documents": ("version: 1\nreference: a\n---\nversion: 1\n",
        "p.yaml:3: not valid YAML: expected a single document in the stream, "
        "but found another document."),
    "tag": ("version: 1\nreference: !!python/name:os.system a\n",
        "p.yaml:2: reference: the tag 'tag:yaml.org,2002:python/name:os.system' is not for plans; "
        "remove it"),
    "false tag": ("version: !!int one\nreference: a\n",
        "p.yaml:1: version: cannot be read as int; remove the tag"),
    "control character": ("version: 1\nreference: a\x01\n",
        "p.yaml:2: character U+0001 cannot stand in YAML; "
        'write it in double quotes as "\\u0001"'),
    "half a character": ('version: 1\nreference: "\\ud800"\n',
        "p.yaml:2: reference: holds half of a surrogate pair, which is not valid text"),
    "half a character in a key": ('version: 1\nreference: {"\\ud800": a, path: b}\n',
        "p.yaml:2: reference: holds half of a surrogate pair, which is not valid text"),
    "alias in itself": ("version: 1\nreference: &a [*a]\n",
        "p.yaml: nested too deeply, or by an alias that holds itself; write the values out"),
    "depth": ("version: 1\nreference: " + "[" * 5000,
        "p.yaml: nested too deeply, or by an alias that holds itself; write the values out"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_answered_with_line_key_and_remedy(mistakes, text, message) -> None:
    assert mistakes(text) == [message]


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file(mistakes, monkeypatch) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    found = mistakes(
        """version: 1
reference: {pth: a}
current: "{{ moth }}/${NO_SUCH_VARIABLE}"
columns:
  numeric: {kind: unifrm}
  each: {x: {}, x: {}}
limits: {warn: -1, drift: ten}
""",
        month="2013-02",
    )
    assert [line.split(": ")[0:2] for line in found] == [
        ["p.yaml:2", "reference.pth"],
        ["p.yaml:3", "current"],
        ["p.yaml:5", "columns.numeric.kind"],
        ["p.yaml:6", "columns.each.x"],
        ["p.yaml:7", "limits.warn"],
        ["p.yaml:7", "limits.drift"],
    ]


def test_a_bomb_of_aliases_is_refused(mistakes) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    text = "\n".join(["a0: &a0 [0]", *levels])
    assert mistakes(text) == ["p.yaml: more than 100,000 values: too many aliases"]


def test_a_file_that_is_not_there_is_answered_with_the_nearest(tmp_path) -> None:
    _written(tmp_path, "version: 1")
    with pytest.raises(PlanError, match=r"no plan at .*/pp\.yaml\. Did you mean '.*/p\.yaml'\?"):
        load_plan(tmp_path / "pp.yaml")
    with pytest.raises(PlanError, match="cannot be read: Is a directory"):
        load_plan(tmp_path)


def test_bytes_that_are_no_text_are_named_by_line(tmp_path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"version: 1\nreference: \xff\n")
    with pytest.raises(PlanError, match=r"p\.yaml:2: not UTF-8 text; save the plan as UTF-8"):
        load_plan(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nreference: {path: a, options: {secret_key: [hunter2]}}",
        "version: 1\nreference: {path: a, options: hunter2}",
        "version: 1\nreference: a\nsmoothing: ${SECRET}",
        "version: 1\nreference: {path: a, as_of: 'x${SECRET}'}",
        "version: 1\nreference: a\nlimits: {warn: '${SECRET}'}",
        "version: 1\nreference: a\noutput: {report: '${SECRET}'}",
        "version: 1\nreference: a\ncolumns: {include: '${SECRET}'}",
    ],
)
def test_options_and_what_comes_from_the_environment_are_never_shown(
    mistakes, monkeypatch, text
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    (message,) = mistakes(text)
    assert "hunter2" not in message
    assert message.endswith("got (hidden)")


@pytest.mark.parametrize("key", ["smoothing", "limits", "columns:\n  include"])
def test_a_secret_in_a_uri_is_not_shown(mistakes, key) -> None:
    (message,) = mistakes(f"version: 1\nreference: a\n{key}: s3://key:hunter2@bucket\n")
    assert "got 's3://…'" in message
    assert "hunter2" not in message


# Placeholders


def test_a_placeholder_that_nothing_fills_says_what_to_type(mistakes, monkeypatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT", "x")
    text = 'version: 1\nreference: a\ncurrent:\n  path: "{{ month }}"\n  label: "${S3_ENDPONT}"\n'
    assert mistakes(text) == [
        "p.yaml:4: current.path: nothing fills {{ month }}; nothing was given. "
        "Type  --set month=…  (in Python and DAGs  values={'month': …}),  or write  "
        "{{ month:-default }}",
        "p.yaml:5: current.label: the environment has no S3_ENDPONT. Did you mean 'S3_ENDPOINT'? "
        "Type  export S3_ENDPONT=…  or write ${S3_ENDPONT:-default}",
    ]
    assert mistakes("version: 1\nreference: a/{{ moth }}", month="1", day="2") == [
        "p.yaml:2: reference: nothing fills {{ moth }}; given: month, day. Did you mean 'month'? "
        "Type  --set moth=…  (in Python and DAGs  values={'moth': …}),  or write  "
        "{{ moth:-default }}"
    ]


def test_a_setting_that_no_placeholder_asks_for_is_refused(mistakes) -> None:
    assert mistakes("version: 1\nreference: a/{{ month:-1 }}", moth="2") == [
        "p.yaml: --set moth: there is no {{ moth }} in the plan; it has: month. "
        "Did you mean 'month'?"
    ]


def test_a_placeholder_in_place_of_a_number_is_explained(mistakes) -> None:
    text = 'version: 1\nreference: a\nlimits: {warn: "{{ warn }}"}'
    assert mistakes(text, warn="0.1") == [
        "p.yaml:3: limits.warn: expected a number above 0, got '0.1'; "
        "what fills a placeholder is text"
    ]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ month }}", "2013-02"),
        ("{{month}}/{{ month }}", "2013-02/2013-02"),
        ("{{ day:-01 }}", "01"),
        ("{{ month:-01 }}", "2013-02"),
        ("{{ day:- }}", ""),
        ("${PLACE}", "here"),
        ("${PLACE:-there}", "here"),
        ("${NO_PLACE:-there}", "there"),
        ("${EMPTY:-there}", "there"),
        ("${EMPTY}", ""),
        ("$${PLACE} $PLACE $$", "${PLACE} $PLACE $$"),
        ("{{ '{{' }} month }}", "{{ month }}"),
        ('{{"{{"}}month }}', "{{month }}"),
        ("{ month } }}", "{ month } }}"),
    ],
)
def test_placeholders_are_filled(monkeypatch, text, filled) -> None:
    monkeypatch.setenv("PLACE", "here")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("NO_PLACE", raising=False)
    found = fill(text, {"month": "2013-02"}, set())
    assert (found.text, found.mistakes) == (filled, [])


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30) | st.text("${}' \":-#x\n", max_size=20)


@given(TEXTS)
def test_what_is_escaped_is_filled_to_itself(text) -> None:
    found = fill(escaped(text), {}, set())
    assert (found.text, found.placeholders, found.mistakes) == (text, 0, [])


@pytest.mark.slow
@given(TEXTS)
@settings(max_examples=40, deadline=None)
def test_any_value_of_a_placeholder_survives_and_changes_nothing_else(
    tmp_path_factory, value
) -> None:
    path = tmp_path_factory.getbasetemp() / "injected.yaml"
    path.write_text(
        'version: 1\nreference: a\ncurrent:\n  path: b\n  label: "{{ x }}"\n'
        '  where: {m: "{{ x }}", n: ["-{{ x }}-"]}\n  options: {o: "{{ x }}"}\n'
        "limits: {warn: 0.01}\n",
        encoding="utf-8",
    )
    value = value or "x"
    found = load_plan(path, values={"x": value})
    assert found.current.label == value
    assert found.current.where == {"m": value, "n": (f"-{value}-",)}
    assert found.current.options == {"o": value}
    plain = load_plan(path, values={"x": "y"})
    assert (found.reference, found.selection, found.policy, found.output, found.lines) == (
        plain.reference, plain.selection, plain.policy, plain.output, plain.lines,
    )  # fmt: skip


# The schema


def test_the_schema_describes_every_key() -> None:
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for mapping in (schema, *schema["$defs"].values()):
        assert mapping["description"]
        for name, key in mapping["properties"].items():
            assert key["description"], name
    assert "null" not in re.findall(r'"type": "(\w+)"', json.dumps(schema))


def test_every_limit_can_be_stated_and_has_the_default_of_the_policy() -> None:
    stated = {name: key.default for name, key in LimitKeys.model_fields.items()}
    assert stated == {each.name: each.default for each in fields(Policy) if each.name != "columns"}


@pytest.mark.parametrize("name", ["flights-minimal.yaml", "flights.yaml", "flights-daily.yaml"])
def test_the_configs_fit_the_schema(name) -> None:
    jsonschema.validate(_values(CONFIGS / name), plan_schema())


@pytest.mark.parametrize(
    "text",
    [
        "version: 2\nreference: a",
        "version: 1",
        "version: 1\nreference: {}",
        "version: 1\nreference: a\nfoo: 1",
        "version: 1\nreference: a\ncurrent:",
        "version: 1\nreference: a\nlimits: {warn: 0}",
        "version: 1\nreference: a\ncolumns: {numeric: {count: 3}}",
        "version: 1\nreference: a\ncolumns: {numeric: {kind: categories}}",
        "version: 1\nreference: a\ncolumns: {each: {x: {judge: []}}}",
        "version: 1\nreference: a\noutput: {profile: x.txt}",
        "version: 1\nreference: a\nsmoothing: {floor: 1}",
    ],
)
def test_what_the_schema_refuses_is_refused(mistakes, tmp_path, text) -> None:
    assert mistakes(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_values(tmp_path / "p.yaml"), plan_schema())


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
        ["a.json", "edges", "hour", "{{ x }}", "${", "s3://[", "~/", "x: y"]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["path", "where", "kind", "edges", "each", "str"]), inner),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.slow
@given(st.fixed_dictionaries({"version": st.just(1)}, optional=dict.fromkeys(
    ["reference", "current", "columns", "limits", "smoothing", "output"], ANY)))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_a_file_is_a_plan_or_answered_line_by_line(
    tmp_path_factory, written
) -> None:
    path = _written(tmp_path_factory.getbasetemp(), yaml.safe_dump(written))
    try:
        messages = []
        assert load_plan(path).path == str(path)
    except PlanError as error:
        messages = str(error).splitlines()
    assert all(re.match(rf"{path}:\d+: \S", message) for message in messages)


# The configs


@pytest.mark.parametrize("name", ["flights-minimal.yaml", "flights.yaml"])
def test_the_configs_run(name) -> None:
    found = load_plan(CONFIGS / name, values={"month": "2013-07"})
    reference = fit(found.reference, columns=found.selection)
    found.check_columns(reference.columns)
    current = scan(found.current, like=reference)
    report = compare(current, reference, policy=found.policy, smoothing=found.smoothing)
    assert (reference.rows, current.rows) == (27_004, 29_425)
    assert "air_time" in report.drifted
    assert ("hour(time_hour)" in {column.name for column in report}) == (name == "flights.yaml")


def test_the_full_config_shows_every_key_of_the_schema() -> None:
    text = (CONFIGS / "flights.yaml").read_text()
    schema = plan_schema()
    for mapping in (schema, *schema["$defs"].values()):
        for name in mapping["properties"]:
            assert re.search(rf"\b{name}:", text), name


# Drafts

ODD = ["a: b", "- x", "#", '"', "'", "é ü", "{{", "${x}", "{{ x }}", "$${", "a*", "ab", "[x]", "?",
       "null", "on", "1", "", " ", "x\ny", "\t", "\u2028", "😀", "2013-01-01", "<path>", "a.b",
       "!t", "&a", "*a", "%", "@", "|", ">", "...", "---", "~", "=", "<<", "k:"]  # fmt: skip


def _drafted(table, path="data/flights"):
    return draft_plan(path, fit(table))


def _uncommented(text) -> str:
    """Take the # from ``each`` and the lines below it."""
    head, each, rest = text.partition("  # each:\n")
    assert each
    body, blank, tail = rest.partition("\n\n")
    return f"{head}  each:\n{re.sub(r'^  # ', '  ', body, flags=re.MULTILINE)}{blank}{tail}"


def test_a_draft_loads_as_it_is(tmp_path) -> None:
    text = (ROOT / "examples/flights/month=2013-01").as_posix()
    drafted = draft_plan(text, fit(text), plan=str(tmp_path / "configs/p.yaml"))
    (tmp_path / "configs").mkdir()
    path = _written(tmp_path / "configs", drafted)
    found = load_plan(path)
    assert found.reference.path == text
    assert found.selection == Selection(exclude=())
    assert found.policy == Policy()
    assert found.current is None
    jsonschema.validate(_values(path), plan_schema())
    assert (
        "  #   dep_delay:      {limits: {drift: 0.05}}  # float, -30 … 1301, 1.9 % null" in drafted
    )
    assert "time_hour: {judge: [hour, weekday]}  # timestamp[us, tz=UTC]" in drafted


def test_a_draft_is_written_relative_to_where_it_will_lie(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    profile = fit(pa.table({"x": [1.0, 2.0]}))
    (tmp_path / "configs").mkdir()
    for path, written in (
        ("flights", "../flights"),
        ("/data/flights", "/data/flights"),
        ("~/flights", "~/flights"),
        ("s3://bucket/flights", "s3://bucket/flights"),
    ):
        text = draft_plan(path, profile, plan="configs/p.yaml")
        assert f"\nreference: {written}\n" in text
    found = load_plan(
        _written(tmp_path / "configs", draft_plan("a", profile, plan="configs/p.yaml"))
    )
    assert found.reference.path == str(tmp_path / "a")


def test_odd_column_names_survive_a_draft(tmp_path) -> None:
    values = [float(value) for value in range(40)]
    text = _drafted(pa.table(dict.fromkeys(ODD, values))).replace("0.05}}", "0.5}}")
    policy = load_plan(_written(tmp_path, _uncommented(text))).policy
    assert all(policy.of(name).drift == 0.5 for name in ODD)
    assert policy.of("another").drift == 0.05


@pytest.mark.slow
@given(st.lists(TEXTS, min_size=1, max_size=5, unique=True))
@settings(max_examples=40, deadline=None)
def test_any_column_name_survives_a_draft(tmp_path_factory, names) -> None:
    text = _drafted(pa.table({name: [1.0, 2.0, 3.0] for name in names}))
    each = text.replace("0.05}}", "0.5}}", 1)  # the first of them only
    path = _written(tmp_path_factory.getbasetemp(), _uncommented(each))
    policy = load_plan(path).policy
    assert [policy.of(name).drift for name in sorted(names)] == [0.5] + [0.05] * (len(names) - 1)


@pytest.mark.slow
@given(TEXTS.filter(lambda text: text.strip("./ ")))
@settings(max_examples=40, deadline=None)
def test_any_path_survives_a_draft(tmp_path_factory, path) -> None:
    folder = tmp_path_factory.getbasetemp()
    profile = fit(pa.table({"x": [1.0]}))
    text = draft_plan(f"/{path}", profile)
    written = yaml.safe_load(text)["reference"]
    assert fill(written, {}, set()).text == f"/{path}"
    assert load_plan(_written(folder, text)).selection == Selection()


def test_a_draft_says_why_a_column_is_not_judged() -> None:
    day = pa.array(range(60), pa.int32()).cast(pa.date32())
    table = pa.table({"id": [f"row {i}" for i in range(60)], "day": day, "list": [[1]] * 60,
                      "kind": ["a", "b"] * 30})  # fmt: skip
    text = _drafted(table)
    assert "  #   id (string): looks like an identifier" in text
    assert "  #   list (list<item: int64>): nested: turn it into columns of plain types" in text
    assert "  #   day: {judge: [weekday]}  # date32[day], 1970-01-01 … 1970-03-01" in text
    assert "  #   kind: {limits: {drift: 0.05}}  # string, 2 levels" in text
