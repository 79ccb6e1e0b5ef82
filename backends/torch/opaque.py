"""Operations in a captured step that TorchScript cannot trace, such as the gradient of a convolution.

Only their tensors change from step to step; their other arguments are known when the step is captured. This module
stores those arguments under a number. The captured step calls `trivium::opaque` with the number and the tensors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch.fx import GraphModule, Node, map_arg

# Operations with an argument of a type that TorchScript's tracer does not support.
UNTRACEABLE = (
    torch.ops.aten.convolution_backward.default,
    torch.ops.aten.mkldnn_rnn_layer.default,
    torch.ops.aten.mkldnn_rnn_layer_backward.default,
)

_calls: dict[int, Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor | None]]] = {}
_numbers = itertools.count()


@torch.library.custom_op("trivium::opaque", mutates_args=(), schema="(Tensor[] tensors, int number) -> Tensor[]")  # type: ignore[untyped-decorator]
def _opaque(tensors: Sequence[torch.Tensor], number: int) -> list[torch.Tensor]:
    # Without gradient mode oneDNN's recurrent kernel does not save what its backward pass needs.
    with torch.enable_grad():
        results = _calls[number](tensors)
    return [torch.empty(0) if result is None else result for result in results]


def make_opaque(captured: GraphModule) -> list[int]:
    """Replace each untraceable operation by `trivium::opaque`; return the numbers for `release_calls`."""
    numbers = []
    for node in list(captured.graph.nodes):
        if node.target in UNTRACEABLE:
            number = next(_numbers)
            tensors: list[Node] = []
            _calls[number] = _call(node, tensors)
            numbers.append(number)
            with captured.graph.inserting_before(node):
                opaque_call = captured.graph.call_function(torch.ops.trivium.opaque.default, (tensors, number))
            node.replace_all_uses_with(opaque_call)
            captured.graph.erase_node(node)
    captured.recompile()
    return numbers


def release_calls(numbers: Sequence[int]) -> None:
    """Forget the operations of a captured step that is no longer used."""
    for number in numbers:
        del _calls[number]


def _call(node: Node, tensors: list[Node]) -> Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor | None]]:
    """Append the node's tensors to `tensors`; return a function that calls its operation with other tensors."""
    places: dict[Node, int] = {}

    def place(tensor: Node) -> Node:
        if tensor not in places:
            places[tensor] = len(tensors)
            tensors.append(tensor)
        return tensor

    target, arguments, keywords = node.target, node.args, node.kwargs
    map_arg((arguments, keywords), place)

    def call(values: Sequence[torch.Tensor]) -> Sequence[torch.Tensor | None]:
        new_arguments, new_keywords = map_arg((arguments, keywords), lambda tensor: values[places[tensor]])
        return target(*new_arguments, **new_keywords)  # type: ignore[no-any-return]

    return call
