"""A Keras functional model out of a `Form`, on whatever backend this process has.

Files have channels second and Keras has them last (TensorFlow on a CPU convolves nothing else). So every array carries
the order of its axes (`Held`): a transposition in the file only changes that order, a layer asks for the order that it
computes in, and a `Permute` stands in the model only where the two differ. What is known before the model runs
(lengths, constants) is computed here and is no part of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from ...errors import PortError, first_line
from ...graph.source import identifier
from .constant_folding import FOLDS, is_known
from .foreign_graph import Form, Given, Node, Operand, Ref, Weight

# The dtype that an input has in Keras: indices are 32 bits wide there.
_DTYPES = {"int64": "int32", "uint8": "int32"}
# The last part of the name of a layer's weight, after which the layer itself is not called.
_SEPARATORS = str.maketrans({"/": "."})
# The attribute that names weights, which a handler asks for by their names.
_WEIGHTS = "weights"
_PREFIXES = ("_functional.", "_torch_params.", "_orig_mod.", "module.")


class RefusedError(Exception):
    """What a node computes has no counterpart in Keras; the message says why, the builder says which."""


@dataclass(frozen=True, eq=False)
class Held:
    """An array that the model computes.

    Attributes:
        tensor: Keras' own; the samples are its first axis.
        order: which axis of the file's array stands at each axis of `tensor`.
        features: of a flattened array whose last axis is in another order than the file's: which of the file's features
            stands at each place.
    """

    tensor: Any
    order: tuple[int, ...]
    features: np.ndarray | None = None

    @property
    def rank(self) -> int:
        return len(self.order)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """In the file's order."""
        return tuple(self.tensor.shape[self.order.index(axis)] for axis in range(self.rank))

    @property
    def samples(self) -> int:
        """The axis of the samples in the file's array."""
        open_places = (place for place, length in enumerate(self.tensor.shape) if length is None)
        return self.order[next(open_places, 0)]

    def axis(self, axis: int) -> int:
        """Where an axis of the file's array, perhaps counted from the end, is in `tensor`."""
        return self.order.index(int(axis) % self.rank)


Handler = Callable[["Builder", Node], Sequence[Any]]


