"""`ForeignGraph`: a network from another framework in one small, file-independent representation.

A reader (`program.py`, `graph.py`) translates the operators of its file, or of a traced function, into a few kinds of
nodes, and `builder.py` builds a Keras model from them. Nothing here depends on a framework. Axes are in the file's
order, with channels second.

A kind computes the same as the function of that name in `keras.ops`, except for those in the table. Sizes have one
number per axis of the window; `padding` is pairs (before, after), or "same_upper" or "same_lower":

| kind | inputs | attributes |
|---|---|---|
| `linear` | x, weight (out, in), bias | |
| `affine` | x, weight (in, out), bias | |
| `einsum_dense` | x, weight, bias | terms: the letters of the axes of x, of the weight and of the output |
| `conv` | x, weight (out, in / groups, …), bias | strides, padding, dilation, groups |
| `conv_transpose` | x, weight (in, out, …), bias | strides, padding, dilation, groups, output_padding |
| `batch_norm` | x, weight, bias, mean, variance | epsilon, momentum: the weight of the new batch |
| `layer_norm`, `rms_norm` | x, weight, bias | rank: the number of last axes that it normalizes; epsilon |
| `group_norm` | x, weight, bias | groups, epsilon |
| `expand` | x | shape; open: whether -1 is an open length, and not the length that stays |
| `embedding` | weight, indices | padding: the row that is not trained, if there is one, else -1 |
| `weight_norm` | directions, sizes | axis: of the sizes |
| `parameter` | weight: as an array that several nodes read | |
| `lookup` | array without a batch axis, row numbers | |
| `recurrent` | x, initial states…; see `recurrent.py` | |
| `attention` | query, key, value (…, T, d), mask | causal, scale, or None for 1 / sqrt(d) |
| `dropout` | x | rate; by_feature: whole feature maps; alpha: keeps mean and variance |
| `max_pool`, `average_pool` | x | window, strides, padding, dilation, ceil, count_padding |
| `adaptive_pool`, `global_pool` | x | size; reduces: average or max |
| `upsample` | x | size, factors, mode |
| `activation` | x | name, and the options of that activation |
| `size` | x | axis: returns its length, a number; with None the lengths of all axes |
| `top_k` | x | count; returns the largest values along the last axis, and their positions |
| `full` | | shape, value |
| `same` | x | the identity |
| `converted` | the operator's arguments | see `converted_nodes.py` |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ref:
    """A reference, by name, to the output of a node, a weight, or an input of the network."""

    name: str


AT = " at "
# An input or attribute of a node: a `Ref`, a plain value, or a tuple of these.
Operand = Any


@dataclass(frozen=True, eq=False)
class Weight:
    """An array that is stored in the file.

    Attributes:
        name: its name in the file, such as "layer1.0.conv1.weight".
        value: in the file's own layout.
        trainable: whether training changes it: true for a parameter, false for a constant.
        standalone: whether it is trainable even if no layer owns it. False for ONNX, which does not mark parameters.
        frozen: whether it is a parameter that its author does not train.
    """

    name: str
    value: np.ndarray
    trainable: bool
    standalone: bool = True
    frozen: bool = False

    @property
    def trains_standalone(self) -> bool:
        return self.trainable and self.standalone and not self.frozen


@dataclass(frozen=True)
class GraphInput:
    """An input of the network.

    Attributes:
        shape: with the batch axis; None for an axis of any length.
        dtype: NumPy's name of it.
        batch: the axis of the samples.
        size: the only batch size that the file itself accepts, or None for any.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    batch: int = 0
    size: int | None = None


@dataclass(frozen=True, eq=False)
class ForeignNode:
    """One operator.

    Attributes:
        kind: one of the kinds above.
        inputs: `Ref`s, numbers, or None for an absent optional input.
        outputs: the names of its outputs.
        attributes: plain values, `Ref`s to earlier outputs (such as a length), and tuples of these.
        operator: its name in the file, for messages; after `AT` its line in the author's code, if it is known.
    """

    kind: str
    inputs: tuple[Operand, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Operand] = field(default_factory=dict)
    operator: str = ""

    def refs(self) -> Iterator[str]:
        """Yield the names of everything that it reads."""
        return _ref_names((*self.inputs, *self.attributes.values()))


