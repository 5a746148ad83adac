"""Moments as people write them: the one parser of ``as_of`` and the like.

Knows ISO 8601, and that a moment without a zone is in UTC. Has never heard of what it dates.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from kl_drift.errors import UsageError

_BEGIN = datetime.fromtimestamp(0, UTC)


def parse_moment(text: str, name: str = "as_of") -> datetime:
    """Return a moment with its zone, UTC where it states none.

    Parameters
    ----------
    text : str
        ISO 8601: ``2013-02-28``, ``2013-02-28T12:00:00+00:00``.
    name : str
        What the moment is called in the message.

    Raises
    ------
    UsageError
        If it is not a date or time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{name} {text!r} is not a date or time; write it like 2013-02-28 or "
            "2013-02-28T12:00:00+00:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970, UTC: the same order in every database."""
    return (moment - _BEGIN) // timedelta(microseconds=1)
