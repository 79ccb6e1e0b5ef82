"""The results inside of an artifact: what each of its operations returns for one batch.

Run in the process of its runtime, which never imports Keras. A SavedModel shows its outputs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..functions import load_function

Inputs = Mapping[str, np.ndarray]


def inner_results(name: str, path: str, inputs: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Return the results of all operations of an artifact, with their names, in order of computation.

    Args:
        name: of the function of this module that reads them, "module:function".
        path: of the artifact.
        inputs: arrays by the names that the artifact has for them.
    """
    read: Callable[[Path, Inputs], Iterator[tuple[str, Any]]] = load_function(name)
    arrays = ((name, np.asarray(value)) for name, value in read(Path(path), inputs))
    return [(name, array) for name, array in arrays if array.ndim and array.dtype.kind == "f"]


def of_onnx(path: Path, inputs: Inputs) -> Iterator[tuple[str, Any]]:
    """Yield the results inside of an ONNX graph, which ONNX Runtime returns where they are outputs of the graph."""
    import onnx
    import onnxruntime

    model = onnx.load(str(path))
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in known)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    yield from zip(names, session.run(names, dict(inputs)), strict=True)


def of_openvino(path: Path, inputs: Inputs) -> Iterator[tuple[str, Any]]:
    """Yield the results inside of an OpenVINO model, all made outputs of it."""
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    sources = [each for each in model.get_ordered_ops() if each.get_type_name() not in _WITHOUT_RESULTS]
    ports = [port for operation in sources for port in operation.outputs() if port.get_element_type().is_real()]
    whole = openvino.Model(ports, model.get_parameters())
    results = core.compile_model(whole, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(dict(inputs))
    for number, port in enumerate(ports):
        yield port.get_node().get_friendly_name(), results[number]


_WITHOUT_RESULTS = ("Constant", "Parameter", "Result")


def of_litert(path: Path, inputs: Inputs) -> Iterator[tuple[str, Any]]:
    """Yield the results inside of a LiteRT model, which the plain interpreter keeps if it is told to."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    (signature,) = interpreter.get_signature_list()
    interpreter.get_signature_runner(signature)(**inputs)
    for details in interpreter.get_tensor_details():
        try:
            yield details["name"], interpreter.get_tensor(details["index"])
        except ValueError:  # a tensor that no operation computed
            continue
