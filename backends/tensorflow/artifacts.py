"""SavedModels, which TensorFlow runs without Keras; and the options for Keras' exports under TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from .. import keras_internals
from ..artifacts import Artifact, Tensor, in_model_order
from . import recurrent_loop

_SIGNATURE = "serving_default"


def export_options(name: str, model: Any) -> dict[str, Any]:
    """Return keywords for `keras.Model.export` to the format that Keras calls `name`."""
    return {}


def quantization_options(*, half: bool, samples: Callable[[], Iterator[Any]] | None) -> dict[str, Any]:
    """Return attributes of `tf.lite.TFLiteConverter` that quantise; without `half` and `samples` the weights alone.

    Args:
        half: store weights in half precision instead of 8 bits.
        samples: yields the samples on which the ranges of activations are measured, to compute in 8 bits.
    """
    return {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        **({"target_spec": {"supported_types": [tf.float16]}} if half else {}),
        **({"representative_dataset": samples} if samples else {}),
    }


def exportable_loops() -> AbstractContextManager[None]:
    """While it lasts, recurrent layers loop without lists of tensors, which OpenVINO and LiteRT do not have."""
    return keras_internals.replaced_functions(keras_internals.backend_module(), {"rnn": recurrent_loop.rnn})


def exportable_operations(model: Any) -> AbstractContextManager[None]:
    """Change nothing: all operations are written as they are."""
    return nullcontext()


def read(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Return the serving signature of a SavedModel; `inputs` and `outputs` are the model's own names, in order."""
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures[_SIGNATURE]
    specs = signature.structured_input_signature[1]
    names = in_model_order(list(specs), inputs)
    output_specs = signature.structured_outputs
    output_specs = {
        name: output_specs[name] for name in in_model_order(sorted(output_specs, key=_output_number), outputs)
    }

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        assert loaded  # the signature needs the loaded model to keep its variables alive
        tensors = {name: tf.constant(array) for name, array in zip(names, arrays, strict=True)}
        results = signature(**tensors)
        return [results[name].numpy() for name in output_specs]

    return Artifact(
        tuple(_tensor(name, specs[name]) for name in names),
        tuple(_tensor(name, spec) for name, spec in output_specs.items()),
        run,
        {"tensorflow": tf.__version__},
    )


def save_module(module: tf.Module, inputs: Sequence[tuple[Sequence[int | None], str]], path: Path) -> None:
    """Save a module as a SavedModel with one signature.

    Args:
        module: it is called with one tensor for each input, and may return a tensor or several.
        inputs: the shape of each input, with the batch first, and its dtype.
        path: of the folder.

    Raises:
        TypeError, ValueError: the module does not take such tensors.
    """
    specs = [tf.TensorSpec(shape, dtype, name=f"input_{number}") for number, (shape, dtype) in enumerate(inputs)]

    def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"output_{number}": tensor for number, tensor in enumerate(tf.nest.flatten(module(*tensors)))}

    tf.saved_model.save(module, str(path), signatures={_SIGNATURE: tf.function(serve).get_concrete_function(*specs)})


def _output_number(name: str) -> tuple[str, int]:
    """Return a sort key for the outputs `output_0`, `output_1`, …, which a SavedModel stores without an order."""
    word, _, number = name.rpartition("_")
    return (word, int(number)) if number.isdigit() else (name, 0)


def _tensor(name: str, spec: Any) -> Tensor:
    return Tensor(name, tuple(spec.shape.as_list()), spec.dtype.as_numpy_dtype.__name__)
