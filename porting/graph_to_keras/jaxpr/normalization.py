"""Recognise normalization layers: batch normalization by stored statistics, layer and RMS normalization.

There are many ways to write one: with `sqrt` or `rsqrt`, the variance from the squares or from the differences, scale
and inverse deviation multiplied first or last. All are a sum of products around one input, so the equations are read
into one form: (x - mean) * factors + shift.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ....backends.traced_program import TracedEquation, TracedValue
from ..foreign_graph import Operand, Weight
from .contractions import own_weight
from .translator import JaxArray, Translator

_SHAPING = ("broadcast_in_dim", "reshape", "convert_element_type", "copy", "stop_gradient")
# Keras' own, of which a function says nothing.
_MOMENTUM = 0.01


@dataclass
class _Factors:
    """The factors of a product: the value that is normalized, the inverse deviation, and the scale."""

    centred: TracedValue | None = None
    variance: TracedValue | None = None
    epsilon: float = 0.0
    scale: TracedValue | None = None
    others: list[TracedValue] = field(default_factory=list)


def normalization(translator: Translator, equation: TracedEquation) -> JaxArray | None:
    """Return the output of the normalization layer that ends with an equation, or None."""
    for scaled, shift in _sums(translator, equation):
        factors = _factors(translator, scaled)
        if factors is None or factors.variance is None or factors.centred is None:
            continue
        layer = _batch_norm(translator, factors, shift) or _layer_norm(translator, factors, shift)
        if layer is not None:
            return layer
    return None


def _sums(
    translator: Translator, equation: TracedEquation
) -> list[tuple[TracedValue | TracedEquation, TracedValue | None]]:
    """Return the ways to read an equation as a product, and what is added to it or None."""
    if equation.primitive != "add":
        readers = translator.readers[equation.outputs[0].name]
        return [] if any(_is_part(translator, each) for each in readers) else [(equation, None)]
    one, other = equation.inputs
    return [pair for pair in ((one, other), (other, one)) if _is_vector(translator, pair[1])]


def _is_part(translator: Translator, equation: TracedEquation) -> bool:
    """Return whether an equation goes on with a normalization: a scale, a shift, or the deviation."""
    return equation.primitive in ("add", "mul", "div") and any(_is_vector(translator, v) for v in equation.inputs)


def _is_vector(translator: Translator, value: TracedValue) -> bool:
    """Return whether a value is a weight with one number per position of one axis."""
    stored = translator.program.weights.get(_source(translator, value).name)
    weight = stored if value.name not in translator.arrays else own_weight(translator, value)
    return weight is not None and weight.value.ndim > 0 and max(weight.value.shape) == weight.value.size


def _factors(translator: Translator, scaled: TracedValue | TracedEquation) -> _Factors | None:
    """Return the factors of a product, or None if it has others than those of a normalization."""
    factors, left = _Factors(), [scaled]
    while left:
        each = left.pop()
        equation = each if isinstance(each, TracedEquation) else _producer(translator, each)
        if equation is not None and equation.primitive == "mul":
            left += equation.inputs
        elif equation is not None and equation.primitive in ("rsqrt", "sqrt") and factors.variance is None:
            if equation.primitive == "sqrt" or not _read_variance(translator, factors, equation.inputs[0]):
                return None
        elif equation is not None and equation.primitive == "div" and factors.variance is None:
            root = _producer(translator, equation.inputs[1])
            if root is None or root.primitive != "sqrt" or not _read_variance(translator, factors, root.inputs[0]):
                return None
            left.append(equation.inputs[0])
        elif isinstance(each, TracedValue) and _is_vector(translator, each) and factors.scale is None:
            factors.scale = each
        elif isinstance(each, TracedValue) and factors.centred is None:
            factors.centred = each
        else:
            return None
    return factors


def _producer(translator: Translator, value: TracedValue) -> TracedEquation | None:
    """Return the equation that computes a value before it gets its shape."""
    return translator.producer(_source(translator, value))


def _source(translator: Translator, value: TracedValue) -> TracedValue:
    """Return a value before it gets its shape."""
    return translator.origin(value, _SHAPING)


def _read_variance(translator: Translator, factors: _Factors, value: TracedValue) -> bool:
    """Note the variance and epsilon whose sum a value is."""
    total = _producer(translator, value)
    if total is None or total.primitive != "add":
        return False
    for variance, epsilon in (total.inputs, total.inputs[::-1]):
        number = translator.number(epsilon)
        if number is not None:
            factors.variance, factors.epsilon = variance, float(number)
            return True
    return False


# --- batch normalization --------------------------------------------------------------------------------------------


def _batch_norm(translator: Translator, factors: _Factors, shift: TracedValue | None) -> JaxArray | None:
    """Normalize by a mean and a variance that are stored and not trained."""
    assert factors.centred is not None
    assert factors.variance is not None
    difference = translator.producer(factors.centred)
    if difference is None or difference.primitive != "sub":
        return None
    x, mean = difference.inputs
    statistics = [_frozen(translator, value) for value in (mean, factors.variance)]
    axis = _axis(x, mean)
    if None in statistics or axis is None or translator.is_known(x):
        return None
    length = x.shape[axis]
    vectors = [_vector(translator, value, length) for value in (factors.scale, shift)]
    if False in vectors:
        return None
    axes = (0, axis, *(each for each in range(1, x.rank) if each != axis))
    if x.rank < 2 or axis == 0:
        return None
    inputs = [translator.permuted(translator.full(x), axes).operand, *vectors]
    inputs += [
        translator.new_weight(Weight(each.name, each.value.reshape(-1), False)).operand for each in statistics if each
    ]
    shape = tuple(x.shape[each] for each in axes)
    normal = translator.emit("batch_norm", inputs, shape, epsilon=factors.epsilon, momentum=_MOMENTUM)
    return translator.permuted(normal, np.argsort(axes).tolist())


def _frozen(translator: Translator, value: TracedValue) -> Weight | None:
    """Return the weight, not trained, that a value is in some shape."""
    weight = own_weight(translator, _source(translator, value))
    return weight if weight is not None and weight.frozen and weight.value.ndim == 1 else None


def _axis(x: TracedValue, mean: TracedValue) -> int | None:
    """Return the axis of the features, along which the mean has its numbers."""
    padded = (1,) * (x.rank - mean.rank) + mean.shape
    axes = [axis for axis, length in enumerate(padded) if length != 1]
    return axes[0] if len(axes) == 1 and padded[axes[0]] == x.shape[axes[0]] else None


def _vector(translator: Translator, value: TracedValue | None, length: int | None) -> Operand:
    """Return a weight as a vector, None if there is none, or False if it has another length."""
    if value is None:
        return None
    array = translator.array(value)
    weight = translator.weight(array)
    if weight is None or weight.value.size != length:
        return False
    return translator.reshaped(array, (length,)).operand


# --- layer and RMS normalization ------------------------------------------------------------------------------------


def _layer_norm(translator: Translator, factors: _Factors, shift: TracedValue | None) -> JaxArray | None:
    """Normalize by the mean and variance, or by the mean of the squares, of the last axis."""
    assert factors.centred is not None
    assert factors.variance is not None
    centred = factors.centred
    difference, squares = translator.producer(centred), _mean_of(translator, factors.variance)
    length = centred.shape[-1]
    vectors = [_vector(translator, value, length) for value in (factors.scale, shift)]
    if False in vectors or translator.is_known(centred):
        return None
    kind, x = "", centred
    if difference is not None and difference.primitive == "sub" and translator.number(difference.inputs[1]) == 0:
        x, difference = difference.inputs[0], None
    if difference is not None and difference.primitive == "sub" and _is_mean(translator, *difference.inputs[::-1]):
        x = difference.inputs[0]
        if _is_variance(translator, factors.variance, x):
            kind = "layer_norm"
    elif squares is not None and _is_square(translator, squares, x) and shift is None and factors.scale is not None:
        kind = "rms_norm"
    if not kind:
        return None
    operand = translator.full(x).operand
    return translator.emit(kind, [operand, *vectors], x.shape, rank=1, epsilon=factors.epsilon)


def _mean_of(translator: Translator, value: TracedValue) -> TracedValue | None:
    """Return what a value is the mean of, along the last axis; None if it is no mean."""
    quotient = _producer(translator, value)
    while (
        quotient is not None and quotient.primitive == "select_n" and translator.number(quotient.inputs[0]) is not None
    ):
        quotient = _producer(translator, quotient.inputs[1 + bool(translator.number(quotient.inputs[0]))])
    if quotient is None or quotient.primitive != "div":
        return None
    total = _producer(translator, quotient.inputs[0])
    if total is None or total.primitive != "reduce_sum":
        return None
    summed = total.inputs[0]
    is_last = tuple(total.settings["axes"]) == (summed.rank - 1,)
    return summed if is_last and translator.number(quotient.inputs[1]) == summed.shape[-1] else None


def _is_mean(translator: Translator, value: TracedValue, x: TracedValue) -> bool:
    averaged = _mean_of(translator, value)
    return averaged is not None and averaged.name == x.name


def _is_square(translator: Translator, value: TracedValue, x: TracedValue) -> bool:
    """Return whether a value is the square of another."""
    producer = translator.producer(value)
    if producer is None:
        return False
    is_product = producer.primitive == "mul" and producer.inputs[0].name == producer.inputs[1].name
    is_power = producer.primitive == "integer_pow" and producer.settings["y"] == 2
    return (producer.primitive == "square" or is_product or is_power) and producer.inputs[0].name == x.name


def _is_variance(translator: Translator, value: TracedValue, x: TracedValue) -> bool:
    """Return whether a value is the variance of an array along its last axis, in one of the two usual forms."""
    squared = _mean_of(translator, value)
    if squared is not None:
        producer = translator.producer(squared)
        deviation = translator.producer(producer.inputs[0]) if producer is not None else None
        if (
            deviation is None
            or deviation.primitive != "sub"
            or not _is_square(translator, squared, deviation.outputs[0])
        ):
            return False
        return deviation.inputs[0].name == x.name and _is_mean(translator, deviation.inputs[1], x)
    producer = _producer(translator, value)
    if producer is not None and producer.primitive == "max" and 0 in map(translator.number, producer.inputs):
        clipped = next(each for each in producer.inputs if translator.number(each) != 0)
        producer = _producer(translator, clipped)
    if producer is None or producer.primitive != "sub":
        return False
    squares, mean_squared = _mean_of(translator, producer.inputs[0]), _producer(translator, producer.inputs[1])
    if squares is None or mean_squared is None or not _is_square(translator, squares, x):
        return False
    is_square = _is_square(translator, mean_squared.outputs[0], mean_squared.inputs[0])
    return is_square and _is_mean(translator, mean_squared.inputs[0], x)
