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
    pairs = zip(model.graph.output, values["outputs"], strict=True)
    _rename(model.graph, {output.name: tensor["name"] for output, tensor in pairs})
    onnx.save(model, str(path))


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
    for ports, side in ((model.inputs, "inputs"), (model.outputs, "outputs")):
        for port, tensor in zip(ports, values[side], strict=True):
            port.tensor.set_names({tensor["name"]})
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
