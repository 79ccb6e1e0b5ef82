"""The smallest parts of two models that still differ, on one sample, as a script that runs without trivium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import runtime
from ..engine.verification.measurements import assign, layer_of_record
from ..engine.verification.model_under_test import ModelUnderTest, build, fresh_keras
from ..engine.verification.tolerances import NamedArrays
from ..errors import PortError
from ..graph.graph import Graph
from .description import Description

SCRIPT = "reproduce.py"
PARTS = ("first.keras", "second.keras")
# What stands for an input of the model in place of the name of a layer.
INPUT = ""

_TEXT = '''"""Two models that should compute the same, and do not. It needs keras and numpy alone.

{what}

    KERAS_BACKEND=jax python {script}
"""

from pathlib import Path

import keras
import numpy as np

HERE = Path(__file__).parent

answers = []
for name in {parts}:
    with np.load((HERE / name).with_suffix(".npz")) as arrays:
        inputs = [arrays[number] for number in sorted(arrays.files, key=int)]
    model = keras.saving.load_model(HERE / name, compile=False)
    model.summary()
    outputs = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    answers.append(keras.ops.convert_to_numpy(outputs).astype("float64"))
first, second = answers
print("shapes:", first.shape, second.shape)
if first.shape == second.shape:
    print("largest difference:", np.abs(first - second).max(), "of values up to", np.abs(first).max())
'''


@dataclass(frozen=True)
class Cut:
    """Where a model is cut.

    Attributes:
        starts: the layers whose results are the inputs of the part; `(INPUT, number)` for an input of the model.
        end: the layer whose result is the output of the part.
    """

    starts: tuple[tuple[str, int], ...]
    end: str


@dataclass(frozen=True)
class Reduction:
    """What was written.

    Attributes:
        folder: where the script and its files are.
        layers: the number of layers of each part, without inputs.
        difference: the largest difference of the two results, relative to the largest value; infinite if the shapes
            differ.
    """

    folder: str
    layers: tuple[int, int]
    difference: float

    def to_json(self) -> dict[str, Any]:
        difference = self.difference if np.isfinite(self.difference) else None
        return {"folder": self.folder, "layers": list(self.layers), "difference": difference}


def find_cuts(
    described: tuple[Description, Description], compared: Mapping[str, tuple[str, str]], place: tuple[str, str]
) -> tuple[Cut, Cut, list[str | int]]:
    """Return where to cut both models so that the parts end at a place and begin as near to it as both allow.

    Args:
        compared: the nodes whose results agree, by their labels; see `PairedEvidence.compared`.
        place: the nodes at which the models part.

    Returns:
        The cuts, and for each start the label of its nodes, or the number of the input.

    Raises:
        PortError: the place is within a layer that cannot be cut out.
    """
    ends = [_layer_at(description, name) for description, name in zip(described, place, strict=True)]
    pairs = {
        names: label
        for label, names in compared.items()
        if all(_returns(description, name) for description, name in zip(described, names, strict=True))
    }
    while True:
        reached = [
            _frontier(description.graph, place[side], {names[side] for names in pairs})
            for side, description in enumerate(described)
        ]
        # A start of one part must be one of the other.
        paired = {n: label for n, label in pairs.items() if (n[0] in reached[0]) == (n[1] in reached[1])}
        if len(paired) == len(pairs):
            break
        pairs = paired
    partners = dict(list(pairs))
    numbers = {each.name: number for number, each in enumerate(described[0].graph.inputs)}
    starts: list[list[tuple[str, int]]] = [[], []]
    labels: list[str | int] = []
    for name in reached[0]:
        if name in numbers:
            labels.append(numbers[name])
            for side in (0, 1):
                starts[side].append((INPUT, numbers[name]))
            continue
        names = (name, partners[name])
        labels.append(pairs[names])
        for side in (0, 1):
            starts[side].append((_layer_at(described[side], names[side]), 0))
    return Cut(tuple(starts[0]), ends[0]), Cut(tuple(starts[1]), ends[1]), labels


def _layer_at(description: Description, node: str) -> str:
    if node not in description.records:
        raise PortError(f"{node} is no layer of its own, and cannot be cut out")
    return layer_of_record(description.records[node][0])[0]


def _returns(description: Description, node: str) -> bool:
    """Return whether a node gives what its layer returns, by the only call of that layer."""
    record = description.records.get(node)
    return record is not None and record[1] == 0 and layer_of_record(record[0])[1]


def _frontier(graph: Graph, node: str, stops: set[str]) -> list[str]:
    """Return the nodes of `stops`, and the inputs, from which a node is computed, nearest first."""
    by_name = {each.name: each for each in graph.nodes}
    stack = [ref.name for ref in by_name[node].references]
    seen: dict[str, None] = {}
    reached: dict[str, None] = {}
    while stack:
        name = stack.pop(0)
        if name in stops or name not in by_name:
            reached[name] = None
        elif name not in seen:
            seen[name] = None
            stack += [ref.name for ref in by_name[name].references]
    return list(reached)


def write_script(folder: Path, what: str, samples: Sequence[Sequence[np.ndarray]]) -> None:
    """Write the script beside the two parts, and what each takes: one sample of each input."""
    for name, arrays in zip(PARTS, samples, strict=True):
        numbered: dict[str, Any] = {str(number): array for number, array in enumerate(arrays)}
        np.savez((folder / name).with_suffix(".npz"), **numbered)
    text = _TEXT.format(what=what, script=SCRIPT, parts=PARTS)
    (folder / SCRIPT).write_text(text, "utf-8")


# --- run in a worker -----------------------------------------------------------------------------------------------


def write_part(
    fields: dict[str, Any], variables: NamedArrays, starts: list[list[Any]], end: str, out: str
) -> dict[str, Any]:
    """Cut a part out of a model, and write it as a `.keras` file.

    Returns:
        `layers`: their names, without inputs.

    Raises:
        PortError: a layer is within another, or is called more than once, so that it cannot be cut out.
    """
    runtime.current()
    import keras

    from ..engine.keras_model.model_bytes import keras_bytes

    with fresh_keras(float64=False):
        model, _ = build(ModelUnderTest(**{**fields, "float64": False}))
        assign(model, variables)
        try:
            inputs = [
                model.inputs[number] if name == INPUT else model.get_layer(name).output for name, number in starts
            ]
            part = keras.Model(inputs[0] if len(inputs) == 1 else inputs, model.get_layer(end).output)
        except (ValueError, AttributeError) as error:
            raise PortError(f"the part up to {end} cannot be cut out: {error}") from error
        Path(out).write_bytes(keras_bytes(part))
    return {"layers": [layer.name for layer in part.layers if not isinstance(layer, keras.layers.InputLayer)]}


def run_part(path: str, arrays: list[np.ndarray]) -> np.ndarray:
    """Return the result of a part for one sample."""
    runtime.current()
    import keras

    model = keras.saving.load_model(path, compile=False)
    outputs = model(arrays[0] if len(arrays) == 1 else arrays, training=False)
    return np.asarray(keras.ops.convert_to_numpy(outputs))
