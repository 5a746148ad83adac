"""Profiles, reports and limits as files: versioned canonical JSON, local or in an object store.

Knows the file formats, all of them, in one room. Has never heard of how a profile is counted or
what a report means.

Every file says what it is and the version of its format; who wrote it and when stand apart
under ``written``, outside the digest, so that equal profiles have equal digests. The reader takes
every version ever written and refuses a newer one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from os import PathLike, fspath
from typing import Any, Literal, TypeAlias, TypeGuard, cast

from pyarrow import ArrowException

from kl_drift import canonical
from kl_drift.counts.bins import bins_from_dict
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.kinds import Uncounted
from kl_drift.counts.profile import Cluster, ColumnProfile, LeftOut, Profile, ValueRange
from kl_drift.errors import (
    ArtefactCorruptError,
    ArtefactNotFoundError,
    ArtefactTooNewError,
    UsageError,
)
from kl_drift.judging import loading
from kl_drift.judging.limits import LearnedLimits
from kl_drift.judging.report import Report
from kl_drift.storage import read_bytes, redacted, write_bytes
from kl_drift.upgrade import upgrade_limits, upgrade_profile, upgrade_report

Kind: TypeAlias = Literal["profile", "report", "limits"]

VERSIONS: Mapping[Kind, int] = {"profile": 2, "report": 2, "limits": 2}
"""The newest version of each format: what is written now."""


def profile_to_dict(profile: Profile) -> dict[str, Any]:
    """Return the document that a profile is saved as."""
    body: dict[str, Any] = {
        "rows": profile.rows,
        "sources": list(profile.sources),
        "as_of": profile.as_of,
        "bins_digest": profile.bins_digest,
        "columns": {name: _column_to_dict(each) for name, each in profile.columns.items()},
    }
    if profile.left_out:
        body["left_out"] = [_left_out_to_dict(each) for each in profile.left_out]
    if profile.cluster is not None:
        body["cluster"] = asdict(profile.cluster)
    return _document("profile", body, profile.created_by, profile.created)


def _left_out_to_dict(left_out: LeftOut) -> dict[str, Any]:
    return {"kind": left_out.kind, "files": left_out.files, "names": list(left_out.names)}


def report_to_dict(report: Report) -> dict[str, Any]:
    """Return the document that a report is saved as; see ``kl-drift schema report``."""
    return _document("report", report.to_dict(), report.created_by, report.created)


def limits_to_dict(learned: LearnedLimits) -> dict[str, Any]:
    """Return the document that learned limits are saved as."""
    return _document("limits", learned.to_dict(), learned.created_by, learned.created)


def _document(kind: Kind, body: dict[str, Any], by: str, at: str) -> dict[str, Any]:
    return {
        "kl_drift": kind,
        "version": VERSIONS[kind],
        "written": {"by": by, "at": at},
        "digest": canonical.digest(body),
        **body,
    }


def _column_to_dict(column: ColumnProfile) -> dict[str, Any]:
    """Write only what says something: empty fields are left out."""
    plain: dict[str, Any] = {"type": column.type}
    if column.histogram is not None:
        plain["bins"] = column.histogram.bins.to_dict()
        plain["counts"] = list(column.histogram.counts)
    if column.why is not None:
        plain["why"] = column.why.to_dict()
    if column.nulls or column.nulls_counted:
        plain["nulls"] = column.nulls
    if column.range is not None:
        plain["range"] = _range_to_dict(column.range)
    if column.derived_from:
        plain["derived_from"] = column.derived_from
    if column.unseen:
        plain["unseen"] = dict(column.unseen)
    if column.groups:
        plain["groups"] = [list(cells) for cells in column.groups]
    return plain


def _range_to_dict(found: ValueRange) -> dict[str, Any]:
    return {
        "domain": found.domain,
        "minimum": found.minimum,
        "maximum": found.maximum,
        "scale": found.scale,
    }


def save(
    artefact: Profile | Report | LearnedLimits,
    path: str | PathLike[str],
    options: Mapping[str, str] | None = None,
) -> None:
    """Save a profile, a report or learned limits, whole or not at all.

    Parameters
    ----------
    artefact : Profile, Report or LearnedLimits
        What to save.
    path : str or path
        A local file or a URI in an object store.
    options : mapping of str to str, optional
        Options of the object store.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is then still there.
    """
    if isinstance(artefact, Profile):
        document = profile_to_dict(artefact)
    elif isinstance(artefact, Report):
        document = report_to_dict(artefact)
    else:
        document = limits_to_dict(artefact)
    write_bytes(fspath(path), (canonical.dumps(document) + "\n").encode(), options)


def load_profile(path: str | PathLike[str], options: Mapping[str, str] | None = None) -> Profile:
    """Read a saved profile, of any version ever written.

    Raises
    ------
    ArtefactNotFoundError
        If there is no such file.
    ArtefactCorruptError
        If it is truncated, was edited, or is no profile.
    ArtefactTooNewError
        If a later kl-drift wrote it.
    """
    location = fspath(path)
    document = _read(location, "profile", options)
    try:
        return profile_from_dict(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtefactCorruptError(
            f"{redacted(location)}: not a whole profile ({error}); fit or scan it again"
        ) from error


def profile_from_dict(document: Mapping[str, Any]) -> Profile:
    """Rebuild a profile from its document, of any version.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the document is not one.
    """
    document = upgrade_profile(document)
    return Profile(
        columns={name: _column_from_dict(each) for name, each in document["columns"].items()},
        rows=document["rows"],
        sources=tuple(document["sources"]),
        as_of=document["as_of"],
        left_out=tuple(_left_out_from_dict(each) for each in document.get("left_out", [])),
        cluster=_cluster_from_dict(document.get("cluster")),
        created=document["written"]["at"],
        created_by=document["written"]["by"],
    )


def _left_out_from_dict(plain: Mapping[str, Any]) -> LeftOut:
    return LeftOut(kind=plain["kind"], files=plain["files"], names=tuple(plain["names"]))


def _cluster_from_dict(plain: Mapping[str, Any] | None) -> Cluster | None:
    return None if plain is None else Cluster(key=plain["key"], smallest=tuple(plain["smallest"]))


def _column_from_dict(plain: Mapping[str, Any]) -> ColumnProfile:
    histogram = None
    if "bins" in plain:
        histogram = Histogram(bins=bins_from_dict(plain["bins"]), counts=tuple(plain["counts"]))
    return ColumnProfile(
        type=plain["type"],
        histogram=histogram,
        why=Uncounted.from_dict(plain["why"]) if "why" in plain else None,
        nulls=plain.get("nulls", 0),
        nulls_counted=histogram is None and ("nulls" in plain or "range" in plain),
        range=ValueRange(**plain["range"]) if "range" in plain else None,
        derived_from=plain.get("derived_from", ""),
        unseen=plain.get("unseen", {}),
        groups=tuple(map(tuple, plain.get("groups", ()))),
    )


def load_report(path: str | PathLike[str], options: Mapping[str, str] | None = None) -> Report:
    """Read a saved report, of any version ever written.

    Raises
    ------
    ArtefactNotFoundError, ArtefactCorruptError, ArtefactTooNewError
        As :func:`load_profile`.
    """
    location = fspath(path)
    document = _read(location, "report", options)
    try:
        return report_from_dict(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtefactCorruptError(
            f"{redacted(location)}: not a whole report ({error}); compare again"
        ) from error


def report_from_dict(document: Mapping[str, Any]) -> Report:
    """Rebuild a report from its document, of any version.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the document is not one.
    """
    return loading.report_from_dict(upgrade_report(document))


def load_limits(
    path: str | PathLike[str], options: Mapping[str, str] | None = None
) -> LearnedLimits:
    """Read saved limits, of any version ever written.

    Raises
    ------
    ArtefactNotFoundError, ArtefactCorruptError, ArtefactTooNewError
        As :func:`load_profile`.
    """
    location = fspath(path)
    document = _read(location, "limits", options)
    try:
        return LearnedLimits.from_dict(upgrade_limits(document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtefactCorruptError(
            f"{redacted(location)}: not whole limits ({error}); calibrate again"
        ) from error


def _read(location: str, kind: Kind, options: Mapping[str, str] | None) -> dict[str, Any]:
    where = redacted(location)
    try:
        text = read_bytes(location, options)
    except FileNotFoundError as error:
        raise ArtefactNotFoundError(f"no {kind} at {where}") from error
    except (OSError, ArrowException) as error:
        raise ArtefactCorruptError(f"{where}: cannot be read: {error}") from error
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtefactCorruptError(
            f"{where}: not a saved {kind}: not valid JSON ({error}); was it cut short?"
        ) from error
    return _checked(document, kind, where)


def _checked(document: Any, kind: Kind, where: str) -> dict[str, Any]:
    found = document.get("kl_drift") if isinstance(document, dict) else None
    if found != kind:
        raise ArtefactCorruptError(
            f"{where}: expected a saved {kind}, found {f'a {found}' if found else 'other JSON'}"
        )
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise ArtefactCorruptError(f"{where}: version {version!r} is not a version of a {kind}")
    if version > VERSIONS[kind]:
        raise ArtefactTooNewError(
            f"{where}: {kind} format {version}, this kl-drift reads up to {VERSIONS[kind]}; "
            "run  pip install --upgrade kl-drift"
        )
    if not _is_whole(document):
        raise ArtefactCorruptError(
            f"{where}: its contents do not match its digest; it was edited or damaged: "
            f"make the {kind} again"
        )
    return cast("dict[str, Any]", document)


def _is_whole(document: Mapping[str, Any]) -> bool:
    """Say whether all but the header has the digest that the header states."""
    header = ("kl_drift", "version", "written", "digest")
    body = {key: value for key, value in document.items() if key not in header}
    try:
        return document.get("digest") == canonical.digest(body)
    except (ValueError, RecursionError):  # NaN, half a character: canonical JSON has no such thing
        return False


def schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema of a saved profile, report or file of limits."""
    if kind not in VERSIONS:
        raise UsageError(f"no schema {kind!r}; known: {', '.join(VERSIONS)}")
    name = f"{kind}-{VERSIONS[kind]}.schema.json"
    text = resources.files("kl_drift").joinpath("schemas", name).read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def is_profile_path(data: object) -> TypeGuard[str | PathLike[str]]:
    """Say whether ``data`` names a saved profile rather than rows: its name ends in ``.json``."""
    return isinstance(data, str | PathLike) and str(fspath(data)).endswith(".json")
