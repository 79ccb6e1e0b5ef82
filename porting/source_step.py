"""Verify that native source is trained as the Keras model is: by what both answer after one step of gradient descent.

The loss is the mean squared difference from fixed targets, computed as the model answers, without dropout, so that
nothing depends on the names, order and layout of the weights. What the step changes in the answers is compared,
relative to the largest change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import keras_internals, runtime
from ..backends.catalog import Backend
from ..backends.workers import worker
from ..engine.keras_model.interface import pack, tensors_of
from ..engine.verification import parity, tolerances
from ..engine.verification.tolerances import BackendCheck
from . import source_model

if TYPE_CHECKING:
    import keras

WHAT = "change of the answers by a training step"
# Enough samples for a gradient that reaches every weight.
_SAMPLES = 8
# The step changes the weights by this share of their norm, and by several times the rounding of the answers.
_STEP = 0.01
# The least difference that is allowed, relative to the largest change, and how many times as far as from weights that
# are perturbed by their rounding.
_TOLERANCE, _SLACK = 1e-3, 10


@dataclass(frozen=True)
class SourceStep:
    """A step of gradient descent of the Keras model.

    Attributes:
        inputs: a batch, one array per input.
        targets: one array per output; empty for an output of integers, which has no part in the loss.
        rate: the learning rate.
        before, after: the answers to the batch.
        rounding: how far the change of the answers differs from weights that are perturbed by their rounding.
    """

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    rate: float
    before: list[np.ndarray]
    after: list[np.ndarray]
    rounding: float

    def save(self, path: Path) -> None:
        """Write what the native source needs for the same step."""
        arrays = {f"input_{index}": array for index, array in enumerate(self.inputs)}
        arrays |= {f"target_{index}": array for index, array in enumerate(self.targets)}
        np.savez(path, rate=np.float32(self.rate), **arrays)  # type: ignore[arg-type]

    def compare(self, backends: tuple[str, str], received: Sequence[np.ndarray]) -> BackendCheck:
        """Return the check of the answers of the native source after its step."""
        difference = _difference(self.before, self.after, received)
        allowed = max(_TOLERANCE, _SLACK * self.rounding)
        return BackendCheck(WHAT, backends, difference, allowed, "the output with the largest difference")


def _difference(before: Sequence[np.ndarray], after: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Return the largest difference between two changes of the answers, relative to the largest change."""
    changes = [_change(one, two) for one, two in zip(before, after, strict=True)]
    others = [_change(one, two) for one, two in zip(before, other, strict=True)]
    largest = max((float(abs(change).max(initial=0)) for change in changes), default=0.0)
    apart = max(float(abs(one - two).max(initial=0)) for one, two in zip(changes, others, strict=True))
    return apart / largest if largest else apart


def _change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.subtract(after, before, dtype="float64")  # type: ignore[no-any-return]


def step_on(
    host: Backend, path: str, prepared: Sequence[np.ndarray], inputs: Sequence[np.ndarray], size: int | None
) -> SourceStep | str:
    """Take a step of gradient descent with the Keras model on a backend.

    Args:
        host: the backend, in whose worker the model is loaded.
        path: a bundle or a model file.
        prepared: samples as the model takes them, of which the first few are the batch.
        inputs: the same samples as the native code takes them.
        size: the only batch size that the model accepts, or None.

    Returns:
        The step, or why none is compared.
    """
    if not host.trains:
        return f"{host.title} does not train"
    batch, prepared_batch = ([array[: size or _SAMPLES] for array in arrays] for arrays in (inputs, prepared))
    step = worker.get(host.name).call(take_step, path, prepared_batch, batch)
    return step if isinstance(step, str) else SourceStep(**step)


# --- in the worker of the backend that reads the model ---------------------------------------------------------------


def take_step(path: str, prepared: Sequence[np.ndarray], inputs: Sequence[np.ndarray]) -> dict[str, Any] | str:
    """Take a step of gradient descent with the Keras model.

    Args:
        path: a bundle or a model file.
        prepared: a batch as the model takes it.
        inputs: the same batch as the native source takes it.

    Returns:
        The attributes of the step, or why none is compared.
    """
    with runtime.current().corrected_operations():
        step = step_of(source_model.take(path), list(prepared), list(inputs))
    return step if isinstance(step, str) else vars(step)


