"""A model as data: what its layers are, with which weights, and which feeds which. No framework, no Keras.

The engine reads a Keras model into a `Graph`; each room (`tensorflow/`, `jax/`, `torch/`) writes the graph as native
source. What Keras offers in several spellings is here in one, so that a room has few kinds to know:

- Everything is channels last, batch first. Models that are channels first are read with a `transpose` on each side.
- An activation inside a layer is a node of its own after it; one that does nothing is no node.
- A separable convolution is a `depthwise_conv` and a `conv`; a causal one is a `pad` and a valid one; global pooling is
  `mean` or `max`; `Bidirectional` is two recurrent layers and a merge; `TimeDistributed` is its inner layer between
  `fold_time` and `unfold_time`.
- Nested models are flattened: their name stands before the names of their layers (`encoder_dense`).
- Axes are counted from 0, the batch being 0; `None` for an axis or a length means "not known before it runs".
- Configuration is plain Python: bool, int, float, str, None, and tuples of these.

The kinds, their configuration and their weights are listed in `layer_kinds.py`, which a room can be checked against.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

Value = bool | int | float | str | None | tuple["Value", ...]


@dataclass(frozen=True)
class Spec:
    """What is known of an array before it is computed.

    Attributes:
        shape: with the batch in front; None where a length is open.
        dtype: as NumPy writes it, such as "float32" or "int32".
    """

    shape: tuple[int | None, ...]
    dtype: str

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class Reference:
    """One output of a node, or an input of the graph (whose index is 0).

    Attributes:
        name: of the node or the input.
        index: which of the node's outputs.
    """

    name: str
    index: int = 0


# What a node computes with: an array that another has made, or a number that is written into the source.
Operand = Reference | bool | int | float


@dataclass(frozen=True)
class Input:
    """An array that the model takes."""

    name: str
    spec: Spec


@dataclass(frozen=True)
class Output:
    """An array that the model gives."""

    name: str
    reference: Reference


@dataclass(frozen=True, eq=False)
class Layer:
    """What is made once and may be called several times: a Keras layer, or an operation, which has no weights.

    Attributes:
        name: unique in the graph, and a Python identifier: the Keras layer's name.
        kind: a key of `kinds.KINDS`.
        config: every entry that `kinds.KINDS` lists for the kind.
        weights: arrays in Keras' layout by the names that `kinds.KINDS` lists. One that Keras did not make is absent,
            such as the "bias" of a layer without one.
        trainable: whether training changes the weights that training changes. A frozen `batch_normalization` also
            computes in training as it does otherwise.
    """

    name: str
    kind: str
    config: Mapping[str, Value] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    trainable: bool = True


@dataclass(frozen=True, eq=False)
class Node:
    """One call of a layer.

    Attributes:
        name: unique in the graph, and a Python identifier: the layer's own at its first call, then `NAME_2`, ….
        layer: the same object in each of a shared layer's nodes.
        inputs: in the order that the layer takes them.
        outputs: what it gives, one spec an output.
        arguments: what this call says beside its inputs, under the names that `kinds.KINDS` lists.
    """

    name: str
    layer: Layer
    inputs: tuple[Operand, ...]
    outputs: tuple[Spec, ...]
    arguments: Mapping[str, Value] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.layer.kind

    @cached_property
    def config(self) -> Mapping[str, Value]:
        """The layer's configuration and this call's arguments."""
        return {**self.layer.config, **self.arguments}

    @property
    def references(self) -> tuple[Reference, ...]:
        """The inputs that are arrays."""
        return tuple(operand for operand in self.inputs if isinstance(operand, Reference))


@dataclass(frozen=True, eq=False)
class Graph:
    """A model.

    Attributes:
        name: the Keras model's, as a Python identifier.
        inputs: in the order that the model takes them.
        nodes: each after all that it needs.
        outputs: in the order that the model gives them. One array may stand here several times.

    Raises:
        ValueError: two things have one name, or a node needs what is not computed before it.
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        known: dict[str, int] = {}
        for name, count, references in self._steps():
            for reference in references:
                if reference.index >= known.get(reference.name, 0):
                    raise ValueError(f"{name} needs {reference}, which is not computed before it")
            if name in known:
                raise ValueError(f"two nodes or inputs are called {name}")
            known[name] = count
        for output in self.outputs:
            if output.reference.index >= known.get(output.reference.name, 0):
                raise ValueError(f"output {output.name} is {output.reference}, which nothing computes")
        if len({layer.name for layer in self.layers}) < len(self.layers):
            raise ValueError("two layers have one name")

    def _steps(self) -> Iterator[tuple[str, int, tuple[Reference, ...]]]:
        for given in self.inputs:
            yield given.name, 1, ()
        for node in self.nodes:
            yield node.name, len(node.outputs), node.references

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Each layer once, in the order of their first calls."""
        return tuple({id(node.layer): node.layer for node in self.nodes}.values())

    @cached_property
    def specs(self) -> Mapping[Reference, Spec]:
        """What is known of every array."""
        inputs = {Reference(given.name): given.spec for given in self.inputs}
        return inputs | {Reference(n.name, i): spec for n in self.nodes for i, spec in enumerate(n.outputs)}

    @cached_property
    def readers(self) -> Mapping[Reference, tuple[Node | Output, ...]]:
        """Who uses each array, once for each use: nodes and outputs of the graph."""
        found: dict[Reference, tuple[Node | Output, ...]] = dict.fromkeys(self.specs, ())
        for node in self.nodes:
            for reference in node.references:
                found[reference] = (*found[reference], node)
        for output in self.outputs:
            found[output.reference] = (*found[output.reference], output)
        return found

    def calls(self, layer: Layer) -> tuple[Node, ...]:
        """The nodes that call a layer."""
        return tuple(node for node in self.nodes if node.layer is layer)
