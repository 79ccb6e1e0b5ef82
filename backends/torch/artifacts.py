"""Exported programs, which PyTorch runs without Keras; and the options for Keras' exports under PyTorch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ...errors import PortError
from .. import keras_internals
from ..artifacts import Artifact, Tensor

DESCRIPTION = "port.json"


def export_options(name: str, model: Any) -> dict[str, Any]:
    """Return keywords for `keras.Model.export` to the format that Keras calls `name`.

    An exported program accepts only the lengths that it was traced with, unless an axis is declared dynamic.

    Raises:
        PortError: the model has recurrent layers over any length, which PyTorch's exporters unroll.
    """
    if layers := _recurrent_layers_of_any_length(model):
        raise PortError(
            f"PyTorch's exporters unroll {', '.join(layers)}, which needs a known length: declare it, as in "
            "keras.Input((20, 4))"
        )
    if name != "torch":
        return {}
    import keras  # here, because reading a program must not need Keras

    def dynamic(tensor: Any) -> dict[int, Any]:
        is_open = [axis == 0 or length is None for axis, length in enumerate(tensor.shape)]
        return {axis: torch.export.Dim.DYNAMIC for axis, value in enumerate(is_open) if value}

    plain = isinstance(model, keras.Sequential)
    axes = dynamic(model.inputs[0]) if plain else keras.tree.map_structure(dynamic, model.input)
    return {"dynamic_shapes": [(axes,)]}


def _recurrent_layers_of_any_length(model: Any) -> list[str]:
    """Return the names of the layers that loop over an axis whose length is not declared."""
    import keras

    loops = (keras.layers.RNN, keras.layers.Bidirectional)
    layers = [layer for layer in keras_internals.all_layers(model) if isinstance(layer, loops)]
    return [
        layer.name for layer in layers if any(tensor.shape[1] is None for tensor in keras_internals.inputs_of(layer))
    ]


def exportable_loops() -> AbstractContextManager[None]:
    """Change nothing: PyTorch's exporters unroll any loop."""
    return nullcontext()


@contextlib.contextmanager
def exportable_operations(model: Any) -> Iterator[None]:
    """Make constants of what the exporter to ONNX must know in advance and takes for computed or trained.

    That is a kernel: `keras.ops.image.extract_patches` is a convolution by an identity matrix (Keras 3.15), with which
    vision transformers begin. And it is the shape that layer normalization normalizes, after an array was reshaped. A
    kernel that depends on the inputs becomes wrong by this, which the check of the artifact finds. And it is a weight
    that Keras has not made known to PyTorch as a parameter, such as all those of KerasHub's vision transformer.
    """
    layer_norm = {"layer_norm": _with_constant_shape(torch.nn.functional.layer_norm)}
    with (
        keras_internals.corrected({"nn": {"conv": _with_constant_kernel}}),
        keras_internals.replaced_functions(torch.nn.functional, layer_norm),
        _untrained(_unknown_weights(model)),
    ):
        yield


def _unknown_weights(model: Any) -> list[torch.Tensor]:
    """Return the weights of which PyTorch does not know that they are the model's."""
    known = {id(parameter) for parameter in model.parameters()}
    return [variable.value for variable in model.trainable_variables if id(variable.value) not in known]


@contextlib.contextmanager
def _untrained(weights: Sequence[torch.Tensor]) -> Iterator[None]:
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _with_constant_kernel(native: Callable[..., Any]) -> Callable[..., Any]:
    def conv(inputs: Any, kernel: Any, *arguments: Any, **keywords: Any) -> Any:
        if torch.jit.is_tracing() and isinstance(kernel, torch.Tensor) and not kernel.requires_grad:
            kernel = torch.from_numpy(kernel.detach().cpu().numpy()).to(kernel.device)
        return native(inputs, kernel, *arguments, **keywords)

    return conv


def _with_constant_shape(native: Callable[..., Any]) -> Callable[..., Any]:
    def layer_norm(x: Any, normalized_shape: Sequence[Any], *arguments: Any, **keywords: Any) -> Any:
        return native(x, tuple(map(int, normalized_shape)), *arguments, **keywords)

    return layer_norm


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
