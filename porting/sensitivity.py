"""Measure how far a model's own predictions move by rounding, to tell an ill-conditioned model from a wrong port.

A model may amplify rounding, for example if it normalises values that are nearly equal. Then two correct
implementations predict differently, and so does one of them if its inputs or weights change by a few rounding errors.
Such a change is called a nudge. A port that differs is compared with this movement, sample by sample and output by
output, so that a sensitive sample excuses no other one. A port that is further off than a small multiple is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.verification import parity
from ..storage.safe_json import finite

# A port may be off by this multiple of the model's own movement: the movement is the largest of a few samples of
# rounding, and the rounding of the port is another sample.
MULTIPLE = 4.0

# What is changed to measure a movement. `UNCHANGED` are the outputs that the others are compared with.
# `COMPANY` are those for as many copies of the first sample: a model that mixes samples predicts otherwise for it.
UNCHANGED, COMPANY = "unchanged", "company"
INPUTS, WEIGHTS, LAYERS, BATCH_SIZE = "inputs", "weights", "layer outputs", "batch size"
_CHANGES = {INPUTS: "its inputs change", WEIGHTS: "its weights change", LAYERS: "the outputs of its layers change"}


@dataclass(frozen=True)
class OwnOutputs:
    """A model's outputs for one batch, as they are and after changes that should not matter.

    Attributes:
        nudge: the relative size of the nudges.
        outputs: by change, the outputs of each repetition, one array per output. A change may be missing.
    """

    nudge: float
    outputs: Mapping[str, Sequence[Sequence[np.ndarray]]]


# Returns a model's own outputs by the names of the batches.
PredictNudged = Callable[[Sequence[str]], Mapping[str, OwnOutputs]]


@dataclass(frozen=True)
class Sensitivity:
    """How far a port is off and how far the model itself moves, at the sample with the largest ratio of the two.

    All differences are relative to the scale of the output.

    Attributes:
        sample: the index of the sample.
        difference: the difference of the port.
        moves: the largest movement by change (`INPUTS`, `WEIGHTS`, `LAYERS`, `BATCH_SIZE`).
        counted: the largest movement that counts.
        nudge: the relative size of the nudges.
        limit: `MULTIPLE` times the largest movement of all samples of the batch.
    """

    sample: int
    difference: float
    moves: Mapping[str, float]
    counted: float
    nudge: float
    limit: float

    @property
    def ratio(self) -> float:
        return _ratio(self.difference, self.counted)

    @property
    def explains(self) -> bool:
        """Whether the model is ill-conditioned enough to explain the difference."""
        return self.ratio <= MULTIPLE

    def __str__(self) -> str:
        reasons = [
            f"by {self.moves[change]:.1e} if {what}" for change, what in _CHANGES.items() if change in self.moves
        ]
        nudges = f"{', '.join(reasons)} by {self.nudge:.0e} of their values" if reasons else ""
        alone = f"by {self.moves[BATCH_SIZE]:.1e} if it predicts each sample alone" if BATCH_SIZE in self.moves else ""
        moves = ", and ".join(filter(None, (nudges, alone)))
        return f"the port is off by {self.difference:.1e}; the model itself moves {moves}"

    def to_json(self) -> dict[str, Any]:
        return {
            "sample": self.sample,
            "difference": finite(self.difference),
            "moves": {change: finite(moved) for change, moved in self.moves.items()},
            "nudge": self.nudge,
            "ratio": finite(self.ratio),
            "largest_ratio": MULTIPLE,
        }


def measure(
    expected: np.ndarray, received: np.ndarray, own: OwnOutputs, output: int, scale: float, tolerance: float
) -> Sensitivity | None:
    """Return the sensitivity of one output of one batch; None if nothing was changed.

    Args:
        expected, received: the outputs (n, …) of the model and its port.
        own: the model's own outputs.
        output: the position of this output.
        scale: the value that differences are relative to.
        tolerance: the tolerance of the port.
    """
    moves = {
        change: moved
        for change in (*_CHANGES, BATCH_SIZE)
        if (moved := _movement(own, change, output, scale)) is not None
    }
    counted = [moved for change, moved in moves.items() if change != BATCH_SIZE or not _mixes_samples(own, tolerance)]
    if not counted:
        return None
    largest = np.max(counted, axis=0)
    differences = _by_sample(expected, received, scale)
    ratios = [
        _ratio(difference, moved) if difference > tolerance else 0.0
        for difference, moved in zip(differences, largest, strict=True)
    ]
    sample = int(np.argmax(ratios))
    return Sensitivity(
        sample,
        float(differences[sample]),
        {change: float(moved[sample]) for change, moved in moves.items()},
        float(largest[sample]),
        own.nudge,
        MULTIPLE * float(largest.max()),
    )


def _movement(own: OwnOutputs, change: str, output: int, scale: float) -> np.ndarray | None:
    """Return how far each sample moves by a change, at most; None if it was not measured."""
    unchanged = own.outputs[UNCHANGED][0][output]
    repetitions = [outputs[output] for outputs in own.outputs.get(change, ())]
    if not repetitions or repetitions[0].shape != unchanged.shape:
        return None
    return np.asarray(np.max([_by_sample(unchanged, changed, scale) for changed in repetitions], axis=0))


def _mixes_samples(own: OwnOutputs, tolerance: float) -> bool:
    """Return whether the outputs for a sample depend on the other samples of its batch, as no rounding explains."""
    pairs = zip(own.outputs[UNCHANGED][0], own.outputs[COMPANY][0], strict=True)
    return any(not parity.difference(x[:1], y[:1], parity.scale_of(x)).within(tolerance) for x, y in pairs)


def _by_sample(expected: np.ndarray, received: np.ndarray, scale: float) -> np.ndarray:
    """Return the largest relative difference of each sample."""
    distances = parity.distances(expected, received).reshape(len(expected), -1).max(axis=1)
    if scale:
        return np.asarray(distances / scale)
    return np.where(distances > 0, math.inf, 0.0)


def _ratio(difference: float, moved: float) -> float:
    if math.isinf(moved):
        return 1.0 if math.isinf(difference) else 0.0
    return difference / moved if moved else math.inf
