"""Exporting an `nn.Module` and running it, for networks that are rebuilt in Keras."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ...errors import FileError, PortError, first_line
from ...storage.regular_file import require_regular


def as_arrays(inputs: Sequence[Any]) -> list[np.ndarray]:
    """Return example inputs as NumPy arrays.

    Raises:
        PortError: an input is not a tensor, or has no samples.
    """
    tensors: list[Any] = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    for tensor in tensors:
        if not isinstance(tensor, torch.Tensor) or not tensor.dim() or not tensor.numel():
            raise PortError(
                f"an example input is {type(tensor).__name__}, expected tensors with samples along the first axis"
            )
    return [tensor.detach().cpu().numpy() for tensor in tensors]


def example_tensors(module: torch.nn.Module, arrays: Sequence[np.ndarray]) -> tuple[torch.Tensor, ...]:
    """Return arrays as tensors on a module's device, after the module has taken them.

    Raises:
        PortError: it does not take them.
    """
    tensors = tuple(torch.from_numpy(np.array(array)).to(_device(module)) for array in arrays)
    try:
        with _in_eval_mode(module), torch.no_grad():
            module(*tensors)
    except Exception as error:  # the module's own code may raise anything
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise PortError(f"{type(module).__name__} does not take {shapes}: {first_line(error, 120)}") from error
    return tensors


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load a module's weights from a `.safetensors` file, or from a `state_dict` that `torch.save` wrote.

    Raises:
        FileError: the file is neither, or has other weights than the module.
    """
    require_regular(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged or hostile file makes the readers raise
        raise FileError(f"{path} cannot be read as weights: {first_line(error, 200)}") from error
    nested = [state[name] for name in ("state_dict", "model") if isinstance(state, dict) and name in state]
    try:
        module.load_state_dict(nested[0] if nested and isinstance(nested[0], dict) else state)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise FileError(f"{path} does not hold the weights of {type(module).__name__}: {reason}") from error


def export(module: torch.nn.Module, inputs: Sequence[Any]) -> bytes:
    """Return the `.pt2` file of a module in eval mode. The batch size is dynamic if the module allows it.

    Raises:
        PortError: PyTorch cannot export the module; the message has PyTorch's reason.
    """
    tensors = [torch.from_numpy(np.array(array)).to(_device(module)) for array in as_arrays(inputs)]
    # torch.export would make a batch size of 1 a constant.
    samples = tuple(torch.cat([tensor, tensor]) if len(tensor) == 1 else tensor for tensor in tensors)
    shapes = torch.export.ShapesCollection()
    for tensor in samples:
        shapes[tensor] = {0: torch.export.Dim.AUTO}
    program_file = io.BytesIO()
    with _in_eval_mode(module):
        try:
            program = torch.export.export(module, samples, dynamic_shapes=shapes)
            _inline_blocks_without_gradients(program.graph_module)
            torch.export.save(program, program_file)
        except Exception as error:  # the module's own code may raise anything
            raise PortError(f"torch.export cannot export {type(module).__name__}: {first_line(error, 300)}") from error
    return program_file.getvalue()


def _inline_blocks_without_gradients(module: torch.fx.GraphModule) -> None:
    """Replace each block under `torch.no_grad()` by its operators, the results of which are detached."""
    for node in list(module.graph.nodes):
        if node.target is not torch.ops.higher_order.wrap_with_set_grad_enabled or node.args[0]:
            continue
        body = module.get_submodule(str(node.args[1].target)).graph
        arguments = dict(zip((n for n in body.nodes if n.op == "placeholder"), node.args[2:], strict=True))
        with module.graph.inserting_before(node):
            results = module.graph.graph_copy(body, arguments)
            detached = [_detach(module.graph, result) for result in results]
        for user in list(node.users):
            user.replace_all_uses_with(detached[user.args[1]])
            module.graph.erase_node(user)
        module.graph.erase_node(node)
    module.recompile()


def _detach(graph: torch.fx.Graph, node: torch.fx.Node) -> torch.fx.Node:
    detached = graph.call_function(torch.ops.aten.detach.default, (node,))
    detached.meta = dict(node.meta)
    return detached


def answers(module: torch.nn.Module, batches: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any]:
    """Run a module in eval mode on batches; return `answers`, one array for each output, and `versions`."""
    outputs = {}
    with _in_eval_mode(module), torch.no_grad():
        for name, arrays in batches.items():
            tensors = [torch.from_numpy(np.array(array)).to(_device(module)) for array in arrays]
            outputs[name] = [output.cpu().numpy() for output in pytree.tree_leaves(module(*tensors))]
    return {"answers": outputs, "versions": {"torch": torch.__version__}}


def _device(module: torch.nn.Module) -> torch.device:
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


@contextlib.contextmanager
def _in_eval_mode(module: torch.nn.Module) -> Iterator[None]:
    """Within this context, the module is in eval mode, and attention runs as separate operators, not fused."""
    training = [submodule for submodule in module.modules() if submodule.training]
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for submodule in training:
            submodule.training = True


def answers_after_step(
    module: torch.nn.Module, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray], rate: float
) -> list[np.ndarray]:
    """Return what a module answers after one step of gradient descent in eval mode; its weights are as before then.

    The second bias of an LSTM or RNN stays as it is: the two are always added, and Keras has one.

    Args:
        module: the module.
        inputs: a batch.
        targets: one array per output; empty for an output that has no part in the loss, which is the sum of the mean
            squared differences.
        rate: the learning rate.
    """
    tensors = [torch.from_numpy(np.array(array)).to(_device(module)) for array in inputs]
    second = {
        id(bias)
        for part in module.modules()
        if isinstance(part, (torch.nn.LSTM, torch.nn.RNN, torch.nn.LSTMCell, torch.nn.RNNCell))
        for name, bias in part.named_parameters()
        if name.startswith("bias_hh")
    }
    weights = [weight for weight in module.parameters() if weight.requires_grad and id(weight) not in second]
    before = [weight.detach().clone() for weight in weights]
    with _in_eval_mode(module), torch.enable_grad():
        outputs = pytree.tree_leaves(module(*tensors))
        pairs = [(output, target) for output, target in zip(outputs, targets, strict=True) if target.size]
        losses = [((output - torch.from_numpy(target).to(output.device)) ** 2).mean() for output, target in pairs]
        loss = torch.stack(losses).sum()
        gradients = (
            torch.autograd.grad(loss, weights, allow_unused=True) if loss.requires_grad else [None] * len(weights)
        )
    try:
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    weight -= rate * gradient
        return list(answers(module, {"after": inputs})["answers"]["after"])
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)
