"""The crops of a transposed convolution, which are the same on every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def conv_transpose_crops(window: Sequence[int], config: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return how much Keras cuts off both ends of each axis of a transposed convolution; negative adds zeros.

    The full result, without padding, has the length (length - 1) · stride + span. Keras keeps the same part of it on
    every backend.
    """
    crops = []
    extras = config["output_padding"] or (None,) * len(window)
    for size, stride, dilation, extra in zip(window, config["strides"], config["dilation"], extras, strict=True):
        span = (size - 1) * dilation + 1
        if config["padding"] == "valid":
            more = max(span, stride) - span if extra is None else extra
            crops.append((0, -more))
            continue
        total = stride + span - 2 if extra is None else span + span % 2 - 2 + extra
        left = min(total // 2 + total % 2, span - 1)
        crops.append((span - 1 - left, span - 1 - (total - left)))
    return crops
