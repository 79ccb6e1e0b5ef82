"""The single steps of preparation, each with its inverse where that makes sense.

A step is a frozen dataclass whose fields are its settings, so that it can be written as JSON and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from ..errors import DataError


class Transform:
    """One step. Subclasses are frozen dataclasses whose fields are its settings; `None` means: fitted from data."""

    kind: ClassVar[str]

    @property
    def unmatched(self) -> int:
        """How many samples at the end of the output have no target, because what follows them is not in the data."""
        return 0

    def fit(self, values: np.ndarray) -> Self:
        """This step with its open settings taken from the training data."""
        return self

    def __call__(self, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """What the values were before this step, up to rounding."""
        return values


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

    def __call__(self, values: np.ndarray) -> np.ndarray:
        offset = self.low - self.source[0] * self.factor
        return values.astype("float32") * np.float32(self.factor) + np.float32(offset)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return (values - self.low) / self.factor + self.source[0]


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

    def _range(self) -> tuple[float, float]:
        assert self.low is not None, "fitted first"
        assert self.high is not None
        return self.low, self.high - self.low


@dataclass(frozen=True)
class Reshape(Transform):
    """Each sample to `shape`."""

    kind = "reshape"
    shape: tuple[int, ...] = ()
    before: tuple[int, ...] | None = None

    def fit(self, values: np.ndarray) -> Self:
        return replace(self, before=values.shape[1:])

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if int(np.prod(values.shape[1:])) != int(np.prod(self.shape)):
            raise DataError(f"a sample has shape {values.shape[1:]}, which cannot become {tuple(self.shape)}")
        return values.reshape(len(values), *self.shape)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), *(self.before or self.shape))


@dataclass(frozen=True)
class ChannelAxis(Transform):
    """Grey images (n, height, width) get the axis of one channel, where Keras is set to have it."""

    kind = "channel-axis"
    axis: int | None = None

    def fit(self, values: np.ndarray) -> Self:
        import keras

        return replace(self, axis=1 if keras.config.image_data_format() == "channels_first" else 3)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        assert self.axis is not None, "fitted first"
        if values.ndim != 3:
            raise DataError(f"expected grey images (n, height, width), received shape {values.shape}")
        return np.expand_dims(values, self.axis)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        assert self.axis is not None, "fitted first"
        return np.squeeze(values, self.axis)


@dataclass(frozen=True)
class OneHot(Transform):
    """Class numbers 0 … classes−1 to rows with a single one; its inverse takes probabilities to the likeliest class."""

    kind = "one-hot"
    classes: int | None = None

    def fit(self, values: np.ndarray) -> Self:
        return self if self.classes else replace(self, classes=int(values.max()) + 1)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        assert self.classes is not None, "fitted first"
        if values.ndim != 1 or values.dtype.kind not in "biu":
            raise DataError(f"expected integer labels (n,), received {values.shape} of {values.dtype}")
        if values.min() < 0 or values.max() >= self.classes:
            raise DataError(
                f"labels reach from {values.min()} to {values.max()}, expected 0 to {self.classes - 1} "
                f"for {self.classes} classes"
            )
        return np.asarray(np.eye(self.classes, dtype="float32")[values.astype("int64")])

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values.argmax(-1))


@dataclass(frozen=True)
class Window(Transform):
    """A series to every `stride`-th run of `length` values in it.

    (n,) becomes (windows, length, 1), or (windows, length) when it holds `tokens`, which are numbers but no quantities;
    (n, features) becomes (windows, length, features). `horizon` is how many values after a window its target needs.
    """

    kind = "window"
    length: int = 3
    horizon: int = 1
    stride: int = 1
    tokens: bool = False

    @property
    def unmatched(self) -> int:
        return self.horizon

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if len(values) < self.length:
            raise DataError(f"a series of {len(values)} values is shorter than the window of {self.length}")
        series = values if values.ndim > 1 or self.tokens else values[:, None]
        windows = np.lib.stride_tricks.sliding_window_view(series, self.length, axis=0)[:: self.stride]
        return np.ascontiguousarray(windows if self.tokens else np.moveaxis(windows, -1, 1))


@dataclass(frozen=True)
class After(Transform):
    """The targets that go with windows of `length`: the value after each, (windows, features), or (windows,) tokens."""

    kind = "after"
    length: int = 3
    stride: int = 1
    tokens: bool = False

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if len(values) <= self.length:
            raise DataError(f"a series of {len(values)} values has none after a window of {self.length}")
        series = values if values.ndim > 1 or self.tokens else values[:, None]
        return series[self.length :: self.stride]


@dataclass(frozen=True)
class Ahead(Transform):
    """The targets of windows that are told something at each of their values: the next `horizon` values from there.

    A series (n,) becomes (n − length − horizon + 1, length, horizon).
    """

    kind = "ahead"
    length: int = 3
    horizon: int = 5

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if len(values) < self.length + self.horizon:
            raise DataError(f"a series of {len(values)} values has no {self.horizon} after a window of {self.length}")
        following = np.lib.stride_tricks.sliding_window_view(values[1:], self.horizon)
        windows = np.lib.stride_tricks.sliding_window_view(following, self.length, axis=0)
        return np.ascontiguousarray(np.moveaxis(windows, -1, 1))
