"""The reference of an expectation: a saved profile, or a snapshot that one is fitted to.

Knows how what stands in a suite becomes the profile that is counted like. Has never heard of
metrics, batches or verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kl_drift.api import as_profile, fit
from kl_drift.profile import Profile


def load_reference(reference: str, columns: Sequence[str] | None = None) -> Profile:
    """Return the profile at a path or URI, or fit one to the snapshot there.

    Parameters
    ----------
    reference : str
        A saved profile (``….json``), or a snapshot: each use of a snapshot fits it anew, so save
        its profile where more than one expectation refers to it.
    columns : sequence of str, optional
        Keep these only, as the profile names them (``hour(departure)`` for a derived one).

    Raises
    ------
    ArtefactError, SnapshotError
        If there is neither a profile nor a snapshot, or it is damaged.
    ColumnNotFoundError
        If the reference has no such column.
    """
    found = as_profile(reference)
    profile = found if isinstance(found, Profile) else fit(reference)
    if columns is None:
        return profile
    return replace(profile, columns={name: profile[name] for name in columns})
