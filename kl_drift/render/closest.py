"""The closest of several references, in words and as plain types.

Knows plain text. Has never heard of how a divergence is computed.
"""

from __future__ import annotations

from typing import Any

from kl_drift.render.numbers import nats
from kl_drift.render.words import printable
from kl_drift.statistics.closest import Closest


def closest_to_text(found: Closest) -> str:
    """Return a sentence and a line for each reference, the closest first."""
    best = printable(str(found.best))
    if found.ties:
        others = ", ".join(printable(str(each)) for each in found.ties)
        head = f"a tie: the rows cannot tell {best} from {others}"
    else:
        head = f"{best} is the closest"
    lines = [f"{head} (KL(current‖reference) in nats, summed over columns)"]
    width = max(len(printable(str(each))) for each in found.divergences)
    for label, divergence in sorted(found.divergences.items(), key=lambda item: item[1]):
        lower, upper = found.intervals[label]
        farther = "" if label == found.best else f"  farther by {nats(lower)} to {nats(upper)}"
        lines.append(f"{printable(str(label)):<{width}}  {nats(divergence)}{farther}")
    return "\n".join(lines) + "\n"


def closest_to_dict(found: Closest) -> dict[str, Any]:
    """Return the same as plain JSON types."""
    return {
        "best": str(found.best),
        "tie": bool(found.ties),
        "ties": [str(each) for each in found.ties],
        "divergences": {str(label): value for label, value in found.divergences.items()},
        "intervals": {str(label): list(value) for label, value in found.intervals.items()},
        "confidence": found.confidence,
    }
