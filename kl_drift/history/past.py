"""The past that limits are learned from: which snapshots, and which the reference contains.

Knows profiles by name, digest and counts. Has never heard of divergences.

A reference merged from snapshots of the history contains each of them, which makes it look closer
to that reference than a new snapshot can be. So the counts of a snapshot are taken off the
reference where it is *inside*: where its sources are among the reference's, and all such snapshots
together have in no cell more rows than the reference. A reference that stands apart is used as it
is: its own odd day moves the divergence of every snapshot alike, and of the one to be judged. A
snapshot that *is* the reference leaves the history.

Where a snapshot is inside and that is not seen (rows in memory have no names of their own), its KL
comes out too small by twice its share of the reference; one that is not and is taken for inside,
too large by as much.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kl_drift.artefact import profile_to_dict
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import Profile, refuse_other_bins
from kl_drift.errors import UsageError, did_you_mean
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.statistics.scatter import Counts

_DIGEST_PREFIX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The snapshots that are learned from, oldest first.

    Parameters
    ----------
    profiles : tuple of Profile
        Their counts.
    names : tuple of str
        What each is called: its ``as_of`` or else its sources, with 12 characters of its digest
        where that would not tell it from another.
    digests : tuple of str
        Of each.
    against : tuple of Profile
        What each is compared with.
    fitted : tuple of bool
        Whether that is what the bins were fitted on.
    inside : tuple of bool
        Whether that counts the rows of each; see the module.
    left_out : dict of str to Unlearned
        The other snapshots, and why they are not learned from.
    """

    profiles: tuple[Profile, ...]
    names: tuple[str, ...]
    digests: tuple[str, ...]
    against: tuple[Profile, ...]
    fitted: tuple[bool, ...]
    inside: tuple[bool, ...]
    left_out: dict[str, Unlearned]


def choose_past(
    history: Sequence[Profile],
    reference: Profile,
    leave_out: Collection[str] = (),
    against: Sequence[Profile | None] | None = None,
) -> Past:
    """Return the snapshots to learn from; one that is given twice counts once.

    Parameters
    ----------
    history : sequence of Profile
        In any order.
    reference : Profile
        What they are compared with.
    leave_out : collection of str
        Snapshots to leave out, by name, ``as_of``, source or the first 8 characters or more of the
        digest.
    against : sequence of Profile or None, optional
        What each was compared with, if not with the reference: snapshots of its own past, over the
        same bins. Those with None had none and are not learned from.

    Raises
    ------
    BinsMismatchError
        If a snapshot was counted over other bins than the reference's.
    UsageError
        If a name to leave out is not in the history.
    """
    for profile in history:
        refuse_other_bins(
            (f"the snapshot {_label(profile) or 'without a name'}", profile),
            ("the reference", reference),
            remedy="scan it like this reference",
        )
    chosen = against or [reference] * len(history)
    by_digest = {
        profile_to_dict(profile)["digest"]: (profile, its)
        for profile, its in zip(history, chosen, strict=True)
    }
    ordered = sorted(
        by_digest.items(), key=lambda item: (item[1][0].as_of, item[1][0].sources, item[0])
    )
    dated = [(digest, profile) for digest, (profile, _) in ordered]
    names = _names(dated)
    on_request = Unlearned(kind=WhyNot.ON_REQUEST)
    left_out = dict.fromkeys(_meant(dated, names, leave_out), on_request)
    kept: list[tuple[str, str, Profile, Profile]] = []
    for name, (digest, (profile, its)) in zip(names, ordered, strict=True):
        if name in left_out:
            continue
        if its is None:
            left_out[name] = Unlearned(kind=WhyNot.NOTHING_BEFORE)
        elif why := _why_not(profile, its):
            left_out[name] = Unlearned(kind=why)
        else:
            kept.append((name, digest, profile, its))
    profiles = tuple(profile for _, _, profile, _ in kept)
    return Past(
        profiles=profiles,
        names=tuple(name for name, _, _, _ in kept),
        digests=tuple(digest for _, digest, _, _ in kept),
        against=tuple(its for _, _, _, its in kept),
        fitted=tuple(its is reference or same_counts(its, reference) for _, _, _, its in kept),
        inside=_inside(profiles, reference) if against is None else (False,) * len(kept),
        left_out=left_out,
    )


def _why_not(profile: Profile, its: Profile) -> WhyNot | None:
    """Say why a snapshot teaches nothing; ``None`` where it does."""
    if not profile.rows:
        return WhyNot.NO_ROWS
    return WhyNot.REFERENCE if same_counts(profile, its) else None


def places_meant(history: Sequence[Profile], leave_out: Collection[str]) -> set[int]:
    """Return which snapshots a user leaves out; see :func:`choose_past`."""
    dated = [(profile_to_dict(profile)["digest"], profile) for profile in history]
    names = _names(dated)
    meant = set(_meant(dated, names, leave_out))
    return {place for place, name in enumerate(names) if name in meant}


def _label(profile: Profile) -> str:
    return profile.as_of or ", ".join(profile.sources)


def _names(ordered: Sequence[tuple[str, Profile]]) -> list[str]:
    """Name snapshots as their owner does, and by digest too where that is ambiguous."""
    labels = [_label(profile) for _, profile in ordered]
    return [
        label if label and labels.count(label) == 1 else f"{label} {digest[:12]}".strip()
        for label, (digest, _) in zip(labels, ordered, strict=True)
    ]


def _meant(
    ordered: Sequence[tuple[str, Profile]], names: Sequence[str], leave_out: Collection[str]
) -> Iterator[str]:
    """Yield the names of the snapshots that the user leaves out."""
    for wanted in leave_out:
        found = [
            name
            for name, (digest, profile) in zip(names, ordered, strict=True)
            if wanted in (name, profile.as_of, *profile.sources)
            or (len(wanted) >= _DIGEST_PREFIX and digest.startswith(wanted))
        ]
        if not found:
            raise UsageError(
                f"leave_out: no snapshot of the history is called {wanted!r}; name it by as_of, "
                f"source or digest.{did_you_mean(wanted, names)}"
            )
        yield from found


def same_counts(profile: Profile, reference: Profile) -> bool:
    """Say whether two profiles counted the same."""
    return profile.rows == reference.rows and profile.counted == reference.counted


def _inside(profiles: Sequence[Profile], reference: Profile) -> tuple[bool, ...]:
    """Say of each snapshot whether the reference was merged from it and others."""
    named = [
        bool(profile.sources) and set(profile.sources) <= set(reference.sources)
        for profile in profiles
    ]
    parts = [profile for profile, candidate in zip(profiles, named, strict=True) if candidate]
    fits = all(
        bool(np.all(_total(parts, name, whole) <= np.array(whole.counts)))
        for name, whole in reference.counted.items()
    )
    return tuple(candidate and fits for candidate in named)


def _total(parts: Sequence[Profile], name: str, like: Histogram) -> Counts:
    counts = [found.counts for part in parts if (found := histogram_of(part, name))]
    total: Counts = np.array(counts, np.int64).reshape(-1, like.bins.cells).sum(axis=0)
    return total


def histogram_of(profile: Profile, name: str) -> Histogram | None:
    """Return the counts of a column, or nothing where it was not counted."""
    column = profile.columns.get(name)
    return column.histogram if column else None
