"""What an array of the graph is in the text that is being written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Value:
    """An array as the text has it.

    Attributes:
        text: a name, or an expression that may be called a method on.
        order: which axis of the graph's array stands at each place: (0, 3, 1, 2) for images with their channels first.
        rows: where a flattened array holds its values in another order than Keras' flattening would: place k has
            Keras' value rows[k]. None otherwise.
    """

    text: str
    order: tuple[int, ...]
    rows: np.ndarray | None = None

    @property
    def plain(self) -> bool:
        """Whether the axes are in the graph's order."""
        return self.order == tuple(range(len(self.order)))

    def place(self, axis: int) -> int:
        """Where an axis of the graph stands."""
        return self.order.index(axis)

    def places(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(self.order.index(axis) for axis in axes))

    def arranged(self, order: tuple[int, ...]) -> Value:
        """The same array with its axes in another order."""
        if order == self.order:
            return self
        moves = ", ".join(str(self.order.index(axis)) for axis in order)
        return Value(f"{self.text}.permute({moves})", order, self.rows)


def channels_first(rank: int) -> tuple[int, ...]:
    """The order in which PyTorch's convolutions have the axes of an array of this rank."""
    return (0, rank - 1, *range(1, rank - 1))


def plainly(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))
