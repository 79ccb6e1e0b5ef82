"""What an artifact is, written into the artifact itself, where its format has a place for that.

A text in JSON: labels, preparation, origin. Runs beside the export, before the artifact is verified, so that what is
verified is the file that is kept.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any


def describe_onnx(path: Path, description: str) -> None:
    """As the model's metadata: an entry for each key, `labels` among them."""
    import onnx

    model = onnx.load(str(path))
    values = json.loads(description)
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in values.items()})
    pairs = zip(model.graph.output, values["outputs"], strict=True)
    _rename(model.graph, {output.name: each["name"] for output, each in pairs})
    onnx.save(model, str(path))


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Give values of a graph other names: some exporters number them."""
    taken = {name for node in graph.node for name in node.output} | {each.name for each in graph.input}
    names = {before: name for before, name in names.items() if name not in taken}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for out in graph.output:
        out.name = names.get(out.name, out.name)


def describe_openvino(path: Path, description: str) -> None:
    """As runtime information: `model.get_rt_info(["trivium", "labels"])`."""
    import openvino

    model = openvino.Core().read_model(str(path))
    values = json.loads(description)
    for key, value in values.items():
        model.set_rt_info(json.dumps(value), ["trivium", key])
    # Traced by PyTorch, inputs have lost their shapes, and outputs never had names.
    shapes = [[-1 if length is None else length for length in each["shape"]] for each in values["inputs"]]
    model.reshape({port: openvino.PartialShape(shape) for port, shape in zip(model.inputs, shapes, strict=True)})
    for ports, side in ((model.inputs, "inputs"), (model.outputs, "outputs")):
        for port, each in zip(ports, values[side], strict=True):
            port.tensor.set_names({each["name"]})
    aside = path.with_name(f"aside-{path.name}")
    openvino.serialize(model, str(aside))
    del model  # which holds the weights' file open
    for suffix in (".xml", ".bin"):
        os.replace(aside.with_suffix(suffix), path.with_suffix(suffix))


def describe_litert(path: Path, description: str) -> None:
    """As files in a zip behind the model, where LiteRT's own tools keep theirs: `unzip model.tflite labels.txt`."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("port.json"), description)
        if labels := json.loads(description)["labels"]:
            archive.writestr(zipfile.ZipInfo("labels.txt"), "".join(f"{label}\n" for label in labels))
