"""Read a layer by tracing its `call`: what it computes with `keras.ops` becomes calls of operations.

While the layer is called with symbolic tensors, its weights are symbolic tensors too, so that what it computes from
them alone is not taken for a constant. So are the arrays that it calls layers within it with.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from ...backends import keras_internals
from ...errors import first_line
from ...graph.graph import ArrayReference
from .calls import LayerCall, ordered_calls
from .reader import GraphReader, UnreadableError
from .weight_tensors import WeightTensor, WeightTensors


def traced(reader: GraphReader, call: LayerCall, call_of: Callable[..., Any] | None = None) -> Sequence[ArrayReference]:
    """Read a layer by the operations that its `call` does.

    Args:
        reader, call: the graph so far, and the call of the layer.
        call_of: what is traced in the place of the layer's `call`.

    Raises:
        UnreadableError: the layer does something else than calling `keras.ops` and layers, or needs lengths that only
            the data have.
    """
    with reader.owned_by(call.operation):
        return _traced(reader, call, call_of or _call_of(call.operation))


def _call_of(layer: Any) -> Callable[..., Any]:
    """Return what Keras calls when a layer answers: another method once its weights are quantised."""
    mode = getattr(layer, "quantization_mode", None)
    if not mode:
        return layer.call  # type: ignore[no-any-return]
    if mode != "int8":
        raise UnreadableError(f"is quantised as {mode}, and only int8 is covered")

    @functools.wraps(layer.call)
    def call(*positional: Any, **named: Any) -> Any:
        return layer.quantized_call(*positional, **named)

    return call


def _traced(reader: GraphReader, call: LayerCall, function: Callable[..., Any]) -> Sequence[ArrayReference]:
    layer = call.operation
    if layer.compute_dtype != "float32" or layer.variable_dtype != "float32":
        raise UnreadableError(f"computes in {layer.compute_dtype}, and only float32 is covered")
    _require_no_hidden_masks(reader, call)
    arrays = dict.fromkeys(leaf for leaf in keras.tree.flatten(call.arguments) if isinstance(leaf, ArrayReference))
    values = {array: _as_taken(reader, call, array, f"cast_{index}") for index, array in enumerate(arrays)}
    tensors = {array: _symbolic(reader, value) for array, value in values.items()}
    trace = trace_call(layer, function, _filled_in(call.arguments, tensors), list(tensors.values()))
    if not _trains_as_it_answers(layer, function, trace, call, tensors):
        reader.leave_out(layer, ", what it does in training alone")
    weights = trace.used_weights
    for weight in weights:
        reader.share(weight.variable)
    constants = [reader.constant(call, array, f"constant_{index}") for index, (_, array) in enumerate(trace.constants)]
    parameters = [reader.parameter(call, weight.variable) for weight in weights]
    references = [*values.values(), *constants, *parameters]
    return reader.inline(reader.local_name(layer), [*trace.arrays, *weights], trace.outputs, references)


def _require_no_hidden_masks(reader: GraphReader, call: LayerCall) -> None:
    """Raise an UnreadableError if Keras hands the layer a mask that came with an array, and is no argument here."""
    for name in inspect.signature(call.operation.call).parameters:
        of_argument = call.arguments if name == "mask" else call.arguments.get(name.removesuffix("_mask"))
        arrays = [leaf for leaf in keras.tree.flatten(of_argument) if isinstance(leaf, ArrayReference)]
        takes_mask = name == "mask" or name.endswith("_mask")
        if takes_mask and call.arguments.get(name) is None and any(map(reader.is_masked, arrays)):
            raise UnreadableError("takes the mask of an array (mask_zero or Masking), which is not covered")


def _as_taken(reader: GraphReader, call: LayerCall, array: ArrayReference, role: str) -> ArrayReference:
    """Return an array as Keras hands it to the layer: floats in the layer's dtype."""
    is_cast = call.operation.autocast and reader.spec(array).dtype.startswith("float")
    return reader.cast(call, array, "float32", role) if is_cast else array


def _symbolic(reader: GraphReader, value: ArrayReference) -> keras.KerasTensor:
    spec = reader.spec(value)
    return keras.KerasTensor(spec.shape, spec.dtype)


