"""A network as its file has it, in one small form whatever the file: operators, what feeds which, and arrays.

A reader (`program.py`, `graph.py`) translates the operators of its file into these few kinds; `builder.py` makes a
Keras model of them. Nothing here knows a framework. Axes are those of the file, which has channels second.

A kind computes what the function of that name in `keras.ops` does, but for these (sizes are one number an axis of the
window; `padding` is pairs (before, after), or "same_upper" or "same_lower"):

| kind | inputs | attributes |
|---|---|---|
| `linear` | x, weight (out, in), bias | |
| `affine` | x, weight (in, out), bias | |
| `conv` | x, weight (out, in / groups, …), bias | strides, padding, dilation, groups |
| `conv_transpose` | x, weight (in, out, …), bias | strides, padding, dilation, groups, output_padding |
| `batch_norm` | x, weight, bias, mean, variance | epsilon, momentum: the share of the new batch |
| `layer_norm`, `rms_norm` | x, weight, bias | rank: how many of the last axes; epsilon |
| `group_norm` | x, weight, bias | groups, epsilon |
| `embedding` | weight, indices | |
| `recurrent` | x, initial states…; see `recurrent.py` | |
| `attention` | query, key, value (…, T, d), mask | causal, scale, or None for 1 / sqrt(d) |
| `dropout` | x | rate |
| `max_pool`, `average_pool` | x | window, strides, padding, dilation, ceil, count_padding |
| `adaptive_pool`, `global_pool` | x | size; reduces: average or max |
| `upsample` | x | size, factors, mode |
| `activation` | x | name, and what belongs to it |
| `size` | x | axis: the length of it, a number; of all axes where axis is None |
| `full` | | shape, value |
| `same` | x | nothing happens |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ref:
    """What another node computes, a weight, or an input of the network, by its name."""

    name: str


# An input or attribute: what a node computes, or plain values, perhaps in tuples.
Operand = Any


@dataclass(frozen=True, eq=False)
class Weight:
    """An array that the file brings.

    Attributes:
        name: as the file calls it, such as "layer1.0.conv1.weight".
        value: in the file's own layout.
        trainable: whether training changes it: a parameter, not a constant.
        alone: whether that holds where no layer has it too. An ONNX graph does not say which arrays are parameters.
    """

    name: str
    value: np.ndarray
    trainable: bool
    alone: bool = True

    @property
    def trains_alone(self) -> bool:
        return self.trainable and self.alone


@dataclass(frozen=True)
class Given:
    """An input of the network.

    Attributes:
        shape: with None where any length is taken; the batch among them.
        dtype: as NumPy calls it.
        batch: the axis of the samples.
        size: the only length of that axis which the file itself takes, or None.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    batch: int = 0
    size: int | None = None


@dataclass(frozen=True, eq=False)
class Node:
    """One operator.

    Attributes:
        kind: one of those above.
        inputs: `Ref`s, numbers, or None where an optional one is absent.
        outputs: the names of what it gives.
        attributes: plain values, `Ref`s to what is computed before it (such as a length), and tuples of these.
        operator: what the file calls it, for messages.
    """

    kind: str
    inputs: tuple[Operand, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Operand] = field(default_factory=dict)
    operator: str = ""

    def refs(self) -> Iterator[str]:
        """The names of all that it needs."""
        return _refs((*self.inputs, *self.attributes.values()))


@dataclass(frozen=True, eq=False)
class Form:
    """A network.

    Attributes:
        name: of the file.
        source: who runs it, for the report: "torch" or "onnx".
        given: its inputs.
        nodes: each after all that it needs.
        outputs: names of what it gives.
        weights: by the name that `Ref` has.
    """

    name: str
    source: str
    given: tuple[Given, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, Weight]

    @property
    def size(self) -> int | None:
        """The only number of samples that the file itself takes, or None."""
        return next((given.size for given in self.given if given.size is not None), None)

    def operators(self) -> dict[str, int]:
        """How often each operator of the file is in it."""
        found: dict[str, int] = {}
        for node in self.nodes:
            found[node.operator] = found.get(node.operator, 0) + 1
        return found


def simplified(form: Form) -> Form:
    """The same network in as few nodes: nothing that is not needed, or that does nothing, and sums within products."""
    return needed(fused(_without_copies(needed(form))))


def _without_copies(form: Form) -> Form:
    """The same network without nodes that give what they are given; a weight may be cast to what it is already."""
    names: dict[str, str] = {}
    kept = []
    for node in form.nodes:
        node = replace(
            node,
            inputs=renamed(node.inputs, names),
            attributes={key: renamed(value, names) for key, value in node.attributes.items()},
        )
        if _is_copy(node, form):
            names[node.outputs[0]] = node.inputs[0].name
        else:
            kept.append(node)
    return replace(form, nodes=tuple(kept), outputs=tuple(names.get(name, name) for name in form.outputs))


def _is_copy(node: Node, form: Form) -> bool:
    if not node.inputs or not isinstance(node.inputs[0], Ref):
        return False
    weight = form.weights.get(node.inputs[0].name)
    return node.kind == "same" or (
        node.kind == "cast" and weight is not None and weight.value.dtype.name == node.attributes["dtype"]
    )


def renamed(value: Operand, names: Mapping[str, str]) -> Operand:
    """An operand that refers to what has other names now."""
    if isinstance(value, tuple):
        return tuple(renamed(each, names) for each in value)
    return Ref(names.get(value.name, value.name)) if isinstance(value, Ref) else value


def needed(form: Form) -> Form:
    """The same network without the nodes that nothing needs."""
    wanted, kept = set(form.outputs), []
    for node in reversed(form.nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.refs())
            kept.append(node)
    return replace(form, nodes=tuple(reversed(kept)))


def fused(form: Form) -> Form:
    """The same network with each product by a weight and the sum with another after it as one `affine` node."""
    readers: dict[str, int] = {}
    for node in form.nodes:
        for name in node.refs():
            readers[name] = readers.get(name, 0) + 1
    for name in form.outputs:
        readers[name] = readers.get(name, 0) + 1
    made: dict[str, Node] = {}
    for node in form.nodes:
        if product := _product_before(node, made, form, readers):
            x, weight = product.inputs[:2]
            bias = next(each for each in node.inputs if each != Ref(product.outputs[0]))
            del made[product.outputs[0]]
            node = replace(node, kind="affine", inputs=(x, weight, bias), attributes={}, operator=product.operator)
        made[node.outputs[0]] = node
    return replace(form, nodes=tuple(made.values()))


def _product_before(node: Node, made: Mapping[str, Node], form: Form, readers: Mapping[str, int]) -> Node | None:
    """The product by a matrix of weights that a sum takes beside a vector of weights, when nothing else reads it."""
    if node.kind != "add" or len(node.inputs) != 2:
        return None
    for one, other in (node.inputs, node.inputs[::-1]):
        if not isinstance(one, Ref) or not isinstance(other, Ref) or readers.get(one.name) != 1:
            continue
        product, bias = made.get(one.name), form.weights.get(other.name)
        if product is None or product.kind != "matmul" or bias is None or not isinstance(product.inputs[1], Ref):
            continue
        kernel = form.weights.get(product.inputs[1].name)
        if kernel is not None and kernel.value.ndim == 2 and bias.value.shape == kernel.value.shape[1:]:
            return product
    return None


def _refs(value: Operand) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _refs(each)
