"""A model written as a file that other runtimes serve, by Keras' own `export` under the backend that can.

Runs in the host's worker. Nothing is verified here: that is done in `export.py`, where there is no Keras.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import artifacts, runtime
from ..engine.verification.model_under_test import flat_layers
from ..errors import PortError, first_line
from . import source_model, targets

if TYPE_CHECKING:
    import keras


def export(path: str, raw: bool, format_name: str, unroll: bool, artifact: str, description: str) -> dict[str, str]:
    """Write a model in a format, what it is within it.

    Args:
        path: a bundle or a model file.
        raw: whether the artifact takes raw inputs.
        name: the format's.
        unroll: whether to write recurrent layers out step by step.
        place: where the artifact goes.
        description: JSON.

    Returns:
        The versions of what made it.

    Raises:
        PortError: Keras cannot write this model in this format under this backend.
    """
    target = targets.find(format_name)
    assert isinstance(target, targets.Format)
    current = runtime.current()
    import keras

    model = source_model.load_as(path, raw)
    try:
        model = _unrolled(model) if unroll else model
        _drop_penalties(model)
        _call_once(model)
        options = artifacts.export_options(target.keras_name, model)
        model.export(artifact, format=target.keras_name, verbose=False, **options)
    except Exception as error:  # each exporter raises its own
        raise PortError(
            f"Keras on {keras.config.backend()} cannot write this model as {target.title}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if target.describer:
        target.describer(Path(artifact), description)
    return {"keras": keras.__version__, **current.versions()}


def _drop_penalties(model: keras.Model) -> None:
    """Leave out what layers add to the loss: artifacts are not trained, and PyTorch would fix the batch in them."""
    for layer in flat_layers(model):
        layer.activity_regularizer = None


def _call_once(model: keras.Model) -> None:
    """Some exporters of Keras refuse a model that was loaded and never called."""
    import keras

    shapes = [[1 if length is None else length for length in tensor.shape] for tensor in model.inputs]
    inputs = [keras.ops.ones(shape, model_input.dtype) for shape, model_input in zip(shapes, model.inputs, strict=True)]
    model(source_model.nested(model, inputs), training=False)


def _unrolled(model: keras.Model) -> keras.Model:
    """The same model with its recurrent layers written out step by step."""
    import keras

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(_with_unroll(layer.get_config()))

    unrolled = keras.models.clone_model(model, clone_function=clone, recursive=True)
    unrolled.set_weights(model.get_weights())
    return unrolled


def _with_unroll(config: Any) -> Any:
    """A layer's settings with `unroll` switched on, in the layers within it too."""
    if isinstance(config, dict):
        return {key: True if key == "unroll" else _with_unroll(value) for key, value in config.items()}
    return config
