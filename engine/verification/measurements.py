"""Measure a model on one backend: layer outputs, losses, gradients, weights.

All functions here run in a worker, under that worker's backend, on variables and batches that the parent sends and that
are the same for all backends. The results are compared in `verification.py`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...backends.same_run.operations import portable_operations
from ...backends.same_run.portable_random import portable_draws
from ...backends.workers.worker import report
from ..keras_model.inference import reset_states
from . import tolerances
from .model_under_test import (
    ModelUnderTest,
    StepBatches,
    batch_at,
    build,
    coarsest_dtype,
    flat_layers,
    fresh_keras,
    make_batches,
)
from .tolerances import NamedArrays

if TYPE_CHECKING:
    import keras

_BEFORE_ACTIVATION = " before its activation"


def prepare(fields: dict[str, Any], steps: int) -> dict[str, Any]:
    """Return what all backends start from: `{"batches", "variables"}`, with this backend's initial variables."""
    model_under_test = ModelUnderTest(**fields)
    with fresh_keras(model_under_test.float64):
        model, data = build(model_under_test)
        return {"batches": make_batches(model_under_test, model, data, steps), "variables": _named(model.variables)}


def measure_inference(
    fields: dict[str, Any], batches: StepBatches, variables: NamedArrays, before_activation: bool = False
) -> dict[str, Any]:
    """Measure what a backend that cannot train computes: `own`, `dtype`, `passes` and `loss`, as in `measure`.

    And `outputs`: those for the first batch.
    """
    with _built_model(fields) as model:
        own = _named(model.variables)
        if not tolerances.have_one_shape(own, variables):
            return {"own": own}
        assign(model, variables)
        report(kind="verify", stage="layers and loss", done=0, total=1)
        x, y = batch_at(model, batches, 0)
        passes = {
            mode: _forward_twice(model, x, before_activation, training=mode == "training")
            for mode in ("training", "inference")
        }
        results = {"passes": passes, "loss": _loss(model, x, y), "outputs": _predict(model, x)}
        return {"own": own, "dtype": coarsest_dtype(model), **results}


def measure(
    fields: dict[str, Any], batches: StepBatches, variables: NamedArrays, before_activation: bool = False
) -> dict[str, Any]:
    """Measure everything that is compared, on a model that starts from `variables`.

    Args:
        fields: those of the `ModelUnderTest`.
        batches: of all steps.
        variables: initial values of all variables of the model, with their names.
        before_activation: whether `passes` has what each layer applies its activation to, too.

    Returns:
        `own`: this backend's own initial variables, with their names. If their shapes differ from those of
            `variables`, this is the only key.
        `dtype`: the coarsest dtype that a layer computes in.
        `passes`: by mode, two forward passes on the first batch: the outputs of every layer, in order of computation.
        `loss`, `gradients`: of the first batch.
        `updated`: the weights after one step.
        `losses`: the loss of each step.
        `predictions`: the outputs for the first batch, after the last step.
        `deviations`: a sentence for each kind of layer that this backend is known to train otherwise.
    """
    with _built_model(fields) as model:
        own = _named(model.variables)
        if not tolerances.have_one_shape(own, variables):
            return {"own": own}
        assign(model, variables)
        report(kind="verify", stage="layers and gradients", done=0, total=len(batches["x"][0]))
        evidence = {"own": own, "dtype": coarsest_dtype(model), **_measure_batch(model, batches, 0, before_activation)}
        x, _ = batch_at(model, batches, 0)
        evidence["passes"] |= {"inference": _forward_twice(model, x, before_activation, training=False)}
        losses, updated = _train(model, batches)
        return {
            **evidence,
            "losses": np.array(losses),
            "updated": updated,
            "predictions": _predict(model, x),
            "deviations": runtime.current().deviations(model),
        }


