"""Predict with a model after changes that should not matter: nudged inputs, weights and layers, and other batch sizes.

The results show how far the model moves by rounding (see `sensitivity.py`). A Keras model is measured in the worker of
a backend. Of a network of another framework, only the inputs and the batch size are changed, in its own runtime.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import runtime
from ..backends.workers import worker
from ..engine.keras_model.inference import as_floats, fixed_batch, reset_states
from ..engine.keras_model.interface import pack, tensors_of
from ..engine.verification import parity
from ..engine.verification.model_under_test import coarsest_dtype, flat_layers
from . import source_model
from .artifact_runtimes import NamedBatches
from .sensitivity import BATCH_SIZE, COMPANY, INPUTS, LAYERS, UNCHANGED, WEIGHTS, OwnOutputs, PredictNudged

if TYPE_CHECKING:
    import keras

# The size of a nudge as a fraction of the tolerance: 1e-6 in float32, which is eight units in the last place.
_FRACTION = 0.1
_DRAWS = 3


# --- changes of the inputs ------------------------------------------------------------------------------------------


def nudge_size(dtype: str) -> float:
    """Return the relative size of a nudge for layers that compute in a dtype."""
    return _FRACTION * parity.tolerance(dtype)


def nudged(values: np.ndarray, size: float, seed: int) -> np.ndarray:
    """Return floats changed by a relative size, up or down at random. Integers and zeros stay as they are.

    Whole numbers never move towards zero: they may be the numbers of words, and 2.99 would be another word than 3.
    """
    if values.dtype.kind != "f":
        return values
    up = np.random.default_rng(seed).integers(0, 2, values.shape, dtype=np.bool_)
    up |= values == np.rint(values)
    larger, smaller = np.asarray([1 + size, 1 - size], values.dtype)
    return np.asarray(values * np.where(up, larger, smaller))


def nudged_input(values: np.ndarray, size: float, seed: int) -> np.ndarray:
    """Return nudged samples. Zeros change in a sample that is all zeros, relative to the largest value of the batch.

    Other zeros stay as they are, since they may mean padding.
    """
    if values.dtype.kind != "f":
        return values
    ones = nudged(np.ones_like(values), size, seed)
    shifts = np.where(_are_all_zero(values), parity.scale_of(values) * (ones - 1), 0)
    return np.asarray(nudged(values, size, seed) + shifts, values.dtype)


def _are_all_zero(values: np.ndarray) -> np.ndarray:
    """Return whether each sample is all zeros, with as many axes as `values`."""
    if values.ndim < 2:
        return np.zeros_like(values, bool)
    return np.asarray((values == 0).all(axis=tuple(range(1, values.ndim)), keepdims=True))


def nudged_batches(arrays: Sequence[np.ndarray], size: float) -> list[list[np.ndarray]]:
    """Return a batch with nudged inputs several times; empty if no input is a float."""
    if all(array.dtype.kind != "f" for array in arrays):
        return []
    return [[nudged_input(x, size, draw * len(arrays) + i) for i, x in enumerate(arrays)] for draw in range(_DRAWS)]


def copies_of_first(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return a batch of the same size that has the first sample only."""
    return [np.repeat(x[:1], len(x), axis=0) for x in arrays]


# --- models that are measured ---------------------------------------------------------------------------------------


def of_keras_model(backend: str, path: str, batches: NamedBatches, announce: Callable[[str], None]) -> PredictNudged:
    """Return a function that measures a Keras model in the worker of a backend.

    Args:
        path: a bundle or a model file.
        batches: preprocessed batches by name.
        announce: called with the stage.
    """

    def predict(names: Sequence[str]) -> dict[str, OwnOutputs]:
        announce("measuring how far rounding moves the model itself")
        selected = {name: batches[name] for name in names}
        own = worker.get(backend).call(predict_nudged, path, selected)
        return {name: OwnOutputs(own["nudge"], outputs) for name, outputs in own["outputs"].items()}

    return predict


def of_network(run: Callable[[NamedBatches], NamedBatches], batches: NamedBatches, fixed_batch: bool) -> PredictNudged:
    """Return a function that measures a network of another framework, of which only the inputs can be changed.

    Args:
        run: returns the network's outputs for batches.
        batches: batches by name.
        fixed_batch: whether the network takes one batch size only.
    """

    def predict(names: Sequence[str]) -> dict[str, OwnOutputs]:
        return {name: _own_outputs(run, batches[name], fixed_batch) for name in names}

    return predict


