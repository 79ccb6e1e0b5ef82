"""The preprocessing steps that scale values to a range in which networks learn well.

They are fitted on training data alone. Other data may fall outside the range; they are not clipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from ...errors import DataError
from .reductions import extremes, moments
from .transforms import NOT_FITTED, Transform, are_finite, too_large

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Scale(Transform):
    """Scale the known range `source` to `low` … `high`, in float32: for pixels, whose range is known beforehand."""

    kind = "scale"
    low: float = 0.0
    high: float = 1.0
    source: tuple[float, float] = (0.0, 255.0)

    def fit(self, values: np.ndarray) -> Self:
        low, high = map(float, extremes(values))
        if low < self.source[0] or high > self.source[1]:
            raise DataError(f"values range from {low:g} to {high:g}, expected {self.source[0]:g} to {self.source[1]:g}")
        if values.dtype.kind == "f" and high <= 1.0 < self.source[1]:
            raise DataError(f"values range from {low:g} to {high:g}: already scaled, expected 0 to {self.source[1]:g}")
        return self

    @property
    def factor(self) -> float:
        return (self.high - self.low) / (self.source[1] - self.source[0])

    @property
    def offset(self) -> float:
        return self.low - self.source[0] * self.factor

    def __call__(self, values: np.ndarray) -> np.ndarray:
        scaled = values.astype("float32")
        scaled *= np.float32(self.factor)  # in place: a new array for each operation takes longer than the operation
        scaled += np.float32(self.offset)
        return scaled

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return (values - self.low) / self.factor + self.source[0]

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras

        return [keras.layers.Rescaling(self.factor, self.offset, dtype="float32")]

    def flaw(self) -> str:
        return _flaw_of_ranges((self.low, self.high), self.source)


@dataclass(frozen=True)
class MinMax(Transform):
    """Scale the range of the training data to 0 … 1, in float32. Test data may fall outside 0 … 1."""

    kind = "min-max"
    needs_all = True
    low: float | None = None
    high: float | None = None

    def fit(self, values: np.ndarray) -> Self:
        low, high = map(float, extremes(values))
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

    def flaw(self) -> str:
        return NOT_FITTED if self.low is None or self.high is None else _flaw_of_ranges((self.low, self.high))

    def _range(self) -> tuple[float, float]:
        assert self.low is not None, "fitted first"
        assert self.high is not None
        return self.low, self.high - self.low


@dataclass(frozen=True)
class Standardise(Transform):
    """Scale the training data to a mean of 0 and a standard deviation of 1, in float32.

    Each feature along `axis` has its own mean and standard deviation; axis 0 counts the samples. "all" computes one
    pair for all values. None chooses the last axis of tables (n, features), and "all" for images and series, where a
    single pixel has no meaning of its own. A feature that is constant in the training data is only shifted to 0: its
    standard deviation is replaced by 1.

    The field `deviation` holds the standard deviations. Its name is a key in bundles.
    """

    kind = "standardise"
    needs_all = True
    axis: int | Literal["all"] | None = None
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None

    def fit(self, values: np.ndarray) -> Self:
        axis = self._axis_for(values.ndim)
        reduced = tuple(dimension for dimension in range(values.ndim) if dimension != axis)
        low, high = map(np.atleast_1d, extremes(values, reduced))
        computed_mean, computed_std = moments(values, reduced)
        # By rounding, a constant's computed deviation can differ from 0. Its scale is 1, and its mean is its value.
        std = np.where(low == high, 1.0, computed_std)
        exact = np.where(low == high, low, computed_mean)
        # Use the mean rounded to float32 where that is as good: then Keras' layer subtracts the same number.
        rounded = exact.astype("float32").astype("float64")
        mean = np.where((low == high) | (abs(rounded - exact) > 1e-3 * std), exact, rounded)
        return replace(self, axis=axis, mean=tuple(mean.tolist()), deviation=tuple(std.tolist()))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        mean, std = self._moments(values)
        return np.asarray((values - mean) / std, "float32")

    def inverse(self, values: np.ndarray) -> np.ndarray:
        mean, std = self._moments(values)
        return np.asarray(values.astype("float64") * std + mean)

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

    def flaw(self) -> str:
        if self.mean is None or self.deviation is None or self.axis is None:
            return NOT_FITTED
        if len(self.mean) != len(self.deviation) or not self.mean or (self.axis == "all" and len(self.mean) > 1):
            return f"has {len(self.mean)} means and {len(self.deviation)} standard deviations"
        if not are_finite(*self.mean, *self.deviation) or min(self.deviation) <= 0:
            return "has a standard deviation that is not above 0"
        if self.axis != "all" and self.axis < 1:
            return f"has the axis {self.axis}, expected 1 or more"
        return self._flaw_of_axis()

    def _flaw_of_axis(self) -> str:
        return too_large(axis=self.axis) if isinstance(self.axis, int) else ""

    def _axis_for(self, dimensions: int) -> int | Literal["all"]:
        """Return the axis for values of this many dimensions: 1 or more, or "all"."""
        if self.axis is None:
            return 1 if dimensions == 2 else "all"
        if self.axis == "all":
            return "all"
        axis = self.axis + dimensions if self.axis < 0 else self.axis
        if not 1 <= axis < dimensions:
            raise DataError(f"values of {dimensions} axes have no features on axis {self.axis}")
        return axis

    def _moments(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation in shapes that broadcast against the values."""
        assert self.mean is not None, "fitted first"
        assert self.deviation is not None
        shape = [1] * values.ndim
        if self.axis != "all":
            assert self.axis is not None
            if self.axis >= values.ndim or values.shape[self.axis] != len(self.mean):
                raise DataError(f"expected {len(self.mean)} features on axis {self.axis}, received {values.shape}")
            shape[self.axis] = len(self.mean)
        return np.reshape(self.mean, shape), np.reshape(self.deviation, shape)


@dataclass(frozen=True)
class StandardiseValues(Standardise):
    """Scale targets that are values, in float, to a mean of 0 and a deviation of 1; leave class numbers alone."""

    kind = "standardise-values"

    def fit(self, values: np.ndarray) -> Self:
        return super().fit(values) if values.dtype.kind == "f" else self

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return values if self.mean is None else super().__call__(values)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return values if self.mean is None else super().inverse(values)

    def flaw(self) -> str:
        return self._flaw_of_axis() if self.mean is None and self.deviation is None else super().flaw()


def _flaw_of_ranges(*ranges: tuple[float, float]) -> str:
    """Return the flaw of a step that scales these ranges, if one is empty."""
    wrong = [(low, high) for low, high in ranges if not are_finite(low, high) or low == high]
    return f"scales the range from {wrong[0][0]} to {wrong[0][1]}, which is empty" if wrong else ""


def _subtract_and_divide(offset: float, span: float) -> list[keras.layers.Layer]:
    """Return two layers: a single one would scale first and then subtract two large numbers, and so lose precision."""
    import keras

    return [
        keras.layers.Rescaling(1.0, -offset, dtype="float32"),
        keras.layers.Rescaling(1.0 / span, dtype="float32"),
    ]
