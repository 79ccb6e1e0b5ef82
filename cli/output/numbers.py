"""Numbers for people: as many digits as tell something. `--json` has them all."""

from __future__ import annotations

import math

# Significant digits of a value: a network computes with about seven, and predicts with fewer.
_DIGITS = 5


def share(probability: float | None, decimals: int = 1) -> str:
    """Return a probability in per cent: 97.3%. A rounded one is never 100% or 0%, which would be certain."""
    if probability is None:
        return "–"
    least = 10.0**-decimals
    percent = 100 * probability
    if 0 < percent < least:
        return f"<{least:.{decimals}f}%"
    if 100 - least < percent < 100:
        return f">{100 - least:.{decimals}f}%"
    return f"{percent:.{decimals}f}%"


def number(value: float | None) -> str:
    """Return a value with five significant digits, and whole numbers whole: 0.36281, 21.5, 253,412."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{_DIGITS}g}"
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
