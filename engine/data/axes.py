"""Which axis of some data stands where, and the line of NumPy that brings it to where a model takes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Shape = tuple[int, ...]


def fits(expected: tuple[int | None, ...], received: Shape) -> bool:
    """Whether a sample has the expected shape; None stands for any length."""
    return len(expected) == len(received) and all(e in (None, r) for e, r in zip(expected, received, strict=True))


def remedy(received: Shape, accepted: Callable[[Shape], bool]) -> str:
    """What to do to samples of a shape for them to have one that is accepted.

    Args:
        received: the shape of one sample.
        accepted: whether a sample may have a shape.

    Returns:
        `: ` and a sentence that ends with a line of NumPy, whose axis 0 counts the samples; nothing when no single
        step does it.
    """
    return next((f": {words}" for shape, words in _steps(received) if accepted(shape)), "")


def _steps(shape: Shape) -> Iterator[tuple[Shape, str]]:
    """What single steps make of a sample's shape; axes are told as the whole array counts them."""
    last = len(shape)
    yield from _reshaped(shape)
    for axis in range(1, last + 1):
        if shape[axis - 1] == 1:
            yield _without(shape, axis), f"axis {axis} has a single entry, take it off: x = x.squeeze({axis})"
    for axis in (last + 1, 1):
        yield (
            (*shape[: axis - 1], 1, *shape[axis - 1 :]),
            f"there is no axis for the channel, which is axis {axis} of what is taken: x = np.expand_dims(x, {axis})",
        )
    if last < 2:
        return
    for source, target in ((1, last), (last, 1)):
        rest = _without(shape, source)
        yield (
            (*rest[: target - 1], shape[source - 1], *rest[target - 1 :]),
            f"axis {source} holds what is taken on axis {target}: x = np.moveaxis(x, {source}, {target})",
        )
    for axis in (last, 1):
        if shape[axis - 1] in (2, 3, 4):
            words = f"axis {axis} holds {shape[axis - 1]} channels where one is taken, their mean is grey: x = x.mean"
            yield _without(shape, axis), f"{words}({axis})"
            yield (*shape[: axis - 1], 1, *shape[axis:]), f"{words}({axis}, keepdims=True)"


def _reshaped(shape: Shape) -> Iterator[tuple[Shape, str]]:
    """Several axes as one, or one as those of a square image."""
    whole = math.prod(shape)
    side = math.isqrt(whole)
    if len(shape) > 1:
        yield (whole,), f"its {len(shape)} axes are one in what is taken: x = x.reshape(len(x), {whole})"
    elif side > 1 and side * side == whole:
        words = f"if its {whole} values are an image, give it height and width: x = x.reshape(len(x), {side}, {side}"
        yield (side, side), f"{words})"
        yield (side, side, 1), f"{words}, 1)"
        yield (1, side, side), words.replace(f"{side}, {side}", f"1, {side}, {side}") + ")"


def _without(shape: Shape, axis: int) -> Shape:
    return shape[: axis - 1] + shape[axis:]