@dataclass(frozen=True, eq=False)
class ForeignGraph:
    """A network: nodes in the order of execution, and weights.

    Attributes:
        name: of the file.
        source: the framework that runs it, for the report: "torch", "onnx" or "jax".
        inputs: what it takes.
        nodes: each after the nodes that it reads.
        outputs: the names of its outputs.
        weights: by the name that a `Ref` has.
    """

    name: str
    source: str
    inputs: tuple[GraphInput, ...]
    nodes: tuple[ForeignNode, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, Weight]

    @property
    def size(self) -> int | None:
        """The only batch size that the file itself accepts, or None for any."""
        return next((graph_input.size for graph_input in self.inputs if graph_input.size is not None), None)

    def operators(self) -> dict[str, int]:
        """Count the operators of the file."""
        counts: dict[str, int] = {}
        for node in self.nodes:
            name = node.operator.partition(AT)[0]
            counts[name] = counts.get(name, 0) + 1
        return counts


def simplify(graph: ForeignGraph) -> ForeignGraph:
    """Return the same network in fewer nodes: unused nodes and copies are dropped, products and sums are fused."""
    return drop_unused(fuse_affine(_drop_copies(drop_unused(graph))))


def _drop_copies(graph: ForeignGraph) -> ForeignGraph:
    """Return the same network without identity nodes and without casts of a weight to its own dtype."""
    names: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        node = replace(
            node,
            inputs=rename_refs(node.inputs, names),
            attributes={key: rename_refs(value, names) for key, value in node.attributes.items()},
        )
        if _is_copy(node, graph):
            names[node.outputs[0]] = node.inputs[0].name
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), outputs=tuple(names.get(name, name) for name in graph.outputs))


def _is_copy(node: ForeignNode, graph: ForeignGraph) -> bool:
    if not node.inputs or not isinstance(node.inputs[0], Ref):
        return False
    weight = graph.weights.get(node.inputs[0].name)
    return node.kind == "same" or (
        node.kind == "cast" and weight is not None and weight.value.dtype.name == node.attributes["dtype"]
    )


def rename_refs(value: Operand, names: Mapping[str, str]) -> Operand:
    """Return an operand with the names of its references replaced."""
    if isinstance(value, tuple):
        return tuple(rename_refs(each, names) for each in value)
    return Ref(names.get(value.name, value.name)) if isinstance(value, Ref) else value


def drop_unused(graph: ForeignGraph) -> ForeignGraph:
    """Return the same network without nodes whose outputs are not used."""
    wanted, nodes = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.refs())
            nodes.append(node)
    return replace(graph, nodes=tuple(reversed(nodes)))


def reader_counts(graph: ForeignGraph) -> Counter[str]:
    """Count how often each name is read, by nodes and as an output of the network."""
    names = (name for node in graph.nodes for name in node.refs())
    return Counter((*names, *graph.outputs))


def fuse_affine(graph: ForeignGraph) -> ForeignGraph:
    """Return the same network with each `matmul` by a weight and the `add` of a bias after it as one `affine` node."""
    readers = reader_counts(graph)
    nodes: dict[str, ForeignNode] = {}
    for node in graph.nodes:
        if product := _matmul_before(node, nodes, graph, readers):
            x, weight = product.inputs[:2]
            bias = next(each for each in node.inputs if each != Ref(product.outputs[0]))
            del nodes[product.outputs[0]]
            node = replace(node, kind="affine", inputs=(x, weight, bias), attributes={}, operator=product.operator)
        nodes[node.outputs[0]] = node
    return replace(graph, nodes=tuple(nodes.values()))


def _matmul_before(
    node: ForeignNode, nodes: Mapping[str, ForeignNode], graph: ForeignGraph, readers: Counter[str]
) -> ForeignNode | None:
    """Return the `matmul` by a weight whose output is only read by this `add` of a bias, or None."""
    if node.kind != "add" or len(node.inputs) != 2:
        return None
    for one, other in (node.inputs, node.inputs[::-1]):
        if not isinstance(one, Ref) or not isinstance(other, Ref) or readers[one.name] != 1:
            continue
        product, bias = nodes.get(one.name), graph.weights.get(other.name)
        if product is None or product.kind != "matmul" or bias is None or not isinstance(product.inputs[1], Ref):
            continue
        kernel = graph.weights.get(product.inputs[1].name)
        if kernel is None or kernel.value.ndim != 2 or bias.value.shape != kernel.value.shape[1:]:
            continue
        if (kernel.trainable, kernel.frozen) == (bias.trainable, bias.frozen):
            return product
    return None


def _ref_names(value: Operand) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _ref_names(each)
