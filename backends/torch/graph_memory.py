"""Which nodes of a captured graph share memory, which memory is written, and which values are the same in each step.

All of it follows from the schemas of the operations. Nothing is run.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Node

_aten = torch.ops.aten
# Operations whose results are views, though their schemas do not say so.
_UNDECLARED_VIEWS = (_aten.unsafe_split.Tensor, _aten.unsafe_split_with_sizes.default, _aten._unsafe_view.default)
# The values of these depend on their arguments' shapes only; a literal depends on nothing.
_SHAPE_ONLY = (
    _aten.ones_like.default,
    _aten.zeros_like.default,
    _aten.full_like.default,
    _aten.new_ones.default,
    _aten.new_zeros.default,
    _aten.new_full.default,
    _aten.lift_fresh_copy.default,
)
_UNINITIALIZED = (_aten.empty_like.default, _aten.new_empty.default, _aten.new_empty_strided.default)


class GraphMemory:
    """The memory of a graph of ATen operations.

    Args:
        captured: its attributes are the variables, and the literals in the code of the step.
    """

    def __init__(self, captured: GraphModule):
        self._captured = captured
        # Node → the node that allocated its memory, or the address of a variable's memory.
        self._owners: dict[Node, Node | int] = {}
        for node in captured.graph.nodes:
            self._owners[node] = self._owner(node)
        self._written = {self._owners[target] for node in captured.graph.nodes for target in _written_arguments(node)}
        self._frozen: set[Node] = set()
        for node in captured.graph.nodes:
            if self._has_same_value(node):
                self._frozen.add(node)

    def is_frozen(self, node: Node) -> bool:
        """Return whether the node has the same value in each step."""
        return node in self._frozen

    def is_view(self, node: Node) -> bool:
        """Return whether the node's value lies in the memory of another one, which this node does not write."""
        return not is_in_place(node) and self._owners[node] is not node and node.op == "call_function"

    def _owner(self, node: Node) -> Node | int:
        if node.op == "get_attr":
            address: int = getattr(self._captured, str(node.target)).untyped_storage().data_ptr()
            return address
        if node.op == "call_function" and (node.target is operator.getitem or _returns_alias(node.target)):
            return self._owners[node.all_input_nodes[0]]
        return node

    def _has_same_value(self, node: Node) -> bool:
        if node.op != "call_function" or self._owners[node] in self._written or _is_random(node.target):
            return False
        return node.target in _SHAPE_ONLY or all(source in self._frozen for source in node.all_input_nodes)


def replace_in_place_views(captured: GraphModule) -> None:
    """Replace operations such as `transpose_`, which change a tensor's shape but no value, by `transpose` and so on.

    The nodes after them use their results, so the tensor before them may keep its shape.

    Raises:
        StopIteration: there is no such operation.
    """
    for node in captured.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload) and torch.Tag.inplace_view in node.target.tags:
            packet = getattr(_aten, node.target._opname.removesuffix("_"))
            overloads = (getattr(packet, name) for name in packet.overloads())
            node.target = next(view for view in overloads if _parameters(view) == _parameters(node.target))


def _parameters(operation: torch._ops.OpOverload) -> list[str]:
    return [argument.name for argument in operation._schema.arguments]


def is_in_place(node: Node) -> bool:
    """Return whether an operation writes into one of its arguments."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def is_uninitialized(node: Node) -> bool:
    """Return whether an operation only allocates memory."""
    return node.target in _UNINITIALIZED


def _returns_alias(target: Any) -> bool:
    if target in _UNDECLARED_VIEWS:
        return True
    return isinstance(target, torch._ops.OpOverload) and any(result.alias_info for result in target._schema.returns)


def _is_random(target: Any) -> bool:
    return isinstance(target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in target.tags


def _written_arguments(node: Node) -> Iterator[Node]:
    if not is_in_place(node):
        return
    for place, argument in enumerate(node.target._schema.arguments):
        if argument.alias_info and argument.alias_info.is_write:
            value = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name)
            values: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
            yield from (item for item in values if isinstance(item, Node))
