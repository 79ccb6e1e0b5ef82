"""Write a model in a serving format with Keras' own `export`.

This runs in the worker of the host, a backend that supports the format. `export.py` verifies the file without Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import artifacts, runtime
from ..engine.keras_model.interface import pack
from ..engine.verification.model_under_test import flat_layers
from ..errors import PortError, first_line
from . import source_model, targets

if TYPE_CHECKING:
    import keras


def export_model(
    path: str,
    raw: bool,
    format_name: str,
    unroll: bool,
    artifact: str,
    description: str,
    further_options: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Write a model in a format, with its description as metadata.

    Args:
        path: a bundle or a model file.
        raw: whether the artifact takes raw inputs.
        format_name: the format's name.
        unroll: whether to unroll recurrent layers.
        artifact: the path to write it to.
        description: labels, inputs, outputs and preprocessing as JSON.
        further_options: for `keras.Model.export`, beside those of this backend.

    Returns:
        The versions of the packages that wrote it.

    Raises:
        PortError: Keras cannot write this model in this format under this backend.
    """
    target = targets.find(format_name)
    assert isinstance(target, targets.Format)
    current = runtime.current()
    import keras

    model = source_model.load_for_port(path, raw)
    try:
        model = _unroll(model) if unroll else model
        _drop_activity_regularizers(model)
        _call_once(model)
        options = {**artifacts.export_options(target.keras_name, model), **(further_options or {})}
        model.export(artifact, format=target.keras_name, verbose=False, **options)
    except Exception as error:  # each exporter raises its own
        raise PortError(
            f"Keras on {keras.config.backend()} cannot write this model as {target.title}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if target.write_metadata:
        target.write_metadata(Path(artifact), description)
    return {"keras": keras.__version__, **current.versions()}


def _drop_activity_regularizers(model: keras.Model) -> None:
    """Remove activity regularizers: artifacts are not trained, and with them PyTorch would fix the batch size."""
    for layer in flat_layers(model):
        layer.activity_regularizer = None


def _call_once(model: keras.Model) -> None:
    """Call the model, because some of Keras' exporters refuse a loaded model that was never called."""
    import keras

    shapes = [[1 if length is None else length for length in tensor.shape] for tensor in model.inputs]
    inputs = [keras.ops.ones(shape, model_input.dtype) for shape, model_input in zip(shapes, model.inputs, strict=True)]
    model(pack(model, "input", inputs), training=False)


def _unroll(model: keras.Model) -> keras.Model:
    """Return the same model with unrolled recurrent layers."""
    import keras

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(_with_unroll(layer.get_config()))

    unrolled = keras.models.clone_model(model, clone_function=clone, recursive=True)
    unrolled.set_weights(model.get_weights())
    return unrolled


def _with_unroll(config: Any) -> Any:
    """Return a layer's configuration with `unroll` switched on, also in nested layers."""
    if isinstance(config, dict):
        return {key: True if key == "unroll" else _with_unroll(value) for key, value in config.items()}
    return config
