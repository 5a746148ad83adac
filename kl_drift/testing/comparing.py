"""Whether two profiles are equal, told in words.

Knows profiles, cell by cell. Has never heard of limits or reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TypeVar

from kl_drift.counts.profile import ColumnProfile, Profile

_T = TypeVar("_T")


def assert_profiles_equal(actual: Profile, expected: Profile) -> None:
    """Assert that two profiles are equal, or tell every difference in words.

    Who made a profile, and when, is no part of it and is not compared.

    Parameters
    ----------
    actual, expected : Profile
        The two.

    Raises
    ------
    AssertionError
        If they differ; each line of the message names a column, a cell or a field, what was found
        and what was expected.
    """
    if actual == expected:
        return
    lines = [*_field_lines("", actual, expected, ("rows", "sources", "as_of"))]
    for name in sorted(actual.columns.keys() | expected.columns.keys()):
        found, wanted = actual.columns.get(name), expected.columns.get(name)
        if found is None or wanted is None:
            lines.append(f"column {name!r}: {'missing' if found is None else 'not expected'}")
        else:
            lines += _column_lines(f"column {name!r}: ", found, wanted)
    raise AssertionError("the profiles differ:\n  " + "\n  ".join(lines))


def _column_lines(where: str, actual: ColumnProfile, expected: ColumnProfile) -> Iterator[str]:
    rest = [field.name for field in fields(ColumnProfile) if field.name != "histogram"]
    yield from _field_lines(where, actual, expected, rest)
    found, wanted = actual.histogram, expected.histogram
    if found is None or wanted is None:
        if found is not wanted:
            yield f"{where}{'not counted' if found is None else 'counted'}, unlike expected"
    elif found.bins != wanted.bins:
        yield f"{where}bins are {found.bins.to_dict()}, expected {wanted.bins.to_dict()}"
    else:
        for cell, (rows, meant) in enumerate(zip(found.counts, wanted.counts, strict=True)):
            if rows != meant:
                yield f"{where}{found.bins.label(cell)}: {rows:,} rows, expected {meant:,}"


def _field_lines(where: str, actual: _T, expected: _T, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        found, wanted = getattr(actual, name), getattr(expected, name)
        if found != wanted:
            yield f"{where}{name} is {found!r}, expected {wanted!r}"
