"""The result of writing a graph as native source, and the naming that the backends' writers share.

The `source` package of a backend imports no framework: it writes text, so it runs in the process that read the graph.
It has two functions:

- `refuses(node: GraphNode) -> str | None` returns why the backend cannot write a node, or None when it can. It is
  called for every node before anything is written.
- `write(graph: Graph) -> Source` returns the module and its weights.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True, eq=False)
class Source:
    """A model as native source.

    Attributes:
        model: the text of `model.py`, which needs the framework and safetensors only. It loads its weights from
            `weights.safetensors` in its own folder. Inputs and outputs have the shapes of the Keras model.
        predict: Python text that follows `import numpy as np` in `check.py` and defines
            `predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]`, which computes the outputs in inference and loads
            the weights once. It contains its own imports, such as those from `model`.
        step: Python text that defines `answers_after_step(inputs: list[np.ndarray], targets: list[np.ndarray], rate:
            float) -> list[np.ndarray]`: the outputs after one step of gradient descent, in inference, on the sum over
            the outputs of their mean squared differences from the targets; an output with empty targets has no part.
        weights: the arrays of `weights.safetensors`, by name.
        example: a few lines of Python for the README that use the model in inference and in training.
        requires: the packages to install, such as ("torch", "safetensors").
    """

    model: str
    predict: str
    step: str
    weights: Mapping[str, np.ndarray]
    example: str
    requires: tuple[str, ...]


def identifier(name: str, used: frozenset[str] | set[str] = frozenset(), joint: str = "_") -> str:
    """Return a name as a Python identifier: `block1/conv 2` becomes `block1_conv_2`, with a number if that is used.

    Args:
        joint: what stands before the number.
    """
    base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "layer"
    base = f"layer_{base}" if base[0].isdigit() else base
    base = f"{base}_" if keyword.iskeyword(base) else base
    number, candidate = 1, base
    while candidate in used:
        number += 1
        candidate = f"{base.rstrip('_')}{joint}{number}"
    return candidate


def class_name(name: str, reserved: Collection[str] = ()) -> str:
    """Return a name as a class name: `cnn_striding` becomes `CnnStriding`, and `net_1_0` becomes `Net1_0`.

    Args:
        reserved: names that the module has already; those of Python are reserved too.
    """
    parts = [part for part in identifier(name).split("_") if part]
    joined = "_".join(part[0].upper() + part[1:] for part in parts)
    name = re.sub(r"(?<!\d)_|_(?!\d)", "", joined) or "Model"
    return f"{name}Model" if name in reserved or keyword.iskeyword(name) else name