def _filled_in(arguments: dict[str, Any], tensors: dict[ArrayReference, Any]) -> dict[str, Any]:
    def fill_in(leaf: Any) -> Any:
        return tensors[leaf] if isinstance(leaf, ArrayReference) else leaf

    return {name: keras.tree.map_structure(fill_in, argument) for name, argument in arguments.items()}


@dataclass
class Trace:
    """What a layer does with symbolic tensors.

    Attributes:
        inputs: the symbolic tensors that it is called with.
        constants: the symbolic tensors of arrays that a layer within it was called with, each with its array.
        weights: the symbolic tensors of its weights, and of those of the layers within it.
        outputs: what it returns.
    """

    inputs: list[Any]
    weights: WeightTensors
    constants: list[tuple[Any, Any]] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    @property
    def arrays(self) -> list[Any]:
        """The symbolic tensors that are no weights."""
        return [*self.inputs, *(tensor for tensor, _ in self.constants)]

    @property
    def used_weights(self) -> list[WeightTensor]:
        """The symbolic tensors of the weights that the layer computes with, or returns."""
        returned = set(map(id, self.outputs))
        return [
            weight for weight in self.weights.tensors if keras_internals.is_in_graph(weight) or id(weight) in returned
        ]

    def constant(self, array: Any) -> Any:
        """Return a symbolic tensor for an array."""
        tensor = keras.KerasTensor(tuple(array.shape), keras.backend.standardize_dtype(array.dtype))
        self.constants.append((tensor, array))
        return tensor


def trace_call(
    layer: Any, function: Callable[..., Any], arguments: dict[str, Any], inputs: list[Any], training: bool = False
) -> Trace:
    """Call a layer's `call`, or what stands for it, with symbolic tensors, as the layer answers or as it trains.

    Raises:
        UnreadableError: it does something else than calling `keras.ops` and layers.
    """
    trace = Trace(inputs, WeightTensors(layer))
    call_layer = keras.layers.Layer.__call__
    within: list[Any] = []

    def call_within(inner: Any, *positional: Any, **named: Any) -> Any:
        """Call a layer within the layer with the weights that it has, and with symbolic tensors only."""
        named = _without_defaults(inner, named)
        if within:  # Keras computes the shape of what it returns
            return call_layer(inner, *positional, **named)
        if inner.weights and not _has_symbolic((positional, named)):
            positional, named = keras.tree.map_structure(
                lambda leaf: trace.constant(leaf) if keras.ops.is_tensor(leaf) else leaf, (positional, named)
            )
        within.append(inner)
        try:
            with trace.weights.put_back():
                return call_layer(inner, *positional, **named)
        finally:
            within.pop()

    try:
        with trace.weights.put_in(), _replaced({"__call__": call_within}):
            trace.outputs = keras.tree.flatten(_call(function, arguments, training))
    except UnreadableError:
        raise
    except Exception as error:  # a layer may do anything
        is_own = getattr(function, "__wrapped__", function) == layer.call
        what = f"{type(layer).__name__} is not covered, and" if is_own else f"the converter of {type(layer).__name__}"
        raise UnreadableError(f"{what} cannot be traced: {first_line(error)}") from error
    if not trace.outputs or not all(isinstance(output, keras.KerasTensor) for output in trace.outputs):
        raise UnreadableError(f"{type(layer).__name__} returns something that does not depend on what it is given")
    return trace


def _without_defaults(layer: Any, named: dict[str, Any]) -> dict[str, Any]:
    """Leave out arguments that are None by default: Keras computes shapes by a method that may not know them.

    A subclass of attention may take a cache, for example, and leave the shape to its base class.
    """
    parameters = inspect.signature(layer.call).parameters
    optional = {name for name, parameter in parameters.items() if parameter.default is None}
    return {name: argument for name, argument in named.items() if argument is not None or name not in optional}


@contextlib.contextmanager
def _replaced(of_layers: dict[str, Any]) -> Iterator[None]:
    """While it lasts, methods of layers, drawing, and repetition by an unknown number are replaced."""
    with contextlib.ExitStack() as stack:
        for owner, functions in (
            (keras.layers.Layer, of_layers),
            (keras.random.SeedGenerator, {"next": _refuse_to_draw}),
            (keras.ops, {**_OF_BATCHES, **_WITHOUT_GRADIENT}),
            (keras_internals.operations_module(), _WITHOUT_GRADIENT),
        ):
            stack.enter_context(keras_internals.replaced_functions(owner, functions))
        yield


