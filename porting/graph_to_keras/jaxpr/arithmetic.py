"""Translations of JAX's primitives that compute element by element, and of its reductions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....backends.traced_program import TracedEquation
from ..foreign_graph import ForeignNode, Operand, Ref
from .translator import JaxArray, Translation, Translator, broadcast


def compute(translator: Translator, kind: str, *arrays: JaxArray, **attributes: Operand) -> JaxArray:
    """Add a node that computes element by element. Weights lose leading axes of length 1, which NumPy's rules add."""
    small = [_without_leading_axes(translator, array) for array in arrays]
    return translator.emit(
        kind, [array.operand for array in small], broadcast([array.shape for array in small]), **attributes
    )


def _without_leading_axes(translator: Translator, array: JaxArray) -> JaxArray:
    if translator.weight(array) is None or len(array.shape) < 2 or array.shape[0] != 1:
        return array
    first = next((axis for axis, length in enumerate(array.shape) if length != 1), len(array.shape) - 1)
    return translator.reshaped(array, array.shape[first:])


def number(value: Any) -> JaxArray:
    return JaxArray(value, ())


def as_kind(kind: str, **attributes: Operand) -> Translation:
    """Translate a primitive into one kind, element by element."""

    def translate(translator: Translator, equation: TracedEquation) -> None:
        arrays = [translator.array(value) for value in equation.inputs]
        translator.bind(compute(translator, kind, *arrays, **attributes))

    return translate


def _activation(translator: Translator, equation: TracedEquation) -> None:
    array = translator.array(equation.inputs[0])
    translator.bind(compute(translator, "activation", array, name=equation.settings["name"]))


def _extreme(kind: str, neutral: float) -> Translation:
    """Translate the larger or smaller of two; infinity changes nothing."""

    def translate(translator: Translator, equation: TracedEquation) -> None:
        for value, other in (equation.inputs, equation.inputs[::-1]):
            if translator.number(value) == neutral and translator.array(other).shape == equation.outputs[0].shape:
                translator.bind(translator.array(other))
                return
        as_kind(kind)(translator, equation)

    return translate


def _clamp(translator: Translator, equation: TracedEquation) -> None:
    low, x, high = (translator.array(value) for value in equation.inputs)
    if low.is_number and high.is_number:
        translator.bind(compute(translator, "activation", x, name="clip", low=low.operand, high=high.operand))
    else:
        translator.bind(compute(translator, "minimum", compute(translator, "maximum", x, low), high))


def _integer_pow(translator: Translator, equation: TracedEquation) -> None:
    x, exponent = translator.array(equation.inputs[0]), equation.settings["y"]
    if exponent == 2:
        translator.bind(compute(translator, "square", x))
    elif exponent == 3:
        translator.bind(compute(translator, "multiply", compute(translator, "square", x), x))
    elif exponent == -1:
        translator.bind(compute(translator, "reciprocal", x))
    else:
        translator.bind(compute(translator, "power", x, number(float(exponent))))


def _logical(kind: str) -> Translation:
    def translate(translator: Translator, equation: TracedEquation) -> None:
        if equation.inputs[0].dtype != "bool":
            raise translator.refusal(f"it works on the bits of {equation.inputs[0].dtype}")
        as_kind(kind)(translator, equation)

    return translate


def _round(translator: Translator, equation: TracedEquation) -> None:
    x = translator.array(equation.inputs[0])
    if equation.settings["rounding_method"] in (1, "TO_NEAREST_EVEN"):
        translator.bind(compute(translator, "round", x))
        return
    whole = compute(translator, "floor", compute(translator, "add", compute(translator, "abs", x), number(0.5)))
    translator.bind(compute(translator, "multiply", compute(translator, "sign", x), whole))


def _divide(translator: Translator, equation: TracedEquation) -> None:
    """Translate a quotient; that of integers is rounded towards zero."""
    one, other = (translator.array(value) for value in equation.inputs)
    if equation.outputs[0].dtype.startswith("float"):
        translator.bind(compute(translator, "divide", one, other))
        return
    signs = compute(translator, "multiply", *(_sign(translator, each) for each in (one, other)))
    sizes = (_size(translator, each) for each in (one, other))
    translator.bind(compute(translator, "multiply", signs, compute(translator, "floor_divide", *sizes)))


def _remainder(translator: Translator, equation: TracedEquation) -> None:
    """Translate a remainder, which has the sign of the dividend."""
    one, other = (translator.array(value) for value in equation.inputs)
    rest = compute(translator, "mod", _size(translator, one), _size(translator, other))
    translator.bind(compute(translator, "multiply", _sign(translator, one), rest))


def _sign(translator: Translator, array: JaxArray) -> JaxArray:
    return number((array.operand > 0) - (array.operand < 0)) if array.is_number else compute(translator, "sign", array)


def _size(translator: Translator, array: JaxArray) -> JaxArray:
    return number(abs(array.operand)) if array.is_number else compute(translator, "abs", array)


def _complementary_error(translator: Translator, equation: TracedEquation) -> None:
    error = compute(translator, "erf", translator.array(equation.inputs[0]))
    translator.bind(compute(translator, "subtract", number(1.0), error))


def _power_of_two(translator: Translator, equation: TracedEquation) -> None:
    exponent = compute(translator, "multiply", translator.array(equation.inputs[0]), number(math.log(2)))
    translator.bind(compute(translator, "exp", exponent))


def _select(translator: Translator, equation: TracedEquation) -> None:
    """Translate a choice by a condition: the first case where it is false, the second where it is true."""
    condition, *cases = equation.inputs
    if condition.dtype != "bool" or len(cases) != 2:
        raise translator.refusal("it chooses among more than two arrays")
    decision = translator.number(condition)
    if decision is not None:
        translator.bind(translator.array(cases[bool(decision)]))
        return
    arrays = [translator.array(value) for value in (condition, cases[1], cases[0])]
    translator.bind(compute(translator, "where", *arrays))


