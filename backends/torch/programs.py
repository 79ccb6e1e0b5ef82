"""An `nn.Module` as an exported program, and what it answers: for a network that is rebuilt in Keras."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ...errors import PortError, first_line


def as_arrays(inputs: Sequence[Any]) -> list[np.ndarray]:
    """Example inputs as NumPy arrays.

    Raises:
        PortError: one is no tensor, or has no samples.
    """
    tensors: list[Any] = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    for tensor in tensors:
        if not isinstance(tensor, torch.Tensor) or not tensor.dim() or not tensor.numel():
            raise PortError(
                f"an example input is {type(tensor).__name__}, expected tensors with samples along the first axis"
            )
    return [tensor.detach().cpu().numpy() for tensor in tensors]


def export(module: torch.nn.Module, inputs: Sequence[Any]) -> bytes:
    """The `.pt2` file of a module in eval mode, which takes any number of samples where the module does.

    Raises:
        PortError: PyTorch cannot export it; its own reason is in the message.
    """
    tensors = [torch.from_numpy(np.array(array)).to(_device(module)) for array in as_arrays(inputs)]
    # A length of one would be taken for a constant.
    given = tuple(torch.cat([tensor, tensor]) if len(tensor) == 1 else tensor for tensor in tensors)
    shapes = torch.export.ShapesCollection()
    for tensor in given:
        shapes[tensor] = {0: torch.export.Dim.AUTO}
    made = io.BytesIO()
    with _in_eval_mode(module):
        try:
            torch.export.save(torch.export.export(module, given, dynamic_shapes=shapes), made)
        except Exception as error:  # whatever the module's own code raises
            raise PortError(f"torch.export cannot export {type(module).__name__}: {first_line(error, 300)}") from error
    return made.getvalue()


def answers(module: torch.nn.Module, batches: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any]:
    """What a module gives for batches of inputs in eval mode: `answers`, an array an output, and `versions`."""
    found = {}
    with _in_eval_mode(module), torch.no_grad():
        for name, arrays in batches.items():
            given = [torch.from_numpy(np.array(array)).to(_device(module)) for array in arrays]
            found[name] = [each.cpu().numpy() for each in pytree.tree_leaves(module(*given))]
    return {"answers": found, "versions": {"torch": torch.__version__}}


def _device(module: torch.nn.Module) -> torch.device:
    return next((each.device for each in module.parameters()), torch.device("cpu"))


@contextlib.contextmanager
def _in_eval_mode(module: torch.nn.Module) -> Iterator[None]:
    """While it lasts the module does not train, and attention is written out as the operators that it is made of."""
    training = [each for each in module.modules() if each.training]
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for each in training:
            each.training = True
