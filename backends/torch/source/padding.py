"""Padding and cropping as Keras does them, in PyTorch's terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Padding:
    """The padding before and after each axis; empty if it is known only at run time."""

    pairs: tuple[tuple[int, int], ...]

    @classmethod
    def none(cls, rank: int) -> Padding:
        return cls(((0, 0),) * rank)

    @property
    def known(self) -> bool:
        return bool(self.pairs)

    @property
    def symmetric(self) -> bool:
        """Return whether the padding is the same before and after each axis."""
        return all(before == after for before, after in self.pairs)

    @property
    def before(self) -> tuple[int, ...]:
        return tuple(before for before, _ in self.pairs)

    def pad_argument(self) -> tuple[int, ...]:
        return widths(self.pairs)


def widths(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return (before, after) of each axis in the order of `F.pad`: the last axis first."""
    return tuple(width for pair in reversed(list(pairs)) for width in pair)


def window_span(window: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """Return the size of a window on each axis, its gaps included."""
    return tuple(step * (size - 1) + 1 for size, step in zip(window, dilation, strict=True))


def same_padding(lengths: Sequence[int | None], span: Sequence[int], strides: Sequence[int]) -> Padding:
    """Return the padding for ceil(length / stride) windows, the odd element after; not `known` if a length is not.

    Args:
        lengths: the lengths of the axes; None where unknown.
        span: the size of the window, including dilation.
    """
    pairs = []
    for length, size, stride in zip(lengths, span, strides, strict=True):
        if stride == 1:
            total = size - 1
        elif length is None:
            return Padding(())
        else:
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pairs.append((total // 2, total - total // 2))
    return Padding(tuple(pairs))
