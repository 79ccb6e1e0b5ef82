"""The calls of a user's own layers as segments of a graph: each class of layers is worth a class or function of source.

A layer within an own layer is a part of the outer one's class, except where the outer one is a container of several
layers of one class. A call is left as it is if it has several results, shares its layers with other calls, or has no
weights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from .graph import ArrayReference, Graph, GraphNode, Owner
from .segments import NOT_IN_BLOCKS, Segment, call_spans, token, wire

_MOST_INPUTS = 8


@dataclass(frozen=True)
class OwnedFamily:
    """The calls of layers of one class that are alike but for numbers and weights.

    Attributes:
        segments: what each call computes, in the order of the model.
        owners: the call of each segment.
    """

    segments: tuple[Segment, ...]
    owners: tuple[Owner, ...]


def constants_first(graph: Graph) -> Graph:
    """Return the same graph with the constants of own layers before the layers, which take them as inputs."""
    if not any(node.owners for node in graph.nodes):
        return graph
    nodes: list[GraphNode] = []
    starts: dict[Owner, int] = {}
    for node in graph.nodes:
        if not node.owners:
            nodes.append(node)
            continue
        start = starts.setdefault(node.owners[0], len(nodes))
        if node.kind == "constant":
            nodes.insert(start, replace(node, owners=()))
            starts[node.owners[0]] += 1
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def owned_families(graph: Graph, text_of: Callable[[Segment], Hashable]) -> list[OwnedFamily]:
    """Return the families of the calls of own layers.

    Args:
        graph: as `constants_first` returns it.
        text_of: returns what would be written for a segment, without its numbers.
    """
    groups: dict[Hashable, list[tuple[Segment, Owner]]] = defaultdict(list)
    for segment, owner in _owned_segments(graph):
        groups[owner.class_name, _form(graph, segment), text_of(segment)].append((segment, owner))
    return [OwnedFamily(*map(tuple, zip(*group, strict=True))) for group in groups.values()]


def _owned_segments(graph: Graph) -> Iterator[tuple[Segment, Owner]]:
    spans = call_spans(graph)
    constants = {node.name for node in graph.nodes if node.kind == "constant"}

    def segments(positions: Sequence[int], depth: int) -> Iterator[tuple[Segment, Owner]]:
        for owner, own in _by_owner(graph, positions, depth):
            segment = None if _is_container(graph, own, depth + 1) else _segment(graph, own, spans, constants)
            if segment is None:
                yield from segments(own, depth + 1)
            else:
                yield segment, owner

    yield from segments(range(len(graph.nodes)), 0)


def _by_owner(graph: Graph, positions: Sequence[int], depth: int) -> list[tuple[Owner, list[int]]]:
    """Return the calls of own layers at a depth, each with the positions of its nodes."""
    owned: dict[Owner, list[int]] = defaultdict(list)
    for position in positions:
        owners = graph.nodes[position].owners
        if len(owners) > depth:
            owned[owners[depth]].append(position)
    return list(owned.items())


def _is_container(graph: Graph, positions: Sequence[int], depth: int) -> bool:
    """Return whether a layer calls several own layers of one class."""
    classes = [owner.class_name for owner, _ in _by_owner(graph, positions, depth)]
    return len(set(classes)) < len(classes)


def _segment(
    graph: Graph, positions: Sequence[int], spans: Sequence[tuple[int, int]], constants: Set[str]
) -> Segment | None:
    """Return the nodes at these positions as a segment, or None if they cannot be a block.

    Args:
        spans: as `call_spans` returns them.
        constants: the names of all constants of the graph.
    """
    start, stop = positions[0], positions[-1] + 1
    nodes = graph.nodes[start:stop]
    if len(nodes) != len(positions) or not any(node.layer.weights for node in nodes):
        return None
    if any(first < start or last >= stop for first, last in spans[start:stop]):
        return None
    if any(node.kind in NOT_IN_BLOCKS for node in nodes):
        return None
    inside = {node.name for node in nodes}
    inputs = dict.fromkeys(ref for node in nodes for ref in node.references if ref.name not in inside)
    ordered = sorted(inputs, key=lambda reference: reference.name in constants)
    outputs = [
        ArrayReference(node.name, index)
        for node in nodes
        for index in range(len(node.outputs))
        if _is_read_outside(graph, ArrayReference(node.name, index), inside)
    ]
    if len(outputs) != 1 or not 0 < len(ordered) <= _MOST_INPUTS or ordered[0].name in constants:
        return None
    return Segment(start, stop, tuple(ordered), outputs[0])


def _is_read_outside(graph: Graph, reference: ArrayReference, inside: set[str]) -> bool:
    return any(not isinstance(each, GraphNode) or each.name not in inside for each in graph.readers[reference])


def _form(graph: Graph, segment: Segment) -> Hashable:
    """Return what must be the same in segments that are alike."""
    places = {graph.nodes[position].name: position for position in segment.positions}
    outer = {reference: number for number, reference in enumerate(segment.inputs)}
    return tuple(
        (
            token(graph.nodes[position]),
            tuple(wire(operand, places, position, outer) for operand in graph.nodes[position].inputs),
        )
        for position in segment.positions
    )
