"""The batches by which a network of another framework and the Keras model rebuilt from it are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import PortError
from .artifact_runtimes import NamedBatches
from .export import usual_batches

_SAMPLES = 32
# The length of drawn inputs along an axis of unknown length.
_OPEN_LENGTH = 8
# Integers are drawn below this if no embedding table tells their number.
_INTEGER_BOUND = 2


def batches_for(rebuilt: dict[str, Any], recorded: list[np.ndarray] | None) -> NamedBatches:
    """Return the input batches, samples first: the caller's or drawn ones, and others within their range."""
    inputs = rebuilt["inputs"]
    if recorded is None:
        recorded = [_draw_samples(network_input, rebuilt["rows"], seed) for seed, network_input in enumerate(inputs)]
    elif len(recorded) != len(inputs):
        raise PortError(f"expected {len(inputs)} example inputs, as the network takes, received {len(recorded)}")
    else:
        recorded = [
            np.moveaxis(x, network_input["batch"], 0) for x, network_input in zip(recorded, inputs, strict=True)
        ]
    return usual_batches(recorded)


def _draw_samples(network_input: dict[str, Any], rows: int | None, seed: int) -> np.ndarray:
    """Draw samples for an input: normally distributed, or integers below the number of rows of an embedding table."""
    generator = np.random.default_rng(seed)
    lengths = [_OPEN_LENGTH if length is None else length for length in network_input["shape"]]
    del lengths[network_input["batch"]]
    shape = (_SAMPLES, *lengths)
    if network_input["dtype"] == "float32":
        return generator.standard_normal(shape, dtype="float32")
    return generator.integers(0, 2 if network_input["dtype"] == "bool" else rows or _INTEGER_BOUND, shape).astype(
        network_input["dtype"]
    )


def for_source(batches: NamedBatches, rebuilt: dict[str, Any]) -> NamedBatches:
    """Return batches as the network takes them, in its own order of axes and its own dtypes."""
    inputs = rebuilt["inputs"]
    return {
        name: [
            np.moveaxis(x, 0, network_input["batch"]).astype(network_input["dtype"])
            for x, network_input in zip(arrays, inputs, strict=True)
        ]
        for name, arrays in batches.items()
    }


def for_keras(batches: NamedBatches, rebuilt: dict[str, Any]) -> NamedBatches:
    dtypes = [model_input["dtype"] for model_input in rebuilt["keras_inputs"]]
    return {
        name: [x.astype(dtype) for x, dtype in zip(arrays, dtypes, strict=True)] for name, arrays in batches.items()
    }


def samples_first(answers: Sequence[np.ndarray], rebuilt: dict[str, Any]) -> list[np.ndarray]:
    """Return the network's outputs with the batch axis first, where the Keras model has it."""
    return [
        np.moveaxis(x, network_output["batch"], 0)
        for x, network_output in zip(answers, rebuilt["outputs"], strict=True)
    ]


def samples_back(targets: Sequence[np.ndarray], rebuilt: dict[str, Any]) -> list[np.ndarray]:
    """Return targets in the order of axes of the network's outputs; an empty one stays empty."""
    return [
        np.moveaxis(x, 0, network_output["batch"]) if x.size else x
        for x, network_output in zip(targets, rebuilt["outputs"], strict=True)
    ]