def train_until(fields: dict[str, Any], batches: StepBatches, variables: NamedArrays, step: int) -> dict[str, Any]:
    """Train for the steps before `step`, counted from 0. Return all `variables`, and the `weights` with their names."""
    with _built_model(fields) as model:
        assign(model, variables)
        _train(model, {side: [values[:step] for values in arrays] for side, arrays in batches.items()})
        return {"variables": _named(model.variables), "weights": _named(model.weights)}


def measure_step(fields: dict[str, Any], batches: StepBatches, variables: NamedArrays, step: int) -> dict[str, Any]:
    """Return `passes` (in training mode), `loss` and `gradients` on one step's batch, for a model with `variables`."""
    with _built_model(fields) as model:
        assign(model, variables)
        return _measure_batch(model, batches, step)


def measure_metrics(
    fields: dict[str, Any], batches: StepBatches, predictions: list[np.ndarray]
) -> dict[str, NamedArrays]:
    """Return as `metrics` the values of the compiled metrics for the targets of all steps and the same predictions.

    A metric such as the accuracy jumps where two outputs are nearly equal. So it is compared for the same predictions,
    and those of each backend are compared before.

    Args:
        predictions: the outputs for one batch, in the order of the model's outputs.
    """
    import keras

    with _built_model(fields) as model:
        x, _ = batch_at(model, batches, 0)
        tensors = [keras.ops.convert_to_tensor(array) for array in predictions]
        outputs = keras.tree.pack_sequence_as(model(x, training=False), tensors)
        model.reset_metrics()
        for step in range(len(batches["x"][0])):
            model.compute_metrics(*batch_at(model, batches, step), outputs)
        values = {name: value for name, value in model.get_metrics_result().items() if name != "loss"}
        return {"metrics": [(f"metric {name}", _array(value)) for name, value in values.items()]}


@contextlib.contextmanager
def _built_model(fields: dict[str, Any]) -> Iterator[keras.Model]:
    """Build the model. Within the context, all backends share precision, dropout masks, and loss functions."""
    model_under_test = ModelUnderTest(**fields)
    with fresh_keras(model_under_test.float64):
        model, _ = build(model_under_test)
        with portable_draws(), portable_operations():
            yield model


def _measure_batch(
    model: keras.Model, batches: StepBatches, step: int, before_activation: bool = False
) -> dict[str, Any]:
    x, y = batch_at(model, batches, step)
    passes = {"training": _forward_twice(model, x, before_activation, training=True)}
    loss, gradients = runtime.current().gradients(model, x, y)
    named = [(v.path, gradient) for v, gradient in zip(model.trainable_variables, gradients, strict=True)]
    return {"passes": passes, "loss": loss, "gradients": named}


def _forward_twice(model: keras.Model, x: Any, before_activation: bool = False, *, training: bool) -> list[NamedArrays]:
    """Run the same forward pass twice: a difference comes from a random generator that trivium does not control."""
    return [_forward(model, x, before_activation, training=training) for _ in range(2)]


def _forward(model: keras.Model, x: Any, before_activation: bool, *, training: bool) -> NamedArrays:
    """Return the outputs of each layer for one batch, in order of computation. The model's state does not change."""
    current = runtime.current()
    reset_states(model)
    with (
        runtime.unchanged(model),
        current.carry_rnn_states(model),
        _record_outputs(model, before_activation) as outputs,
    ):
        model(x, training=training)
    return outputs


@contextlib.contextmanager
def _record_outputs(model: keras.Model, before_activation: bool) -> Iterator[NamedArrays]:
    """Record the outputs of every layer that the model calls within the context."""
    outputs: NamedArrays = []
    layers = {id(layer): layer for layer in flat_layers(model)}.values()
    activations = {}
    for layer in layers:
        layer.call = functools.partial(_call_and_record, layer.call, layer_record(layer.name), outputs)
        if before_activation and callable(vars(layer).get("activation")):  # a recurrent layer shows that of its cell
            activations[layer] = layer.activation
            name = activation_record(layer.name)
            layer.activation = functools.partial(_record_and_apply, layer.activation, name, outputs)
    try:
        yield outputs
    finally:
        for layer in layers:
            del layer.call
        for layer, activation in activations.items():
            layer.activation = activation


