"""ONNX graphs that take the rows of a table: an input for each column, of words or of numbers.

A model in Keras takes numbers only, so that a word is its code there. ONNX has text: its `LabelEncoder` (domain
`ai.onnx.ml`) turns the word into the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.columns import UNKNOWN, WORDS, Column

if TYPE_CHECKING:
    import onnx

_ML_DOMAIN, _ML_VERSION = "ai.onnx.ml", 3


def describe(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the inputs of the graph as a port describes them: (n, 1) float32, or text for a column of words."""
    return [
        {"name": column.name, "shape": [None, 1], "dtype": "string" if column.kind == WORDS else "float32"}
        for column in columns
    ]


def split(cells: np.ndarray, columns: Sequence[Column]) -> list[np.ndarray]:
    """Return the arrays of the inputs for rows of cells (n, columns): a gap in a column of words is an empty text.

    A code that stands for no word is given as a word that the column does not have.
    """
    return [_column(cells[:, [place]], column) for place, column in enumerate(columns)]


def take_rows(model: onnx.ModelProto, columns: Sequence[Column]) -> None:
    """Replace the only input of a graph, (n, columns), by an input for each column."""
    from onnx import TensorProto, helper

    (cells,) = model.graph.input
    inputs, nodes, parts = [], [], []
    for place, column in enumerate(columns):
        is_words = column.kind == WORDS
        kind = TensorProto.STRING if is_words else TensorProto.FLOAT
        inputs.append(helper.make_tensor_value_info(column.name, kind, ["rows", 1]))
        parts.append(f"{cells.name}_code_{place}" if is_words else column.name)
        if is_words:
            nodes.append(_encoder(column, parts[-1]))
    nodes.append(helper.make_node("Concat", parts, [cells.name], axis=1))
    existing = list(model.graph.node)
    del model.graph.input[:], model.graph.node[:]
    model.graph.input.extend(inputs)
    model.graph.node.extend([*nodes, *existing])
    if _ML_DOMAIN not in [entry.domain for entry in model.opset_import]:
        model.opset_import.append(helper.make_opsetid(_ML_DOMAIN, _ML_VERSION))


def _encoder(column: Column, output: str) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node(
        "LabelEncoder",
        [column.name],
        [output],
        domain=_ML_DOMAIN,
        keys_strings=[*column.words, ""],
        values_floats=[*map(float, range(len(column.words))), float("nan")],
        default_float=float(UNKNOWN),
    )


def _column(cells: np.ndarray, column: Column) -> np.ndarray:
    if column.kind != WORDS:
        return cells.astype("float32")
    unknown = "�".join(("", *column.words))  # longer than any word, so that it is none
    words = [
        "" if np.isnan(code) else column.words[int(code)] if _is_code(code, column) else unknown for code in cells[:, 0]
    ]
    return np.array(words)[:, None]


def _is_code(code: float, column: Column) -> bool:
    return bool(code == int(code)) and 0 <= code < len(column.words)
