"""What a profile has counted, for tests that compare engines."""

from __future__ import annotations

from kl_drift.counts.profile import Profile


def cells(profile: Profile) -> dict[str, object]:
    """Return what was counted; names of types differ between libraries."""
    return {
        name: (column.histogram, column.range, column.nulls, column.unseen)
        for name, column in profile.columns.items()
    }
