"""Which node of one graph computes what a node of the other does, given the pairs of their units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..graph.graph import ArrayReference, Graph, GraphNode
from .layouts import MOVES
from .matching import Matching
from .units import Unit

# What changes the form of an array and not its values, as far as one model may need it and another not.
_RANDOM = frozenset(("dropout", "gaussian_noise", "gaussian_dropout", "alpha_dropout"))
_TRANSPARENT = MOVES | _RANDOM | {"pad", "crop", "cast", "stop_gradient"}
_COMMUTATIVE = ("add", "multiply", "average", "maximum", "minimum")


@dataclass(frozen=True, eq=False)
class NodePair:
    """A node and its counterpart.

    Attributes:
        has_weights: whether they are calls of units that were matched.
    """

    mine: GraphNode
    others: GraphNode
    has_weights: bool


def align(mine: Graph, others: Graph, matching: Matching) -> list[NodePair]:
    """Return the pairs of nodes that compute the same, in the first graph's order of computation."""
    anchors: list[dict[str, object]] = [{}, {}]
    for number, pair in enumerate(matching.pairs):
        if len(pair.mine) == len(pair.others) == 1:
            for side, unit in enumerate((pair.mine[0], pair.others[0])):
                if _gives_the_result(unit):
                    anchors[side][unit.node.layer.name] = number
    coloured = [_by_colour(graph, anchored) for graph, anchored in zip((mine, others), anchors, strict=True)]
    pairs = [
        NodePair(node, other, node.layer.name in anchors[0])
        for colour, nodes in coloured[0].items()
        for node, other in zip(nodes, coloured[1].get(colour, []), strict=False)
    ]
    order = {node.name: place for place, node in enumerate(mine.nodes)}
    in_order = sorted(pairs, key=lambda pair: order[pair.mine.name])
    return [*in_order, *_outputs(mine, others, in_order)]


def _outputs(mine: Graph, others: Graph, pairs: Sequence[NodePair]) -> Iterator[NodePair]:
    """Yield the pairs of nodes that give an output of each model, where these are no pair yet."""
    known = {(pair.mine.name, pair.others.name) for pair in pairs}
    nodes = [{node.name: node for node in graph.nodes} for graph in (mine, others)]
    for output, other in zip(mine.outputs, others.outputs, strict=False):
        names = output.reference.name, other.reference.name
        if names not in known and names[0] in nodes[0] and names[1] in nodes[1]:
            yield NodePair(nodes[0][names[0]], nodes[1][names[1]], False)


def _gives_the_result(unit: Unit) -> bool:
    """Return whether the result of a unit is that of its node."""
    return unit.part in ("", "output")


def _by_colour(graph: Graph, anchors: Mapping[str, object]) -> dict[object, list[GraphNode]]:
    """Return the nodes by what they compute: the number of a pair and a call, or a kind and its inputs."""
    colours: dict[ArrayReference, object] = {
        ArrayReference(each.name): ("input", number) for number, each in enumerate(graph.inputs)
    }
    nodes: dict[object, list[GraphNode]] = defaultdict(list)
    calls: dict[str, int] = defaultdict(int)
    for node in graph.nodes:
        inputs: Sequence[object] = [
            colours[each] if isinstance(each, ArrayReference) else ("number", round(float(each), 6))
            for each in node.inputs
        ]
        colour: object
        if node.layer.name in anchors:
            colour = ("unit", anchors[node.layer.name], calls[node.layer.name])
            calls[node.layer.name] += 1
        elif node.kind in _TRANSPARENT and inputs:
            colours[ArrayReference(node.name)] = inputs[0]
            if node.kind in _RANDOM:
                nodes[hash((node.kind, inputs[0]))].append(node)
            continue
        else:
            ordered = sorted(inputs, key=repr) if node.kind in _COMMUTATIVE else inputs
            colour = hash((node.kind, tuple(ordered)))
        nodes[colour].append(node)
        for index in range(len(node.outputs)):
            colours[ArrayReference(node.name, index)] = (colour, index) if index else colour
    return nodes


def between(graph: Graph, node: GraphNode, paired: set[str]) -> list[GraphNode]:
    """Return the nodes from which a node is computed, back to those that have a counterpart, in order."""
    by_name = {each.name: each for each in graph.nodes}
    seen: set[str] = set()
    stack = [ref.name for ref in node.references]
    while stack:
        name = stack.pop()
        if name in by_name and name not in paired and name not in seen:
            seen.add(name)
            stack += [ref.name for ref in by_name[name].references]
    return [each for each in graph.nodes if each.name in seen]


def forms_of(graph: Graph, node: GraphNode) -> list[GraphNode]:
    """Return the nodes after a node that only bring its result into another form, as far as nothing else reads it."""
    forms: list[GraphNode] = []
    while True:
        readers = graph.readers[ArrayReference(forms[-1].name if forms else node.name)]
        if len(readers) != 1 or not isinstance(readers[0], GraphNode) or readers[0].kind not in _TRANSPARENT:
            return forms
        forms.append(readers[0])
