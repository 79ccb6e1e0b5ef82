"""Resizing of pictures and series as PyTorch does it, where Keras has no layer: one matrix for each axis.

A value of the result is a weighted sum of few values of the input, with weights that depend on the lengths alone.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

# The coefficient of PyTorch's bicubic interpolation.
_CUBIC = -0.75


def resize_axis(tensor: Any, axis: int, length: int, factor: float | None, mode: str, align: bool) -> Any:
    """Return a tensor resized along an axis.

    Args:
        axis: the axis, counted from 0, of a known length.
        length: its length in the result.
        factor: the factor that the caller stated, or None if only the length was stated.
        mode: "nearest", "nearest_exact" (of the centre of a value), "linear" or "cubic".
        align: whether the first and last values of both lie on each other.
    """
    matrix = interpolation(int(tensor.shape[axis]), length, factor, mode, align)
    if np.array_equal(matrix, np.eye(*matrix.shape)):
        return tensor
    last = len(tensor.shape) - 1
    order = [*(each for each in range(last + 1) if each != axis), axis]
    product = keras.ops.matmul(keras.ops.transpose(tensor, order), matrix.T)
    return keras.ops.transpose(product, [order.index(each) for each in range(last + 1)])


def interpolation(before: int, after: int, factor: float | None, mode: str, align: bool) -> np.ndarray:
    """Return the weights (after, before) of a resized axis; see `resize_axis`."""
    step = 1 / factor if factor else before / after
    places = np.arange(after, dtype="float64")
    if mode in ("nearest", "nearest_exact"):
        centre = 0.5 if mode == "nearest_exact" else 0.0
        sources = np.minimum(np.floor((places + centre) * step), before - 1)
        return np.asarray(sources[:, None] == np.arange(before), "float32")
    aligned = places * ((before - 1) / (after - 1) if after > 1 else 0.0)
    sources = aligned if align else (places + 0.5) * step - 0.5
    if mode == "linear":
        sources = np.maximum(sources, 0)
    width, kernel = (1, _tent) if mode == "linear" else (2, _cubic)
    weights = np.zeros((after, before))
    for offset in range(1 - width, width + 1):
        neighbours = np.floor(sources) + offset
        columns = np.clip(neighbours, 0, before - 1).astype(int)
        np.add.at(weights, (np.arange(after), columns), kernel(np.abs(sources - neighbours)))
    return weights.astype("float32")


def _tent(distance: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(1 - distance, 0))


def _cubic(distance: np.ndarray) -> np.ndarray:
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


# The interpolation along each axis by the mode of a file.
MODES = {
    "nearest": "nearest",
    "nearest_exact": "nearest_exact",
    "linear": "linear",
    "bilinear": "linear",
    "trilinear": "linear",
    "bicubic": "cubic",
}