def layer_record(name: str) -> str:
    """Return the name under which a layer's outputs are recorded."""
    return f"layer {name}"


def activation_record(name: str) -> str:
    """Return the name under which that is recorded which a layer applies its activation to."""
    return f"{layer_record(name)}{_BEFORE_ACTIVATION}"


def layer_of_record(record: str) -> tuple[str, bool]:
    """Return the name of the layer of a record, and whether the record is what the layer returns."""
    name = record.removeprefix(layer_record(""))
    return name.removesuffix(_BEFORE_ACTIVATION), not name.endswith(_BEFORE_ACTIVATION)


def _record_and_apply(activation: Any, name: str, recorded: NamedArrays, values: Any) -> Any:
    recorded.append((name, _array(values)))
    return activation(values)


def _call_and_record(call: Any, name: str, recorded: NamedArrays, *arguments: Any, **keywords: Any) -> Any:
    import keras

    outputs = call(*arguments, **keywords)
    # A shared layer, or one with several outputs, is recorded more than once.
    recorded += [(name, _array(output)) for output in keras.tree.flatten(outputs) if keras.ops.is_tensor(output)]
    return outputs


def _train(model: keras.Model, batches: StepBatches) -> tuple[list[float], NamedArrays]:
    """Train on all batches. Return the loss of each step, and the weights after the first step."""
    losses: list[float] = []
    updated: NamedArrays = []
    weights = model.weights  # read before the context: within it, RNN states may count as weights
    steps = len(batches["x"][0])
    reset_states(model)
    with runtime.current().carry_rnn_states(model), runtime.current().dense_gradients(model):
        for step in range(steps):
            x, y = batch_at(model, batches, step)
            model.reset_metrics()  # otherwise some backends return the mean over all steps
            logs = model.train_on_batch(x, y, return_dict=True)
            # A model with metrics of its own may leave its loss out of the logs.
            losses.append(float(logs["loss"]) if "loss" in logs else _loss(model, x, y))
            updated = updated or _named(weights)
            report(kind="verify", stage=f"step {step + 1} of {steps}", done=step + 1, total=steps)
    return losses, updated


def _loss(model: keras.Model, x: Any, y: Any) -> float:
    """Return the loss of a batch in training mode. The model's state does not change."""
    with runtime.unchanged(model):
        return float(model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True))


def _predict(model: keras.Model, x: Any) -> NamedArrays:
    import keras

    reset_states(model)
    with runtime.current().carry_rnn_states(model):
        outputs = keras.tree.flatten(model.predict_on_batch(x))
    names = getattr(model, "output_names", ["the output"])  # a Sequential has one output, without a name
    return [(name, _array(output)) for name, output in zip(names, outputs, strict=True)]


def assign(model: keras.Model, variables: NamedArrays) -> None:
    """Assign another backend's variables to those of the same name, including the states of random generators."""
    pairs = tolerances.pairs_by_name(_named(model.variables), variables)
    for variable, (_, _, value) in zip(model.variables, pairs, strict=True):
        variable.assign(value)


def _named(variables: list[keras.Variable]) -> NamedArrays:
    return [(variable.path, _array(variable)) for variable in variables]


def _array(value: Any) -> np.ndarray:
    """Return a copy as a NumPy array. Dtypes that NumPy lacks, such as bfloat16, become float32."""
    import keras

    array = np.array(keras.ops.convert_to_numpy(value))
    return array if array.dtype.kind in "fiub" else array.astype("float32")


def versions() -> dict[str, str]:
    """Return the versions of Keras and of this backend's framework and its libraries."""
    import keras

    return {"keras": keras.__version__, **runtime.current().versions()}
