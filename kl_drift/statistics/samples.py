"""Two samples over the same cells, and cells merged until each expects enough rows.

Knows counts, and the shares they estimate. Has never heard of columns, files or limits. What
``axis``, ``exact_reference`` and ``design_effect`` mean is said in
:mod:`kl_drift.statistics.inference`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kl_drift.errors import DomainError
from kl_drift.statistics.checks import (
    Floats,
    aligned,
    cells_back,
    check_design,
    check_option,
    first,
    nonnegative,
    of_batch,
    place,
    probabilities,
)
from kl_drift.statistics.smoothing import smooth_reference


def merge_cells(
    current: ArrayLike,
    reference: ArrayLike,
    *,
    minimum: float = 5.0,
    ordered: bool = True,
    axis: int = -1,
    exact_reference: bool = False,
) -> tuple[Floats, Floats]:
    """Return the counts over cells merged until each expects ``minimum`` rows.

    Expected is, with nothing drifting, what a cell holds in the smaller sample: its pooled share
    (N + M)/(n + m) times min(n, m). Cells are taken from the first to the last, and a merged cell
    closes as soon as it expects ``minimum``; what is left over at the end joins the last one.
    Unordered cells are first sorted by their expected rows, ties by position, so that the smallest
    are pooled. Only pooled counts decide, never how they divide between the samples, which is what
    keeps a test on merged cells honest.

    Parameters
    ----------
    current, reference, axis, exact_reference
        As :func:`~kl_drift.statistics.inference.debiased_kl`.
    minimum : float
        Expected rows, ≥ 0; 0 merges nothing.
    ordered : bool
        Whether neighbouring cells belong together (numbers) or any may be pooled (categories).

    Returns
    -------
    current, reference : ndarray
        As many cells as are left, one at least, on ``axis``. In a batch, as many as the
        distribution with the most has left; the others end in cells that hold 0 on both sides.

    Raises
    ------
    DomainError
        As :func:`~kl_drift.statistics.inference.debiased_kl`.
    UsageError
        If ``minimum`` is negative.

    References
    ----------
    Cochran 1954, Some methods for strengthening the common χ² tests, DOI 10.2307/3001616.
    """
    samples = take_samples(current, reference, axis, exact_reference, 1.0)
    merged = merge_samples(samples, minimum, ordered)
    return cells_back(merged.current, axis), cells_back(merged.reference, axis)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Two samples over the same cells, in effective rows; the cells are on the last axis."""

    current: Floats
    reference: Floats
    """Rows per cell, or probabilities if the reference is exact."""
    exact: bool

    @property
    def cells(self) -> int:
        """How many cells there are, k."""
        return int(self.current.shape[-1])

    @property
    def n(self) -> Floats:
        """Current rows."""
        return np.asarray(self.current.sum(axis=-1))

    @property
    def m(self) -> Floats:
        """Reference rows; infinite if it is exact."""
        return np.full_like(self.n, math.inf) if self.exact else self.reference.sum(axis=-1)

    @property
    def c(self) -> Floats:
        """1/n + 1/m: twice what a unit of χ² is worth in nats."""
        return 1 / self.n + 1 / self.m

    @property
    def current_shares(self) -> Floats:
        """N/n per cell."""
        return self.current / self.n[..., np.newaxis]

    @property
    def reference_shares(self) -> Floats:
        """M/m per cell."""
        return self.reference if self.exact else self.reference / self.m[..., np.newaxis]

    @property
    def pooled(self) -> Floats:
        """Shares of both samples together; those of an exact reference cannot be improved."""
        if self.exact:
            return self.reference
        return (self.current + self.reference) / (self.n + self.m)[..., np.newaxis]

    @property
    def model(self) -> Floats:
        """The reference's probabilities: exact, or from half a row more per cell."""
        return self.reference if self.exact else smooth_reference(self.reference)


def take_samples(
    current: ArrayLike, reference: ArrayLike, axis: int, exact: bool, design_effect: float
) -> Samples:
    """Check the counts of two samples, and divide them by the design effect.

    Raises
    ------
    DomainError
        If counts are negative, not finite or all zero, the cells differ, or an exact reference is
        no distribution or has an empty cell.
    UsageError
        If ``design_effect`` is not above 0.
    """
    check_design(design_effect)
    current_rows = nonnegative("current counts", current, axis) / design_effect
    if exact:
        reference_rows = _exact(reference, axis)
    else:
        reference_rows = nonnegative("reference counts", reference, axis) / design_effect
    current_rows, reference_rows = aligned(current_rows, reference_rows)
    for name, counts in (("current", current_rows), ("reference", reference_rows)):
        empty = np.asarray(~counts.any(axis=-1))
        if empty.any():
            raise DomainError(
                f"{name} counts{of_batch(first(empty))}: expected some rows, got none; "
                "without rows nothing can be inferred, so leave it out"
            )
    return Samples(current=current_rows, reference=reference_rows, exact=exact)


def _exact(reference: ArrayLike, axis: int) -> Floats:
    shares = probabilities("exact reference", reference, axis)
    if (shares == 0).any():
        raise DomainError(
            f"exact reference, {place(first(shares == 0))}: expected a probability above 0, got 0; "
            "merge the cell into another, or leave it out if it can hold no row"
        )
    return shares


def merge_samples(samples: Samples, minimum: float, ordered: bool) -> Samples:
    """Merge cells as :func:`merge_cells` does."""
    check_option("minimum", minimum, "a number of at least 0", minimum >= 0)
    current, reference = samples.current, samples.reference
    expected = samples.pooled * np.minimum(samples.n, samples.m)[..., np.newaxis]
    if not ordered:
        order = np.argsort(expected, axis=-1, kind="stable")
        current, reference, expected = (
            np.take_along_axis(cells, order, axis=-1) for cells in (current, reference, expected)
        )
    groups = _groups(expected, minimum)
    return Samples(
        current=_sums(current, groups), reference=_sums(reference, groups), exact=samples.exact
    )


def _groups(expected: Floats, minimum: float) -> NDArray[np.intp]:
    """Return the merged cell of each cell; a loop over cells, all of the batch at once."""
    groups = np.empty(expected.shape, dtype=np.intp)
    group = np.zeros(expected.shape[:-1], dtype=np.intp)
    collected = np.zeros(expected.shape[:-1])
    for cell in range(expected.shape[-1]):
        groups[..., cell] = group
        collected = collected + expected[..., cell]
        full = collected >= minimum
        group = group + full
        collected = np.where(full, 0.0, collected)
    return np.minimum(groups, np.maximum(group - 1, 0)[..., np.newaxis])


def _sums(counts: Floats, groups: NDArray[np.intp]) -> Floats:
    cells = int(groups.max()) + 1
    batch = groups.shape[:-1]
    starts = np.arange(math.prod(batch)).reshape(batch)[..., np.newaxis] * cells
    targets = (groups + starts).ravel()
    sums = np.bincount(targets, weights=counts.ravel(), minlength=math.prod(batch) * cells)
    return np.asarray(sums, dtype=np.float64).reshape(*batch, cells)
