"""Layers that a jaxpr writes as several primitives: biases, means, softmax.

Each is recognised at its last primitive. The primitives before it stay in the graph only if something else reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ....backends.traced_program import TracedEquation, TracedValue
from ..foreign_graph import Operand, Weight
from .arithmetic import compute, reduce
from .contractions import convolution, own_weight, pool, product, window_size
from .gelu import gelu
from .normalization import normalization
from .translator import JaxArray, Translator

_REORDERING = ("transpose", "reshape")


def recognize(translator: Translator, equation: TracedEquation) -> JaxArray | None:
    """Return the output of the layer that ends with an equation, or None."""
    for pattern in _PATTERNS.get(equation.primitive, ()):
        array = pattern(translator, equation)
        if array is not None:
            return array
    return None


def _with_bias(translator: Translator, equation: TracedEquation) -> JaxArray | None:
    """Recognise the sum of a product or convolution and a bias, also where another array is added before the bias."""
    for value, bias in (equation.inputs, equation.inputs[::-1]):
        if own_weight(translator, bias) is None:
            continue
        layer = _layer(translator, value, bias)
        if layer is not None:
            return layer
        producer = _only_producer(translator, value)
        for part, rest in _pairs(producer) if producer is not None and producer.primitive == "add" else ():
            layer = _layer(translator, part, bias)
            if layer is not None:
                return compute(translator, "add", translator.array(rest), layer)
    return None


def _pairs(equation: TracedEquation) -> tuple[Sequence[TracedValue], Sequence[TracedValue]]:
    return equation.inputs, equation.inputs[::-1]


def _only_producer(translator: Translator, value: TracedValue) -> TracedEquation | None:
    """Return the equation that computes a value that is read once."""
    return translator.producer(value) if translator.counts[value.name] == 1 else None


def _layer(translator: Translator, value: TracedValue, bias_value: TracedValue) -> JaxArray | None:
    """Return the layer whose output without bias is a value; None if it is none, or has no such bias."""
    producer, bias = _only_producer(translator, value), own_weight(translator, bias_value)
    if producer is None or bias is None or producer.primitive not in ("dot_general", "conv_general_dilated"):
        return None
    weights = [own_weight(translator, each) for each in producer.inputs]
    kernel = next((weight for weight in weights if weight is not None), None)
    if kernel is None or bias.frozen != kernel.frozen:
        return None
    if producer.primitive == "dot_general":
        operand = _last_axes(translator, producer, bias_value, kernel)
        return None if operand is None else product(translator, producer, operand)
    channels = producer.settings["dimension_numbers"]["out_spec"][1]
    operand = _channels(translator, producer, bias_value, channels)
    return None if operand is None else convolution(translator, producer, operand)


def _last_axes(translator: Translator, producer: TracedEquation, value: TracedValue, kernel: Weight) -> Operand:
    """Return a bias in the shape of the last axes of a product, those of the kernel; None if it is none."""
    contracted = producer.settings["dimension_numbers"][0][1]
    rank, shape = kernel.value.ndim - len(contracted), producer.outputs[0].shape
    array = translator.array(value)
    padded = (1,) * (len(shape) - len(array.shape)) + array.shape
    if not rank or own_weight(translator, producer.inputs[1]) is None or padded[-rank:] != shape[-rank:]:
        return None
    if any(n != 1 for n in padded[:-rank]):
        return None
    return translator.reshaped(array, shape[-rank:]).operand


def _channels(translator: Translator, producer: TracedEquation, value: TracedValue, axis: int) -> Operand:
    """Return the vector that is added along one axis of an output; None if it is no such vector."""
    array, output = translator.array(value), producer.outputs[0]
    padded = (1,) * (output.rank - len(array.shape)) + array.shape
    if any(n != (output.shape[place] if place == axis else 1) for place, n in enumerate(padded)):
        return None
    return translator.reshaped(array, (output.shape[axis],)).operand


def _mean(translator: Translator, equation: TracedEquation) -> JaxArray | None:
    """Recognise a sum that is divided by the number of its values."""
    total, count = equation.inputs[0], translator.number(equation.inputs[1])
    producer, keepdims = translator.producer(total), False
    if producer is not None and producer.primitive == "broadcast_in_dim":
        summed = producer.inputs[0]
        producer, keepdims = translator.producer(summed), True
    if producer is None or count is None:
        return None
    if producer.primitive == "reduce_window_sum" and not keepdims and count == window_size(producer):
        return pool(translator, producer, "average_pool")
    if producer.primitive != "reduce_sum":
        return None
    shape, axes = producer.inputs[0].shape, producer.settings["axes"]
    lengths = [shape[axis] for axis in axes]
    if None in lengths or count != math.prod(length or 1 for length in lengths):
        return None
    whole = tuple(1 if axis in axes else length for axis, length in enumerate(shape))
    if keepdims and total.shape != whole:
        return None
    return reduce(translator, producer, "mean", keepdims)


def _softmax(translator: Translator, equation: TracedEquation) -> JaxArray | None:
    """Recognise exp(x - max(x)) divided by its sum along one axis."""
    exponential = translator.producer(equation.inputs[0])
    total = _through(translator, equation.inputs[1])
    if exponential is None or exponential.primitive != "exp" or total is None or total.primitive != "reduce_sum":
        return None
    shifted = translator.producer(exponential.inputs[0])
    if shifted is None or shifted.primitive != "sub" or total.inputs[0].name != equation.inputs[0].name:
        return None
    if len(total.settings["axes"]) != 1:
        return None
    x, largest = shifted.inputs[0], _through(translator, shifted.inputs[1])
    if largest is None or largest.primitive != "reduce_max" or not _is_same(translator, largest.inputs[0], x):
        return None
    array = translator.full(x)
    return translator.emit("activation", [array.operand], x.shape, name="softmax", axis=total.settings["axes"][0])


def _through(translator: Translator, value: TracedValue) -> TracedEquation | None:
    """Return the equation that computes a value before it is repeated, stopped or compared with minus infinity."""
    producer = translator.producer(translator.origin(value, ("broadcast_in_dim", "stop_gradient", *_REORDERING)))
    if producer is not None and producer.primitive == "max" and -math.inf in map(translator.number, producer.inputs):
        return _through(translator, next(each for each in producer.inputs if translator.number(each) is None))
    return producer


def _is_same(translator: Translator, one: TracedValue, other: TracedValue) -> bool:
    """Return whether two values are the same up to the order of their axes, which comes right in the difference."""
    return translator.origin(one, _REORDERING).name == translator.origin(other, _REORDERING).name


Pattern = Callable[[Translator, TracedEquation], "JaxArray | None"]

_PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "add": (_with_bias, normalization),
    "mul": (gelu, normalization),
    "div": (_softmax, _mean),
}
