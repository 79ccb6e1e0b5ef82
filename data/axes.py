"""Advice on wrong shapes: the line of NumPy that brings samples to the shape that a model expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Shape = tuple[int, ...]


def shape_matches(expected: tuple[int | None, ...], received: Shape) -> bool:
    """Return whether a sample has the expected shape; None stands for any length."""
    return len(expected) == len(received) and all(e in (None, r) for e, r in zip(expected, received, strict=True))


def reshape_advice(received: Shape, accepted: Callable[[Shape], bool]) -> str:
    """Return the advice that turns samples of the received shape into samples of an accepted one.

    Args:
        received: the shape of one sample.
        accepted: returns whether a sample may have a shape.

    Returns:
        `: ` and a sentence that ends with a line of NumPy, in which axis 0 counts the samples; empty when no single
        step is enough.
    """
    return next((f": {advice}" for shape, advice in _single_steps(received) if accepted(shape)), "")


def _single_steps(shape: Shape) -> Iterator[tuple[Shape, str]]:
    """Yield each shape that one step makes of a sample's shape, with its advice; axis 0 counts the samples."""
    last = len(shape)
    yield from _reshapes(shape)
    for axis in range(1, last + 1):
        if shape[axis - 1] == 1:
            yield _without(shape, axis), f"axis {axis} has length 1, remove it: x = x.squeeze({axis})"
    for axis in (last + 1, 1):
        yield (
            (*shape[: axis - 1], 1, *shape[axis - 1 :]),
            f"the channel axis is missing, expected as axis {axis}: x = np.expand_dims(x, {axis})",
        )
    if last < 2:
        return
    for source, target in ((1, last), (last, 1)):
        rest = _without(shape, source)
        yield (
            (*rest[: target - 1], shape[source - 1], *rest[target - 1 :]),
            f"axis {source} is expected as axis {target}: x = np.moveaxis(x, {source}, {target})",
        )
    for axis in (last, 1):
        if shape[axis - 1] in (2, 3, 4):
            advice = f"axis {axis} holds {shape[axis - 1]} channels, expected one; their mean is grey: x = x.mean"
            yield _without(shape, axis), f"{advice}({axis})"
            yield (*shape[: axis - 1], 1, *shape[axis:]), f"{advice}({axis}, keepdims=True)"


def _reshapes(shape: Shape) -> Iterator[tuple[Shape, str]]:
    """Yield the shapes with all axes flattened, or with a flat sample as a square image."""
    size = math.prod(shape)
    side = math.isqrt(size)
    if len(shape) > 1:
        yield (size,), f"its {len(shape)} axes are expected as one: x = x.reshape(len(x), {size})"
    elif side > 1 and side * side == size:
        advice = f"if its {size} values are an image, give it height and width: x = x.reshape(len(x), {side}, {side}"
        yield (side, side), f"{advice})"
        yield (side, side, 1), f"{advice}, 1)"
        yield (1, side, side), advice.replace(f"{side}, {side}", f"1, {side}, {side}") + ")"


def _without(shape: Shape, axis: int) -> Shape:
    return shape[: axis - 1] + shape[axis:]
