"""What a room gives when it writes a graph as native source, and what the rooms' writers share.

A room's `source.py` imports no framework: it writes text, so that it runs wherever the graph was read. It has

- `refuses(node: Node) -> str | None`: why this room cannot write a node, or None when it can. Asked of every node
  before anything is written.
- `write(graph: Graph) -> Source`: the module and its weights.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True, eq=False)
class Source:
    """A model as native source.

    Attributes:
        model: the text of `model.py`, which needs the framework and safetensors only. It finds its weights in
            `weights.safetensors` in its own folder, and takes and gives arrays in the shapes of the Keras model.
        predict: Python text that follows `import numpy as np` in `check.py` and defines
            `predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]`: the outputs as in inference, loading the weights
            once. It imports what it needs, from `model` among others.
        weights: what goes into `weights.safetensors`.
        example: a few lines of Python for the README, which use the model in inference and in training.
        requires: the packages to install, such as ("torch", "safetensors").
    """

    model: str
    predict: str
    weights: Mapping[str, np.ndarray]
    example: str
    requires: tuple[str, ...]


def identifier(name: str, taken: frozenset[str] | set[str] = frozenset()) -> str:
    """A name as a Python identifier: `block1/conv 2` becomes `block1_conv_2`; numbered where it is taken."""
    found = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "layer"
    found = f"layer_{found}" if found[0].isdigit() else found
    found = f"{found}_" if keyword.iskeyword(found) else found
    number, candidate = 1, found
    while candidate in taken:
        number += 1
        candidate = f"{found.rstrip('_')}_{number}"
    return candidate


def class_name(name: str) -> str:
    """A name as a class is called: `cnn_striding` becomes `CnnStriding`."""
    parts = [part for part in identifier(name).split("_") if part]
    return "".join(part[0].upper() + part[1:] for part in parts) or "Model"
