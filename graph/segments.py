"""The parts of a graph that could be blocks: consecutive nodes with few inputs and one output.

Two segments are alike if their nodes have the same kinds, wiring and configuration, but for numbers and weights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .graph import ArrayReference, ConfigValue, Graph, GraphNode

_LONGEST = 120  # nodes
_MOST_INPUTS = 3
# Arrays that are part of the model, not of its training, are not among the parameters of a block.
NOT_IN_BLOCKS = ("constant", "normalization")


@dataclass(frozen=True)
class Segment:
    """Consecutive nodes of a graph, `nodes[start:stop]`.

    Attributes:
        inputs: the arrays that they read, in the order of reading.
        output: the only array that others read.
    """

    start: int
    stop: int
    inputs: tuple[ArrayReference, ...]
    output: ArrayReference

    @property
    def length(self) -> int:
        return self.stop - self.start

    @property
    def positions(self) -> range:
        return range(self.start, self.stop)


class SegmentScanner:
    """Lists the segments of a graph.

    Args:
        graph: the graph.

    Attributes:
        last_reader: the position of the last node that reads an array; the number of nodes for the model's outputs.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._positions = {node.name: position for position, node in enumerate(graph.nodes)}
        self._tokens = [token(node) for node in graph.nodes]
        self.last_reader = {
            reference: max(self._position_of(reader) for reader in readers)
            for reference, readers in graph.readers.items()
            if readers
        }
        self._spans = call_spans(graph)

    def alike(self, least: int) -> list[list[Segment]]:
        """Return the groups of segments that are alike, of at least this many nodes."""
        numbers: dict[Hashable, int] = {}
        groups: dict[int, list[Segment]] = defaultdict(list)
        for start in range(len(self._graph.nodes)):
            key = 0
            for segment, token in self._from(start):
                key = numbers.setdefault((key, token), len(numbers) + 1)
                if segment is not None and segment.length >= least:
                    groups[key].append(segment)
        return [group for group in groups.values() if len(group) > 1]

    def _from(self, start: int) -> Iterator[tuple[Segment | None, Hashable]]:
        """Yield each segment from a node on, and the token of its last node; None where it cannot be a block."""
        outer: dict[ArrayReference, int] = {}
        places: dict[str, int] = {}
        unread: list[ArrayReference] = []
        last_call, has_weights = start, False
        for position in range(start, min(start + _LONGEST, len(self._graph.nodes))):
            node = self._graph.nodes[position]
            first, last = self._spans[position]
            if first < start or node.kind in NOT_IN_BLOCKS:
                return
            last_call = max(last_call, last)
            has_weights = has_weights or bool(node.layer.weights)
            places[node.name] = position
            wiring = tuple(wire(operand, places, position, outer) for operand in node.inputs)
            if len(outer) > _MOST_INPUTS:
                return
            own = [ArrayReference(node.name, index) for index in range(len(node.outputs))]
            unread = [ref for ref in (*unread, *own) if self.last_reader.get(ref, -1) > position]
            can_be_block = last_call <= position and has_weights and len(unread) == 1 and unread[0] in own and outer
            segment = Segment(start, position + 1, tuple(outer), unread[0]) if can_be_block else None
            yield segment, (self._tokens[position], wiring)

    def _position_of(self, reader: Any) -> int:
        return self._positions[reader.name] if isinstance(reader, GraphNode) else len(self._graph.nodes)

    def is_repetitive(self, segment: Segment) -> bool:
        """Return whether a segment itself repeats a shorter one, such as dense, relu, dense."""
        tokens = self._tokens[segment.start : segment.stop]
        return any(tokens[shift:] == tokens[:-shift] for shift in range(1, segment.length * 2 // 3 + 1))


def call_spans(graph: Graph) -> list[tuple[int, int]]:
    """Return for each node the positions of the first and the last call of its layer."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for position, node in enumerate(graph.nodes):
        first.setdefault(id(node.layer), position)
        last[id(node.layer)] = position
    return [(first[id(node.layer)], last[id(node.layer)]) for node in graph.nodes]


def wire(operand: Any, places: Mapping[str, int], position: int, outer: dict[ArrayReference, int]) -> Hashable:
    """Return what an operand of a node is: how far before the node it is computed, or which input it is.

    Args:
        operand: of the node.
        places: the positions of the nodes of the segment, by their names.
        position: that of the node.
        outer: the numbers of the inputs; a new one is added.
    """
    if not isinstance(operand, ArrayReference):
        return type(operand).__name__
    if operand.name in places:
        return position - places[operand.name], operand.index
    return "input", outer.setdefault(operand, len(outer))


def token(node: GraphNode) -> Hashable:
    """Return what must be the same in nodes that are alike."""
    weights = tuple((name, array.ndim, array.dtype.name) for name, array in node.layer.weights.items())
    outputs = tuple((spec.dtype, tuple(length is None for length in spec.shape)) for spec in node.outputs)
    return node.kind, _without_numbers(node.config), weights, outputs, node.layer.trainable


def _without_numbers(config: Mapping[str, ConfigValue]) -> Hashable:
    return tuple((name, _pattern(value)) for name, value in config.items())


def _pattern(value: ConfigValue) -> Hashable:
    if isinstance(value, tuple):
        return tuple(map(_pattern, value))
    return value if isinstance(value, (bool, str)) or value is None else type(value).__name__
