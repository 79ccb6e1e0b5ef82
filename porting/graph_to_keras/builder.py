"""Build a Keras functional model from a `ForeignGraph`, on the backend of this process.

Files have channels second, and Keras has them last (TensorFlow cannot convolve anything else on a CPU). Every array
therefore carries the order of its axes (`OrderedTensor`). A transposition in the file only changes that order, and a
layer requests the order that it computes in. The model has a `Permute` only where the two differ. Values that are known
before the model runs (lengths, constants) are computed here and are not part of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from ...errors import PortError, first_line
from ...graph.source import identifier
from .array_folding import ARRAY_FOLDS, TRAINED_OTHERWISE
from .constant_folding import COMPUTED, FOLDS, UniformArray, is_known, is_open, with_leading_axes
from .foreign_graph import ForeignGraph, ForeignNode, GraphInput, Operand, Ref, Weight

_FOLDS = {**FOLDS, **ARRAY_FOLDS}
# The dtype of an input in Keras, where indices have 32 bits.
_DTYPES = {"int64": "int32", "uint8": "int32"}
# Separators in the name of a weight; its last part is not in the name of the layer.
_SEPARATORS = str.maketrans({"/": "."})
# The attribute with references to weights, which the handler resolves itself.
_WEIGHTS = "weights"
# What a node does that needs the weights with these names, and nothing else.
ALONE = "computes with the weight {} alone, which no layer of Keras trains: inference_only=True takes it as it is"
_PREFIXES = ("_functional.", "_torch_params.", "_orig_mod.", "module.")


class UnsupportedNodeError(Exception):
    """A node has no counterpart in Keras. The message gives the reason; the builder adds the name of the node."""


@dataclass(frozen=True, eq=False)
class OrderedTensor:
    """An array that the model computes.

    Attributes:
        tensor: the Keras tensor; its first axis is the batch.
        order: for each axis of `tensor`, the axis of the file's array.
        features: for a flattened array with its last axis in another order than the file's: for each position, the
            index in the file's order. None if the orders agree.
    """

    tensor: Any
    order: tuple[int, ...]
    features: np.ndarray | None = None

    @property
    def rank(self) -> int:
        return len(self.order)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape in the file's order of axes."""
        return tuple(self.tensor.shape[self.order.index(axis)] for axis in range(self.rank))

    @property
    def samples(self) -> int:
        """The batch axis of the file's array."""
        open_places = (place for place, length in enumerate(self.tensor.shape) if length is None)
        return self.order[next(open_places, 0)]

    def axis(self, axis: int) -> int:
        """Return the axis of `tensor` for an axis of the file's array, which may be negative."""
        return self.order.index(int(axis) % self.rank)


Handler = Callable[["Builder", ForeignNode], Sequence[Any]]


