"""What noise alone does to a divergence, by numbers of rows and cells: an asymptotic law.

Knows how many rows and cells there are, and nothing of what is in them. Has never heard of columns,
files or limits. ``reference_rows=math.inf`` stands for a distribution known exactly. A
``design_effect`` says how many rows carry the information of one independent row, see
:mod:`kl_drift.statistics.inference`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.statistics.checks import (
    Floats,
    Numbers,
    check_cells,
    check_design,
    check_numbers,
    check_option,
    unwrapped,
)


def noise_mean(
    current_rows: ArrayLike,
    reference_rows: ArrayLike,
    cells: ArrayLike,
    *,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the mean plug-in KL of two samples of one distribution: ν·c/2, in nats.

    Parameters
    ----------
    current_rows, reference_rows : float or array_like
        Above 0; ``math.inf`` for a distribution known exactly.
    cells : int or array_like
        k = ν + 1, at least 1.
    design_effect : float
        As the module says.

    Returns
    -------
    float or ndarray
        0 for a single cell.

    Raises
    ------
    DomainError
        If numbers of rows or cells are not positive.
    UsageError
        If ``design_effect`` is not above 0.

    References
    ----------
    Wilks 1938, The large-sample distribution of the likelihood ratio, DOI 10.1214/aoms/1177732360.
    """
    scale = _noise_scale(current_rows, reference_rows, design_effect)
    return unwrapped(scale * (check_cells(cells) - 1))


def noise_floor(
    current_rows: ArrayLike,
    reference_rows: ArrayLike,
    cells: ArrayLike,
    *,
    quantile: float = 0.999,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the KL that noise alone stays below: ½·c·χ²_ν at ``quantile``, in nats.

    With 5,000 rows against 100,000 and 20 cells, a KL below 0.0046 is noise. An asymptotic law: it
    wants about five expected rows per cell.

    Parameters
    ----------
    current_rows, reference_rows, cells, design_effect
        As :func:`noise_mean`.
    quantile : float
        How often noise stays below, between 0 and 1.

    Returns
    -------
    float or ndarray
        0 for a single cell.

    Raises
    ------
    DomainError
        If numbers of rows or cells are not positive.
    UsageError
        If ``quantile`` is not between 0 and 1, or ``design_effect`` not above 0.

    References
    ----------
    Wilks 1938, DOI 10.1214/aoms/1177732360.
    """
    scale = _noise_scale(current_rows, reference_rows, design_effect)
    return unwrapped(scale * _chi_square_quantile(cells, quantile))


def rows_needed(
    limit: ArrayLike,
    reference_rows: ArrayLike,
    cells: ArrayLike,
    *,
    quantile: float = 0.999,
    design_effect: float = 1.0,
) -> Numbers:
    """Return how many current rows bring :func:`noise_floor` down to a divergence.

    With 20 cells and a huge reference, 1,096 rows for a limit of 0.02 nats.

    Parameters
    ----------
    limit : float or array_like
        The divergence to be told from noise, in nats, ≥ 0.
    reference_rows, cells, quantile, design_effect
        As :func:`noise_floor`.

    Returns
    -------
    float or ndarray
        A whole number, at least 1; ``inf`` if the noise of the reference alone exceeds ``limit``.

    Raises
    ------
    DomainError
        If ``limit`` is negative or numbers of rows or cells are not positive.
    UsageError
        If ``quantile`` is not between 0 and 1, or ``design_effect`` not above 0.
    """
    target = check_numbers("limit", limit, "a number of at least 0", lambda x: x >= 0)
    noise = _chi_square_quantile(cells, quantile) / 2
    spare = target - noise * 2 * _noise_scale(math.inf, reference_rows, design_effect)
    needed = np.ceil(noise * design_effect / np.where(spare > 0, spare, 1.0))
    needed = np.where((spare > 0) | (noise == 0), needed, math.inf)
    return unwrapped(np.maximum(needed, 1.0))


def _noise_scale(
    current_rows: ArrayLike, reference_rows: ArrayLike, design_effect: float
) -> Floats:
    """Return c/2, what a unit of χ² is worth in nats."""
    check_design(design_effect)
    expected = "a number above 0, or inf for a distribution known exactly"
    n = check_numbers("current_rows", current_rows, expected, lambda x: x > 0)
    m = check_numbers("reference_rows", reference_rows, expected, lambda x: x > 0)
    return np.asarray((1 / n + 1 / m) * design_effect / 2)


def _chi_square_quantile(cells: ArrayLike, quantile: float) -> Floats:
    from scipy.special import chdtri

    check_option("quantile", quantile, "a number between 0 and 1", 0 < quantile < 1)
    df = check_cells(cells) - 1
    return np.where(df > 0, chdtri(np.maximum(df, 1), 1 - quantile), 0.0)
