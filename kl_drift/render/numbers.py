"""Numbers as a person reads them: nats, shares, chances, counts, moments.

Knows how many digits tell something. Has never heard of columns or reports.
"""

from __future__ import annotations

import math

ABSENT = "–"
"""What stands where there is no number."""


def nats(value: float | None) -> str:
    """Write a divergence so that its first digits show: ``0.0312``, ``1.2449``, ``2.10e-05``."""
    if value is None or math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return "∞"
    size = f"{abs(value):.2e}" if 0 < abs(value) < 1e-4 else f"{abs(value):.4f}"
    return f"−{size}" if value < 0 else size


def bits(value: float | None) -> str:
    """Write nats as bits."""
    return nats(None if value is None else value / math.log(2))


def interval(limits: tuple[float, float] | None) -> str:
    """Write confidence limits: ``0.0290–0.0371``."""
    return "–".join(map(nats, limits)) if limits else ABSENT


def percent(share: float | None) -> str:
    """Write a share: ``2.1 %``, ``0.04 %``, ``0 %``."""
    if share is None:
        return ABSENT
    if share == 0:
        return "0 %"
    hundredths = share * 100
    digits = 1 if hundredths >= 1 else 2 if hundredths >= 0.01 else 4
    return f"{hundredths:.{digits}f} %"


def chance(p_value: float) -> str:
    """Write a probability: ``0.2``, ``3e-9``."""
    if p_value == 0:
        return "below 1e-300"
    return f"{p_value:.1g}".replace("e-0", "e-")


def many(count: int, noun: str) -> str:
    """Count things: ``1 row``, ``27,004 rows``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def moment(written: str) -> str:
    """Write a UTC moment of a file: ``2013-02-08 06:30:00 UTC``."""
    return written.replace("T", " ").replace("+00:00", " UTC")
