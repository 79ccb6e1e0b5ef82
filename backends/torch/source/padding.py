"""Padding and cropping as Keras does them, in PyTorch's terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Padding:
    """How much is added at either end of each axis; empty where that is known only when it runs."""

    pairs: tuple[tuple[int, int], ...]

    @classmethod
    def none(cls, rank: int) -> Padding:
        return cls(((0, 0),) * rank)

    @property
    def known(self) -> bool:
        return bool(self.pairs)

    @property
    def even(self) -> bool:
        """Whether as much is added at both ends."""
        return all(before == after for before, after in self.pairs)

    @property
    def before(self) -> tuple[int, ...]:
        return tuple(before for before, _ in self.pairs)

    def torch(self) -> tuple[int, ...]:
        return widths(self.pairs)


def widths(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """(before, after) for each axis as `F.pad` takes it: the last axis first."""
    return tuple(width for pair in reversed(list(pairs)) for width in pair)


def same_padding(lengths: Sequence[int | None], span: Sequence[int], strides: Sequence[int]) -> Padding:
    """So that ceil(length / stride) windows fit, the odd one after; unknown where a length that matters is open.

    Args:
        lengths: of the axes.
        span: of the window, dilation included.
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
