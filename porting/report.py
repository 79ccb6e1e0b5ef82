"""The report of a port: its source and target, and the checks that verified it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.verification import parity, tolerances
from ..errors import PortError
from ..notebook.elements import to_html
from ..notebook.parts import heading, table, verdict
from .quantization.result import Quantization
from .sensitivity import OwnOutputs, PredictNudged, Sensitivity, measure

# The name of the batch that a bundle recorded; its outputs show the usual scale of each output.
RECORDED = "recorded"
Outputs = Sequence[np.ndarray]

# The verdicts, from best to worst. An ill-conditioned model moves as far by rounding as its port is off.
SAME, ILL_CONDITIONED, DIFFERENT = VERDICTS = "same", "ill-conditioned", "different"
# The verdict of an artifact that was right, and that quantising made worse than is allowed.
LESS_ACCURATE = "less accurate"

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
        sensitivity: how far the model itself moves by rounding; None if the check passed, or it was not measured.
    """

    inputs: str
    against: str
    target: str
    difference: parity.Difference
    tolerance: float
    agreement: float | None = None
    sensitivity: Sensitivity | None = None

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference.within(self.tolerance)

    @property
    def verdict(self) -> str:
        """`SAME`; `ILL_CONDITIONED` if the model itself moves as far; or `DIFFERENT`."""
        if self.passed:
            return SAME
        return ILL_CONDITIONED if self.sensitivity and self.sensitivity.explains else DIFFERENT

    @property
    def severity(self) -> tuple[int, float]:
        """A key that sorts checks from the best to the worst."""
        ratio = self.sensitivity.ratio if self.sensitivity else self.difference.relative / self.tolerance
        return VERDICTS.index(self.verdict), ratio

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
            "verdict": self.verdict,
            **({"sensitivity": self.sensitivity.to_json()} if self.sensitivity else {}),
        }


