"""The rows of a batch that one device takes, and which of them the step in this thread is about."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Share:
    """The rows of a batch that one device takes.

    Attributes:
        first: the first of them.
        size: how many, at least one.
        whole: rows of the batch.
        counts: whether it is a share at all, not a row that only fills an empty one.
    """

    first: int
    size: int
    whole: int
    counts: bool = True

    @property
    def weight(self) -> float:
        """What part of the batch it is: 0 where it does not count."""
        return self.size / self.whole if self.counts else 0.0


def share_of(whole: int, part: int, parts: int) -> Share:
    """The share of device `part`, counted from 0, of so many devices, in a batch of so many rows."""
    each, further = divmod(whole, parts)
    size = each + (part < further)
    return Share(part * each + min(part, further), size, whole) if size else Share(0, 1, whole, counts=False)


_here = threading.local()


def taken() -> Share | None:
    """The share that this thread's step is about, if it is about one."""
    return getattr(_here, "share", None)


@contextlib.contextmanager
def taking(share: Share) -> Iterator[None]:
    """While it lasts, what this thread computes is about a share of a batch."""
    before = taken()
    _here.share = share
    try:
        yield
    finally:
        _here.share = before


def whole_shape(shape: Sequence[Any]) -> tuple[Any, ...]:
    """What a single device would draw where this one draws that shape: its first axis is taken for the batch's.

    A shape that has as many rows as the share by chance is taken for a batch too.
    """
    share = taken()
    divided = share is not None and len(shape) > 0 and isinstance(shape[0], int) and shape[0] == share.size
    return (share.whole, *shape[1:]) if share and divided else tuple(shape)


def own_rows(drawn: Any, shape: Sequence[Any], axis: int = 0) -> Any:
    """Of what was drawn for `whole_shape(shape)` the rows that are this share's."""
    share = taken()
    if share is None or whole_shape(shape) == tuple(shape):
        return drawn
    return drawn[(slice(None),) * axis + (slice(share.first, share.first + share.size),)]