def identity_order(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    return (0, *range(2, rank), 1) if rank > 1 else (0,)


def move_to_end(order: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    """Return the order with these axes moved to the end; the others keep their order."""
    return (*(axis for axis in order if axis not in axes), *axes)


def insert_axis(order: tuple[int, ...], axis: int) -> tuple[tuple[int, ...], int]:
    """Return the order with a new axis of the file's array, and its position in the tensor: never before the batch."""
    place = min(max(axis, 1), len(order)) if order == identity_order(len(order)) else len(order)
    moved = [each + (each >= axis) for each in order]
    return (*moved[:place], axis, *moved[place:]), place


@dataclass
class Builder:
    """The state of a model while it is built.

    Attributes:
        graph: the network to build.
        handlers: for each kind, the function that computes the outputs of a node.
        inference_only: whether weights may be computed with, as constants.
        values: for each name in the graph, an `OrderedTensor`, `Weight`, `UniformArray`, array or number.
        trained_otherwise: what Keras trains otherwise than the network's framework, one sentence each.
    """

    graph: ForeignGraph
    handlers: Mapping[str, Handler]
    inference_only: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    shared: dict[Any, Any] = field(default_factory=dict)
    inputs: list[Any] = field(default_factory=list)
    transposed_tensors: dict[Any, tuple[Any, Any]] = field(default_factory=dict)
    trained_otherwise: list[str] = field(default_factory=list)

    def build(self) -> keras.Model:
        """Build the model.

        Raises:
            PortError: a node cannot be rebuilt; it is named.
        """
        keras.utils.clear_session(free_memory=False)
        self.values.update(self.graph.weights)
        for graph_input in self.graph.inputs:
            self.values[graph_input.name] = self._input(graph_input)
        for node in self.graph.nodes:
            self._add_node(node)
        outputs = [self._output(name) for name in self.graph.outputs]
        single = len(outputs) == 1
        return keras.Model(
            self.inputs[0] if len(self.inputs) == 1 else self.inputs,
            outputs[0] if single else outputs,
            name=identifier(self.graph.name),
        )

    def _input(self, graph_input: GraphInput) -> OrderedTensor:
        order = (graph_input.batch, *(axis for axis in range(len(graph_input.shape)) if axis != graph_input.batch))
        shape = tuple(graph_input.shape[axis] for axis in order[1:])
        dtype = _DTYPES.get(graph_input.dtype, graph_input.dtype)
        self.inputs.append(keras.Input(shape, dtype=dtype, name=self.unique_name(graph_input.name)))
        return OrderedTensor(self.inputs[-1], order)

    def _add_node(self, node: ForeignNode) -> None:
        try:
            node = ForeignNode(
                node.kind,
                node.inputs,
                node.outputs,
                {name: value if name == _WEIGHTS else self._resolve(value) for name, value in node.attributes.items()},
                node.operator,
            )
            folded = self._fold(node)
            results = folded if folded is not None else self.handlers[node.kind](self, node)
        except UnsupportedNodeError as error:
            raise PortError(f"{node.operator} ({node.outputs[0]}) cannot be rebuilt in Keras: {error}") from error
        except PortError:
            raise
        except Exception as error:  # Keras raises whatever an operation's arguments make it raise
            alone = self.weights_alone(node)
            reason = f"it {ALONE.format(', '.join(alone))}" if alone else first_line(error, 200)
            raise PortError(f"{node.operator} ({node.outputs[0]}) cannot be rebuilt in Keras: {reason}") from error
        self.values.update(zip(node.outputs, results, strict=False))

    def _fold(self, node: ForeignNode) -> Sequence[Any] | None:
        """Return the outputs of a node whose inputs are all known, or None if the model has to compute them."""
        inputs = [self.operand(each) for each in node.inputs]
        if node.kind not in _FOLDS or not all(is_known(each) for each in inputs):
            return None
        if node.kind in TRAINED_OTHERWISE and any(self.trains(each) for each in node.inputs):
            self.note_training(f"{node.outputs[0]}: {TRAINED_OTHERWISE[node.kind]}")
        if self.inference_only and node.kind in COMPUTED:
            inputs = [each.value if isinstance(each, Weight) else each for each in inputs]
        with np.errstate(all="ignore"):  # the file computes NaN and infinities as quietly
            return _FOLDS[node.kind](inputs, node.attributes)

    def _resolve(self, value: Operand) -> Any:
        """Return an attribute with its references replaced by their values."""
        if isinstance(value, Ref):
            resolved = self.values[value.name]
            resolved = resolved.value if isinstance(resolved, Weight) else resolved
            if isinstance(resolved, OrderedTensor):
                raise UnsupportedNodeError("an attribute of it is computed by the model")
            return resolved
        return tuple(self._resolve(each) for each in value) if isinstance(value, tuple) else value

    def _output(self, name: str) -> Any:
        """Return an output with the batch first and its other axes in the file's order."""
        value = self.values[name]
        if not isinstance(value, OrderedTensor):
            raise PortError(f"the output {name} does not depend on the inputs")
        batch = value.samples
        others = (axis for axis in range(value.rank) if axis != batch)
        return self.in_order(value, (batch, *others))

    # --- for the handlers ----------------------------------------------------------------------------------------

    def operand(self, value: Operand) -> Any:
        """Return the value of an input of a node."""
        return self.values[value.name] if isinstance(value, Ref) else value

    def model_tensor(self, value: Operand) -> OrderedTensor:
        """Return an input as a tensor of the model; a weight becomes a parameter of the model."""
        operand = self.operand(value)
        if isinstance(operand, Weight):
            return self.free_parameter(operand)
        if isinstance(operand, UniformArray):
            return self.uniform(operand)
        if not isinstance(operand, OrderedTensor):
            raise UnsupportedNodeError("it works on a constant alone")
        return operand

    def note_training(self, sentence: str) -> None:
        """Note what Keras trains otherwise."""
        if not self.inference_only and sentence not in self.trained_otherwise:
            self.trained_otherwise.append(sentence)

    def trains(self, operand: Operand) -> bool:
        """Return whether an operand is a weight that its author trains."""
        weight = self.operand(operand)
        return isinstance(weight, Weight) and weight.trainable and not weight.frozen

    def weights_alone(self, node: ForeignNode) -> list[str]:
        """Return the names of a node's weights if it has no other inputs."""
        values = [self.values.get(each.name) if isinstance(each, Ref) else each for each in node.inputs]
        weights = [each.name for each in values if isinstance(each, Weight)]
        return weights if len(weights) == len(values) else []

    def with_file_features(self, node: ForeignNode) -> OrderedTensor:
        """Return the first input of a node, with the features of a flattened array in the file's order."""
        x = self.model_tensor(node.inputs[0])
        return x if x.features is None else OrderedTensor(self.in_file_order(x), identity_order(x.rank))

    def array(self, value: Operand) -> np.ndarray | None:
        """Return an input that is a weight or a constant as an array, or None if it is absent."""
        operand = self.operand(value)
        if operand is None:
            return None
        if isinstance(operand, OrderedTensor):
            raise UnsupportedNodeError("a weight of it is computed by the model")
        return np.asarray(operand.value if isinstance(operand, Weight) else operand)

    def arrays(self, operands: Sequence[Operand]) -> list[tuple[Operand, np.ndarray]]:
        """Return the weights that are not absent as (operand, array), for `layer`, where the layout does not change."""
        pairs = [(operand, self.array(operand)) for operand in operands]
        return [(operand, array) for operand, array in pairs if array is not None]

    def in_order(self, value: OrderedTensor, order: tuple[int, ...]) -> Any:
        """Return the tensor with its axes in an order. It is transposed only if necessary, and only once per order."""
        key = (id(value.tensor), value.order, order, value.features is None)
        if key not in self.transposed_tensors:
            # Keep the tensor too: otherwise another tensor could get the same id.
            self.transposed_tensors[key] = value.tensor, _transpose(value, order)
        return self.transposed_tensors[key][1]

    def in_file_order(self, value: OrderedTensor) -> Any:
        """Return the tensor with its axes in the file's order."""
        return self.in_order(value, identity_order(value.rank))

    def with_channels_last(self, value: OrderedTensor) -> Any:
        """Return the tensor with its channels, which are second in the file, at the end."""
        return self.in_order(value, channels_last(value.rank))

    def unique_name(self, name: str) -> str:
        free_name = identifier(name, self.names)
        self.names.add(free_name)
        return free_name

    def layer(
        self,
        layer_class: type[keras.layers.Layer],
        tensor: Any,
        weights: Sequence[tuple[Operand, Any]],
        call: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> Any:
        """Return the output of a layer with weights. A second call with the same weights uses the same layer.

        Args:
            weights: for each weight of the layer, its operand and its value in Keras' layout.
            call: further arguments of the call.
            config: the arguments of the layer's constructor.
        """
        origins = tuple(self._weight_name(operand) for operand, _ in weights)
        key = (layer_class.__name__, origins, repr(sorted(config.items())))
        layer = self.shared.get(key) if any(origins) else None
        if layer is None:
            name = next((each for each in origins if each), "")
            layer = layer_class(
                name=self.unique_name(_layer_name(name) or identifier(layer_class.__name__.lower())), **config
            )
            if any(origins):
                self.shared[key] = layer
            answered = layer(tensor, **(call or {}))
            layer.set_weights([value for _, value in weights])
            layer.trainable = not self._is_frozen(weights)
            return answered
        return layer(tensor, **(call or {}))

    def _is_frozen(self, weights: Sequence[tuple[Operand, Any]]) -> bool:
        """Return whether the author of a layer's weights does not train them.

        Raises:
            UnsupportedNodeError: some are trained, and Keras freezes whole layers.
        """
        operands = [self.operand(operand) for operand, _ in weights]
        frozen = {each.frozen for each in operands if isinstance(each, Weight) and each.trainable}
        if len(frozen) > 1:
            if self.inference_only:
                return False
            raise UnsupportedNodeError("some of its weights are trained and others are not; Keras freezes whole layers")
        return frozen == {True}

    def _weight_name(self, operand: Operand) -> str:
        operand_value = self.operand(operand)
        return operand_value.name if isinstance(operand_value, Weight) else ""

    def parameter(self, weight: Weight, rank: int, order: tuple[int, ...] | None = None) -> OrderedTensor:
        """Return a weight that no layer owns as a tensor (batch, …) of some rank: the single row of an `Embedding`.

        Args:
            order: the order of axes of the tensor that it is combined with.
        """
        order = order or identity_order(rank)
        value = with_leading_axes(weight.value, rank)
        if value.shape[0] != 1 or order[0] != 0:
            if self.graph.size is not None:
                raise UnsupportedNodeError(f"it {ALONE.format(weight.name)}, or has another part of it for each sample")
            free = self.free_parameter(replace(weight, value=value)).tensor
            return OrderedTensor(keras.ops.transpose(free, order), order)
        value = value.transpose(order)
        index = self.batch_zeros()
        size = int(value.size)
        row = self.shared.get(("parameter", weight.name, value.shape))
        if row is None:
            row = keras.layers.Embedding(1, size, name=self.unique_name(_strip_prefix(weight.name)))
            self.shared["parameter", weight.name, value.shape] = row
        tensor = row(index)
        row.set_weights([value.reshape(1, size)])
        row.trainable = weight.trains_standalone
        return OrderedTensor(keras.layers.Reshape(value.shape[1:])(tensor) if rank != 2 else tensor, order)

    def free_parameter(self, weight: Weight) -> OrderedTensor:
        """Return a weight that no layer owns in its own shape, without a batch axis: all rows of an `Embedding`."""
        shape = weight.value.shape
        rows = int(shape[0]) if shape else 1
        key = ("free parameter", weight.name, shape)
        if key not in self.shared:
            width = int(weight.value.size) // rows
            table = keras.layers.Embedding(rows, width, name=self.unique_name(_strip_prefix(weight.name)))
            places = keras.ops.add(keras.ops.sum(self.batch_zeros()), np.arange(rows, dtype="int32"))
            tensor = table(places)
            table.set_weights([weight.value.reshape(rows, width)])
            table.trainable = weight.trains_standalone
            self.shared[key] = keras.ops.reshape(tensor, shape)
        return OrderedTensor(self.shared[key], identity_order(len(shape)))

    def uniform(self, array: UniformArray) -> OrderedTensor:
        """Return an array with the same value everywhere as a tensor with a row for each sample."""
        batch, *others = array.shape
        if not is_open(batch) or any(is_open(length) for length in others):
            raise UnsupportedNodeError("it works on a constant alone")
        zeros = keras.ops.reshape(keras.ops.cast(self.batch_zeros(), "float32"), (-1, *(1,) * len(others)))
        tensor = keras.ops.add(zeros, np.full((1, *map(int, others)), array.value, "float32"))
        return OrderedTensor(tensor, identity_order(len(array.shape)))

    def batch_zeros(self) -> Any:
        """Return an integer zero for each sample."""
        if "batch zeros" not in self.shared:
            first = self.inputs[0]
            column = first[(slice(None), *(0,) * (len(first.shape) - 1))]
            self.shared["batch zeros"] = keras.ops.cast(keras.ops.zeros_like(column), "int32")
        return self.shared["batch zeros"]


def _transpose(value: OrderedTensor, order: tuple[int, ...]) -> Any:
    tensor = value.tensor
    if value.features is not None:
        tensor = keras.ops.take(tensor, np.argsort(value.features), axis=-1)
    axes = tuple(value.order.index(axis) for axis in order)
    if axes == identity_order(len(axes)):
        return tensor
    return keras.layers.Permute(axes[1:])(tensor) if axes[0] == 0 else keras.ops.transpose(tensor, axes)


def _strip_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _layer_name(weight: str) -> str:
    """Return the layer name for the file's name of a weight; empty if the name has only one part."""
    return _strip_prefix(weight).translate(_SEPARATORS).rpartition(".")[0]
