"""The padding of moving windows, and whether it is Keras' "same" padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# (before, after) for each axis.
Pairs = tuple[tuple[int, int], ...]


def padding_pairs(
    padding: Any, lengths: Sequence[int | None], spans: Sequence[int], strides: Sequence[int]
) -> Pairs | None:
    """Return the padding as pairs, or None for Keras' "same", whose widths may depend on an unknown length.

    Args:
        padding: pairs, "same_upper" or "same_lower".
        lengths: the lengths of the axes.
        spans: the sizes of the window, with dilation.
    """
    if padding == "same_upper":
        return None
    if padding == "same_lower":
        pairs = same_pairs(lengths, spans, strides)
        if pairs is None:
            raise ValueError("its padding depends on a length that is not known in advance")
        return tuple((after, before) for before, after in pairs)
    return tuple((int(before), int(after)) for before, after in padding)


def same_pairs(lengths: Sequence[int | None], spans: Sequence[int], strides: Sequence[int]) -> Pairs | None:
    """Return the padding for ceil(length / stride) windows, the odd one after; None if a required length is unknown."""
    pairs = []
    for length, span, stride in zip(lengths, spans, strides, strict=True):
        if stride == 1:
            total = span - 1
        elif length is None:
            return None
        else:
            total = max((-(-length // stride) - 1) * stride + span - length, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def is_same(pairs: Pairs, lengths: Sequence[int | None], spans: Sequence[int], strides: Sequence[int]) -> bool:
    """Return whether a padding is Keras' "same"; no padding at all is "valid", not "same"."""
    return any(before or after for before, after in pairs) and pairs == same_pairs(lengths, spans, strides)
