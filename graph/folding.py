"""Fold the repeated structure of a graph: runs of blocks that are alike become one node each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache

from .block_names import family_name, local_names, qualifier_of, run_name
from .blocks import BLOCKS, BlockFamily, Blocks
from .graph import ArrayReference, Graph, GraphLayer, GraphNode, GraphOperand, Input, Output
from .owned_blocks import OwnedFamily, constants_first, owned_families
from .repetition import Family, RepetitionFinder
from .segments import Segment
from .source import identifier

_FEWEST_IN_RUN = 3  # own layers, which are named one by one otherwise


def fold(graph: Graph, text_of: Callable[[Graph], Hashable], reserved: Set[str] = frozenset()) -> Graph:
    """Return the graph with its repeated blocks folded.

    Args:
        graph: the graph of a model.
        text_of: returns what the backend would write for a block, without its numbers. Blocks with another text are
            not of one family.
        reserved: names that mean something in the text, so that no constant of an own layer is called so.
    """
    graph = constants_first(graph)
    text_of_segment = cache(lambda segment: text_of(_block(graph, segment, "")))
    owned = owned_families(graph, text_of_segment)
    occupied = {position for family in owned for segment in family.segments for position in segment.positions}
    finder = RepetitionFinder(graph, text_of_segment, occupied)
    repeated = finder.families()
    if not owned and not repeated:
        return graph
    families = [*(list(family.segments) for family in owned), *repeated]
    nodes: dict[int, tuple[GraphNode, ...]] = {position: (node,) for position, node in enumerate(graph.nodes)}
    renamed: dict[ArrayReference, ArrayReference] = {}
    folded = _own_layer_families(graph, owned, reserved)
    folded += _named_families(graph, finder, repeated, {family.name for family in folded})
    inside = {position for family in families for segment in family for position in segment.positions}
    used_names = {graph_input.name for graph_input in graph.inputs}
    used_names |= {node.name for position, node in enumerate(graph.nodes) if position not in inside}
    for segments, family in zip(families, folded, strict=True):
        start = 0
        for run in _runs(finder, segments, family):
            name = identifier(_run_name(graph, family, start, len(run)), used_names)
            used_names.add(name)
            layer = Blocks(name, BLOCKS, family=family, start=start, stop=start + len(run))
            nodes |= dict.fromkeys(range(run[0].start, run[-1].stop), ())
            nodes[run[0].start] = (GraphNode(name, layer, run[0].inputs, (graph.specs[run[-1].output],)),)
            renamed[run[-1].output] = ArrayReference(name)
            start += len(run)
    left = [_with_inputs(node, renamed) for position in sorted(nodes) for node in nodes[position]]
    outputs = tuple(Output(o.name, renamed.get(o.reference, o.reference)) for o in graph.outputs)
    return replace(graph, nodes=tuple(left), outputs=outputs)


def _runs(finder: RepetitionFinder, segments: Family, family: BlockFamily) -> list[Family]:
    """Return the runs of segments; calls of own layers are a run where at least three follow each other."""
    runs = finder.runs(segments)
    if not family.class_name:
        return runs
    return [part for run in runs for part in ([run] if len(run) >= _FEWEST_IN_RUN else [[each] for each in run])]


def _run_name(graph: Graph, family: BlockFamily, start: int, count: int) -> str:
    if family.class_name:
        return family.labels[start] if count == 1 else f"{family.name}s"
    return run_name(family.labels[start : start + count], graph.name)


def _own_layer_families(graph: Graph, owned: Sequence[OwnedFamily], reserved: Set[str]) -> list[BlockFamily]:
    """Return the families of own layers, under the names of their classes."""
    folded: list[BlockFamily] = []
    for family in owned:
        first, labels = family.owners[0], tuple(owner.label for owner in family.owners)
        name = identifier(first.name, {each.name for each in folded})
        names = local_names([node.name for node in _nodes(graph, family.segments[0])], labels[0])
        inputs = _own_input_names(graph, family.segments[0], labels[0], {*names, *reserved})
        blocks = tuple(_block(graph, segment, name, names, inputs) for segment in family.segments)
        folded.append(BlockFamily(name, blocks, labels, first.class_name))
    return folded


def _own_input_names(graph: Graph, segment: Segment, label: str, used: Set[str]) -> list[str]:
    """Return the names of an own layer's inputs: its constants keep their names, such as `kernel_scale`."""
    constants = {node.name for node in graph.nodes if node.kind == "constant"}
    names: list[str] = []
    for reference, name in zip(segment.inputs, _input_names(graph, segment, used), strict=True):
        if reference.name in constants:
            name = identifier(local_names([reference.name], label)[0], {*names, *used})
        names.append(name)
    return names


