"""Replay a captured step without the layers' Python: one call per operation, with arguments that are known beforehand.

A small operation writes its result into the same memory in each step. So a view of it, such as a transpose, is made
once, and nothing is allocated. What no step changes is computed once. Large results are allocated anew and freed as
soon as possible, which keeps the memory and the caches small. The operations are those of the step itself, so the
results are equal bit by bit. No compiler is needed.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Node, map_arg

from .call_sequence import CallSequence, Variable
from .graph_memory import GraphMemory, is_in_place, is_uninitialized, replace_in_place_views
from .operations import quick, writer_into

# Up to this size in bytes a call costs more than its memory traffic.
_SMALL = 2**16


@contextlib.contextmanager
def replay_mode() -> Iterator[None]:
    """The context in which a replay is made and run: PyTorch keeps no record for gradients."""
    # Without gradient mode oneDNN's recurrent kernel does not save what its backward pass needs.
    with torch.inference_mode(), torch.enable_grad():
        yield


class Replay:
    """A captured step as a sequence of calls.

    Args:
        captured: a graph of ATen operations on one batch and on variables, which are its attributes.
        batch: example inputs. The step runs once on them, which changes the variables.

    Attributes:
        batch: the tensors that hold a batch; to be overwritten before each step.
        step: run the step on `batch`, in `replay_mode`; it returns what the captured function returns, which is valid
            until the next step.
    """

    def __init__(self, captured: GraphModule, batch: Sequence[torch.Tensor]):
        replace_in_place_views(captured)
        self._memory = GraphMemory(captured)
        self._calls = CallSequence()
        self._fixed: dict[Node, Any] = {}  # values in memory that stays the same
        self._current: dict[Node, Any] = {}  # values that each step computes into new memory
        last_uses = {source: node for node in captured.graph.nodes for source in node.all_input_nodes}
        with replay_mode():
            self.batch = [tensor.clone() for tensor in batch]
            placeholders = iter(self.batch)
            for node in captured.graph.nodes:
                if node.op == "placeholder":
                    self._fixed[node] = next(placeholders)
                elif node.op == "get_attr":
                    self._fixed[node] = getattr(captured, str(node.target)).detach()
                elif node.op == "call_function":
                    self._add(node, [source for source in node.all_input_nodes if last_uses[source] is node])
        (result,) = node.all_input_nodes
        self.step: Callable[[], torch.Tensor] = self._calls.function(self._argument(result))

    def _add(self, node: Node, last_used: Sequence[Node]) -> None:
        """Run a node, and append a call for it unless its value stays the same."""
        arguments, keywords = map_arg((node.args, node.kwargs), self._value)
        result = node.target(*arguments, **keywords)
        is_view = node.target is operator.getitem or self._memory.is_view(node)
        has_fixed_sources = all(source in self._fixed for source in node.all_input_nodes)
        if (is_view and has_fixed_sources) or self._has_constant_value(node, result):
            self._fixed[node] = result
            return
        function = quick(node.target)
        if not is_view and not is_in_place(node) and _is_small(result):
            function, self._fixed[node] = writer_into(node.target, arguments, keywords, result)
        elif is_in_place(node) and has_fixed_sources:
            self._fixed[node] = result
        else:
            self._current[node] = result
        self._append(node, function, [source for source in last_used if source in self._current])

    def _has_constant_value(self, node: Node, result: Any) -> bool:
        return self._memory.is_frozen(node) or (is_uninitialized(node) and _is_small(result))

    def _append(self, node: Node, function: Callable[..., Any], last_used: Sequence[Node]) -> None:
        arguments, keywords = map_arg((node.args, node.kwargs), self._argument)
        result = Variable(node.name) if node in self._current and node.users else None
        self._calls.call(function, arguments, keywords, result, [Variable(source.name) for source in last_used])
        for source in last_used:
            del self._current[source]

    def _value(self, node: Node) -> Any:
        return self._fixed[node] if node in self._fixed else self._current[node]

    def _argument(self, node: Node) -> Any:
        return self._fixed[node] if node in self._fixed else Variable(node.name)


def _is_small(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.numel() * value.element_size() <= _SMALL
