"""The steps of preparation that bring values into a range that networks learn well in.

What is fitted is fitted on training data alone: other data may fall outside the range, and keep doing so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from ...errors import DataError
from .transforms import Transform

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Scale(Transform):
    """From the known range `source` to `low` … `high`, in float32: for pixels, whose range is no matter of data."""

    kind = "scale"
    low: float = 0.0
    high: float = 1.0
    source: tuple[float, float] = (0.0, 255.0)

    def fit(self, values: np.ndarray) -> Self:
        low, high = float(values.min()), float(values.max())
        if low < self.source[0] or high > self.source[1]:
            raise DataError(f"values reach from {low:g} to {high:g}, expected {self.source[0]:g} to {self.source[1]:g}")
        if values.dtype.kind == "f" and high <= 1.0 < self.source[1]:
            raise DataError(f"values reach from {low:g} to {high:g}: already scaled, expected 0 to {self.source[1]:g}")
        return self

    @property
    def factor(self) -> float:
        return (self.high - self.low) / (self.source[1] - self.source[0])

    @property
    def offset(self) -> float:
        return self.low - self.source[0] * self.factor

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return values.astype("float32") * np.float32(self.factor) + np.float32(self.offset)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return (values - self.low) / self.factor + self.source[0]

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras

        return [keras.layers.Rescaling(self.factor, self.offset, dtype="float32")]


@dataclass(frozen=True)
class MinMax(Transform):
    """From the range of the training data to 0 … 1, in float32. Test data may fall outside it, and keeps doing so."""

    kind = "min-max"
    low: float | None = None
    high: float | None = None

    def fit(self, values: np.ndarray) -> Self:
        low, high = float(values.min()), float(values.max())
        if low == high:
            raise DataError(f"every value is {low:g}: there is no range to scale by")
        return replace(self, low=low, high=high)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        low, span = self._range()
        return ((values - low) / span).astype("float32")

    def inverse(self, values: np.ndarray) -> np.ndarray:
        low, span = self._range()
        return values.astype("float64") * span + low

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        return _subtract_and_divide(*self._range())

    def _range(self) -> tuple[float, float]:
        assert self.low is not None, "fitted first"
        assert self.high is not None
        return self.low, self.high - self.low


@dataclass(frozen=True)
class Standardise(Transform):
    """To the training data's mean of 0 and standard deviation of 1, in float32.

    `axis` is the axis, counted with that of the samples as 0, each of whose features has its own mean and deviation.
    "all" takes one for all values. Left open, it is the last axis of tables (n, features), and "all" for images and
    series: a pixel has no meaning of its own. A feature that never varies in the training data becomes 0, without a
    division, and is not stretched should it vary elsewhere.
    """

    kind = "standardise"
    axis: int | Literal["all"] | None = None
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None

    def fit(self, values: np.ndarray) -> Self:
        axis = self._axis_for(values.ndim)
        others = tuple(place for place in range(values.ndim) if place != axis)
        low, high = np.atleast_1d(values.min(others)), np.atleast_1d(values.max(others))
        # Rounding can give a constant a deviation that is not quite 0. It keeps its scale, and its mean is itself.
        deviation = np.where(low == high, 1.0, values.std(others, dtype="float64"))
        exact = np.where(low == high, low, values.mean(others, dtype="float64"))
        # Where it is as good, a mean that float32 can hold: then Keras' layer subtracts the same number.
        held = exact.astype("float32").astype("float64")
        mean = np.where((low == high) | (abs(held - exact) > 1e-3 * deviation), exact, held)
        return replace(self, axis=axis, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        mean, deviation = self._moments(values)
        return np.asarray((values - mean) / deviation, "float32")

    def inverse(self, values: np.ndarray) -> np.ndarray:
        mean, deviation = self._moments(values)
        return np.asarray(values.astype("float64") * deviation + mean)

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras

        assert self.mean is not None, "fitted first"
        assert self.deviation is not None
        if self.axis == "all":
            return _subtract_and_divide(self.mean[0], self.deviation[0])
        if min(self.deviation) < keras.config.epsilon():
            raise DataError(
                f"a feature has a standard deviation of {min(self.deviation):.2g}, which Keras' Normalization takes "
                "for 0: give it in a smaller unit"
            )
        variance = np.square(self.deviation)
        return [keras.layers.Normalization(axis=self.axis, mean=self.mean, variance=variance, dtype="float32")]

    def _axis_for(self, dimensions: int) -> int | Literal["all"]:
        """The axis in force, 1 or more."""
        if self.axis is None:
            return 1 if dimensions == 2 else "all"
        if self.axis == "all":
            return "all"
        axis = self.axis + dimensions if self.axis < 0 else self.axis
        if not 1 <= axis < dimensions:
            raise DataError(f"values of {dimensions} axes have no features on axis {self.axis}")
        return axis

    def _moments(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation in a shape that goes with the values."""
        assert self.mean is not None, "fitted first"
        assert self.deviation is not None
        shape = [1] * values.ndim
        if self.axis != "all":
            assert self.axis is not None
            if self.axis >= values.ndim or values.shape[self.axis] != len(self.mean):
                raise DataError(f"expected {len(self.mean)} features on axis {self.axis}, received {values.shape}")
            shape[self.axis] = len(self.mean)
        return np.reshape(self.mean, shape), np.reshape(self.deviation, shape)


def _subtract_and_divide(offset: float, span: float) -> list[keras.layers.Layer]:
    """Two layers, because a single one would first scale and then subtract two large numbers from each other."""
    import keras

    return [
        keras.layers.Rescaling(1.0, -offset, dtype="float32"),
        keras.layers.Rescaling(1.0 / span, dtype="float32"),
    ]
