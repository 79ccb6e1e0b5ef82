"""SavedModels: served by TensorFlow alone, and what Keras' exports must be told when TensorFlow makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ..artifacts import Artifact, Tensor, in_order

_SIGNATURE = "serving_default"


def export_options(name: str, model: Any) -> dict[str, Any]:
    """Keywords for `keras.Model.export` to the format that Keras calls `name`."""
    return {}


def read(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """The signature that a SavedModel serves; `inputs` and `outputs` are the model's own names, in their order."""
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures[_SIGNATURE]
    specs = signature.structured_input_signature[1]
    names = in_order(list(specs), inputs)
    gives = signature.structured_outputs
    gives = {name: gives[name] for name in in_order(sorted(gives, key=_place), outputs)}

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        assert loaded  # the signature holds its variables only as long as the model that they belong to
        given = {name: tf.constant(array) for name, array in zip(names, arrays, strict=True)}
        answered = signature(**given)
        return [answered[name].numpy() for name in gives]

    return Artifact(
        tuple(_tensor(name, specs[name]) for name in names),
        tuple(_tensor(name, spec) for name, spec in gives.items()),
        run,
        {"tensorflow": tf.__version__},
    )


def _place(name: str) -> tuple[str, int]:
    """Keras calls outputs `output_0`, `output_1`, …, and a SavedModel keeps them in no order."""
    word, _, number = name.rpartition("_")
    return (word, int(number)) if number.isdigit() else (name, 0)


def _tensor(name: str, spec: Any) -> Tensor:
    return Tensor(name, tuple(spec.shape.as_list()), spec.dtype.as_numpy_dtype.__name__)
