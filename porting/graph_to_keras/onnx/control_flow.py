"""Write out what does not depend on values: an `If` by a stored condition, and a `Loop` of a stored number of rounds.

What remains, such as an `If` by a computed condition or a `Loop` that collects the results of its rounds, is refused by
name when the graph is translated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ....errors import PortError
from ....storage.budget import GRAPH_NODES

_MOST_ROUNDS = 128
_KINDS = ("If", "Loop")

# Returns the array of an initializer, and that of a `Constant` node or None.
ArrayOf = Callable[[Any], np.ndarray]
ConstantOf = Callable[[Any], "np.ndarray | None"]
# Functions that read the constants of a graph, by name: most are never read, and can be large.
Constants = Mapping[str, Callable[[], "np.ndarray | None"]]


class ControlFlow:
    """Writes out the control flow of a model, in place.

    Args:
        array_of, constant_of: read the constants.
    """

    def __init__(self, array_of: ArrayOf, constant_of: ConstantOf) -> None:
        self._array_of, self._constant_of = array_of, constant_of
        self._count = 0

    def write_out(self, graph: Any, outer: Constants | None = None) -> None:
        """Replace the nodes of a graph that can be written out by the nodes within them.

        Args:
            graph: a `GraphProto`.
            outer: the constants around it.

        Raises:
            PortError: too many nodes would be written.
        """
        if not _has_control_flow(graph):
            return
        constants = {**(outer or {}), **self._initializers(graph)}
        nodes: list[Any] = []
        for node in list(graph.node):
            if node.op_type == "Constant":
                constants[node.output[0]] = partial(self._constant_of, node)
            nodes += self._written(node, graph, constants) or [node]
            if len(nodes) > GRAPH_NODES:
                raise PortError(f"{node.op_type} ({node.output[0]}) becomes more than {GRAPH_NODES:,} nodes")
        del graph.node[:]
        graph.node.extend(nodes)

    def _initializers(self, graph: Any) -> Constants:
        return {each.name: partial(self._array_of, each) for each in graph.initializer}

    def _written(self, node: Any, graph: Any, constants: Constants) -> list[Any] | None:
        if not _is_control_flow(node):
            return None
        bodies = {each.name: each.g for each in node.attribute}
        for body in bodies.values():
            self.write_out(body, constants)
        if node.op_type == "If":
            return self._branch(node, bodies, graph, constants)
        return self._rounds(node, bodies["body"], graph, constants)

    def _branch(self, node: Any, bodies: Mapping[str, Any], graph: Any, constants: Constants) -> list[Any] | None:
        """Return the nodes of the branch that is always chosen; None if the choice depends on values."""
        condition = _value(constants, node.input[0])
        if condition is None:
            return None
        body = bodies["then_branch" if condition.any() else "else_branch"]
        if _has_control_flow(body):
            return None
        results: list[Any] = []
        names = self._inlined(body, {}, graph, results)
        return [*results, *_named(names, node.output)]

    def _rounds(self, node: Any, body: Any, graph: Any, constants: Constants) -> list[Any] | None:
        """Return the nodes of all rounds of a loop; None if their number depends on values."""
        rounds, go_on = (_value(constants, name) for name in (*node.input, "", "")[:2])
        carried = list(node.input[2:])
        has_condition = len(node.input) > 1 and node.input[1]
        if rounds is None or (has_condition and (go_on is None or not go_on.all())) or _has_control_flow(body):
            return None
        if len(body.output) != len(carried) + 1 or not self._goes_on(body) or int(rounds.item()) > _MOST_ROUNDS:
            return None
        results: list[Any] = []
        for number in range(int(rounds.item())):
            place = self._constant(graph, np.asarray(number, "int64"))
            truth = self._constant(graph, np.asarray(True))
            inputs = dict(zip((each.name for each in body.input), (place, truth, *carried), strict=True))
            carried = self._inlined(body, inputs, graph, results)[1:]
        return [*results, *_named(carried, node.output)]

    def _goes_on(self, body: Any) -> bool:
        """Return whether each round says that the next one follows: by its own condition, or by a stored truth."""
        producers = {name: each for each in body.node for name in each.output}
        name = body.output[0].name
        while name in producers and producers[name].op_type in ("Identity", "Cast"):
            name = producers[name].input[0]
        is_computed = name in producers
        value = self._constant_of(producers[name]) if is_computed else _value(self._initializers(body), name)
        return name == body.input[1].name or (value is not None and bool(value.all()))

    def _inlined(self, body: Any, inputs: Mapping[str, str], graph: Any, nodes: list[Any]) -> list[str]:
        """Add the nodes of a graph under names of their own, and return the names of its outputs."""
        import onnx

        self._count += 1
        own = {name for each in body.node for name in each.output} | {each.name for each in body.initializer}
        names = {name: f"{name}/{self._count}" for name in own if name} | dict(inputs)
        for array in body.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(array)
            copy.name = names[array.name]
            graph.initializer.append(copy)
        for node in body.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [names.get(name, name) for name in node.input]
            copy.output[:] = [names.get(name, name) for name in node.output]
            nodes.append(copy)
        return [names.get(each.name, each.name) for each in body.output]

    def _constant(self, graph: Any, value: np.ndarray) -> str:
        import onnx

        self._count += 1
        graph.initializer.append(onnx.numpy_helper.from_array(value, f"round/{self._count}"))
        return f"round/{self._count}"


def _is_control_flow(node: Any) -> bool:
    return node.op_type in _KINDS and not node.domain


def _has_control_flow(graph: Any) -> bool:
    return any(map(_is_control_flow, graph.node))


def _value(constants: Constants, name: str) -> np.ndarray | None:
    return constants[name]() if name in constants else None


def _named(names: list[str], outputs: Any) -> Iterator[Any]:
    """Yield the nodes that give results their names outside."""
    import onnx

    for name, output in zip(names, outputs, strict=True):
        if output:
            yield onnx.helper.make_node("Identity", [name], [output])