def plain_order(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    return (0, *range(2, rank), 1) if rank > 1 else (0,)


def at_the_end(order: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    """The order with these axes last, as they are given; the others stay as they stand."""
    return (*(axis for axis in order if axis not in axes), *axes)


def inserted(order: tuple[int, ...], axis: int) -> tuple[tuple[int, ...], int]:
    """The order with one more axis of the file's array, and where it is put: never before the samples."""
    place = max(axis, 1) if order == plain_order(len(order)) else len(order)
    moved = [each + (each >= axis) for each in order]
    return (*moved[:place], axis, *moved[place:]), place


@dataclass
class Builder:
    """A model in the making.

    Attributes:
        form: what it is made of.
        handlers: by kind, what makes a node's outputs.
        values: what has a name in the form: `Held`, a `Weight`, `Filled`, or what is known (an array, a number).
    """

    form: Form
    handlers: Mapping[str, Handler]
    values: dict[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    shared: dict[Any, Any] = field(default_factory=dict)
    inputs: list[Any] = field(default_factory=list)
    turned: dict[Any, tuple[Any, Any]] = field(default_factory=dict)

    def build(self) -> keras.Model:
        """The model.

        Raises:
            PortError: a node cannot be rebuilt; it is named.
        """
        keras.utils.clear_session(free_memory=False)
        self.values.update(self.form.weights)
        for given in self.form.given:
            self.values[given.name] = self._input(given)
        for node in self.form.nodes:
            self._step(node)
        outputs = [self._output(name) for name in self.form.outputs]
        single = len(outputs) == 1
        return keras.Model(
            self.inputs[0] if len(self.inputs) == 1 else self.inputs,
            outputs[0] if single else outputs,
            name=identifier(self.form.name),
        )

    def _input(self, given: Given) -> Held:
        order = (given.batch, *(axis for axis in range(len(given.shape)) if axis != given.batch))
        shape = tuple(given.shape[axis] for axis in order[1:])
        dtype = _DTYPES.get(given.dtype, given.dtype)
        self.inputs.append(keras.Input(shape, dtype=dtype, name=self.unique(given.name)))
        return Held(self.inputs[-1], order)

    def _step(self, node: Node) -> None:
        try:
            node = Node(
                node.kind,
                node.inputs,
                node.outputs,
                {name: value if name == _WEIGHTS else self._known(value) for name, value in node.attributes.items()},
                node.operator,
            )
            found = self._fold(node)
            made = found if found is not None else self.handlers[node.kind](self, node)
        except RefusedError as error:
            raise PortError(f"{node.operator} ({node.outputs[0]}) cannot be rebuilt in Keras: {error}") from error
        except PortError:
            raise
        except Exception as error:  # Keras raises whatever an operation's arguments make it raise
            raise PortError(
                f"{node.operator} ({node.outputs[0]}) cannot be rebuilt in Keras: {first_line(error, 200)}"
            ) from error
        self.values.update(zip(node.outputs, made, strict=False))

    def _fold(self, node: Node) -> Sequence[Any] | None:
        """What a node gives whose inputs are all known, or None where the model has to compute it."""
        given = [self.operand(each) for each in node.inputs]
        if node.kind not in FOLDS or not all(is_known(each) for each in given):
            return None
        return FOLDS[node.kind](given, node.attributes)

    def _known(self, value: Operand) -> Any:
        """An attribute with what it refers to put in."""
        if isinstance(value, Ref):
            found = self.values[value.name]
            found = found.value if isinstance(found, Weight) else found
            if isinstance(found, Held):
                raise RefusedError("it depends on what the model computes")
            return found
        return tuple(self._known(each) for each in value) if isinstance(value, tuple) else value

    def _output(self, name: str) -> Any:
        """An output, its samples first and its other axes as the file has them."""
        value = self.values[name]
        if not isinstance(value, Held):
            raise PortError(f"the output {name} does not depend on the inputs")
        batch = value.samples
        others = (axis for axis in range(value.rank) if axis != batch)
        return self.arranged(value, (batch, *others))

    # --- what handlers ask for ----------------------------------------------------------------------------------------

    def operand(self, value: Operand) -> Any:
        """What an input of a node is."""
        return self.values[value.name] if isinstance(value, Ref) else value

    def held(self, value: Operand) -> Held:
        """An input that the model computes; a weight of its own becomes one."""
        found = self.operand(value)
        if isinstance(found, Weight):
            return self.parameter(found, found.value.ndim)
        if not isinstance(found, Held):
            raise RefusedError("it works on a constant alone")
        return found

    def unscrambled(self, node: Node) -> Held:
        """The first input of a node, the features of a flattened one as the file has them."""
        x = self.held(node.inputs[0])
        return x if x.features is None else Held(self.plain(x), plain_order(x.rank))

    def array(self, value: Operand) -> np.ndarray | None:
        """An input that is a weight or a constant, as an array; None where it is absent."""
        found = self.operand(value)
        if found is None:
            return None
        if isinstance(found, Held):
            raise RefusedError("a weight of it is computed by the model")
        return np.asarray(found.value if isinstance(found, Weight) else found)

    def arrays(self, operands: Sequence[Operand]) -> list[tuple[Operand, np.ndarray]]:
        """Those of some weights that are there, each with its array: what `layer` takes where no layout changes."""
        found = [(operand, self.array(operand)) for operand in operands]
        return [(operand, array) for operand, array in found if array is not None]

    def arranged(self, value: Held, order: tuple[int, ...]) -> Any:
        """The tensor with its axes in an order; transposed only where they are not, and once for all who ask."""
        key = (id(value.tensor), value.order, order, value.features is None)
        if key not in self.turned:
            # The tensor stays with it, so that no other is ever at its place in memory.
            self.turned[key] = value.tensor, _turned(value, order)
        return self.turned[key][1]

    def plain(self, value: Held) -> Any:
        """The tensor with its axes as the file has them."""
        return self.arranged(value, plain_order(value.rank))

    def last(self, value: Held) -> Any:
        """The tensor with its channels, which the file has second, at the end."""
        return self.arranged(value, channels_last(value.rank))

    def unique(self, name: str) -> str:
        found = identifier(name, self.names)
        self.names.add(found)
        return found

    def layer(
        self,
        made: type[keras.layers.Layer],
        tensor: Any,
        weights: Sequence[tuple[Operand, Any]],
        call: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> Any:
        """The output of a layer with weights; called with the same ones again, of the same layer.

        Args:
            weights: for each of the layer's weights the operand that it comes from, and its value in Keras' layout.
            call: what the layer is called with beside the tensor.
            config: the layer's settings.
        """
        origins = tuple(self._origin(operand) for operand, _ in weights)
        key = (made.__name__, origins, repr(sorted(config.items())))
        layer = self.shared.get(key) if any(origins) else None
        if layer is None:
            name = next((each for each in origins if each), "")
            layer = made(name=self.unique(_layer_name(name) or identifier(made.__name__.lower())), **config)
            if any(origins):
                self.shared[key] = layer
            answered = layer(tensor, **(call or {}))
            layer.set_weights([value for _, value in weights])
            return answered
        return layer(tensor, **(call or {}))

    def _origin(self, operand: Operand) -> str:
        found = self.operand(operand)
        return found.name if isinstance(found, Weight) else ""

    def parameter(self, weight: Weight, rank: int, order: tuple[int, ...] | None = None) -> Held:
        """A weight that no layer has, as an array (batch, …) that broadcasts to a rank: the one row of an embedding.

        Args:
            order: of the axes of what it is combined with.
        """
        order = order or plain_order(rank)
        value = weight.value.reshape((1,) * (rank - weight.value.ndim) + weight.value.shape)
        if value.shape[0] != 1 or order[0] != 0:
            raise RefusedError(f"the weight {weight.name} has values of its own for each sample")
        value = value.transpose(order)
        first = self.inputs[0]
        index = keras.ops.cast(keras.ops.zeros_like(first[(slice(None), *(0,) * (len(first.shape) - 1))]), "int32")
        size = int(value.size)
        row = self.shared.get(("parameter", weight.name, value.shape))
        if row is None:
            row = keras.layers.Embedding(1, size, name=self.unique(_whole_name(weight.name)))
            self.shared["parameter", weight.name, value.shape] = row
        tensor = row(index)
        row.set_weights([value.reshape(1, size)])
        row.trainable = weight.trains_alone
        return Held(keras.layers.Reshape(value.shape[1:])(tensor) if rank != 2 else tensor, order)


def _turned(value: Held, order: tuple[int, ...]) -> Any:
    tensor = value.tensor
    if value.features is not None:
        tensor = keras.ops.take(tensor, np.argsort(value.features), axis=-1)
    axes = tuple(value.order.index(axis) for axis in order)
    if axes == plain_order(len(axes)):
        return tensor
    return keras.layers.Permute(axes[1:])(tensor) if axes[0] == 0 else keras.ops.transpose(tensor, axes)


def _whole_name(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _layer_name(weight: str) -> str:
    """What a layer is called whose weight has this name in the file; nothing where the name says nothing."""
    return _whole_name(weight).translate(_SEPARATORS).rpartition(".")[0]
