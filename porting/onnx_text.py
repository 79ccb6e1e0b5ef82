"""ONNX graphs that take sentences: they are split and looked up by standard operators, as `TextWords` does.

`StringSplit` (ONNX 20) splits at white space, of which ONNX Runtime knows the space alone. `LabelEncoder` (domain
`ai.onnx.ml`) gives a piece the number of its word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.preprocessing.text_words import PADDING, UNKNOWN, TextWords
from ..data.sources.text import row_to_text
from ..errors import PortError

if TYPE_CHECKING:
    import onnx

_ML_DOMAIN, _ML_VERSION = "ai.onnx.ml", 3
_SPLITS_SINCE = 20


def describe(step: TextWords) -> list[dict[str, Any]]:
    """Return the input of the graph as a port describes it: (n,) texts."""
    return [{"name": step.column or "text", "shape": [None], "dtype": "string"}]


def to_texts(codes: np.ndarray) -> list[np.ndarray]:
    """Return the array of the input, (n,) str, for sentences as code points (n, characters)."""
    return [np.array(list(map(row_to_text, codes)))]


def take_text(model: onnx.ModelProto, step: TextWords) -> onnx.ModelProto:
    """Return the graph with its only input, the numbers of words, replaced by one of texts.

    Raises:
        PortError: the graph has operators that ONNX 20 knows no more.
    """
    from onnx import TensorProto, helper

    model = _of_version(model, _SPLITS_SINCE)
    (numbers,) = model.graph.input
    kind, name = numbers.type.tensor_type.elem_type, describe(step)[0]["name"]
    existing = list(model.graph.node)
    del model.graph.input[:], model.graph.node[:]
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.STRING, ["rows"]))
    model.graph.initializer.extend(
        helper.make_tensor(f"{name}/{constant}", TensorProto.INT64, [len(values)], values)
        for constant, values in {
            "pads": [0, 0, 0, step.length],
            "starts": [0],
            "ends": [step.length],
            "axes": [1],
        }.items()
    )
    model.graph.initializer.append(helper.make_tensor(f"{name}/padding", TensorProto.INT64, [], [PADDING]))
    model.graph.node.extend([*_nodes(step, name, numbers.name, kind), *existing])
    if _ML_DOMAIN not in [entry.domain for entry in model.opset_import]:
        model.opset_import.append(helper.make_opsetid(_ML_DOMAIN, _ML_VERSION))
    return model


def _nodes(step: TextWords, name: str, numbers: str, kind: int) -> list[onnx.NodeProto]:
    """Return the operators from texts to the numbers of words: split, look up, fill up, cut."""
    from onnx import helper

    forms = {"": PADDING, **step.forms}
    return [
        helper.make_node("StringSplit", [name], [f"{name}/pieces", f"{name}/counts"]),
        helper.make_node(
            "LabelEncoder",
            [f"{name}/pieces"],
            [f"{name}/known"],
            domain=_ML_DOMAIN,
            keys_strings=list(forms),
            values_int64s=list(forms.values()),
            default_int64=UNKNOWN,
        ),
        helper.make_node("Pad", [f"{name}/known", f"{name}/pads", f"{name}/padding"], [f"{name}/filled"]),
        helper.make_node(
            "Slice", [f"{name}/filled", f"{name}/starts", f"{name}/ends", f"{name}/axes"], [f"{name}/cut"]
        ),
        helper.make_node("Cast", [f"{name}/cut"], [numbers], to=kind),
    ]


def _of_version(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
    """Return the model with operators of that version of ONNX, or a later one."""
    from onnx import version_converter

    (opset,) = (entry for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset.version >= version:
        return model
    try:
        return version_converter.convert_version(model, version)
    except Exception as error:  # the converter raises whatever it meets
        raise PortError(
            f"the graph of ONNX {opset.version} cannot take texts, for which it must be of {version}"
        ) from error
