"""How much is padded where a window moves over an array, and whether that is what Keras calls "same"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# (before, after) for each axis.
Pairs = tuple[tuple[int, int], ...]


def pairs_of(padding: Any, lengths: Sequence[int | None], spans: Sequence[int], strides: Sequence[int]) -> Pairs | None:
    """The padding as pairs; None for Keras' own "same", whose widths may depend on a length that is open.

    Args:
        padding: pairs, "same_upper" or "same_lower".
        lengths: of the axes.
        spans: of the window, dilation included.
    """
    if padding == "same_upper":
        return None
    if padding == "same_lower":
        found = same_pairs(lengths, spans, strides)
        if found is None:
            raise ValueError("its padding depends on a length that is open")
        return tuple((after, before) for before, after in found)
    return tuple((int(before), int(after)) for before, after in padding)


def same_pairs(lengths: Sequence[int | None], spans: Sequence[int], strides: Sequence[int]) -> Pairs | None:
    """So that ceil(length / stride) windows fit, the odd one after; None where a length that matters is open."""
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
    """Whether a padding is Keras' "same"; none at all is called "valid"."""
    return any(before or after for before, after in pairs) and pairs == same_pairs(lengths, spans, strides)
