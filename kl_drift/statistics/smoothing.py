"""Counts → strictly positive probabilities that sum to 1.

Knows counts over cells and what a cell with few or no rows may be worth. Has never heard of
columns, files or limits, nor of what is computed from the probabilities.

With n rows in the current counts N, m rows in the reference counts M, k cells and the share
λ = (k/2)/(m + k/2)::

    method        reference               current
    jeffreys      (M + ½)/(m + k/2)       [n·((1 − λ)·N/n + λ/k) + q]/(n + 1), q the reference's
    laplace       (M + 1)/(m + k)         (N + 1)/(n + k)
    {floor: ε}    max(M/m, ε), rescaled   max(N/n, ε), rescaled
    none          M/m                     N/n

``jeffreys`` is the default: half a row per cell on the reference (Krichevsky & Trofimov 1981, DOI
10.1109/TIT.1981.1056331), because exp ψ(y + 1) ≈ y + ½. That is a mixture: a share λ of the
reference is uniform. The current shares are mixed with the same share of the same uniform, and then
with one single row shaped like the reference, which keeps the reverse divergence small where rows
are few. By joint convexity smoothing then never adds divergence, whatever the counts::

    KL(p‖q) ≤ n/(n + 1) · (1 − λ) · KL(N/n ‖ M/m)

and equal shares stay equal to the last bit, because both sides come from one expression; by
``floor`` and ``none`` too. By ``laplace`` equal counts do.
``floor`` and ``laplace`` are there for parity with other tools. ``none`` leaves zeros where they
are; a divergence that is infinite because of them is refused where it is computed, by the index of
the cell.
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
)

Method: TypeAlias = Literal["jeffreys", "laplace", "floor", "none"]

_PSEUDO_ROWS: Mapping[Method, float] = {"jeffreys": 0.5, "laplace": 1.0, "none": 0.0}
"""How many rows are added to each cell."""


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
                "smoothing 'floor' needs a number above 0 and below 1, such as {floor: 0.0001}, "
                f"got {self.eps!r}"
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
    return cells_back(_model(rows, parse_smoothing(method)), axis)


def smooth(
    current: ArrayLike, reference: ArrayLike, method: SmoothingLike = "jeffreys", *, axis: int = -1
) -> tuple[Floats, Floats]:
    """Return the probabilities of current and reference counts, in this order.

    Parameters
    ----------
    current, reference : array_like, shape (k,) or a batch
        Rows per cell; whole or fractional, finite, ≥ 0. Above 2⁵³ a count is rounded. A single
        reference serves a batch, and a batch of references a single current.
    method : Smoothing, str or mapping
        How; see the module.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    current : ndarray, the common shape
        Each distribution sums to 1. A current without rows says nothing and so equals the
        reference, by every method: its divergence is 0.
    reference : ndarray, shape of ``reference``
        As :func:`smooth_reference` returns it.

    Raises
    ------
    DomainError
        If a count is negative or not finite, the reference has no rows to take raw shares of, or
        the two have different cells.
    """
    smoothing = parse_smoothing(method)
    ours = nonnegative("current counts", current, axis)
    theirs = nonnegative("reference counts", reference, axis)
    model = _model(theirs, smoothing)
    shares = _like(*aligned(ours, theirs), model, smoothing)
    return cells_back(shares, axis), cells_back(model, axis)


def with_unseen_mass(
    current: ArrayLike, reference: ArrayLike, *, other: int, unseen: int, singletons: float
) -> Floats:
    """Return reference counts whose ``unseen`` cell holds what may be expected of it, one-sided.

    The share of rows that will show a level never seen before is about the share of rows whose
    level was seen once (Good & Turing). So up to ``singletons`` rows of the reference move from
    ``other``, where those rare levels were counted, to ``unseen``: as many as the current rows
    need, U·m/n for U of n current rows in ``unseen`` and m reference rows. Fewer new levels than
    expected is then no divergence.

    Parameters
    ----------
    current, reference : array_like, shape (k,) or batches with the cells on the last axis
        Rows per cell, before smoothing.
    other, unseen : int
        The two cells, counted from 0.
    singletons : float
        How many levels occur exactly once in the reference, ≥ 0.

    Returns
    -------
    ndarray, the common shape
        A copy of the reference with the same sums.

    Raises
    ------
    DomainError
        If counts or ``singletons`` are negative or not finite, or the cells differ.
    UsageError
        If ``other`` and ``unseen`` are not two of the cells.

    References
    ----------
    Good 1953, The population frequencies of species and the estimation of population parameters,
    DOI 10.1093/biomet/40.3-4.237.
    """
    ours, theirs = aligned(
        nonnegative("current counts", current), nonnegative("reference counts", reference)
    )
    if other == unseen or not {other, unseen} <= set(range(theirs.shape[-1])):
        raise UsageError(
            f"other={other} and unseen={unseen} must be two cells of one distribution; "
            f"the counts have {theirs.shape[-1]} cells"
        )
    if not (math.isfinite(singletons) and singletons >= 0):
        raise DomainError(f"singletons: expected a finite number of at least 0, got {singletons}")
    needed = np.minimum(singletons, _shares(ours)[..., unseen] * theirs.sum(axis=-1))
    moved = np.clip(needed - theirs[..., unseen], 0.0, theirs[..., other])
    rows = theirs.copy()
    rows[..., other] -= moved
    rows[..., unseen] += moved
    return rows


def _model(rows: Floats, smoothing: Smoothing) -> Floats:
    totals = rows.sum(axis=-1)
    if smoothing.method == "none" and not totals.all():
        raise DomainError(
            f"reference counts{of_batch(first(totals == 0))} have no rows, and so no raw shares; "
            "choose the smoothing 'jeffreys', or leave this distribution out"
        )
    return _positive(_shares(rows), totals, smoothing)


def _like(rows: Floats, reference: Floats, model: Floats, smoothing: Smoothing) -> Floats:
    """Return the current probabilities: smoothed as the reference is, which gave ``model``."""
    totals, shares = rows.sum(axis=-1), _shares(rows)
    some = totals[..., np.newaxis] > 0
    if smoothing.method != "jeffreys":
        return np.where(some, _positive(shares, totals, smoothing), model)
    mixed = _positive(shares, reference.sum(axis=-1), smoothing)
    return np.where(some, mixed + (model - mixed) / (totals[..., np.newaxis] + 1), model)


def _positive(shares: Floats, rows: Floats, smoothing: Smoothing) -> Floats:
    """Return the probabilities of shares that as many rows stand behind."""
    if smoothing.eps is not None:
        floored = np.maximum(shares, smoothing.eps)
        return np.asarray(floored / floored.sum(axis=-1, keepdims=True))
    pseudo, rows = _PSEUDO_ROWS[smoothing.method], rows[..., np.newaxis]
    if not pseudo:
        return shares
    return np.asarray((rows * shares + pseudo) / (rows + pseudo * shares.shape[-1]))


def _shares(rows: Floats) -> Floats:
    """Return rows / total, and 0 where there are no rows."""
    totals = rows.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(rows, totals, out=np.zeros_like(rows), where=totals > 0)
    return shares


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < 1


def _unknown(value: object) -> UsageError:
    hint = did_you_mean(value, get_args(Method)) if isinstance(value, str) else ""
    return UsageError(
        f"smoothing {value!r} is not known; "
        f"expected jeffreys, laplace, none or {{floor: 1.0e-4}}.{hint}"
    )
