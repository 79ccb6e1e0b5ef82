"""The result of quantising an artifact: what it saves, what it loses, and whether that may be lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...storage.safe_json import finite
from .accuracy import ACCURACY, RMS_ERROR, Score

# The verbs for a loss and for a gain, and the text of the loss.
_WORDS = {
    ACCURACY: (("loses", "gains"), "{:.2f} percentage points of accuracy"),
    RMS_ERROR: (("raises", "lowers"), "the RMS error by {:.2f} % of the spread of the targets"),
}


@dataclass(frozen=True)
class Quantization:
    """The comparison of an artifact before and after quantising.

    Attributes:
        method: the name of the method.
        max_drop: the percentage points that may be lost.
        calibration: the samples that the ranges of activations were measured on, as text; empty if none were needed.
        test: the samples that the scores are of, as text.
        sizes: bytes, before and after.
        latencies: median milliseconds per sample, before and after.
        scores: of each output.
    """

    method: str
    max_drop: float
    calibration: str
    test: str
    sizes: tuple[int, int]
    latencies: tuple[float, float]
    scores: tuple[Score, ...]

    @property
    def passed(self) -> bool:
        return all(score.drop <= self.max_drop for score in self.scores)  # false for NaN, too

    @property
    def worst(self) -> Score:
        """The score with the largest drop; a drop that is not a number counts as larger than any."""
        return max(self.scores, key=lambda score: math.inf if math.isnan(score.drop) else score.drop)

    @property
    def finding(self) -> str:
        """The result in words, for example "int8 loses 0.20 percentage points of accuracy (0.5 allowed)"."""
        drop = self.worst.drop
        if math.isnan(drop):
            return f"{self.method} gives outputs that are NOT finite"
        verbs, loss = _WORDS[self.worst.measure]
        verb = verbs[drop < 0] if self.passed else verbs[0].upper()
        return f"{self.method} {verb} {loss.format(abs(drop))} ({self.max_drop:g} allowed)"

    @property
    def is_smaller(self) -> bool:
        return self.sizes[1] < self.sizes[0]

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "calibration": self.calibration or None,
            "test": self.test,
            "bytes": dict(zip(("before", "after"), self.sizes, strict=True)),
            "milliseconds_per_sample": dict(zip(("before", "after"), self.latencies, strict=True)),
            "scores": [score.to_json() for score in self.scores],
            "largest_drop": finite(self.worst.drop),
            "max_drop": self.max_drop,
            "passed": self.passed,
        }