def _nodes(graph: Graph, segment: Segment) -> Sequence[GraphNode]:
    return graph.nodes[segment.start : segment.stop]


def _named_families(
    graph: Graph, finder: RepetitionFinder, families: Sequence[Family], used_names: Set[str]
) -> list[BlockFamily]:
    """Return the families with their names, which differ from each other and from those in use."""
    named = []
    for segments in families:
        labels = tuple(finder.label(segment) for segment in segments)
        if not all(labels):
            labels = ("",) * len(labels)
        named.append((family_name(labels, graph.name), labels, qualifier_of(_block(graph, segments[0], labels[0]))))
    qualifiers: dict[str, set[str]] = defaultdict(set)
    for name, _, qualifier in named:
        qualifiers[name].add(qualifier)
    folded: list[BlockFamily] = []
    for (name, labels, qualifier), segments in zip(named, families, strict=True):
        qualified = f"{qualifier}_{name}" if qualifier and len(qualifiers[name]) > 1 else name
        unique = identifier(qualified, {*used_names, *(family.name for family in folded)})
        names = local_names([node.name for node in _nodes(graph, segments[0])], labels[0])
        blocks = tuple(_block(graph, segment, unique, names) for segment in segments)
        folded.append(BlockFamily(unique, blocks, labels))
    return folded


def _block(graph: Graph, segment: Segment, name: str, names: Sequence[str] = (), inputs: Sequence[str] = ()) -> Graph:
    """Return a segment as a graph of its own, with names for its nodes and inputs; without them, they are numbered."""
    nodes = _nodes(graph, segment)
    names = names or [f"node_{number}" for number in range(len(nodes))]
    inputs = inputs or _input_names(graph, segment, set(names))
    renamed = {old: ArrayReference(new) for old, new in zip(segment.inputs, inputs, strict=True)}
    layers: dict[int, GraphLayer] = {}
    local = []
    for node, new in zip(nodes, names, strict=True):
        layer = layers.setdefault(id(node.layer), replace(node.layer, name=new))
        local.append(replace(_with_inputs(node, renamed), name=new, layer=layer))
        renamed |= {ArrayReference(node.name, i): ArrayReference(new, i) for i in range(len(node.outputs))}
    block_inputs = [Input(new, graph.specs[old]) for old, new in zip(segment.inputs, inputs, strict=True)]
    return Graph(name, tuple(block_inputs), tuple(local), (Output("output", renamed[segment.output]),))


def _input_names(graph: Graph, segment: Segment, used: Set[str]) -> list[str]:
    """Return the names of a block's inputs: `x`, and those that are the same for all blocks."""
    names = ["x"]
    for reference in segment.inputs[1:]:
        is_mask = graph.specs[reference].dtype == "bool"
        names.append(identifier("mask" if is_mask else "context", {*names, *used}))
    return names


def _with_inputs(node: GraphNode, renamed: Mapping[ArrayReference, ArrayReference]) -> GraphNode:
    """Return a node with other names for what it reads."""

    def rename(operand: GraphOperand) -> GraphOperand:
        return renamed.get(operand, operand) if isinstance(operand, ArrayReference) else operand

    return replace(node, inputs=tuple(map(rename, node.inputs)))
