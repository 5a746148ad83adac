"""Feedback: what people say of what was found, in four verbs.

Knows the verbs and what each asks of a check. Has never heard of how a finding came about.

``incident``: leave this snapshot out of learning. ``normal``: this is the new normal, learn from
here on. ``missed``: this should have alarmed; it is left out of learning, too. ``quiet``: send no
alert about this column, or about any, until a day; the verdict stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from kl_drift.errors import UsageError
from kl_drift.history.database import Migration

Verb: TypeAlias = Literal["incident", "normal", "missed", "quiet"]

TABLE: Migration = (
    """
    CREATE TABLE kl_drift_feedback (
        id {key},
        check_name TEXT NOT NULL,
        digest TEXT NOT NULL,
        verb TEXT NOT NULL,
        profile TEXT NOT NULL,
        column_name TEXT NOT NULL,
        until TEXT NOT NULL,
        note TEXT NOT NULL,
        noted_by TEXT NOT NULL,
        noted TEXT NOT NULL,
        UNIQUE (check_name, digest)
    )""",
)
"""What makes the table; an acknowledged incident has one of its own, which is older."""

ADD = """
    INSERT INTO kl_drift_feedback
        (check_name, digest, verb, profile, column_name, until, note, noted_by, noted)
    VALUES (:check, :digest, :verb, :profile, :column, :until, :note, :by, :at)
    ON CONFLICT DO NOTHING"""

READ = """
    SELECT f.*, COALESCE(p.label, '') AS label, COALESCE(p.as_of, '') AS as_of
    FROM kl_drift_feedback f
    LEFT JOIN kl_drift_profiles p ON p.check_name = f.check_name AND p.digest = f.profile
    WHERE f.check_name = :check
    ORDER BY f.id"""

SINCE = """
    SELECT p.moment, p.id
    FROM kl_drift_feedback f
    JOIN kl_drift_profiles p ON p.check_name = f.check_name AND p.digest = f.profile
    WHERE f.check_name = :check AND f.verb = 'normal'
        AND (p.moment < :before OR (p.moment = :before AND p.id < :before_id))
    ORDER BY p.moment DESC, p.id DESC LIMIT 1"""
"""From which snapshot on a check learns: the latest before a place that is the new normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody said.

    Parameters
    ----------
    check : str
        Of which check.
    verb : {"incident", "normal", "missed", "quiet"}
        What was said.
    label, as_of, digest : str
        The snapshot it was said of; empty for ``quiet``.
    column : str
        The column it was said of; empty: all of them.
    until : str
        The day on which a ``quiet`` column is heard again; empty otherwise.
    note, by, at : str
        Why, who said so and when (UTC, ISO 8601).
    """

    check: str
    verb: Verb
    label: str = ""
    as_of: str = ""
    digest: str = ""
    column: str = ""
    until: str = ""
    note: str = ""
    by: str = ""
    at: str = ""


def day_of(text: str, name: str) -> str:
    """Return a day as it is kept; refuse what is none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise UsageError(f"{name} {text!r} is no day; write it like 2013-02-28") from error


def quiet_on(said: Iterable[Feedback], day: str) -> dict[str, str]:
    """Return the columns that are quiet on a day, each with the day on which it is heard again.

    Parameters
    ----------
    said : iterable of Feedback
        What was said of a check, oldest first: of a column the latest counts.
    day : str
        A day or a moment, ISO 8601.

    Returns
    -------
    dict of str to str
        Under the empty name: all columns.
    """
    today = datetime.fromisoformat(day).date().isoformat()
    latest = {each.column: each.until for each in said if each.verb == "quiet"}
    return {column: until for column, until in latest.items() if today < until}
