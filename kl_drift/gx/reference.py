"""The reference of an expectation: a saved profile, or a snapshot that one is fitted to.

Knows how what stands in a suite becomes the profile that is counted like, once per process. Has
never heard of metrics, batches or verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from kl_drift.api import as_profile, fit
from kl_drift.counts.bins import PairBins
from kl_drift.counts.profile import ColumnProfile, Profile
from kl_drift.engines.opening import fingerprint

_KEPT = 16  # references of one process; each is a few hundred kilobytes at most


def load_reference(reference: str, columns: Sequence[str] | None = None) -> Profile:
    """Return the profile at a path or URI, or fit one to the snapshot there.

    It is kept for the life of the process, and read or fitted again once its files are others or
    have changed: each expectation of a suite may ask for it.

    Parameters
    ----------
    reference : str
        A saved profile (``….json``), or a snapshot.
    columns : sequence of str, optional
        Keep these only, as the profile names them (``hour(departure)`` for a derived one), and of
        a pair both its columns, without which it cannot be counted.

    Raises
    ------
    ArtefactError, SnapshotError
        If there is neither a profile nor a snapshot, or it is damaged.
    ColumnNotFoundError
        If the reference has no such column.
    """
    profile = _loaded(reference, fingerprint(reference))
    if columns is None:
        return profile
    names = [part for name in columns for part in (name, *_sides(profile[name]))]
    return replace(profile, columns={name: profile[name] for name in names})


def _sides(column: ColumnProfile) -> tuple[str, ...]:
    bins = column.histogram.bins if column.histogram else None
    return bins.columns if isinstance(bins, PairBins) else ()


@lru_cache(maxsize=_KEPT)
def _loaded(reference: str, _: object) -> Profile:
    """Load or fit; the second argument only tells whether the files are still the same."""
    found = as_profile(reference)
    return found if isinstance(found, Profile) else fit(reference)
