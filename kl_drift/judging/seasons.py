"""The calendars that data may follow: which class of days, or of hours, a moment belongs to.

Knows moments as they are written. Has never heard of limits, of profiles or of how a rhythm is
found.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias, assert_never, get_args

Season: TypeAlias = Literal["weekday", "hour", "month_start"]
"""By the day of the week, by the hour of the day, or the first of the month and other days."""

SeasonChoice: TypeAlias = Literal["auto", "none"] | Season
"""Which of them may be learned: whichever is found, none, or one for every column."""

SEASONS: tuple[Season, ...] = get_args(Season)

CLASSES: Mapping[Season, int] = {"weekday": 7, "hour": 24, "month_start": 2}
"""How many classes a calendar has."""


def class_of(season: Season, as_of: str) -> int | None:
    """Return the class of a moment, from 0; ``None`` where the moment is not stated.

    Weekdays count from Monday; of days of the month the first is 1, every other 0.

    Parameters
    ----------
    season : Season
        The calendar.
    as_of : str
        ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        return None
    match season:
        case "weekday":
            return moment.weekday()
        case "hour":
            return moment.hour
        case "month_start":
            return int(moment.day == 1)
        case _:
            assert_never(season)
