"""Counts → strictly positive probabilities that sum to 1.

Knows counts over cells and what a cell with few or no rows may be worth. Has never heard of
columns, files or limits, nor of what is computed from the probabilities.

With n rows in the current counts N, m rows in the reference counts M, and k cells::

    method        reference               current
    jeffreys      (M + ½) / (m + k/2)     (N + q) / (n + 1), q the smoothed reference
    laplace       (M + 1) / (m + k)       (N + 1) / (n + k)
    {floor: ε}    max(M/m, ε), rescaled   max(N/n, ε), rescaled
    none          M / m                   N / n

``jeffreys`` is the default: half a row per cell on the reference (Krichevsky & Trofimov 1981, DOI
10.1109/TIT.1981.1056331) because exp ψ(y + 1) ≈ y + ½, which leaves the plug-in divergence the
bias (k − 1)/2 · (1/n + 1/m) whatever the drift; and on the current one single row, shaped like the
reference, because symmetric pseudo-counts on a small sample of skewed shares invent drift.
``floor`` is there for parity with other tools. ``none`` leaves zeros where they are; a divergence
that is infinite because of them is refused where it is computed, by the index of the cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError, UsageError, did_you_mean
from kl_drift.statistics.checks import (
    Floats,
    aligned,
    cells_back,
    first,
    nonnegative,
    of_batch,
    probabilities,
)

Method: TypeAlias = Literal["jeffreys", "laplace", "floor", "none"]

HALF_A_ROW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """How counts become probabilities; written as a plan writes it by ``str``.

    Parameters
    ----------
    method : {"jeffreys", "laplace", "floor", "none"}
        See the module.
    eps : float, optional
        The smallest share before rescaling, above 0 and below 1; for ``floor`` and only for it.

    Raises
    ------
    UsageError
        If ``method`` is unknown, or ``eps`` is missing, out of range or not wanted.
    """

    method: Method = "jeffreys"
    eps: float | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise _unknown(self.method)
        if self.method != "floor":
            if self.eps is not None:
                raise UsageError(f"smoothing {self.method!r} takes no eps, got {self.eps!r}")
        elif not _is_share(self.eps):
            raise UsageError(
                "smoothing 'floor' needs a number above 0 and below 1, such as {floor: 1.0e-4} "
                f"(YAML reads 1e-4 as text), got {self.eps!r}"
            )

    def __str__(self) -> str:
        return self.method if self.eps is None else f"{{floor: {self.eps}}}"


SmoothingLike: TypeAlias = Smoothing | str | Mapping[str, float]
"""A :class:`Smoothing`, or what :func:`parse_smoothing` makes one of."""


def parse_smoothing(value: object) -> Smoothing:
    """Return the smoothing that a plan asks for.

    Parameters
    ----------
    value : str, mapping or Smoothing
        ``"jeffreys"``, ``"laplace"``, ``"none"`` or ``{"floor": 1e-4}``.

    Raises
    ------
    UsageError
        If it is none of these; the message lists them and guesses the one that was meant.
    """
    match value:
        case Smoothing():
            return value
        case "jeffreys" | "laplace" | "floor" | "none":
            return Smoothing(method=value)
        case {"floor": eps, **rest} if not rest:
            return Smoothing(method="floor", eps=eps)
        case _:
            raise _unknown(value)


def smooth_reference(
    counts: ArrayLike, method: SmoothingLike = "jeffreys", *, axis: int = -1
) -> Floats:
    """Return the probabilities of the reference.

    Parameters
    ----------
    counts : array_like, shape (k,) or a batch
        Rows per cell; whole or fractional, finite, ≥ 0. Above 2⁵³ a count is rounded.
    method : Smoothing, str or mapping
        How; see the module.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    ndarray, shape of ``counts``
        Each distribution sums to 1. No rows at all give a uniform reference, except by ``none``.

    Raises
    ------
    DomainError
        If a count is negative or not finite, or there are no rows to take raw shares of.
    """
    rows = nonnegative("reference counts", counts, axis)
    weights = _weights(parse_smoothing(method), rows, HALF_A_ROW)
    return cells_back(_normalised("reference counts", weights), axis)


def smooth_current(
    counts: ArrayLike,
    reference_probabilities: ArrayLike,
    method: SmoothingLike = "jeffreys",
    *,
    axis: int = -1,
) -> Floats:
    """Return the probabilities of the current distribution, given those of the reference.

    Parameters
    ----------
    counts : array_like, shape (k,) or a batch
        Rows per cell; whole or fractional, finite, ≥ 0. Above 2⁵³ a count is rounded.
    reference_probabilities : array_like, shape (k,) or a batch
        As :func:`smooth_reference` returns them; a single reference serves a batch, and a batch of
        references a single current.
    method : Smoothing, str or mapping
        How; see the module. ``laplace``, ``floor`` and ``none`` look at the reference only where
        there are no rows.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    ndarray, the common shape
        Each distribution sums to 1. A current without rows says nothing and so equals the
        reference, by every method: its divergence is 0.

    Raises
    ------
    DomainError
        If a count is negative or not finite, the reference is no distribution, or the two have
        different cells.
    """
    rows, reference = aligned(
        nonnegative("current counts", counts, axis),
        probabilities("reference", reference_probabilities, axis),
    )
    weights = _weights(parse_smoothing(method), rows, reference)
    empty = ~rows.any(axis=-1, keepdims=True)
    shares = _normalised("current counts", np.where(empty, reference, weights))
    return cells_back(shares, axis)


def smooth(
    current: ArrayLike, reference: ArrayLike, method: SmoothingLike = "jeffreys", *, axis: int = -1
) -> tuple[Floats, Floats]:
    """Return the probabilities of current and reference counts, in this order.

    :func:`smooth_reference`, then :func:`smooth_current` with its result.
    """
    reference_probabilities = smooth_reference(reference, method, axis=axis)
    return smooth_current(current, reference_probabilities, method, axis=axis), (
        reference_probabilities
    )


def with_unseen_mass(counts: ArrayLike, *, other: int, unseen: int, singletons: float) -> Floats:
    """Return reference counts whose ``unseen`` cell holds what Good–Turing expects of it.

    The share of rows that will show a level never seen before is about the share of rows whose
    level was seen once. So ``unseen`` is to be worth max(½, ``singletons``) rows, of which ½ comes
    from the Jeffreys smoothing that follows; the rest, as far as it is there, moves out of
    ``other``, where those rare levels were counted.

    Parameters
    ----------
    counts : array_like, shape (k,)
        Rows of the reference per cell, before smoothing.
    other, unseen : int
        The two cells, counted from 0.
    singletons : float
        How many levels occur exactly once in the reference, ≥ 0.

    Returns
    -------
    ndarray, shape (k,)
        A copy with the same sum.

    Raises
    ------
    DomainError
        If the counts or ``singletons`` are negative or not finite.
    UsageError
        If ``counts`` is a batch, or ``other`` and ``unseen`` are not two of its cells.

    References
    ----------
    Good 1953, The population frequencies of species and the estimation of population parameters,
    DOI 10.1093/biomet/40.3-4.237.
    """
    rows = nonnegative("reference counts", counts).copy()
    if rows.ndim != 1 or other == unseen or not {other, unseen} <= set(range(rows.size)):
        raise UsageError(
            f"other={other} and unseen={unseen} must be two cells of one distribution; "
            f"the counts have shape {rows.shape}"
        )
    if not (math.isfinite(singletons) and singletons >= 0):
        raise DomainError(f"singletons: expected a finite number of at least 0, got {singletons}")
    moved = min(rows[other], max(0.0, singletons - HALF_A_ROW - rows[unseen]))
    rows[other] -= moved
    rows[unseen] += moved
    return rows


def _weights(smoothing: Smoothing, rows: Floats, prior: float | Floats) -> Floats:
    if smoothing.eps is not None:
        return np.maximum(_shares(rows), smoothing.eps)
    return rows + {"jeffreys": prior, "laplace": 1.0, "none": 0.0}[smoothing.method]


def _shares(rows: Floats) -> Floats:
    """Return rows / total, and 0 where there are no rows."""
    totals = rows.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(rows, totals, out=np.zeros_like(rows), where=totals > 0)
    return shares


def _normalised(what: str, weights: Floats) -> Floats:
    totals = weights.sum(axis=-1)
    if not totals.all():
        raise DomainError(
            f"{what}{of_batch(first(totals == 0))} have no rows, and so no raw shares; "
            "choose the smoothing 'jeffreys', or leave this distribution out"
        )
    return np.asarray(weights / totals[..., np.newaxis])


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < 1


def _unknown(value: object) -> UsageError:
    hint = did_you_mean(value, get_args(Method)) if isinstance(value, str) else ""
    return UsageError(
        f"smoothing {value!r} is not known; "
        f"expected jeffreys, laplace, none or {{floor: 1.0e-4}}.{hint}"
    )