def _refuse_to_draw(generator: Any, ordered: bool = True) -> Any:
    raise UnreadableError("draws random numbers whenever it is called, so that no two answers can be compared")


def _repeat(repeat: Callable[..., Any], tile: Callable[..., Any]) -> Callable[..., Any]:
    """Return `keras.ops.repeat` that takes None, the length of a batch, for an axis of length 1."""

    def repeated(x: Any, repeats: Any, axis: int | None = None) -> Any:
        if repeats is not None or axis is None or x.shape[axis] != 1:
            return repeat(x, repeats, axis)
        rank = len(x.shape)
        return _tile(tile)(x, [None if place == axis % rank else 1 for place in range(rank)])

    return repeated


def _tile(tile: Callable[..., Any]) -> Callable[..., Any]:
    """Return `keras.ops.tile` that takes None, the length of a batch, for an axis of length 1."""

    def tiled(x: Any, repeats: Any) -> Any:
        times = list(repeats) if isinstance(repeats, (list, tuple)) else [repeats]
        pairs = list(zip(times, x.shape, strict=False))
        of_batch = [length for time, length in pairs if time is None]
        if len(times) != len(x.shape) or not of_batch or set(of_batch) != {1}:
            return tile(x, repeats)
        x = keras.ops.broadcast_to(x, [None if time is None else length for time, length in pairs])
        times = [1 if time is None else time for time in times]
        return x if set(times) == {1} else tile(x, times)

    return tiled


def _broadcast_to(broadcast_to: Callable[..., Any]) -> Callable[..., Any]:
    """Return `keras.ops.broadcast_to` that takes None, the length of a batch, for an array as well.

    An axis of length 1 stays one: it is broadcast by what computes with it.
    """

    def broadcast(x: Any, shape: Any) -> Any:
        if isinstance(x, keras.KerasTensor) or None not in shape:
            return broadcast_to(x, shape)
        lengths = (1,) * (len(shape) - len(x.shape)) + tuple(x.shape)
        if any(wanted is None and length != 1 for wanted, length in zip(shape, lengths, strict=True)):
            return broadcast_to(x, shape)
        return broadcast_to(x, [1 if wanted is None else wanted for wanted in shape])

    return broadcast


# Operations that take the length of a batch, which is None while a layer is traced.
_OF_BATCHES: dict[str, Any] = {
    "repeat": _repeat(keras.ops.repeat, keras.ops.tile),
    "tile": _tile(keras.ops.tile),
    "broadcast_to": _broadcast_to(keras.ops.broadcast_to),
}


def _answering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function without its gradient; the training step of the port shows whether that matters."""
    return lambda *positional, **named: function(*positional, **named)[0]


_WITHOUT_GRADIENT: dict[str, Any] = {"custom_gradient": _answering}


def _trains_as_it_answers(
    layer: Any,
    function: Callable[..., Any],
    trace: Trace,
    call: LayerCall,
    tensors: dict[ArrayReference, Any],
) -> bool:
    """Return whether a layer does the same operations in training as when it answers."""
    if "training" not in inspect.signature(function).parameters:
        return True
    others = {array: keras.KerasTensor(tensor.shape, tensor.dtype) for array, tensor in tensors.items()}
    try:
        trained = trace_call(layer, function, _filled_in(call.arguments, others), list(others.values()), training=True)
    except UnreadableError:
        return False
    return _operations(trained) == _operations(trace)


def _operations(trace: Trace) -> list[str]:
    """Return the classes of the operations and layers of a trace, sorted."""
    calls = ordered_calls([*trace.arrays, *trace.weights.tensors], trace.outputs)
    return sorted(type(call.operation).__name__ for call in calls)


def _has_symbolic(arguments: Any) -> bool:
    return any(isinstance(leaf, keras.KerasTensor) for leaf in keras.tree.flatten(arguments))


def _call(function: Callable[..., Any], arguments: dict[str, Any], training: bool) -> Any:
    """Call `layer.call`, or what stands for it, with the first argument by position and the others by name."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters.values()):
        raise UnreadableError("its `call` takes any number of arguments")
    arguments = {name: value for name, value in arguments.items() if name != "training"}
    if "training" in parameters:
        arguments["training"] = training
    first, *others = arguments.items()
    return function(first[1], **dict(others))