@dataclass(frozen=True)
class PortReport:
    """The source, target, artifact and checks of a port.

    Attributes:
        source: the backend that the model was trained on; "keras" if unknown.
        target: the name of a backend or a format.
        artifact: the path of the port, or None if the verdict is "different".
        checks: every comparison of predictions.
        host: the backend that wrote the artifact.
        training: every comparison of gradients and of one more training step.
        quantization: what quantising the artifact saved and lost; None if it was not quantised.
        facts: further entries of `port.json`: inputs, outputs and their kinds, labels, preprocessing, versions.
        constant_outputs: whether each output is the same for all checked inputs (see `find_constant_outputs`).
    """

    source: str
    target: str
    artifact: Path | None
    checks: tuple[PredictionCheck, ...]
    host: str
    training: tuple[tolerances.BackendCheck, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    quantization: Quantization | None = None
    constant_outputs: tuple[bool, ...] = ()

    @property
    def verdict(self) -> str:
        """`SAME`, `ILL_CONDITIONED`, `LESS_ACCURATE` or `DIFFERENT`: the worst of all checks."""
        if self.same and self.quantization is not None and not self.quantization.passed:
            return LESS_ACCURATE
        return self._worst

    @property
    def passed(self) -> bool:
        """Whether the port was written: the verdict is neither `DIFFERENT` nor `LESS_ACCURATE`."""
        return self.verdict in (SAME, ILL_CONDITIONED)

    @property
    def same(self) -> bool:
        """Whether no check found another model; those of predictions are of the artifact before it was quantised."""
        return self._worst != DIFFERENT

    @property
    def _worst(self) -> str:
        if not all(check.passed for check in self.training):
            return DIFFERENT
        return max((check.verdict for check in self.checks), key=VERDICTS.index)

    @property
    def finding(self) -> str:
        """The result of the checks in words, for example "the same predictions"."""
        worst = max(self.checks, key=lambda check: check.severity)
        predictions = {
            SAME: "the same predictions",
            ILL_CONDITIONED: "ILL-CONDITIONED predictions",
            DIFFERENT: "DIFFERENT predictions",
        }[worst.verdict]
        training = "" if all(check.passed for check in self.training) else ", but a DIFFERENT training step"
        measured = f" (for {worst.inputs} inputs, {worst.sensitivity})" if worst.sensitivity else ""
        quantization = f"; {self.quantization.finding}" if self.quantization and self.same else ""
        return f"{predictions}{training}{measured}{self._vacuity()}{quantization}{self._otherwise()}"

    def _otherwise(self) -> str:
        """Say what the port trains otherwise."""
        return "".join(f"; TRAINED OTHERWISE: {sentence}" for sentence in self.facts.get("trained_otherwise", ()))

    def _vacuity(self) -> str:
        """Say which outputs the checks tell nothing about."""
        if not any(self.constant_outputs) or not self.same:
            return ""
        numbers = " and ".join(str(position + 1) for position in self._constant_positions())
        outputs = "the outputs do" if all(self.constant_outputs) else f"output {numbers} does"
        return f", but {outputs} not depend on the inputs"

    def _constant_positions(self) -> list[int]:
        return [position for position, is_constant in enumerate(self.constant_outputs) if is_constant]

    @property
    def largest(self) -> parity.Difference:
        """The largest relative difference of the predictions."""
        return max((check.difference for check in self.checks), key=lambda difference: difference.relative)

    def __repr__(self) -> str:
        """Return the result in one line, as `trivium port` prints it."""
        outcome = f"kept as {self.artifact}" if self.passed else "nothing kept"
        return f"{self.source} → {self.target}: {self.finding}, {outcome}"

    def _repr_html_(self) -> str:
        numbers = ("samples", "difference", "allowed")
        rows = [*map(_prediction_cells, self.checks), *map(_training_cells, self.training)]
        failed = [*(not check.passed for check in self.checks), *(not check.passed for check in self.training)]
        return to_html(
            heading(f"port {self.source} → {self.target}", str(self.artifact or "not written")),
            verdict(self.passed, self.finding),
            table(("compared", "samples", "against", "difference", "allowed"), rows, numbers=numbers, failed=failed),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "verdict": self.verdict,
            "finding": self.finding,
            "constant_outputs": self._constant_positions(),
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


def _prediction_cells(check: PredictionCheck) -> list[object]:
    sizes = f"{check.difference.relative:.1e}", f"{check.tolerance:.0e}"
    return [f"predictions of {check.inputs} inputs", check.difference.samples, check.against, *sizes]


def _training_cells(check: tolerances.BackendCheck) -> list[object]:
    return [check.what, None, check.backends[0], f"{check.difference:.1e}", f"{check.tolerance:.0e}"]


def compare_batches(
    target: str,
    against: Mapping[str, str],
    expected: Mapping[str, Outputs],
    received: Mapping[str, Outputs],
    dtype: str = "float32",
    predict_nudged: PredictNudged | None = None,
) -> tuple[PredictionCheck, ...]:
    """Return the checks of several batches.

    Differences are relative to the largest value of an output, in its batch or in the recorded batch. For random inputs
    a sigmoid may return 0.00001 for every sample, but a runtime's sigmoid is only as exact as floats near 1.

    Args:
        target: the backend or format that is compared.
        against: the backend that gave the expected outputs, by batch.
        expected, received: outputs by batch, one array per output.
        dtype: the coarsest that a layer computes in.
        predict_nudged: measures how far the source itself moves by rounding, for batches whose outputs differ.

    Raises:
        PortError: the number or the shapes of the outputs differ.
    """
    scales = [parity.scale_of(output) for output in expected.get(RECORDED, ())]

    def compare(name: str, own: OwnOutputs | None = None) -> PredictionCheck:
        return compare_batch(name, against[name], target, expected[name], received[name], scales, dtype, own)

    checks = {name: compare(name) for name in expected}
    failed = [name for name, check in checks.items() if not check.passed]
    if failed and predict_nudged:
        checks |= {name: compare(name, own) for name, own in predict_nudged(failed).items()}
    return tuple(checks.values())


def compare_batch(
    inputs: str,
    against: str,
    target: str,
    expected: Outputs,
    received: Outputs,
    scales: Sequence[float] = (),
    dtype: str = "float32",
    own: OwnOutputs | None = None,
) -> PredictionCheck:
    """Return the check of one batch: that of the output with the worst verdict, or else with the largest difference.

    Args:
        scales: the least value that the differences of each output are relative to.
        dtype: the coarsest that a layer computes in: an output in float32 may come from layers in float16.
        own: how far the source itself moves by rounding for this batch, if it was measured.

    Raises:
        PortError: the number or the shapes of the outputs differ.
    """
    shapes = [output.shape for output in expected], [output.shape for output in received]
    if shapes[0] != shapes[1]:
        raise PortError(f"{target} gives outputs of shapes {shapes[1]} for {inputs} inputs, expected {shapes[0]}")
    least = parity.TOLERANCES[dtype] if dtype in _COARSE else 0.0
    checks = []
    for position, (e, r) in enumerate(zip(expected, received, strict=True)):
        least_scale = scales[position] if scales else 0.0
        difference, allowed = parity.difference(e, r, least_scale), max(parity.tolerance(e.dtype), least)
        sensitivity = None
        if own and not difference.within(allowed):
            sensitivity = measure(e, r, own, position, max(parity.scale_of(e), least_scale), allowed)
        checks.append(PredictionCheck(inputs, against, target, difference, allowed, _agreement(e, r), sensitivity))
    worst = max(checks, key=lambda check: check.severity)
    if worst.sensitivity is None:
        return worst
    limit = max(check.sensitivity.limit for check in checks if check.sensitivity)
    return replace(worst, sensitivity=replace(worst.sensitivity, limit=limit))


def find_constant_outputs(expected: Mapping[str, Outputs]) -> tuple[bool, ...]:
    """Return for each output whether it is the same for all samples of all batches, up to the tolerance.

    The weights of such a model, or a part of it, are dead: that a port predicts the same says little about it.
    """
    return tuple(_is_constant(outputs) for outputs in zip(*expected.values(), strict=True))


def _is_constant(batches: Sequence[np.ndarray]) -> bool:
    first = batches[0][:1]
    if any(batch.shape[1:] != first.shape[1:] for batch in batches):
        return False
    scale = max(map(parity.scale_of, batches))
    distance = max(float(parity.distances(np.broadcast_to(first, batch.shape), batch).max()) for batch in batches)
    return distance <= parity.tolerance(first.dtype) * scale


def _agreement(expected: np.ndarray, received: np.ndarray) -> float | None:
    if expected.ndim < 2 or expected.shape[-1] < 2 or not _are_probabilities(expected):
        return None
    return float((expected.argmax(-1) == received.argmax(-1)).mean())


def _are_probabilities(values: np.ndarray) -> bool:
    return bool((values >= 0).all() and (abs(values.sum(-1, dtype="float64") - 1) < _SUM_TOLERANCE).all())


def _finite_or_none(value: float) -> float | None:
    """Return the value, or None if it is not finite: JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None
