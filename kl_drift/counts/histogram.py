"""A histogram: how many rows fell in each cell of some bins.

Knows addition. Has never heard of probabilities, columns or files.
"""

from __future__ import annotations

from dataclasses import dataclass

from kl_drift.counts.bins import Bins, PairBins
from kl_drift.errors import BinsError, BinsMismatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Exact counts of rows over bins; two histograms over the same bins add.

    Parameters
    ----------
    bins : NumericBins, CategoryBins or PairBins
        The cells.
    counts : tuple of int, length ``bins.cells``
        Rows per cell; they sum to the rows scanned.

    Raises
    ------
    BinsError
        If there is not one count ≥ 0 for every cell.
    """

    bins: Bins | PairBins
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != self.bins.cells:
            raise BinsError(f"{self.bins.cells} cells need as many counts, got {len(self.counts)}")
        if any(type(count) is not int or count < 0 for count in self.counts):
            raise BinsError("every count must be an integer ≥ 0")

    @property
    def rows(self) -> int:
        """How many rows were counted, nulls included."""
        return sum(self.counts)

    @property
    def nulls(self) -> int:
        """How many of the rows were null."""
        return self.counts[self.bins.null_cell]

    def __add__(self, other: Histogram) -> Histogram:
        """Add cell by cell; refuse other bins, naming both digests."""
        if self.bins != other.bins:
            raise BinsMismatchError(
                f"these histograms have other bins ({self.bins.digest[:12]} and "
                f"{other.bins.digest[:12]}) and cannot be added; scan both like one reference"
            )
        return Histogram(
            bins=self.bins,
            counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
        )