def _own_outputs(
    run: Callable[[NamedBatches], NamedBatches], arrays: Sequence[np.ndarray], fixed_batch: bool
) -> OwnOutputs:
    size, count = nudge_size("float32"), len(arrays[0])
    variants = {f"{INPUTS} {draw}": changed for draw, changed in enumerate(nudged_batches(arrays, size))}
    alone = {f"{BATCH_SIZE} {i}": [x[i : i + 1] for x in arrays] for i in range(0 if fixed_batch else count)}
    outputs = run(
        {UNCHANGED: list(arrays), COMPANY: copies_of_first(arrays), **variants, **(alone if count > 1 else {})}
    )
    parts = [outputs[name] for name in alone if name in outputs]
    return OwnOutputs(
        size,
        {
            **{name: [outputs[name]] for name in (UNCHANGED, COMPANY)},
            INPUTS: [outputs[name] for name in variants],
            BATCH_SIZE: [[np.concatenate(output) for output in zip(*parts, strict=True)]] if parts else [],
        },
    )


# --- run in a worker, under the chosen backend ----------------------------------------------------------------------


def predict_nudged(path: str, batches: NamedBatches) -> dict[str, Any]:
    """Return what a Keras model predicts for batches, as they are and after changes that should not matter.

    Returns:
        `nudge`: the relative size of a nudge; `outputs`: by batch, `OwnOutputs.outputs`.
    """
    model = source_model.take(path)
    size = nudge_size(coarsest_dtype(model))
    outputs: dict[str, dict[str, list[list[np.ndarray]]]] = {
        name: {
            UNCHANGED: [source_model.predict(model, arrays)],
            INPUTS: [source_model.predict(model, changed) for changed in nudged_batches(arrays, size)],
            WEIGHTS: [],
            LAYERS: [_predict_with_nudged_layers(model, arrays, size, draw) for draw in range(_DRAWS)],
            COMPANY: [source_model.predict(model, copies_of_first(arrays))],
            BATCH_SIZE: _predict_each_alone(model, arrays),
        }
        for name, arrays in batches.items()
    }
    initial = [(weight, _as_array(weight)) for weight in model.weights if "float" in str(weight.dtype)]
    for draw in range(_DRAWS if initial else 0):
        for i, (weight, value) in enumerate(initial):
            weight.assign(nudged(value, size, draw * len(initial) + i))
        for name, arrays in batches.items():
            outputs[name][WEIGHTS].append(source_model.predict(model, arrays))
    return {"nudge": size, "outputs": outputs}


def _predict_each_alone(model: keras.Model, arrays: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """Return the outputs of samples that are predicted one by one; empty if the batch size is fixed, or is one."""
    import keras

    count = len(arrays[0])
    if count == 1 or fixed_batch(model) is not None or runtime.stateful_layers(model):
        return []
    with runtime.current().corrected_operations():
        parts = [
            keras.tree.flatten(model.predict_on_batch(pack(model, "input", [x[i : i + 1] for x in arrays])))
            for i in range(count)
        ]
    return [[np.concatenate([as_floats(part) for part in output]) for output in zip(*parts, strict=True)]]


def _predict_with_nudged_layers(
    model: keras.Model, arrays: Sequence[np.ndarray], size: float, seed: int
) -> list[np.ndarray]:
    """Return the outputs for a batch, with every layer's outputs nudged, as if each layer rounded otherwise."""
    import keras

    generator = np.random.default_rng(seed)

    def nudge(value: Any) -> Any:
        if not (keras.ops.is_tensor(value) and "float" in keras.backend.standardize_dtype(value.dtype)):
            return value
        return keras.ops.convert_to_tensor(nudged(_as_array(value), size, int(generator.integers(2**31))), value.dtype)

    layers = {id(layer): layer for layer in flat_layers(model)}.values()
    for layer in layers:
        layer.call = functools.partial(_call_and_nudge, layer.call, nudge)
    reset_states(model)
    try:
        with runtime.current().corrected_operations(), runtime.unchanged(model):
            outputs = model(pack(model, "input", tensors_of(list(arrays))), training=False)
        return [_as_array(output) for output in keras.tree.flatten(outputs)]
    finally:
        for layer in layers:
            del layer.call


def _call_and_nudge(call: Callable[..., Any], nudge: Callable[[Any], Any], *arguments: Any, **keywords: Any) -> Any:
    import keras

    return keras.tree.map_structure(nudge, call(*arguments, **keywords))


def _as_array(value: Any) -> np.ndarray:
    import keras

    return as_floats(keras.ops.convert_to_numpy(value))