def step_of(model: keras.Model, prepared: list[np.ndarray], inputs: list[np.ndarray]) -> SourceStep | str:
    """Take a step with a model, which is changed by it; see `take_step`."""
    return _reason(model) or _step(model, prepared, inputs)


def _reason(model: keras.Model) -> str:
    """Return why the step of a model cannot be compared, or nothing."""
    for layer in keras_internals.all_layers(model):
        if getattr(layer, "quantization_mode", None):
            return f"the weights of {layer.name} are quantised"
        if getattr(layer, "activity_regularizer", None) is not None:
            layer.activity_regularizer = None
    for variable in model.trainable_variables:
        variable.regularizer = None  # the source is the network, without what its training adds to the loss
    if not model.trainable_variables:
        return "no weight is trained"
    if any(keras_internals.mask_of(output) is not None for output in model.outputs):
        return "the outputs have a mask, by which Keras weights a loss"
    if not any(str(output.dtype).startswith("float") for output in model.outputs):
        return "no output is a float"
    return ""


def _step(model: keras.Model, prepared: list[np.ndarray], inputs: list[np.ndarray]) -> SourceStep | str:
    before = _answers(model, prepared)
    targets = [_target(array) for array in before]
    losses = ["mean_squared_error" if target.size else None for target in targets]
    model.compile(optimizer="sgd", loss=pack(model, "output", losses))
    weights = [np.array(variable.numpy()) for variable in model.trainable_variables]
    x = pack(model, "input", tensors_of(prepared))
    y = pack(model, "output", tensors_of([target if target.size else before[i] for i, target in enumerate(targets)]))
    gradients = runtime.current().gradients(model, x, y, training=False)[1]
    steepness = _norm(gradients)
    if not steepness or not np.isfinite(steepness):
        return "the gradient is zero or not finite"
    rate = _STEP * _norm(weights) / steepness
    after = _after(model, weights, gradients, rate, prepared)
    perturbed = tolerances.perturb(weights, "float32", seed=0)
    _assign(model, perturbed)
    other_before = _answers(model, prepared)
    other = runtime.current().gradients(model, x, y, training=False)[1]
    other_after = _after(model, perturbed, other, rate, prepared)
    moved = [
        one if one.dtype == np.bool_ else one + (two - base)  # a step moves no truth value by an amount
        for one, two, base in zip(before, other_after, other_before, strict=True)
    ]
    return SourceStep(inputs, targets, rate, before, after, _difference(before, after, moved))


def _norm(arrays: Sequence[np.ndarray]) -> float:
    return float(np.sqrt(sum((array.astype("float64") ** 2).sum() for array in arrays)))


def _after(
    model: keras.Model, weights: list[np.ndarray], gradients: list[np.ndarray], rate: float, inputs: list[np.ndarray]
) -> list[np.ndarray]:
    """Return the answers after the step."""
    _assign(model, [weight - rate * gradient for weight, gradient in zip(weights, gradients, strict=True)])
    return _answers(model, inputs)


def _assign(model: keras.Model, values: list[np.ndarray]) -> None:
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)


def _answers(model: keras.Model, inputs: list[np.ndarray]) -> list[np.ndarray]:
    import keras

    outputs = model(pack(model, "input", tensors_of(inputs)), training=False)
    return [np.array(keras.ops.convert_to_numpy(output)) for output in keras.tree.flatten(outputs)]


def _target(answers: np.ndarray) -> np.ndarray:
    """Return targets that differ from place to place, within the range of the answers; none for integers."""
    if answers.dtype.kind != "f":
        return np.zeros(0, "float32")
    pattern = np.cos(np.arange(answers.size, dtype="float64")).reshape(answers.shape)
    return np.asarray(parity.scale_of(answers) * pattern, answers.dtype)
