"""A histogram: how many rows fell in each cell of some bins.

Knows addition. Has never heard of probabilities, columns or files.
"""

from __future__ import annotations

from collections.abc import Sequence
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
            raise other_bins(
                ("one histogram", self.bins.digest),
                ("the other", other.bins.digest),
                remedy="scan both like the same reference",
            )
        return Histogram(
            bins=self.bins,
            counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
        )


def other_bins(
    one: tuple[str, str], two: tuple[str, str], *, columns: Sequence[str] = (), remedy: str
) -> BinsMismatchError:
    """Return the refusal of two sides that were counted over different bins.

    Parameters
    ----------
    one, two : tuple of str and str
        What a side is called, and the digest of its bins.
    columns : sequence of str
        The columns whose bins differ, where they are known; the first five are named.
    remedy : str
        What to do.
    """
    more = " …" if len(columns) > 5 else ""
    named = f"; columns that differ: {', '.join(columns[:5])}{more}" if columns else ""
    return BinsMismatchError(
        f"{one[0]} was counted over other bins than {two[0]} "
        f"({one[1][:12]} and {two[1][:12]}{named}); {remedy}"
    )
