"""The reference of a scheduled check: which earlier snapshots the current one is compared with.

Knows profiles in the order of time, and the day each stands for. Has never heard of a history's
database, of plans or of divergences. Importing it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from kl_drift.counts.profile import Profile, merge
from kl_drift.errors import UsageError, did_you_mean
from kl_drift.moments import parse_moment

Choosing: TypeAlias = Literal["previous", "window", "same_weekday", "same_month_last_year"]
"""Ways to choose among the earlier snapshots."""

ChoiceLike: TypeAlias = "ReferenceChoice | str | Mapping[str, int]"

_COUNTED = ("window", "same_weekday")
_DATED = ("same_weekday", "same_month_last_year")
_FORMS = "previous, window:7, same_weekday:4 or same_month_last_year"
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceChoice:
    """Which earlier snapshots are the reference.

    Parameters
    ----------
    kind : {"previous", "window", "same_weekday", "same_month_last_year"}
        The one before; the last few; the last few of the same weekday; all of the same month of the
        year before.
    count : int
        How many, of a window or of a weekday; otherwise 1.

    Raises
    ------
    UsageError
        If the kind is none of these, or the count is not positive or has no meaning.

    Examples
    --------
    >>> ReferenceChoice.parse("window:7")
    ReferenceChoice(kind='window', count=7)
    >>> str(ReferenceChoice.parse({"same_weekday": 4}))
    'same_weekday:4'
    """

    kind: Choosing
    count: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Choosing):
            hint = did_you_mean(str(self.kind), get_args(Choosing))
            raise UsageError(f"reference: expected {_FORMS}, got {self.kind!r}.{hint}")
        if type(self.count) is not int or self.count < 1:
            raise UsageError(f"reference: expected a count of 1 or more, got {self.count!r}")
        if self.kind not in _COUNTED and self.count != 1:
            raise UsageError(f"reference: {self.kind} takes no count; write {self.kind}")

    @classmethod
    def parse(cls, value: ChoiceLike) -> ReferenceChoice:
        """Read a choice: ``"previous"``, ``"window:7"`` or ``{"window": 7}``, or one as it is.

        Raises
        ------
        UsageError
            If it is none of these.
        """
        if isinstance(value, ReferenceChoice):
            return value
        kind, count = _parted(value)
        if kind in _COUNTED and count is None:
            raise UsageError(f"reference: {kind} needs a number of snapshots; write {kind}:7")
        return cls(kind=kind, count=1 if count is None else count)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """Write the choice as :meth:`parse` reads it."""
        return f"{self.kind}:{self.count}" if self.kind in _COUNTED else self.kind

    @property
    def needs_as_of(self) -> bool:
        """Whether it must be known for which day a snapshot stands."""
        return self.kind in _DATED

    @property
    def reach(self) -> int | None:
        """How many snapshots back it looks; ``None``: as far as there are any."""
        return None if self.needs_as_of else self.count

    def parts(self, as_of: str, earlier: Sequence[Profile]) -> tuple[Profile, ...]:
        """Return the snapshots that are chosen, as many as there are.

        Parameters
        ----------
        as_of : str
            The moment that the current snapshot stands for, ISO 8601.
        earlier : sequence of Profile
            Those before it, oldest first.

        Raises
        ------
        UsageError
            If the day counts and ``as_of`` does not state it. Earlier snapshots that do not state
            theirs are not chosen.
        """
        if not self.needs_as_of:
            return tuple(earlier[-self.count :])
        day = _day(as_of)
        if day is None:
            raise UsageError(
                f"reference: {self.kind} needs the day that the current snapshot stands for; "
                "state it as  as_of"
            )
        dated = [(profile, _day(profile.as_of)) for profile in earlier]
        if self.kind == "same_weekday":
            same = [each for each, date in dated if date and date.weekday() == day.weekday()]
            return tuple(same[-self.count :])
        wanted = (day.year - 1, day.month)
        return tuple(each for each, date in dated if date and (date.year, date.month) == wanted)

    def of(self, current: Profile, earlier: Sequence[Profile]) -> Profile | None:
        """Return the reference of a snapshot: what is chosen, merged; ``None``: there are too few.

        Raises
        ------
        UsageError
            As :meth:`parts`.
        BinsMismatchError
            If they were counted over different bins.
        """
        parts = self.parts(current.as_of, earlier)
        return merge(parts, repeated=True) if len(parts) >= self.count else None

    def replayed(
        self, profiles: Sequence[Profile], *, since: int = 0, without: Collection[int] = ()
    ) -> tuple[Profile | None, ...]:
        """Return what would have been the reference of each snapshot; ``None`` where it had none.

        Parameters
        ----------
        profiles : sequence of Profile
            Oldest first.
        since : int
            The place of the first that is asked for.
        without : collection of int
            The places of those that were no reference, and had none.
        """
        return tuple(self._at(place, profiles, without) for place in range(since, len(profiles)))

    def _at(
        self, place: int, profiles: Sequence[Profile], without: Collection[int]
    ) -> Profile | None:
        current = profiles[place]
        if place in without or (self.needs_as_of and _day(current.as_of) is None):
            return None
        earlier = (each for i, each in enumerate(profiles[:place]) if i not in without)
        return self.of(current, list(earlier))

    def described(self, as_of: str, parts: Sequence[Profile]) -> str:
        """Say what was chosen: ``the last 7 snapshots, 2013-02-01 to 2013-02-07``."""
        names = list(dict.fromkeys(each.as_of or ", ".join(each.sources) for each in parts))
        extent = " to ".join(dict.fromkeys((names[0], names[-1])))
        return f"{self._what(as_of, len(parts))}, {extent}"

    def missing(self, as_of: str, parts: Sequence[Profile]) -> str:
        """Say what the choice lacks: ``no earlier snapshot in the history yet``."""
        which = {"same_weekday": f"earlier {self._day_name(as_of)}"}.get(
            self.kind, "earlier snapshot"
        )
        if self.kind == "same_month_last_year":
            which = f"snapshot of {self._day_name(as_of)}"
        if not parts:
            return f"no {which} in the history yet"
        return f"{len(parts)} of {self.count} {which}s in the history yet"

    def _what(self, as_of: str, count: int) -> str:
        if self.kind == "previous":
            return "the previous snapshot"
        if self.kind == "same_month_last_year":
            return f"{self._day_name(as_of)}, {count} snapshot{'s' * (count > 1)}"
        what = "snapshot" if self.kind == "window" else self._day_name(as_of)
        return f"the last {count} {what}s" if count > 1 else f"the last {what}"

    def _day_name(self, as_of: str) -> str:
        day = _day(as_of)
        if day is None:
            return ""
        if self.kind == "same_weekday":
            return _WEEKDAYS[day.weekday()]
        return f"{day.year - 1}-{day.month:02}"


def _parted(value: object) -> tuple[str, int | None]:
    """Return the kind and the count that a text or a mapping states."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, count),) = value.items()
        return str(kind), count
    if isinstance(value, str):
        kind, colon, count = value.partition(":")
        if not colon:
            return kind, None
        if count.strip().isdecimal():
            return kind, int(count)
    raise UsageError(f"reference: expected {_FORMS}, got {value!r}")


