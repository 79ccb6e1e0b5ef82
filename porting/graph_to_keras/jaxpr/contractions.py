"""Translations of JAX's products and convolutions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np

from ....backends.traced_program import TracedEquation, TracedValue
from ..foreign_graph import Operand, Weight
from .translator import JaxArray, Translation, Translator


def own_weight(translator: Translator, value: TracedValue) -> Weight | None:
    """Return the weight of the function that a value is; a constant that is computed is none."""
    weight = translator.weight(translator.array(value))
    return weight if weight is not None and weight.trainable else None


# --- products -------------------------------------------------------------------------------------------------------


def _dot_general(translator: Translator, equation: TracedEquation) -> None:
    translator.bind(product(translator, equation, None))


def product(translator: Translator, equation: TracedEquation, bias: Operand) -> JaxArray:
    """Add a product: a Dense or EinsumDense layer if one factor is a weight, else an einsum.

    Args:
        bias: a weight to add, in the shape of the last axes of the output; or None.
    """
    (left, right), terms = equation.inputs, _terms(equation)
    if 0 in map(translator.number, equation.inputs) and bias is None:
        return JaxArray(0.0, ())
    weights = [own_weight(translator, value) for value in equation.inputs]
    shape = equation.outputs[0].shape
    if (weights[0] is None) == (weights[1] is None):
        operands = [translator.full(value).operand for value in (left, right)]
        return translator.emit("einsum", operands, shape, equation=f"{terms[0]},{terms[1]}->{terms[2]}")
    if weights[0] is not None:
        left, right, terms = right, left, (terms[1], terms[0], terms[2])
    x, kernel = translator.full(left), translator.full(right)
    if any(letter in terms[0] and letter in terms[2] for letter in terms[1]):  # one matrix per head
        product_equation = f"{terms[0]},{terms[1]}->{terms[2]}"
        return translator.emit("einsum", [x.operand, kernel.operand], shape, equation=product_equation)
    is_dense = len(terms[1]) == 2 and terms[0][-1] in terms[1] and terms[2][:-1] == terms[0][:-1]
    if is_dense:
        axes = (0, 1) if terms[1][0] == terms[0][-1] else (1, 0)
        kernel = translator.permuted(kernel, axes)
        inputs = [x.operand, kernel.operand] + ([bias] if bias is not None else [])
        return translator.emit("matmul" if bias is None else "affine", inputs, shape)
    return translator.emit("einsum_dense", [x.operand, kernel.operand, bias], shape, terms=terms)


def _terms(equation: TracedEquation) -> tuple[str, str, str]:
    """Return the letters of the axes of both factors and of the product, as in an einsum."""
    ((left_sums, right_sums), (left_batch, right_batch)) = equation.settings["dimension_numbers"]
    letters = iter(ascii_lowercase)
    left = [next(letters) for _ in range(equation.inputs[0].rank)]
    matched = dict(zip((*right_sums, *right_batch), (*left_sums, *left_batch), strict=True))
    right = [left[matched[axis]] if axis in matched else next(letters) for axis in range(equation.inputs[1].rank)]
    product_letters = [left[axis] for axis in left_batch]
    product_letters += [letter for axis, letter in enumerate(left) if axis not in (*left_sums, *left_batch)]
    product_letters += [letter for axis, letter in enumerate(right) if axis not in matched]
    return "".join(left), "".join(right), "".join(product_letters)


# --- convolutions ---------------------------------------------------------------------------------------------------


def _convolution(translator: Translator, equation: TracedEquation) -> None:
    translator.bind(convolution(translator, equation, None))


def convolution(translator: Translator, equation: TracedEquation, bias: Operand) -> JaxArray:
    """Add a convolution, or a transposed one: JAX writes it with gaps between the input's values."""
    settings, numbers = equation.settings, equation.settings["dimension_numbers"]
    value, kernel_value = equation.inputs
    if own_weight(translator, kernel_value) is None or own_weight(translator, value) is not None:
        raise translator.refusal("its kernel is computed, and not a parameter or an array as it is stored")
    if settings["batch_group_count"] != 1:
        raise translator.refusal("its batch is in groups")
    x = translator.permuted(translator.full(value), numbers["lhs_spec"])
    kernel = translator.permuted(translator.full(kernel_value), numbers["rhs_spec"])
    if any(gap != 1 for gap in settings["lhs_dilation"]):
        convolved = _transposed(translator, equation, x, kernel, bias)
    else:
        convolved = translator.emit(
            "conv",
            [x.operand, kernel.operand, bias],
            _channels_second(equation),
            strides=settings["window_strides"],
            padding=_widths(translator, settings["padding"]),
            dilation=settings["rhs_dilation"],
            groups=settings["feature_group_count"],
        )
    return translator.permuted(convolved, np.argsort(numbers["out_spec"]).tolist())


