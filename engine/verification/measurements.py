"""What one backend gives for a model: the evidence that a verification judges.

Everything here runs in a worker, under the backend that is asked, on the variables and batches that the parent sends,
which are the same for all. It compares nothing: that is done in `verification.py`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...backends.same_run.crossentropy import owned_losses
from ...backends.same_run.portable_random import owned_draws
from ...backends.workers.worker import report
from ..keras_model.inference import reset_states
from . import parity
from .model_under_test import Batches, Specimen, batch, batches_for, build, flat_layers, fresh_keras

if TYPE_CHECKING:
    import keras

# What has a name: a layer's outputs, a variable's value or gradient.
Named = list[tuple[str, np.ndarray]]


def prepare(specimen: dict[str, Any], steps: int) -> dict[str, Any]:
    """What all backends are given: `{"batches", "variables"}`, the variables as this backend has made them."""
    made = Specimen(**specimen)
    with fresh_keras(made.float64):
        model, data = build(made)
        return {"batches": batches_for(made, model, data, steps), "variables": _values(model.variables)}


def gather(specimen: dict[str, Any], batches: Batches, variables: list[np.ndarray]) -> dict[str, Any]:
    """All that is compared, from a model that starts with the given variables.

    Returns:
        `own`: the variables that this backend has made, with their names; where their shapes are not those of the
            given ones, nothing else.
        `dtype`: the coarsest that a layer computes in.
        `passes`: by mode, each twice, what every layer gives for the first batch, in the order of the computation.
        `loss`, `gradients`: of the first batch.
        `updated`: the weights after one step. `losses`: of each step. `predictions`: for the first batch, after the
            last step.
    """
    with _model_of(specimen) as model:
        own = _named(model.variables)
        if [value.shape for _, value in own] != [value.shape for value in variables]:
            return {"own": own}
        _carry(model, variables)
        report(kind="verify", stage="layers and gradients", done=0, total=len(batches["x"][0]))
        found = {"own": own, "dtype": _coarsest_dtype(model), **_at_once(model, batches, 0)}
        x, _ = batch(model, batches, 0)
        found["passes"] |= {"inference": _twice(model, x, training=False)}
        losses, updated = _train(model, batches)
        return {**found, "losses": np.array(losses), "updated": updated, "predictions": _predict(model, x)}


def variables_before(
    specimen: dict[str, Any], batches: Batches, variables: list[np.ndarray], step: int
) -> dict[str, Any]:
    """After the steps before `step`, which counts from 0: all `variables`, and the `weights` with their names."""
    with _model_of(specimen) as model:
        _carry(model, variables)
        _train(model, {side: [values[:step] for values in arrays] for side, arrays in batches.items()})
        return {"variables": _values(model.variables), "weights": _named(model.weights)}


def at_step(specimen: dict[str, Any], batches: Batches, variables: list[np.ndarray], step: int) -> dict[str, Any]:
    """`passes` (training only), `loss` and `gradients` of one step's batch, from a model with the given variables."""
    with _model_of(specimen) as model:
        _carry(model, variables)
        return _at_once(model, batches, step)


@contextlib.contextmanager
def _model_of(specimen: dict[str, Any]) -> Iterator[keras.Model]:
    """The model, and for the time of the context the precision, dropout masks and losses that all backends share."""
    made = Specimen(**specimen)
    with fresh_keras(made.float64):
        model, _ = build(made)
        with owned_draws(), owned_losses():
            yield model


def _at_once(model: keras.Model, batches: Batches, step: int) -> dict[str, Any]:
    x, y = batch(model, batches, step)
    passes = {"training": _twice(model, x, training=True)}
    loss, gradients = runtime.current().gradients(model, x, y)
    named = [(v.path, gradient) for v, gradient in zip(model.trainable_variables, gradients, strict=True)]
    return {"passes": passes, "loss": loss, "gradients": named}


def _twice(model: keras.Model, x: Any, *, training: bool) -> list[Named]:
    """The same pass two times over: what differs was drawn by something that trivium does not know of."""
    return [_forward(model, x, training=training) for _ in range(2)]


def _forward(model: keras.Model, x: Any, *, training: bool) -> Named:
    """The outputs of each layer for one batch, in the order they were computed; the model is left as it was."""
    current = runtime.current()
    reset_states(model)
    with runtime.unchanged(model), current.remembering(model), _recorded(model) as seen:
        model(x, training=training)
    return seen


@contextlib.contextmanager
def _recorded(model: keras.Model) -> Iterator[Named]:
    """Collect the outputs of every layer that the model calls within the context."""
    seen: Named = []
    layers = {id(layer): layer for layer in flat_layers(model)}.values()
    for layer in layers:
        layer.call = functools.partial(_noting, layer.call, f"layer {layer.name}", seen)
    try:
        yield seen
    finally:
        for layer in layers:
            del layer.call


def _noting(call: Any, name: str, seen: Named, *arguments: Any, **keywords: Any) -> Any:
    import keras

    outputs = call(*arguments, **keywords)
    # A layer that is shared, or that has several outputs, is here more than once.
    seen += [(name, _array(output)) for output in keras.tree.flatten(outputs) if keras.ops.is_tensor(output)]
    return outputs


def _train(model: keras.Model, batches: Batches) -> tuple[list[float], Named]:
    """The loss of each step, and the weights after the first one."""
    losses: list[float] = []
    updated: Named = []
    weights = model.weights  # asked for now: what remembers may count its states among them
    steps = len(batches["x"][0])
    reset_states(model)
    with runtime.current().remembering(model):
        for step in range(steps):
            x, y = batch(model, batches, step)
            model.reset_metrics()  # else some backends give the mean over all steps
            losses.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
            updated = updated or _named(weights)
            report(kind="verify", stage=f"step {step + 1} of {steps}", done=step + 1, total=steps)
    return losses, updated


def _predict(model: keras.Model, x: Any) -> Named:
    import keras

    reset_states(model)
    with runtime.current().remembering(model):
        outputs = keras.tree.flatten(model.predict_on_batch(x))
    names = getattr(model, "output_names", ["the output"])  # a plain stack has one, without a name
    return [(name, _array(output)) for name, output in zip(names, outputs, strict=True)]


def _carry(model: keras.Model, variables: list[np.ndarray]) -> None:
    """Give the model another backend's variables, the states of its random generators among them."""
    for variable, value in zip(model.variables, variables, strict=True):
        variable.assign(value)


def _coarsest_dtype(model: keras.Model) -> str:
    """The dtype with the largest tolerance among those that the layers compute in."""
    dtypes = {str(layer.compute_dtype) for layer in flat_layers(model)} & parity.TOLERANCES.keys()
    return max(dtypes, key=parity.TOLERANCES.__getitem__, default="float32")


def _named(variables: list[keras.Variable]) -> Named:
    return [(variable.path, _array(variable)) for variable in variables]


def _values(variables: list[keras.Variable]) -> list[np.ndarray]:
    return [_array(variable) for variable in variables]


def _array(value: Any) -> np.ndarray:
    """A copy that nothing overwrites; what NumPy has no name for, such as bfloat16, as float32."""
    import keras

    found = np.array(keras.ops.convert_to_numpy(value))
    return found if found.dtype.kind in "fiub" else found.astype("float32")
