"""The report of a port: its source and target, and the checks that verified it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.verification import parity, tolerances
from ..errors import PortError
from .quantization.result import Quantization

# The name of the batch that a bundle recorded; its outputs show the usual scale of each output.
RECORDED = "recorded"
Outputs = Sequence[np.ndarray]

# A row counts as probabilities if its sum differs from 1 by less than this.
_SUM_TOLERANCE = 1e-3
# Dtypes of layers whose rounding is larger than that of their outputs.
_COARSE = ("float16", "bfloat16")


@dataclass(frozen=True)
class PredictionCheck:
    """One comparison of predictions on one batch of inputs.

    Attributes:
        inputs: the name of the batch.
        against: the backend or runtime that gave the expected predictions.
        target: the backend or format that is compared with it.
        difference: the largest difference of all outputs.
        tolerance: the relative difference that is allowed.
        agreement: the share of samples with the same most probable class; None if the outputs are not probabilities.
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
            "difference": _finite_or_none(self.difference.relative),
            "absolute_difference": _finite_or_none(self.difference.absolute),
            "tolerance": self.tolerance,
            "where": list(self.difference.where),
            "top1_agreement": self.agreement,
            "passed": self.passed,
        }


@dataclass(frozen=True)
class PortReport:
    """The source, target, artifact and checks of a port.

    Attributes:
        source: the backend that the model was trained on; "keras" if unknown.
        target: the name of a backend or a format.
        artifact: the path of the port, or None if a check failed.
        checks: every comparison of predictions.
        host: the backend that wrote the artifact.
        training: every comparison of gradients and of one more training step.
        quantization: what quantising the artifact saved and lost; None if it was not quantised.
        facts: further entries of `port.json`: inputs, outputs and their kinds, labels, preprocessing, versions.
    """

    source: str
    target: str
    artifact: Path | None
    checks: tuple[PredictionCheck, ...]
    host: str
    training: tuple[tolerances.BackendCheck, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    quantization: Quantization | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed, and quantising lost no more than is allowed."""
        return self.same and (self.quantization is None or self.quantization.passed)

    @property
    def same(self) -> bool:
        """Whether every check passed; those of predictions are of the artifact before it was quantised."""
        return all(check.passed for check in self.checks) and all(check.passed for check in self.training)

    @property
    def finding(self) -> str:
        """The result of the checks in words, for example "the same predictions"."""
        if not all(check.passed for check in self.checks):
            return "DIFFERENT predictions"
        if not all(check.passed for check in self.training):
            return "the same predictions, but a DIFFERENT training step"
        return f"the same predictions; {self.quantization.finding}" if self.quantization else "the same predictions"

    @property
    def largest(self) -> parity.Difference:
        """The largest relative difference of the predictions."""
        return max((check.difference for check in self.checks), key=lambda difference: difference.relative)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "verdict": "same" if self.passed else "less accurate" if self.same else "different",
            "source": self.source,
            "target": self.target,
            "host": self.host,
            "artifact": str(self.artifact) if self.artifact else None,
            "largest_difference": _finite_or_none(self.largest.relative),
            "largest_absolute_difference": _finite_or_none(self.largest.absolute),
            "checks": [*(check.to_json() for check in self.checks), *(step.to_json() for step in self.training)],
            **self.facts,
            **({"quantization": self.quantization.to_json()} if self.quantization else {}),
        }


def compare_batches(
    target: str,
    against: Mapping[str, str],
    expected: Mapping[str, Outputs],
    received: Mapping[str, Outputs],
    dtype: str = "float32",
) -> tuple[PredictionCheck, ...]:
    """Return the checks of several batches.

    Differences are relative to the largest value of an output, in its batch or in the recorded batch. For random inputs
    a sigmoid may return 0.00001 for every sample, but a runtime's sigmoid is only as exact as floats near 1.

    Args:
        target: the backend or format that is compared.
        against: the backend that gave the expected outputs, by batch.
        expected, received: outputs by batch, one array per output.
        dtype: the coarsest that a layer computes in.

    Raises:
        PortError: the number or the shapes of the outputs differ.
    """
    scales = [parity.scale_of(output) for output in expected.get(RECORDED, ())]
    return tuple(
        compare_batch(name, against[name], target, expected[name], received[name], scales, dtype) for name in expected
    )


def compare_batch(
    inputs: str,
    against: str,
    target: str,
    expected: Outputs,
    received: Outputs,
    scales: Sequence[float] = (),
    dtype: str = "float32",
) -> PredictionCheck:
    """Return the check of one batch: that of the output with the largest difference.

    Args:
        scales: the least value that the differences of each output are relative to.
        dtype: the coarsest that a layer computes in: an output in float32 may come from layers in float16.

    Raises:
        PortError: the number or the shapes of the outputs differ.
    """
    shapes = [output.shape for output in expected], [output.shape for output in received]
    if shapes[0] != shapes[1]:
        raise PortError(f"{target} gives outputs of shapes {shapes[1]} for {inputs} inputs, expected {shapes[0]}")
    least = parity.TOLERANCES[dtype] if dtype in _COARSE else 0.0
    checks = [
        PredictionCheck(
            inputs,
            against,
            target,
            parity.difference(e, r, scale),
            max(parity.tolerance(e.dtype), least),
            _agreement(e, r),
        )
        for e, r, scale in zip(expected, received, scales or [0.0] * len(expected), strict=True)
    ]
    return max(checks, key=lambda check: check.difference.relative / check.tolerance)


def _agreement(expected: np.ndarray, received: np.ndarray) -> float | None:
    if expected.ndim < 2 or expected.shape[-1] < 2 or not _are_probabilities(expected):
        return None
    return float((expected.argmax(-1) == received.argmax(-1)).mean())


def _are_probabilities(values: np.ndarray) -> bool:
    return bool((values >= 0).all() and (abs(values.sum(-1, dtype="float64") - 1) < _SUM_TOLERANCE).all())


def _finite_or_none(value: float) -> float | None:
    """Return the value, or None if it is not finite: JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None
