"""Exported programs, which PyTorch runs without Keras; and the options for Keras' exports under PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ..artifacts import Artifact, Tensor

DESCRIPTION = "port.json"


def export_options(name: str, model: Any) -> dict[str, Any]:
    """Return keywords for `keras.Model.export` to the format that Keras calls `name`.

    An exported program accepts only the batch size that it was traced with, unless the batch axis is declared dynamic.
    """
    if name != "torch":
        return {}
    import keras  # here, because reading a program must not need Keras

    batch = {0: torch.export.Dim.DYNAMIC}
    plain = isinstance(model, keras.Sequential)
    return {"dynamic_shapes": [(batch if plain else keras.tree.map_structure(lambda _: batch, model.input),)]}


def read(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Artifact:
    """Return an exported program. Its inputs and outputs keep the names that PyTorch gave them."""
    program = torch.export.load(path)
    module = program.module()

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        tensors = [torch.from_numpy(np.array(array)) for array in arrays]
        positional, keywords = pytree.tree_unflatten(tensors, program.call_spec.in_spec)
        with torch.no_grad():
            results = module(*positional, **keywords)
        return [value.numpy() for value in pytree.tree_leaves(results)]

    signature = program.graph_signature
    values = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
    return Artifact(
        tuple(_tensor(name, values[name]) for name in signature.user_inputs),
        tuple(_tensor(name, values[name]) for name in signature.user_outputs),
        run,
        {"torch": torch.__version__},
    )


def describe(path: Path, description: str) -> None:
    """Store a description in an exported program; `torch.export.load(path, extra_files={"port.json": ""})` reads it."""
    program = torch.export.load(path)
    temporary = path.with_name(f".{path.name}")
    torch.export.save(program, temporary, extra_files={DESCRIPTION: description})
    os.replace(temporary, path)


def _tensor(name: str, value: Any) -> Tensor:
    shape = tuple(length if isinstance(length, int) else None for length in value.shape)
    return Tensor(name, shape, str(value.dtype).removeprefix("torch."))
