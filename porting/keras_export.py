"""Write a model in a serving format with Keras' own `export`.

This runs in the worker of the host, a backend that supports the format. `export.py` verifies the file without Keras.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import artifacts, keras_internals, runtime
from ..engine.keras_model.interface import pack
from ..engine.keras_model.open_axes import Size, closed, open_axes, usual_size
from ..engine.verification.model_under_test import flat_layers
from ..errors import PortError, first_line
from . import source_model, targets

if TYPE_CHECKING:
    import keras

# A batch of 1 would become a constant under PyTorch.
_SAMPLES = 2


def export_model(
    path: str,
    raw: bool,
    format_name: str,
    unroll: bool,
    artifact: str,
    description: str,
    opset: int | None = None,
    further_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a model in a format, with its description as metadata.

    Args:
        path: a bundle or a model file.
        raw: whether the artifact takes raw inputs.
        format_name: the format's name.
        unroll: whether to unroll recurrent layers over a known length.
        artifact: the path to write it to.
        description: labels, inputs, outputs and preprocessing as JSON.
        opset: the version of ONNX' operators to write; None for the exporter's own.
        further_options: for `keras.Model.export`, beside those of this backend.

    Returns:
        `versions`: of the packages that wrote it; `opset`: that of an ONNX graph, else None.

    Raises:
        PortError: Keras cannot write this model in this format under this backend, or not by these operators.
    """
    target = targets.find(format_name)
    assert isinstance(target, targets.Format)
    current = runtime.current()
    import keras

    model = source_model.take_for_port(path, raw)
    try:
        options = dict(further_options or {}) | ({} if opset is None else {"opset_version": opset})
        _export(model, target, unroll, artifact, options)
    except PortError:
        raise
    except Exception as error:  # each exporter raises its own
        raise PortError(
            f"Keras on {keras.config.backend()} cannot write this model as {target.title}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if target.write_metadata:
        target.write_metadata(Path(artifact), description)
    return {
        "versions": {"keras": keras.__version__, **current.versions()},
        "opset": _require_opset(target, Path(artifact), opset),
    }


def _require_opset(target: targets.Format, artifact: Path, opset: int | None) -> int | None:
    """Return the version of an artifact's operators, None if they have none.

    Raises:
        PortError: it is not the version that was requested.
    """
    written = target.opset(artifact) if target.opset else None
    if opset not in (None, written):
        raise PortError(f"the operators of this model have opset {written} or a later one, not {opset}")
    return written


def _export(
    model: keras.Model, target: targets.Format, unroll: bool, artifact: str, further_options: dict[str, Any]
) -> None:
    is_open = any(open_axes(tensor.shape) for tensor in model.inputs)
    model = _unroll(model) if unroll and not is_open and _has_loops(model) else model
    _drop_activity_regularizers(model)
    size = usual_size(model)
    _call_once(model, size)
    options = artifacts.export_options(target.keras_name, model) | further_options
    samples = keras_internals.export_samples(lambda shape: closed(shape, size, shape[0] or _SAMPLES))
    loops = artifacts.exportable_loops() if unroll and is_open else contextlib.nullcontext()
    with samples if is_open else contextlib.nullcontext(), loops, artifacts.exportable_operations(model):
        model.export(artifact, format=target.keras_name, verbose=False, **options)


def _drop_activity_regularizers(model: keras.Model) -> None:
    """Remove activity regularizers: artifacts are not trained, and with them PyTorch would fix the batch size."""
    for layer in flat_layers(model):
        layer.activity_regularizer = None


def _call_once(model: keras.Model, size: Size) -> None:
    """Call the model, because some of Keras' exporters refuse a loaded model that was never called."""
    import keras

    shapes = [closed(tensor.shape, size, tensor.shape[0] or 1) for tensor in model.inputs]
    inputs = [keras.ops.ones(shape, model_input.dtype) for shape, model_input in zip(shapes, model.inputs, strict=True)]
    model(pack(model, "input", inputs), training=False)


def _has_loops(model: keras.Model) -> bool:
    """Return whether a layer can be unrolled. Other models need no copy, and a layer may not know how to be copied."""
    configs = [layer.get_config() for layer in flat_layers(model)]
    return any(_with_unroll(config) != config for config in configs)


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
