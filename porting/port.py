"""Port a trained model, and verify the port before it gets its final name.

A model can be ported to another backend (`between_backends.py`), to a format that other runtimes serve (`export.py`),
to native source code (`source_code.py`), or from another framework to Keras (`to_keras.py`). The backend that the model
was trained on does not matter.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ..backends.workers.worker import Listener
from ..engine.bundles.bundle import FILE_NAME, Bundle
from ..engine.runs.run import Run
from ..errors import OptionError, PortError
from ..notebook.live import shows_progress
from . import between_backends, export, source_model, targets, to_keras
from .converters import resolve_file
from .from_jax import port_from_jax as port_from_jax
from .quantization.methods import QuantizationOptions, resolve_options
from .report import PortReport as PortReport
from .report import PredictionCheck as PredictionCheck
from .source_model import SourceModel
from .to_keras import port_from_torch as port_from_torch

# ONNX Runtime promises nothing for earlier versions of the operators.
EARLIEST_OPSET = 7


@shows_progress
def port(
    source: str | Path | Run | Bundle,
    to: str,
    out: str | Path | None = None,
    *,
    raw_inputs: bool | None = None,
    quantize: str | None = None,
    max_drop: float | None = None,
    opset: int | None = None,
    converters: str | Path | None = None,
    listener: Listener | None = None,
) -> PortReport:
    """Port a trained model.

    Args:
        source: a run, a bundle, its file, the run folder that holds it, or a Keras model file (`.keras`, `.h5`); for
            the target `keras` a `torch.export` program (`.pt2`) or an ONNX graph (`.onnx`).
        to: an installed backend; a format (savedmodel, onnx, openvino, litert, torch-export), written by any installed
            backend that can; `source:BACKEND` for native source code; or `keras`.
        out: where to write the port, by default beside the source: a bundle as `bundle-TARGET.trivium`, anything else
            as a folder `bundle-TARGET` with `port.json` in it. A run or a bundle in memory needs it. Beside a file that
            it names, such as `net.onnx`, the report is `net.onnx.port.json`.
        raw_inputs: whether the port takes raw inputs and contains the preprocessing; None means wherever the
            preprocessing can be written as layers. A bundle always brings its own preprocessing.
        quantize: `int8`, `int8-dynamic` or `float16` makes the artifact of onnx, openvino or litert smaller.
        max_drop: the percentage points of accuracy, or of the root-mean-square error by the spread of the targets,
            that quantising may lose on the test part; 0.5 by default.
        opset: the version of ONNX' operators, for a runtime that knows no later one; None for the exporter's own.
        converters: a file of yours that teaches layers (for source code) or operators (for `keras`) to trivium by
            `trivium.converter`; it is run. With `--trust`, those in the file of the run's recipe are used too.
        listener: called with `{"kind": "port", "stage": …}` events.

    Returns:
        The `PortReport`. If its `verdict` is "different", or "less accurate" because quantising lost too much, `passed`
        is false and no file was written. If it is "ill-conditioned", rounding alone moves the model about as far as the
        port is off (see docs/porting.md).

    Raises:
        PortError: the target is unknown, nothing installed can write or quantise it, or it cannot represent this model.
        BackendError: the target is a backend that is not installed.
        BundleError, FileError: the source cannot be read.
        OptionError: `raw_inputs` is given for a target that keeps the preprocessing separate, or has none; a run or a
            bundle in memory, and no `out`; an unknown way to quantise, or a drop that is no number of points; `opset`
            is given for another format than ONNX; `converters` for a target that needs none, or their file cannot run.
        DataError: `raw_inputs` is true, and the preprocessing cannot be written as layers.
        OutputError: the port cannot be written.

    Example:
        >>> report = trivium.port("runs/flowers", to="source:torch")
        >>> report.verdict, report.artifact.name, report.largest.relative < 1e-5
        ('same', 'bundle-source-torch', True)
    """
    if isinstance(source, (Run, Bundle)):
        options = {"quantize": quantize, "max_drop": max_drop, "opset": opset, "converters": converters}
        return _port_from_memory(source, to, out, raw_inputs=raw_inputs, listener=listener, **options)
    quantization = resolve_options(to, quantize, max_drop)
    _require_file(source)
    _require_onnx(to, opset)
    converters_file = _require_converters(to, converters)
    out_path = Path(out) if out is not None else None

    def announce(stage: str) -> None:
        if listener:
            listener({"kind": "port", "stage": stage})

    if to == targets.KERAS:
        if raw_inputs:
            raise OptionError("a network that is rebuilt in Keras brings no preprocessing: leave `raw_inputs` out")
        return to_keras.port_to_keras(Path(source), out_path, announce, converters_file)
    if to_keras.is_network(Path(source)):
        raise PortError(
            f"{source} must be rebuilt in Keras first: run trivium port {source} --to keras; then port the result"
        )
    if to.startswith(targets.SOURCE):
        from .source_code import port_source

        framework = to.removeprefix(targets.SOURCE)
        return port_source(
            Path(source), framework, out_path, listener, raw_inputs=raw_inputs, converters_file=converters_file
        )
    target = targets.find(to)
    if isinstance(target, targets.Format):
        targets.hosts(target)  # before anything is read
        model = source_model.find(source)
        _require_data(model, quantization)
        return export.port_to_format(model, target, out_path, raw_inputs, announce, quantization, opset)
    if raw_inputs is not None:
        raise OptionError(f"a port to {to} keeps its preprocessing beside the model: leave `raw_inputs` out")
    return between_backends.port_to_backend(source_model.find(source), target, out_path, announce)


def _require_file(source: object) -> None:
    """Raise an OptionError unless the source is named by its path."""
    if not isinstance(source, (str, Path)):
        raise OptionError(
            f"a port takes a run, a bundle or a file, received {type(source).__name__}: save a model by "
            'model.save("model.keras"), and name this file'
        )


def _require_data(model: SourceModel, quantization: QuantizationOptions | None) -> None:
    """Raise a PortError if an artifact is to be quantised, and there are no data to measure the loss on."""
    if quantization and model.bundle is None:
        raise PortError(
            f"{model.path.name} is a model without data to measure the loss of quantising on: port the run or its "
            "bundle, or leave `quantize` out"
        )


def _require_onnx(to: str, opset: int | None) -> None:
    """Raise an OptionError for a version of ONNX' operators that no runtime knows, or for another target."""
    if opset is not None and to != "onnx":
        raise OptionError(f"`opset` is the version of ONNX' operators, which a port to {to} has none of: leave it out")
    if opset is not None and opset < EARLIEST_OPSET:
        raise OptionError(f"`opset` is {opset}, but the earliest that a runtime of ONNX knows is {EARLIEST_OPSET}")


def _require_converters(to: str, converters: str | Path | None) -> str | None:
    """Return the path of the file of converters; raise an OptionError where the target has no use for it."""
    if converters is not None and to != targets.KERAS and not to.startswith(targets.SOURCE):
        raise OptionError(f"`converters` are for source:BACKEND and keras, which a port to {to} is not: leave it out")
    return resolve_file(converters)


def _port_from_memory(source: Run | Bundle, to: str, out: str | Path | None, **options: Any) -> PortReport:
    """Port a run or a bundle by a file, which other processes can read."""
    if out is None:
        raise OptionError("a run or a bundle in memory has no place for its port: add `out`")
    bundle = source if isinstance(source, Bundle) else Bundle.of(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE_NAME
        bundle.save(path)
        return port(path, to, out, **options)
