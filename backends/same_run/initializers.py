"""The distributions of Keras' random initializers, drawn by NumPy instead of by the framework.

Each function uses the initializer's own settings, so the distributions are Keras': its fans, its limits, its truncation
at two standard deviations. `randomness.py` chooses the key of the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

Units = Callable[[int], np.ndarray]  # draws so many float64 from (0, 1), both ends excluded

# The probability below minus two standard deviations, and the standard deviation of a normal distribution truncated at
# two: Keras divides by it to get the requested variance.
_TAIL = 0.5 * math.erfc(math.sqrt(2))
_TRUNCATED_STDDEV = 0.87962566103423978


def uniform(units: Units, shape: Sequence[int], low: float, high: float) -> np.ndarray:
    return low + (high - low) * units(math.prod(shape)).reshape(shape)


def normal(units: Units, shape: Sequence[int], mean: float, stddev: float) -> np.ndarray:
    return np.asarray(mean + stddev * ndtri(units(math.prod(shape))).reshape(shape))


def truncated_normal(units: Units, shape: Sequence[int], mean: float, stddev: float) -> np.ndarray:
    """Draw values within two standard deviations of the mean, without rejection."""
    inside = _TAIL + (1 - 2 * _TAIL) * units(math.prod(shape))
    return np.asarray(mean + stddev * ndtri(inside).reshape(shape))


def variance_scaling(units: Units, shape: Sequence[int], initializer: Any) -> np.ndarray:
    fan_in, fan_out = fans(shape, initializer.input_axes, initializer.output_axes)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[initializer.mode]
    variance = initializer.scale / max(1.0, fan)
    if initializer.distribution == "uniform":
        limit = math.sqrt(3 * variance)
        return uniform(units, shape, -limit, limit)
    if initializer.distribution == "untruncated_normal":
        return normal(units, shape, 0.0, math.sqrt(variance))
    return truncated_normal(units, shape, 0.0, math.sqrt(variance) / _TRUNCATED_STDDEV)


def orthogonal(units: Units, shape: Sequence[int], initializer: Any) -> np.ndarray:
    """Draw a matrix whose rows or columns, whichever are fewer, are orthogonal and have length `gain`.

    Raises:
        ValueError: the shape has fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"an orthogonal initializer needs two axes or more, received shape {tuple(shape)}")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(normal(units, (max(rows, columns), min(rows, columns)), 0.0, 1.0))
    q *= np.sign(np.diag(r))  # makes the distribution over orthogonal matrices uniform
    return np.asarray(initializer.gain * (q.T if rows < columns else q).reshape(shape))


def fans(
    shape: Sequence[int], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """Return the fan-in and the fan-out of a kernel, as Keras counts them."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])  # the receptive field of a kernel (…, input channels, output channels)
    return shape[-2] * field, shape[-1] * field


# Keyed by the public initializer class; subclasses, such as GlorotUniform, draw as their base class does.
DISTRIBUTIONS: dict[str, Callable[[Units, Sequence[int], Any], np.ndarray]] = {
    "VarianceScaling": variance_scaling,
    "RandomNormal": lambda units, shape, settings: normal(units, shape, settings.mean, settings.stddev),
    "RandomUniform": lambda units, shape, settings: uniform(units, shape, settings.minval, settings.maxval),
    "TruncatedNormal": lambda units, shape, settings: truncated_normal(units, shape, settings.mean, settings.stddev),
    "Orthogonal": orthogonal,
}
