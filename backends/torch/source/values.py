"""Arrays of the graph in the text that is being written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Value:
    """An array in the written text.

    Attributes:
        text: a name, or an expression that a method can be called on.
        order: the axis of the graph's array at each position: (0, 3, 1, 2) for images with channels first.
        rows: the order of a flattened array's values if it differs from Keras': value k is Keras' value rows[k].
    """

    text: str
    order: tuple[int, ...]
    rows: np.ndarray | None = None

    @property
    def in_graph_order(self) -> bool:
        """Return whether the axes are in the graph's order."""
        return self.order == tuple(range(len(self.order)))

    def position(self, axis: int) -> int:
        """Return the position of an axis of the graph."""
        return self.order.index(axis)

    def positions(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(self.order.index(axis) for axis in axes))

    def permuted(self, order: tuple[int, ...]) -> Value:
        """Return the same array with its axes in another order."""
        if order == self.order:
            return self
        moves = ", ".join(str(self.order.index(axis)) for axis in order)
        return Value(f"{self.text}.permute({moves})", order, self.rows)


def channels_first(rank: int) -> tuple[int, ...]:
    """Return the axis order of PyTorch's convolutions for an array of this rank."""
    return (0, rank - 1, *range(1, rank - 1))


def graph_order(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))