def _day(as_of: str) -> datetime | None:
    try:
        return parse_moment(as_of) if as_of else None
    except UsageError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a snapshot is compared with.

    Parameters
    ----------
    profile : Profile
        The reference.
    source : str
        What reports call it.
    choice : str
        How it was chosen; empty: it is the fixed one.
    snapshots : int
        How many it was merged from.
    ties : tuple of str
        Other references that the rows cannot tell from it, where the closest was chosen.
    """

    profile: Profile
    source: str
    choice: str = ""
    snapshots: int = 1
    ties: tuple[str, ...] = ()


def choose_reference(
    choice: ReferenceChoice, fixed: Profile, current: Profile, earlier: Sequence[Profile]
) -> Against:
    """Return what a snapshot is compared with; as long as there are too few, the fixed reference.

    Parameters
    ----------
    choice : ReferenceChoice
        Which of the earlier ones.
    fixed : Profile
        The profile that the bins were fitted on.
    current : Profile
        The snapshot.
    earlier : sequence of Profile
        Those before it, oldest first, over the same bins.

    Raises
    ------
    UsageError
        If the day counts and the current snapshot's ``as_of`` does not state it.
    """
    parts = choice.parts(current.as_of, earlier)
    if len(parts) < choice.count:
        why = choice.missing(current.as_of, parts)
        return Against(profile=fixed, source=f"{', '.join(fixed.sources)} ({why})")
    return Against(
        profile=merge(parts, repeated=True),
        source=choice.described(current.as_of, parts),
        choice=str(choice),
        snapshots=len(parts),
    )