def _channels_second(equation: TracedEquation) -> tuple[int | None, ...]:
    shape = equation.outputs[0].shape
    return tuple(shape[axis] for axis in equation.settings["dimension_numbers"]["out_spec"])


def _widths(translator: Translator, padding: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    if any(width < 0 for pair in padding for width in pair):
        raise translator.refusal("it pads by a negative width")
    return tuple((low, high) for low, high in padding)


def _transposed(
    translator: Translator, equation: TracedEquation, x: JaxArray, kernel: JaxArray, bias: Operand
) -> JaxArray:
    settings = equation.settings
    if any(step != 1 for step in settings["window_strides"]):
        raise translator.refusal("it has both strides and gaps between the input's values")
    weight = translator.weight(kernel)
    assert weight is not None
    rank = weight.value.ndim - 2
    spans = [step * (size - 1) for step, size in zip(settings["rhs_dilation"], weight.value.shape[2:], strict=True)]
    padding = tuple((span - low, span - high) for span, (low, high) in zip(spans, settings["padding"], strict=True))
    if any(width < 0 for pair in padding for width in pair):
        raise translator.refusal("its padding is wider than its window")
    flipped = translator.rearranged(kernel, lambda value: np.flip(value, tuple(range(2, rank + 2))).swapaxes(0, 1))
    return translator.emit(
        "conv_transpose",
        [x.operand, flipped.operand, bias],
        _channels_second(equation),
        strides=settings["lhs_dilation"],
        padding=padding,
        dilation=settings["rhs_dilation"],
        output_padding=(0,) * rank,
        groups=settings["feature_group_count"],
    )


# --- pooling --------------------------------------------------------------------------------------------------------


def pool(translator: Translator, equation: TracedEquation, kind: str, **attributes: Operand) -> JaxArray:
    """Add a pooling layer over the axes of the window, and at most three axes in all but batch and channels."""
    (value,), settings = equation.inputs, equation.settings
    names = ("window_dimensions", "window_strides", "padding", "window_dilation", "base_dilation")
    windows = list(zip(*(settings[name] for name in names), strict=True))
    if any(gap != 1 for *_, gap in windows):
        raise translator.refusal("it has gaps between the input's values")
    trivial = [axis for axis, window in enumerate(windows) if window == (1, 1, (0, 0), 1, 1)]
    batch = next((axis for axis in trivial if value.shape[axis] is None), None)
    channels = next((axis for axis in reversed(trivial) if axis != batch), None)
    if batch is None or channels is None or not 3 <= value.rank <= 5:
        raise translator.refusal("its window is not over one to three axes of feature maps")
    axes = (batch, channels, *(axis for axis in range(value.rank) if axis not in (batch, channels)))
    x = translator.permuted(translator.full(value), axes)
    chosen = [windows[axis] for axis in axes[2:]]
    size, strides, padding, dilation, _ = (tuple(each) for each in zip(*chosen, strict=True))
    shape = tuple(equation.outputs[0].shape[axis] for axis in axes)
    settings = {"window": size, "strides": strides, "padding": padding, "dilation": dilation, "ceil": False}
    pooled = translator.emit(kind, [x.operand], shape, **settings, **attributes, count_padding=True)
    return translator.permuted(pooled, np.argsort(axes).tolist())


def window_size(equation: TracedEquation) -> int:
    return int(np.prod(list(_positive(equation.settings["window_dimensions"]))))


def _positive(lengths: Sequence[int | None]) -> Iterator[int]:
    for length in lengths:
        yield length or 1


def _max_pool(translator: Translator, equation: TracedEquation) -> None:
    translator.bind(pool(translator, equation, "max_pool"))


def _min_pool(translator: Translator, equation: TracedEquation) -> None:
    raise translator.refusal("the smallest values of a window have no layer: take the largest of the negatives")


def _sum_pool(translator: Translator, equation: TracedEquation) -> None:
    average = pool(translator, equation, "average_pool")
    translator.bind(
        translator.emit("multiply", [average.operand, float(window_size(equation))], equation.outputs[0].shape)
    )


CONTRACTIONS: dict[str, Translation] = {
    "dot_general": _dot_general,
    "conv_general_dilated": _convolution,
    "reduce_window_max": _max_pool,
    "reduce_window_min": _min_pool,
    "reduce_window_sum": _sum_pool,
}
