"""The order of axes by which one model takes what another takes: the same, or channels first against channels last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import OptionError


def orders(rank: int) -> list[tuple[int, ...]]:
    """Return the orders of axes that frameworks use for a rank: as they are, channels last, channels first."""
    as_they_are: list[tuple[int, ...]] = [tuple(range(rank))]
    return as_they_are if rank < 3 else [*as_they_are, (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))]


def order_of_axes(mine: Sequence[int | None], others: Sequence[int | None], what: str) -> tuple[int, ...]:
    """Return the axes of the first shape in the order of the second. Axis 0 is the batch; None fits every length.

    Raises:
        OptionError: the shapes do not fit in any order of axes that frameworks use.
    """
    for order in orders(len(mine)):
        if len(others) == len(order) and _fits([mine[axis] for axis in order][1:], others[1:]):
            return order
    raise OptionError(f"the {what} differ: the first model has {_shown(mine)} and the second {_shown(others)}")


def in_order(array: np.ndarray, order: tuple[int, ...], leading: int = 0) -> np.ndarray:
    """Return an array with its axes in an order, which leaves out the leading axes."""
    axes = (*range(leading), *(axis + leading for axis in order))
    return np.ascontiguousarray(array.transpose(axes)) if array.ndim == len(axes) else array


def _fits(mine: Sequence[int | None], others: Sequence[int | None]) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(mine, others, strict=True))


def _shown(shape: Sequence[int | None]) -> str:
    return f"({', '.join('…' if length is None else str(length) for length in shape)})"
