"""Run a ported artifact in its own runtime, without Keras, and return its signature and its outputs.

This runs in a separate process that has imported neither Keras nor any model code, so the test has only what a user
with just the file has. The two formats that a framework serves are read by that framework's module `artifacts`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import artifacts
from ..backends.artifacts import Artifact, Tensor, in_model_order
from ..errors import WorkerError, first_line
from ..functions import load_function

# Batches by name; each batch has one array per input, or one per output.
NamedBatches = dict[str, list[np.ndarray]]


def run_artifact(
    opener: str, path: str, names: list[list[str]], batches: NamedBatches, fixed_batch: int | None
) -> dict[str, Any]:
    """Open an artifact and run it on every batch.

    Args:
        opener: the name of the function that opens it, "module:function".
        path: the artifact's path.
        names: the names of the Keras model's inputs, and of its outputs, in the model's order.
        batches: batches by name, one array per input.
        fixed_batch: the only batch size that the model accepts, or None for any.

    Returns:
        `inputs`, `outputs` and `versions` as the artifact reports them; `answers`: its outputs by batch name, one array
        per output.

    Raises:
        WorkerError: it cannot compute a batch, for example one of another length; the message has the batch's shapes.
    """
    _hide_module("keras")
    artifact: Artifact = load_function(opener)(Path(path), *names)
    answers = {name: _run_named(artifact, name, arrays, fixed_batch) for name, arrays in batches.items()}
    return {
        "inputs": [tensor.to_json() for tensor in artifact.inputs],
        "outputs": [tensor.to_json() for tensor in artifact.outputs],
        "versions": {**artifact.versions, "numpy": np.__version__},
        "answers": answers,
    }


def _hide_module(module: str) -> None:
    """Make a module look as if it were not installed: an artifact that needs Keras does not stand alone."""
    assert getattr(sys.modules.get(module), "__file__", None) is None, f"{module} was imported before"
    sys.modules[module] = None  # type: ignore[assignment]


def _run_named(
    artifact: Artifact, name: str, arrays: Sequence[np.ndarray], fixed_batch: int | None
) -> list[np.ndarray]:
    try:
        return _run_batch(artifact, arrays, fixed_batch)
    except Exception as error:  # each runtime raises its own
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise WorkerError(f"{name} inputs of shape {shapes}: {type(error).__name__}: {first_line(error)}") from error


def _run_batch(artifact: Artifact, arrays: Sequence[np.ndarray], fixed_batch: int | None) -> list[np.ndarray]:
    """Return the outputs of one batch; with a fixed batch size it is split, and the last part padded."""
    if fixed_batch is None:
        return [np.asarray(output) for output in artifact.run(arrays)]
    samples = len(arrays[0])
    padded = [np.concatenate([x, np.repeat(x[-1:], -samples % fixed_batch, axis=0)]) for x in arrays]
    parts = [artifact.run([x[start : start + fixed_batch] for x in padded]) for start in range(0, samples, fixed_batch)]
    return [np.concatenate(outputs)[:samples] for outputs in zip(*parts, strict=True)]


def read_savedmodel(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Open a SavedModel in TensorFlow."""
    return artifacts.room("tensorflow").read(path, inputs, outputs)  # type: ignore[no-any-return]


def read_torch_export(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Open an exported program in PyTorch."""
    return artifacts.room("torch").read(path, inputs, outputs)  # type: ignore[no-any-return]


def read_onnx(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Open an ONNX graph in ONNX Runtime, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs_by_name = {tensor.name: tensor for tensor in session.get_inputs()}
    names = in_model_order(list(inputs_by_name), inputs)

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.asarray(value) for value in session.run(None, dict(zip(names, arrays, strict=True)))]

    return Artifact(
        tuple(_onnx_tensor(inputs_by_name[name]) for name in names),
        tuple(_onnx_tensor(tensor) for tensor in session.get_outputs()),
        run,
        {"onnxruntime": onnxruntime.__version__},
    )


def read_onnx_reference(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Open an ONNX graph in the slow NumPy evaluator of the package `onnx`, for use without ONNX Runtime."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(str(path))
    names = in_model_order(list(evaluator.input_names), inputs)

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.asarray(value) for value in evaluator.run(None, dict(zip(names, arrays, strict=True)))]

    # The evaluator does not report shapes.
    return Artifact(
        tuple(Tensor(name, (), "") for name in names),
        tuple(Tensor(name, (), "") for name in evaluator.output_names),
        run,
        {"onnx": onnx.__version__},
    )


def _onnx_tensor(argument: Any) -> Tensor:
    dtype = argument.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(length if isinstance(length, int) else None for length in argument.shape)
    return Tensor(argument.name, shape, {"float": "float32", "double": "float64"}.get(dtype, dtype))


def read_openvino(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Open a model in OpenVINO, on the CPU, in float32; its default is half precision if the CPU supports it."""
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ports = {port.get_any_name(): port for port in compiled.inputs}
    names = in_model_order(list(ports), inputs)

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        results = compiled(dict(zip(names, arrays, strict=True)))
        return [np.array(results[port]) for port in compiled.outputs]

    return Artifact(
        tuple(_openvino_tensor(name, ports[name]) for name in names),
        tuple(_openvino_tensor(str(index), port) for index, port in enumerate(compiled.outputs)),
        run,
        {"openvino": openvino.__version__},
    )


def _openvino_tensor(name: str, port: Any) -> Tensor:
    name = next(iter(sorted(port.get_names())), name)
    shape = tuple(dimension.get_length() if dimension.is_static else None for dimension in port.get_partial_shape())
    return Tensor(name, shape, np.dtype(port.get_element_type().to_dtype()).name)


def read_litert(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Open a model in the LiteRT interpreter, through its signature."""
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    (signature,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(signature)
    input_details, output_details = runner.get_input_details(), runner.get_output_details()
    names, output_details = (
        in_model_order(list(input_details), inputs),
        {name: output_details[name] for name in in_model_order(list(output_details), outputs)},
    )

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        results = runner(**dict(zip(names, arrays, strict=True)))
        return [np.array(results[name]) for name in output_details]

    return Artifact(
        tuple(_litert_tensor(name, input_details[name]) for name in names),
        tuple(_litert_tensor(name, output_details[name]) for name in output_details),
        run,
        {"ai-edge-litert": ai_edge_litert.__version__},
    )


def _litert_tensor(name: str, details: dict[str, Any]) -> Tensor:
    shape = tuple(None if length < 0 else int(length) for length in details["shape_signature"])
    return Tensor(name, shape, np.dtype(details["dtype"]).name)