def _cast(translator: Translator, equation: TracedEquation) -> None:
    (value,), dtype = equation.inputs, equation.outputs[0].dtype
    array = translator.array(value)
    if array.is_number:
        translator.bind(number(np.asarray(array.operand).astype(dtype).item()))
    else:
        translator.bind(array if value.dtype == dtype else compute(translator, "cast", array, dtype=dtype))


def alias(translator: Translator, equation: TracedEquation) -> None:
    for index, value in enumerate(equation.inputs):
        translator.bind(translator.array(value), index)


def _top_k(translator: Translator, equation: TracedEquation) -> None:
    """Translate the largest values along the last axis, and their positions."""
    value, count = equation.inputs[0], equation.settings["k"]
    if equation.settings.get("axis", value.rank - 1) not in (-1, value.rank - 1) or value.shape[-1] is None:
        raise translator.refusal("it chooses along another axis than the last")
    array, names = translator.full(value), [translator.new_name() for _ in equation.outputs]
    node = ForeignNode(
        "top_k", (array.operand,), tuple(names), {"count": count, "axis": -1, "largest": True}, translator.operator
    )
    translator.nodes.append(node)
    for index, name in enumerate(names):
        translator.bind(JaxArray(Ref(name), equation.outputs[index].shape), index)


def _sort(translator: Translator, equation: TracedEquation) -> None:
    axis = equation.settings["dimension"]
    if len(equation.inputs) != 1 or equation.inputs[0].shape[axis] is None:
        raise translator.refusal("it sorts several arrays together, or the samples of a batch")
    array = translator.full(equation.inputs[0])
    translator.bind(translator.emit("sort", [array.operand], array.shape, axis=axis, descending=False))


# --- reductions -----------------------------------------------------------------------------------------------------


def reduce(translator: Translator, equation: TracedEquation, kind: str, keepdims: bool = False) -> JaxArray:
    """Add a reduction over the axes of an equation."""
    (value,), axes = equation.inputs, tuple(int(axis) for axis in equation.settings["axes"])
    if any(value.shape[axis] is None for axis in axes):
        raise translator.refusal("it reduces over the samples of a batch")
    array = translator.ranked(value)
    if array.is_number or any(array.shape[axis] != value.shape[axis] for axis in axes):
        array = translator.full(value)
    lengths = enumerate(array.shape)
    shape = tuple(1 if axis in axes else n for axis, n in lengths if keepdims or axis not in axes)
    rank = len(array.shape)
    if kind == "mean" and not keepdims and rank > 2 and axes == tuple(range(1, rank - 1)):
        array = translator.permuted(array, (0, rank - 1, *range(1, rank - 1)))  # a global average of feature maps
        axes = tuple(range(2, rank))
    return translator.emit(kind, [array.operand], shape, axes=axes, keepdims=keepdims)


def _reduction(kind: str) -> Translation:
    def translate(translator: Translator, equation: TracedEquation) -> None:
        translator.bind(reduce(translator, equation, kind))

    return translate


def _cumsum(translator: Translator, equation: TracedEquation) -> None:
    (value,), axis = equation.inputs, equation.settings["axis"]
    if value.shape[axis] is None:
        raise translator.refusal("it adds up the samples of a batch")
    array, backwards = translator.full(value), equation.settings["reverse"]
    if backwards:
        array = translator.emit("flip", [array.operand], array.shape, axes=(axis,))
    array = translator.emit("cumsum", [array.operand], array.shape, axis=axis)
    translator.bind(translator.emit("flip", [array.operand], array.shape, axes=(axis,)) if backwards else array)


ARITHMETIC: dict[str, Translation] = {
    **{name: as_kind(name) for name in ("abs", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan")},
    **{name: as_kind(name) for name in ("floor", "ceil", "sign", "erf", "square", "stop_gradient")},
    **{name: as_kind("activation", name=keras) for name, keras in (("tanh", "tanh"), ("logistic", "sigmoid"))},
    "activation": _activation,
    **{name: as_kind(name) for name in ("sinh", "cosh")},
    **{f"a{name}": as_kind(f"arc{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2")},
    "is_finite": as_kind("isfinite"),
    "neg": as_kind("negative"),
    "add": as_kind("add"),
    "add_any": as_kind("add"),
    "sub": as_kind("subtract"),
    "mul": as_kind("multiply"),
    "div": _divide,
    "rem": _remainder,
    "pow": as_kind("power"),
    "integer_pow": _integer_pow,
    "exp2": _power_of_two,
    "erfc": _complementary_error,
    "max": _extreme("maximum", -math.inf),
    "min": _extreme("minimum", math.inf),
    "clamp": _clamp,
    "round": _round,
    "eq": as_kind("equal"),
    "ne": as_kind("not_equal"),
    "lt": as_kind("less"),
    "le": as_kind("less_equal"),
    "gt": as_kind("greater"),
    "ge": as_kind("greater_equal"),
    "not": _logical("logical_not"),
    "and": _logical("logical_and"),
    "or": _logical("logical_or"),
    "xor": _logical("not_equal"),
    "select_n": _select,
    "convert_element_type": _cast,
    "reduce_sum": _reduction("sum"),
    "reduce_max": _reduction("max"),
    "reduce_min": _reduction("min"),
    "reduce_prod": _reduction("prod"),
    "argmax": _reduction("argmax"),
    "argmin": _reduction("argmin"),
    "reduce_and": _reduction("all"),
    "reduce_or": _reduction("any"),
    "cumsum": _cumsum,
    "sort": _sort,
    "top_k": _top_k,
}
