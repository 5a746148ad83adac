"""Numbers over cells: array-likes in, checked float64 arrays out, the cells on the last axis.

Knows what counts and probabilities must look like and how to say where they do not. Has never
heard of what is computed from them, nor of columns, bins or files.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kl_drift.errors import DomainError, UsageError

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

Numbers: TypeAlias = float | Floats
"""One number for one distribution or pair of samples, an array of them for a batch."""

SUM_TOLERANCE = 1e-9
"""How far a sum of probabilities may be from 1, per cell: shares written with nine decimals pass.

Shares computed in double precision are 10⁷ times closer; shares in single precision do not pass.
"""


def nonnegative(what: str, values: ArrayLike, axis: int = -1) -> Floats:
    """Return ``values`` as finite float64 numbers ≥ 0 with the cells on the last axis.

    Parameters
    ----------
    what : str
        What to call the values in an error: ``"current"``.
    values : array_like, shape (..., k, ...)
        A 1-D array is one distribution, whatever ``axis``; more dimensions are a batch.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    ndarray, shape (..., k)
        A view of ``values`` where they were float64 already.

    Raises
    ------
    DomainError
        If a value is negative or not finite, or there is no cell; the message names the cell.
    UsageError
        If the batch has no such axis.
    """
    array = _cells_last(what, values, axis)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise DomainError(f"{what} has no cells; expected a number for each of at least one cell")
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        where = first(wrong)
        raise DomainError(
            f"{what}, {place(where)}: expected a finite number of at least 0, got {array[where]}"
        )
    return array


def probabilities(what: str, values: ArrayLike, axis: int = -1) -> Floats:
    """Return ``values`` as probabilities, the cells on the last axis.

    As :func:`nonnegative`; besides, each distribution must sum to 1 within
    :data:`SUM_TOLERANCE` times its number of cells. Nothing is renormalised.
    """
    array = nonnegative(what, values, axis)
    totals, tolerance = array.sum(axis=-1), SUM_TOLERANCE * array.shape[-1]
    wrong = np.abs(totals - 1) > tolerance
    if wrong.any():
        where = first(wrong)
        raise DomainError(
            f"{what}{of_batch(where)} sums to {totals[where]:.12g}, expected 1 within "
            f"{tolerance:.2g}; divide by the sum, or pass counts through kl_drift.smooth"
        )
    return array


def aligned(current: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Return both arrays in their common shape; a single distribution serves a whole batch.

    Raises
    ------
    DomainError
        If the two have different numbers of cells, or batches that do not go together.
    """
    current_cells, reference_cells = current.shape[-1], reference.shape[-1]
    if current_cells != reference_cells:
        raise DomainError(
            f"current has {current_cells} cells and reference has {reference_cells}: "
            "expected the same cells; count both over the same bins"
        )
    try:
        shape = np.broadcast_shapes(current.shape, reference.shape)
    except ValueError as error:
        raise DomainError(
            f"current is a batch of shape {current.shape[:-1]} and reference one of "
            f"{reference.shape[:-1]}: expected one reference each, or a single one for all"
        ) from error
    return np.broadcast_to(current, shape), np.broadcast_to(reference, shape)


def cells_back(array: Floats, axis: int) -> Floats:
    """Return ``array`` with its last axis moved to where the caller had the cells."""
    return array if array.ndim == 1 else np.moveaxis(array, -1, axis)


def first(wrong: Flags) -> tuple[int, ...]:
    """Return the index of the first true flag."""
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def place(where: tuple[int, ...]) -> str:
    """Name a cell to a person: ``cell 3``, ``cell 3 of distribution 1``."""
    return f"cell {where[-1]}{of_batch(where[:-1])}"


def of_batch(where: tuple[int, ...]) -> str:
    """Name a distribution of a batch: nothing if there is one, else `` of distribution 1``."""
    if not where:
        return ""
    return f" of distribution {where[0] if len(where) == 1 else where}"


def _cells_last(what: str, values: ArrayLike, axis: int) -> Floats:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DomainError(f"{what} is not a rectangular array of numbers: {error}") from error
    if array.ndim < 2:
        return array
    if not -array.ndim <= axis < array.ndim:
        raise UsageError(f"{what} has {array.ndim} dimensions and therefore no axis {axis}")
    return np.moveaxis(array, axis, -1)


def check_cells(cells: ArrayLike) -> Floats:
    """Return numbers of cells, each at least 1."""
    return check_numbers("cells", cells, "a number of at least 1", lambda x: x >= 1)


def check_amounts(what: str, values: ArrayLike) -> Floats:
    """Return finite numbers ≥ 0."""
    expected = "a finite number of at least 0"
    return check_numbers(what, values, expected, lambda x: (x >= 0) & (x < math.inf))


def check_shares(what: str, values: ArrayLike) -> Floats:
    """Return numbers from 0 to 1."""
    return check_numbers(what, values, "a number from 0 to 1", lambda x: (x >= 0) & (x <= 1))


def check_numbers(
    what: str, values: ArrayLike, expected: str, holds: Callable[[Floats], Flags]
) -> Floats:
    """Return an array of numbers; refuse the first that does not hold what is expected."""
    array = np.asarray(values, dtype=np.float64)
    wrong = np.asarray(~holds(array))
    if wrong.any():
        where = first(wrong)
        raise DomainError(f"{what}{bracketed(where)}: expected {expected}, got {array[where]}")
    return array


def bracketed(where: tuple[int, ...]) -> str:
    """Write an index as it is after a name: ``[2, 0]``; nothing for a single number."""
    return f"[{', '.join(map(str, where))}]" if where else ""


def check_design(design_effect: float) -> None:
    """Refuse a design effect that is not finite and above 0."""
    expected = "a finite number above 0"
    check_option("design_effect", design_effect, expected, 0 < design_effect < math.inf)


def check_option(what: str, value: float, expected: str, holds: bool) -> None:
    """Refuse an option that does not hold what is expected of it."""
    if not holds:
        raise UsageError(f"{what}: expected {expected}, got {value}")


def unwrapped(values: Floats) -> Numbers:
    """Return a float for a single pair of samples."""
    return float(values) if values.ndim == 0 else values
