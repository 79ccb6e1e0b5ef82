"""Shards: the rows of a batch that each device computes, and the shard of the step in the current thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shard:
    """The rows of a batch that one device computes.

    Attributes:
        first: index of the first row.
        size: number of rows, at least one.
        batch_size: number of rows of the whole batch.
        contributes: False for a shard without rows of its own; it then computes a padding row that must not count.
    """

    first: int
    size: int
    batch_size: int
    contributes: bool = True

    @property
    def weight(self) -> float:
        """The fraction of the batch in this shard; 0 for a padding row."""
        return self.size / self.batch_size if self.contributes else 0.0


def shard_of(batch_size: int, index: int, count: int) -> Shard:
    """Return the shard of device `index` (from 0) among `count` devices, for a batch of `batch_size` rows."""
    rows, extra = divmod(batch_size, count)
    size = rows + (index < extra)
    return (
        Shard(index * rows + min(index, extra), size, batch_size)
        if size
        else Shard(0, 1, batch_size, contributes=False)
    )


_here = threading.local()


def current_shard() -> Shard | None:
    """Return the shard of the step in this thread, or None outside a divided step."""
    return getattr(_here, "shard", None)


@contextlib.contextmanager
def on_shard(shard: Shard) -> Iterator[None]:
    """Within this context, the step in this thread computes the shard."""
    previous = current_shard()
    _here.shard = shard
    try:
        yield
    finally:
        _here.shard = previous


def whole_batch_shape(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Return the shape for the whole batch where `shape` is that of a shard: the first axis is the batch axis.

    A shape is taken for a shard's if it has as many rows as the shard. Any other shape with that many rows is thus
    mistaken for one.
    """
    shard = current_shard()
    divided = shard is not None and len(shape) > 0 and isinstance(shape[0], int) and shape[0] == shard.size
    return (shard.batch_size, *shape[1:]) if shard and divided else tuple(shape)


def shard_rows(values: Any, shape: Sequence[Any], axis: int = 0) -> Any:
    """Select the rows of this thread's shard from values of the shape `whole_batch_shape(shape)`."""
    shard = current_shard()
    if shard is None or whole_batch_shape(shape) == tuple(shape):
        return values
    return values[(slice(None),) * axis + (slice(shard.first, shard.first + shard.size),)]
