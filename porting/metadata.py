"""Write an artifact's description into the artifact itself, for formats that can hold metadata.

The description is JSON: labels, preprocessing, origin. It is written right after the export and before verification, so
the file that is verified is the file that is kept.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

from ..backends import artifacts
from ..data.preprocessing.pipeline import Preprocessing
from . import onnx_rows, onnx_text


def write_onnx_metadata(path: Path, description: str) -> None:
    """Write the description into the ONNX metadata, one entry per key, and restore the names of the outputs."""
    import onnx

    model = onnx.load(str(path))
    values = json.loads(description)
    if values["reads_words"]:
        preparation = Preprocessing.from_json(values["preparation"])
        if preparation.table:
            onnx_rows.take_rows(model, preparation.table.columns)
        if preparation.text:
            model = onnx_text.take_text(model, preparation.text)
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in values.items()})
    if not values["reads_words"]:
        _name_axes(model.graph, values["axes"])
    pairs = zip(model.graph.output, values["outputs"], strict=True)
    _rename(model.graph, {output.name: tensor["name"] for output, tensor in pairs})
    onnx.save(model, str(path))


def onnx_opset(path: Path) -> int:
    """Return the version of the operators in an ONNX graph."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    return max(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _name_axes(graph: Any, axes: dict[str, list[list[str | None]]]) -> None:
    """Name the axes of any length of all inputs and outputs; intermediate values that share an axis follow."""
    renamed: dict[str, str] = {}
    weights = {tensor.name for tensor in graph.initializer}  # before version 9 these are inputs too
    inputs = [graph_input for graph_input in graph.input if graph_input.name not in weights]
    for values, names in ((inputs, axes["inputs"]), (graph.output, axes["outputs"])):
        for value, names_of_value in zip(values, names, strict=True):
            for dimension, name in zip(value.type.tensor_type.shape.dim, names_of_value, strict=True):
                if name and not dimension.HasField("dim_value"):
                    renamed.setdefault(dimension.dim_param, name)
                    dimension.dim_param = name
    for value in graph.value_info:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = renamed.get(dimension.dim_param, dimension.dim_param)


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Rename values of a graph, since some exporters number them; a name that is already in use is left alone."""
    existing = {name for node in graph.node for name in node.output} | {graph_input.name for graph_input in graph.input}
    names = {old_name: name for old_name, name in names.items() if name not in existing}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in graph.output:
        output.name = names.get(output.name, output.name)


def write_openvino_metadata(path: Path, description: str) -> None:
    """Write the description as runtime information; read it with `model.get_rt_info(["trivium", "labels"])`."""
    import openvino

    model = openvino.Core().read_model(str(path))
    values = json.loads(description)
    for key, value in values.items():
        model.set_rt_info(json.dumps(value), ["trivium", key])
    # Tracing by PyTorch loses the shapes of the inputs and gives the outputs no names.
    shapes = [[-1 if length is None else length for length in tensor["shape"]] for tensor in values["inputs"]]
    model.reshape({port: openvino.PartialShape(shape) for port, shape in zip(model.inputs, shapes, strict=True)})
    # Of a loop, TensorFlow's converter makes outputs of intermediate values too, after the model's own.
    for port in model.outputs[len(values["outputs"]) :]:
        model.remove_result(port.node)
    for ports, side in ((model.inputs, "inputs"), (model.outputs, "outputs")):
        for port, tensor in zip(ports, values[side], strict=True):
            port.tensor.set_names({tensor["name"]})
        for port, names in zip(ports, values["axes"][side], strict=True):
            port.node.set_layout(openvino.Layout(f"[{','.join(name or '?' for name in names)}]"))
    temporary = path.with_name(f"aside-{path.name}")
    openvino.serialize(model, str(temporary))
    del model  # it holds the weights file open
    for suffix in (".xml", ".bin"):
        os.replace(temporary.with_suffix(suffix), path.with_suffix(suffix))


def write_litert_metadata(path: Path, description: str) -> None:
    """Append the description as a zip archive, as LiteRT's tools do; read it with `unzip model.tflite labels.txt`."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("port.json"), description)
        if labels := json.loads(description)["labels"]:
            for name, names in labels.items() if isinstance(labels, dict) else [("labels", labels)]:
                archive.writestr(zipfile.ZipInfo(f"{name}.txt"), "".join(f"{label}\n" for label in names))


def write_torch_export_metadata(path: Path, description: str) -> None:
    """Write the description into an exported program, as its extra file `port.json`."""
    artifacts.room("torch").describe(path, description)
