"""Zeros between the values of an array, by which a transposed convolution becomes a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .builder import UnsupportedNodeError


def with_zeros_between(tensor: Any, strides: Sequence[int], widths: Sequence[tuple[int, int]]) -> Any:
    """Return an array (batch, lengths…, channels) with `stride - 1` zeros after each value, then padded by widths.

    Args:
        tensor: the array, of known lengths.
        strides: one for each length.
        widths: how many zeros come before and after; a negative number removes as many values.
    """
    lengths, channels = tensor.shape[1:-1], tensor.shape[-1]
    if None in lengths:
        raise UnsupportedNodeError("a transposed convolution in groups over an open length is not covered")
    if max(strides) > 1:
        apart = [each for length in lengths for each in (length, 1)]
        tensor = keras.ops.reshape(tensor, (-1, *apart, channels))
        zeros = [pair for stride in strides for pair in ((0, 0), (0, stride - 1))]
        tensor = keras.ops.pad(tensor, ((0, 0), *zeros, (0, 0)))
        longer = [length * stride for length, stride in zip(lengths, strides, strict=True)]
        tensor = keras.ops.reshape(tensor, (-1, *longer, channels))
    added = [tuple(max(width, 0) for width in pair) for pair in widths]
    if any(map(any, added)):
        tensor = keras.ops.pad(tensor, ((0, 0), *added, (0, 0)))
    cuts = [slice(max(-before, 0), -max(-after, 0) or None) for before, after in widths]
    return tensor if all(cut == slice(0, None) for cut in cuts) else tensor[(slice(None), *cuts)]
