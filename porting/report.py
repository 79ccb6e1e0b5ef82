"""What a port did, and how it was verified."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.verification import parity, tolerances
from ..errors import PortError

# The batch that a bundle has recorded; its answers are what the outputs usually are.
RECORDED = "recorded"
Outputs = Sequence[np.ndarray]

# How far the values of a row may be from adding up to 1 for it to be taken for probabilities.
_ADD_UP = 1e-3


@dataclass(frozen=True)
class Check:
    """One comparison of predictions: on which inputs, of which two, how far apart, how far allowed.

    Attributes:
        inputs: which inputs.
        against, target: who gave what is expected, and who is compared with it.
        difference: the largest of all outputs.
        tolerance: the relative difference that is allowed.
        agreement: the share of samples for which both find the same class likeliest; None where there are no classes.
    """

    inputs: str
    against: str
    target: str
    difference: parity.Difference
    tolerance: float
    agreement: float | None = None

    @property
    def passed(self) -> bool:
        return self.difference.within(self.tolerance)

    def to_json(self) -> dict[str, Any]:
        return {
            "what": f"predictions of {self.inputs} inputs",
            "backends": [self.against, self.target],
            "samples": self.difference.samples,
            "difference": _finite(self.difference.relative),
            "absolute_difference": _finite(self.difference.absolute),
            "tolerance": self.tolerance,
            "where": list(self.difference.where),
            "top1_agreement": self.agreement,
            "passed": self.passed,
        }


@dataclass(frozen=True)
class PortReport:
    """What a port did and how it was verified.

    Attributes:
        source: the backend that the model was trained on, "keras" where nothing says.
        target: the name of a backend or a format.
        artifact: what was made, or None when a check failed.
        checks: every comparison of predictions.
        host: the backend that made the artifact.
        training: every comparison of gradients and of one more training step.
        facts: what else `port.json` says: inputs, outputs, labels, preparation, versions.
    """

    source: str
    target: str
    artifact: Path | None
    checks: tuple[Check, ...]
    host: str
    training: tuple[tolerances.BackendCheck, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks) and all(check.passed for check in self.training)

    @property
    def finding(self) -> str:
        """What the checks found, in words; of a port that failed, what of it differs."""
        if not all(check.passed for check in self.checks):
            return "DIFFERENT predictions"
        if not all(check.passed for check in self.training):
            return "the same predictions, but a DIFFERENT training step"
        return "the same predictions"

    @property
    def largest(self) -> parity.Difference:
        """The largest relative difference of the predictions."""
        return max((check.difference for check in self.checks), key=lambda difference: difference.relative)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "verdict": "same" if self.passed else "different",
            "source": self.source,
            "target": self.target,
            "host": self.host,
            "artifact": str(self.artifact) if self.artifact else None,
            "largest_difference": _finite(self.largest.relative),
            "largest_absolute_difference": _finite(self.largest.absolute),
            "checks": [*(check.to_json() for check in self.checks), *(step.to_json() for step in self.training)],
            **self.facts,
        }


def compare_all(
    target: str, against: Mapping[str, str], expected: Mapping[str, Outputs], received: Mapping[str, Outputs]
) -> tuple[Check, ...]:
    """The checks of the answers to several batches, by their names.

    An output's scale is that of its answers to the recorded inputs, where a batch has none that is larger: to random
    inputs a sigmoid may well answer 0.00001 throughout, and a runtime's sigmoid is as exact as floats near 1 are.

    Args:
        target: who is compared.
        against: who gave what is expected, of each batch.

    Raises:
        PortError: there are more or fewer outputs, or one has another shape.
    """
    scales = [parity.scale_of(output) for output in expected.get(RECORDED, ())]
    return tuple(compare(name, against[name], target, expected[name], received[name], scales) for name in expected)


def compare(
    inputs: str, against: str, target: str, expected: Outputs, received: Outputs, scales: Sequence[float] = ()
) -> Check:
    """The check of the answers to one batch: that of the output which is furthest off.

    Args:
        scales: what differences of each output are relative to at least.

    Raises:
        PortError: there are more or fewer outputs, or one has another shape.
    """
    shapes = [output.shape for output in expected], [output.shape for output in received]
    if shapes[0] != shapes[1]:
        raise PortError(f"{target} gives outputs of shapes {shapes[1]} for {inputs} inputs, expected {shapes[0]}")
    checks = [
        Check(inputs, against, target, parity.difference(e, r, scale), parity.tolerance(e.dtype), _agreement(e, r))
        for e, r, scale in zip(expected, received, scales or [0.0] * len(expected), strict=True)
    ]
    return max(checks, key=lambda check: check.difference.relative / check.tolerance)


def _agreement(expected: np.ndarray, received: np.ndarray) -> float | None:
    if expected.ndim < 2 or expected.shape[-1] < 2 or not _are_probabilities(expected):
        return None
    return float((expected.argmax(-1) == received.argmax(-1)).mean())


def _are_probabilities(values: np.ndarray) -> bool:
    return bool((values >= 0).all() and (abs(values.sum(-1, dtype="float64") - 1) < _ADD_UP).all())


def _finite(value: float) -> float | None:
    """As JSON has it; what is no finite number is null."""
    return value if math.isfinite(value) else None
