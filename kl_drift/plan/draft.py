"""A first plan for a snapshot, written to be read and changed.

Knows the profile of the snapshot, and says of each column what it holds and whether it is judged.
Has never heard of how the profile was made, or of how a plan is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from os.path import relpath
from pathlib import Path

import yaml

from kl_drift.counts.bins import CategoryBins
from kl_drift.counts.kinds import Kind
from kl_drift.counts.profile import ColumnProfile, Profile
from kl_drift.judging.policy import Policy
from kl_drift.plan.placeholders import escaped
from kl_drift.render.numbers import percent
from kl_drift.render.words import parts_of, uncounted
from kl_drift.storage import is_uri

_LONGEST = 80  # what is longer is cut in a comment, or not aligned

_TEXT = """\
# A plan for  kl-drift check: do the rows of today still look like the reference?
# Paths are relative to this file. In any text, "{{ month }}" is filled by --set month=2013-02 and
# "${HOME}" from the environment; "{{ month:-2013-02 }}" gives a default.
version: 1

# The rows known to be good; bins are fitted on them, once. Or a saved profile of them (….json).
reference: <path>

# The rows to judge: a file, a folder, a glob, or a URI such as s3://bucket/flights.
# Without this key:  kl-drift check PLAN --current SNAPSHOT
# current: "flights/month={{ month }}"

columns:
  exclude: []         # names, or patterns such as dep_*
<columns>

# KL(current‖reference) in nats: 0 where nothing changed. A column is above a limit only where
# chance cannot explain it; where there are too few rows to tell, it is undecided. `each` above may
# state other limits for single columns.
limits:
  warn: <warn>          # above: a warning. About a normal shift of 0.2 standard deviations
  drift: <drift>         # above: drift. About a normal shift of 0.32 standard deviations
  null_drift: <null_drift>    # KL of the share of nulls alone; above: drift

# Each cell of the reference gets half a row more, so that no share is 0.
# Others: laplace, none, {floor: 0.0001}
smoothing: jeffreys

# What a check writes, besides what it prints.
# output:
#   report: out/report.json
#   html: out/report.html
#   profile: out/current.json
"""


def draft_plan(path: str, profile: Profile, *, plan: str = "plan.yaml") -> str:
    """Write a plan with a snapshot as its reference.

    Parameters
    ----------
    path : str
        The snapshot, as it is found from here.
    profile : Profile
        What was fitted on it, by default: which columns are judged, and why others are not.
    plan : str
        The file that the plan will be: relative paths are written relative to its folder.

    Returns
    -------
    str
        YAML with comments. Every column has its line, a comment; to treat a column in its own way,
        uncomment ``each:`` and that line.
    """
    limits = Policy()
    parts = {
        "path": _scalar(escaped(_seen_from(plan, path))),
        "columns": "\n".join(f"  # {line}" for line in _columns(profile)),
        "warn": f"{limits.warn:g}",
        "drift": f"{limits.drift:g}",
        "null_drift": f"{limits.null_drift:g}",
    }
    return re.sub(r"<(\w+)>", lambda part: parts[part[1]], _TEXT)


def _seen_from(plan: str, path: str) -> str:
    if is_uri(path) or path.startswith("~") or Path(path).is_absolute():
        return path
    return relpath(path, Path(plan).parent)


def _columns(profile: Profile) -> Iterator[str]:
    """Yield the lines about columns; with what `each` holds uncommented, they are a plan still."""
    judged = {name: each for name, each in profile.columns.items() if each.histogram}
    others = {name: each for name, each in profile.columns.items() if not each.histogram}
    moments = {name: e for name, e in others.items() if e.kind is Kind.MOVES}
    if left := others.keys() - moments.keys():
        yield f"Not judged ({len(left)}):"
        for name in sorted(left):
            yield f"  {_scalar(name)} ({_cut(others[name].type)}): {_cut(_why(others[name]))}"
    if judged or moments:
        yield "To treat a column differently, uncomment `each` and the line of the column."
        yield "each:"
    if judged:
        yield f"  # Judged ({len(judged)}):"
        limits = f"{{limits: {{drift: {Policy().drift:g}}}}}"
        yield from _table((_pattern(n), limits, _held(e, profile)) for n, e in judged.items())
    if moments:
        yield f"  # Not judged, since it moves as time passes; this would not ({len(moments)}):"
        yield from _table((_scalar(n), _judge(e), _held(e, profile)) for n, e in moments.items())


def _why(column: ColumnProfile) -> str:
    return uncounted(column.why, column.type) if column.why else ""


def _judge(column: ColumnProfile) -> str:
    return f"{{judge: [{parts_of(column.type)}]}}"


def _held(column: ColumnProfile, profile: Profile) -> str:
    """Say what a column holds: ``float, -30 … 1301, 1.9 % null``."""
    bins = column.histogram.bins if column.histogram else None
    facts = [column.type, str(column.range or "")]
    if isinstance(bins, CategoryBins):
        facts.append(f"{len(bins.levels)} levels{' and others' if bins.known else ''}")
    if column.nulls:
        facts.append(f"{percent(column.nulls / profile.rows)} null")
    return ", ".join(fact for fact in facts if fact)


def _table(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    rows = list(rows)
    width = max((len(key) for key, _, _ in rows if len(key) <= _LONGEST), default=0) + 1
    for key, setting, comment in rows:
        yield f"  {key + ':':{width}} {setting}  # {_cut(comment)}"


def _cut(comment: object) -> str:
    """Return a comment on one line, not too long."""
    text = "".join(each if each.isprintable() else " " for each in str(comment))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _pattern(name: str) -> str:
    """Return the key that fits this name only, even if the name looks like a pattern."""
    return _scalar(re.sub(r"[*?[]", r"[\g<0>]", name))


def _scalar(text: str) -> str:
    """Write a text as YAML reads it back, on one line, in quotes where they are needed."""
    if re.fullmatch(r"(?=.*\w)[\w./~][\w./=:~+-]*", text):
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node and node.value == text and node.tag == "tag:yaml.org,2002:str":
            return text
    width = (
        10 * len(text) + 99
    )  # one line, also where every character is an escape such as \U0003c374
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=width).strip()
