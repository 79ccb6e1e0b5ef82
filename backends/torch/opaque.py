"""Operations that TorchScript cannot write down, such as the gradient of a convolution, within a captured step.

Their tensors change from step to step; everything else that they are given is known when the step is captured. It is
kept here, under a number, and the captured step calls one operation of ours with that number and the tensors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch.fx import GraphModule, Node, map_arg

# TorchScript's tracer does not know the type of one of their arguments.
REFUSED = (
    torch.ops.aten.convolution_backward.default,
    torch.ops.aten.mkldnn_rnn_layer.default,
    torch.ops.aten.mkldnn_rnn_layer_backward.default,
)

_calls: dict[int, Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor | None]]] = {}
_numbers = itertools.count()


@torch.library.custom_op("trivium::opaque", mutates_args=(), schema="(Tensor[] tensors, int number) -> Tensor[]")  # type: ignore[untyped-decorator]
def _opaque(tensors: Sequence[torch.Tensor], number: int) -> list[torch.Tensor]:
    # Without gradients oneDNN's recurrent kernel keeps nothing for its own.
    with torch.enable_grad():
        results = _calls[number](tensors)
    return [torch.empty(0) if result is None else result for result in results]


def hide(captured: GraphModule) -> list[int]:
    """Put `trivium::opaque` in the place of each refused operation; the numbers to `forget` when it is not needed."""
    numbers = []
    for node in list(captured.graph.nodes):
        if node.target in REFUSED:
            number = next(_numbers)
            tensors: list[Node] = []
            _calls[number] = _call(node, tensors)
            numbers.append(number)
            with captured.graph.inserting_before(node):
                hidden = captured.graph.call_function(torch.ops.trivium.opaque.default, (tensors, number))
            node.replace_all_uses_with(hidden)
            captured.graph.erase_node(node)
    captured.recompile()
    return numbers


def forget(numbers: Sequence[int]) -> None:
    for number in numbers:
        del _calls[number]


def _call(node: Node, tensors: list[Node]) -> Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor | None]]:
    """Calls the node's operation with other tensors in the places of those that it was given, which join `tensors`."""
    places: dict[Node, int] = {}

    def place(tensor: Node) -> Node:
        if tensor not in places:
            places[tensor] = len(tensors)
            tensors.append(tensor)
        return tensor

    target, arguments, keywords = node.target, node.args, node.kwargs
    map_arg((arguments, keywords), place)

    def call(given: Sequence[torch.Tensor]) -> Sequence[torch.Tensor | None]:
        positional, named = map_arg((arguments, keywords), lambda tensor: given[places[tensor]])
        return target(*positional, **named)  # type: ignore[no-any-return]

    return call
