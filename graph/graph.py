"""A model as data: its layers, their weights and how they are connected. Needs no framework and no Keras.

`porting/` reads a Keras model into a `Graph`; each backend (`tensorflow/`, `jax/`, `torch/`) writes the graph as native
source. Keras often has several ways to say one thing; the graph has one, so that a backend has few kinds to write:

- Arrays are batch first and channels last. A channels-first layer is read with a `transpose` on each side.
- An activation inside a layer becomes a node of its own after it; a linear activation has no node.
- A separable convolution is a `depthwise_conv` and a `conv`; a causal convolution is a `pad` and a valid convolution;
  global pooling is `mean` or `max`; `Bidirectional` is two recurrent layers and a merge; `TimeDistributed` is its inner
  layer between `fold_time` and `unfold_time`.
- Nested models are flattened: the name of the model becomes a prefix of its layers' names (`encoder_dense`).
- Axes are counted from 0, which is the batch. `None` as a length means that it is known only at run time.
- Configuration is plain Python: bool, int, float, str, None, and tuples of these.

`layer_kinds.py` lists the kinds with their configuration and weights; a backend can be checked against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

ConfigValue = bool | int | float | str | None | tuple["ConfigValue", ...]


@dataclass(frozen=True)
class Spec:
    """The shape and dtype of an array, as known before it is computed.

    Attributes:
        shape: with the batch first; None where a length is unknown.
        dtype: the NumPy name, such as "float32" or "int32".
    """

    shape: tuple[int | None, ...]
    dtype: str

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class ArrayReference:
    """One output of a node, or an input of the graph (whose index is 0).

    Attributes:
        name: the name of the node or input.
        index: the number of the node's output, from 0.
    """

    name: str
    index: int = 0


# An input of a node: an array, or a number that is written into the source.
GraphOperand = ArrayReference | bool | int | float


@dataclass(frozen=True)
class Input:
    """An input of the model."""

    name: str
    spec: Spec


@dataclass(frozen=True)
class Output:
    """An output of the model."""

    name: str
    reference: ArrayReference


@dataclass(frozen=True, eq=False)
class GraphLayer:
    """A Keras layer, which may be called several times; or an operation, which has no weights.

    Attributes:
        name: the Keras layer's name as a Python identifier, unique in the graph.
        kind: a key of `layer_kinds.KINDS`.
        config: every entry that `layer_kinds.KINDS` lists for the kind.
        weights: arrays in Keras' layout, by the names that `layer_kinds.KINDS` lists. A weight that the Keras layer
            does not have is absent, such as the "bias" of a layer without one.
        trainable: False where the layer is frozen. A frozen `batch_normalization` computes in training as it does in
            inference.
    """

    name: str
    kind: str
    config: Mapping[str, ConfigValue] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    trainable: bool = True


@dataclass(frozen=True, eq=False)
class Owner:
    """One call of a layer that a user wrote.

    Attributes:
        label: the layer's name in the graph.
        name, class_name: its class, in lower case such as "residual_block", and as it stands in Python.
    """

    label: str
    name: str
    class_name: str


@dataclass(frozen=True, eq=False)
class GraphNode:
    """One call of a layer.

    Attributes:
        name: a Python identifier, unique in the graph: the layer's name at its first call, then `NAME_2`, ….
        layer: all nodes of a shared layer hold the same object.
        inputs: in the order of the layer's arguments.
        outputs: one spec for each output.
        arguments: the other arguments of this call, by the names that `layer_kinds.KINDS` lists.
        owners: the calls of own layers that it is a part of, the outermost first.
    """

    name: str
    layer: GraphLayer
    inputs: tuple[GraphOperand, ...]
    outputs: tuple[Spec, ...]
    arguments: Mapping[str, ConfigValue] = field(default_factory=dict)
    owners: tuple[Owner, ...] = ()

    @property
    def kind(self) -> str:
        return self.layer.kind

    @cached_property
    def config(self) -> Mapping[str, ConfigValue]:
        """Return the layer's configuration together with this call's arguments."""
        return {**self.layer.config, **self.arguments}

    @property
    def references(self) -> tuple[ArrayReference, ...]:
        """Return the inputs that are arrays, without the numbers."""
        return tuple(operand for operand in self.inputs if isinstance(operand, ArrayReference))


@dataclass(frozen=True, eq=False)
class Graph:
    """A model as a graph of layer calls.

    Attributes:
        name: the Keras model's name as a Python identifier.
        inputs: in the order of the model's arguments.
        nodes: in topological order.
        outputs: in the order of the model's results. One array may be several outputs.
        left_out: layers that change nothing when the model answers, and that its training would need.

    Raises:
        ValueError: a name is used twice, or a node reads an array that is not computed before it.
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[GraphNode, ...]
    outputs: tuple[Output, ...]
    left_out: tuple[str, ...] = ()

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

    def _steps(self) -> Iterator[tuple[str, int, tuple[ArrayReference, ...]]]:
        for graph_input in self.inputs:
            yield graph_input.name, 1, ()
        for node in self.nodes:
            yield node.name, len(node.outputs), node.references

    @cached_property
    def layers(self) -> tuple[GraphLayer, ...]:
        """Return each layer once, in the order of the first calls."""
        return tuple({id(node.layer): node.layer for node in self.nodes}.values())

    @cached_property
    def specs(self) -> Mapping[ArrayReference, Spec]:
        """Return the shape and dtype of every array."""
        inputs = {ArrayReference(graph_input.name): graph_input.spec for graph_input in self.inputs}
        return inputs | {ArrayReference(n.name, i): spec for n in self.nodes for i, spec in enumerate(n.outputs)}

    @cached_property
    def readers(self) -> Mapping[ArrayReference, tuple[GraphNode | Output, ...]]:
        """Return the nodes and graph outputs that read each array, one entry for each use."""
        readers: dict[ArrayReference, tuple[GraphNode | Output, ...]] = dict.fromkeys(self.specs, ())
        for node in self.nodes:
            for reference in node.references:
                readers[reference] = (*readers[reference], node)
        for output in self.outputs:
            readers[output.reference] = (*readers[output.reference], output)
        return readers

    def calls(self, layer: GraphLayer) -> tuple[GraphNode, ...]:
        """Return the nodes that call a layer."""
        return tuple(node for node in self.nodes if node.layer is layer)
