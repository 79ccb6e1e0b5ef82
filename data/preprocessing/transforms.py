"""The single preprocessing steps, each with its inverse where there is one.

A step is a frozen dataclass whose fields are its settings, so that it can be written as JSON and compared. The steps
that scale values are in `feature_scaling.py`, the tokenizers in `tokens.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ...errors import DataError
from ...storage.budget import AXES, SIZE, require_memory
from ..axes import reshape_advice
from .reductions import extremes

if TYPE_CHECKING:
    import keras

# The dtypes that a cast may name.
_NUMBERS = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
_NUMBERS += ("float16", "float32", "float64")


class Transform:
    """One step. Subclasses are frozen dataclasses; a setting of None is fitted from data."""

    kind: ClassVar[str]
    # Whether it learns from the values of all training data, or turns all of them into samples.
    needs_all: ClassVar[bool] = False
    # Whether it takes these values as one array in memory only.
    needs_memory: ClassVar[bool] = False

    @property
    def windows_without_target(self) -> int:
        """The number of windows at the end whose targets lie beyond the end of the data."""
        return 0

    def fit(self, values: np.ndarray) -> Self:
        """Return this step with its open settings fitted on the training data."""
        return self

    def __call__(self, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Return the values before this step, up to rounding."""
        return values

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        """Return the Keras layers with the same effect; `shape` is the shape of one sample before the step.

        Raises:
            DataError: there are none, because the step turns a whole series or text into samples.
        """
        raise DataError(f"the step {self.kind!r} has no Keras layer: it turns a whole series into samples")

    def shape_before(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a sample before this step, given its shape after it."""
        return shape

    def describe(self) -> list[str]:
        """Return a sentence for each thing that a user should know that this step does."""
        return []

    def flaw(self) -> str:
        """Return why a step that a file describes cannot be applied, such as "is not fitted"; empty if it can."""
        return ""


NOT_FITTED = "is not fitted"


def are_finite(*numbers: float) -> bool:
    """Return whether these are numbers that a float holds."""
    try:
        return all(map(math.isfinite, numbers))
    except OverflowError:  # an integer of hundreds of digits
        return False


@dataclass(frozen=True)
class Cast(Transform):
    """Cast to another dtype; the values stay the same."""

    kind = "cast"
    dtype: str = "float32"
    before: str | None = None

    def fit(self, values: np.ndarray) -> Self:
        return replace(self, before=values.dtype.name)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return values.astype(self.dtype, copy=False)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return values.astype(self.before or self.dtype, copy=False)

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras

        return [keras.layers.Rescaling(1.0, dtype=self.dtype)]

    def flaw(self) -> str:
        names = [name for name in (self.dtype, self.before) if name is not None]
        unknown = [name for name in names if name not in _NUMBERS]
        return f"casts to {unknown[0]!r}, which is no dtype of numbers" if unknown else ""


@dataclass(frozen=True)
class Reshape(Transform):
    """Reshape each sample to `shape`; `(-1,)` flattens samples of any shape."""

    kind = "reshape"
    shape: tuple[int, ...] = ()
    before: tuple[int, ...] | None = None

    def fit(self, values: np.ndarray) -> Self:
        shape = (math.prod(values.shape[1:]),) if tuple(self.shape) == (-1,) else self.shape
        return replace(self, shape=shape, before=values.shape[1:])

    def __call__(self, values: np.ndarray) -> np.ndarray:
        size = math.prod(self.shape)
        if math.prod(values.shape[1:]) != size:
            advice = reshape_advice(values.shape[1:], lambda shape: math.prod(shape) == size)
            raise DataError(f"a sample has shape {values.shape[1:]}, which cannot become {tuple(self.shape)}{advice}")
        return values.reshape(len(values), *self.shape)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), *(self.before or self.shape))

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras

        return [keras.layers.Reshape(self.shape)]

    def shape_before(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.before or shape

    def flaw(self) -> str:
        shapes = (self.shape, self.before or ())
        if wrong := [shape for shape in shapes if min(shape, default=1) < 1]:
            return f"has the shape {wrong[0]}, expected lengths of at least 1"
        if (axes := max(map(len, shapes))) > AXES:
            return f"has {axes} axes, at most {AXES} are read"
        return too_large(shape=max(self.shape, default=1), before=max(self.before or (), default=1))


@dataclass(frozen=True)
class ChannelAxis(Transform):
    """Give grey images a channel axis of length 1 at the place that Keras' image data format sets.

    It takes (n, height, width), and images with a channel axis in either place.
    """

    kind = "channel-axis"
    axis: int | None = None

    def fit(self, values: np.ndarray) -> Self:
        import keras

        return replace(self, axis=1 if keras.config.image_data_format() == "channels_first" else 3)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        assert self.axis is not None, "fitted first"
        return np.expand_dims(_drop_channel_axis(values), self.axis)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        assert self.axis is not None, "fitted first"
        return np.squeeze(values, self.axis)

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras

        assert self.axis is not None, "fitted first"
        height, width = _drop_channel_axis(np.empty((1, *shape))).shape[1:]
        return [keras.layers.Reshape((1, height, width) if self.axis == 1 else (height, width, 1))]

    def shape_before(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        assert self.axis is not None, "fitted first"
        return shape[: self.axis - 1] + shape[self.axis :]

    def flaw(self) -> str:
        if self.axis is None:
            return NOT_FITTED
        return "" if self.axis in (1, 3) else f"has the axis {self.axis}, expected 1 or 3"


def _drop_channel_axis(images: np.ndarray) -> np.ndarray:
    """Return grey images as (n, height, width)."""
    if images.ndim == 3:
        return images
    if images.ndim == 4 and 1 in (images.shape[3], images.shape[1]):
        return images.squeeze(3 if images.shape[3] == 1 else 1)
    advice = reshape_advice(images.shape[1:], lambda shape: len(shape) == 2 and min(shape) > 1)
    raise DataError(f"expected grey images (n, height, width), received shape {images.shape}{advice}")


@dataclass(frozen=True)
class Signs(Transform):
    """Turn class numbers 0 and 1 into −1 and +1, as a user wrote them for a hinge loss; the inverse takes margins."""

    kind = "signs"

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return np.where(values > 0, 1, -1).astype("int32")

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return (values > 0).astype("int64")


@dataclass(frozen=True)
class OneHot(Transform):
    """Turn class numbers 0 … classes−1 into one-hot rows; the inverse turns probabilities into the likeliest class."""

    kind = "one-hot"
    classes: int | None = None

    def for_classes(self, count: int) -> Self:
        """Return this step for data with `count` classes, some of which the training split may lack.

        Raises:
            DataError: the step has fewer classes.
        """
        if self.classes is not None and count > self.classes:
            raise DataError(
                f"the data have {count} classes but the model has outputs for {self.classes}: {_advise_outputs(count)}"
            )
        return self if self.classes else replace(self, classes=count)

    def fit(self, values: np.ndarray) -> Self:
        return self if self.classes else replace(self, classes=int(extremes(values)[1]) + 1)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        assert self.classes is not None, "fitted first"
        if values.ndim != 1 or values.dtype.kind not in "biu":
            raise DataError(f"expected integer labels (n,), received {values.shape} of {values.dtype}")
        if values.min() < 0 or values.max() >= self.classes:
            raise DataError(
                f"labels range from {values.min()} to {values.max()}, expected 0 to {self.classes - 1} for "
                f"{self.classes} classes: "
                + ("number them from 0" if values.min() < 0 else _advise_outputs(int(values.max()) + 1))
            )
        require_memory(4 * len(values) * self.classes, f"the labels as rows of {self.classes:,} classes")
        rows = np.zeros((len(values), self.classes), "float32")
        rows[np.arange(len(values)), values.astype("int64")] = 1
        return rows

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values.argmax(-1))

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras

        return [keras.layers.CategoryEncoding(self.classes, output_mode="one_hot", dtype="float32")]

    def flaw(self) -> str:
        return NOT_FITTED if self.classes is None else out_of_range(classes=self.classes)


def out_of_range(**sizes: int) -> str:
    """Return the flaw of a step with a size that is not from 1 to `SIZE`; empty if there is none."""
    wrong = [f"{name} {size:,}" for name, size in sizes.items() if not 1 <= size <= SIZE]
    return f"has the {wrong[0]}, expected 1 to {SIZE:,}" if wrong else ""


def too_large(**numbers: int) -> str:
    """Return the flaw of a step with a number beyond ±`SIZE`; empty if there is none."""
    wrong = [f"{name} {number:,}" for name, number in numbers.items() if abs(number) > SIZE]
    return f"has {wrong[0]}, at most {SIZE:,} is read" if wrong else ""


def _advise_outputs(count: int) -> str:
    return f"take a model with {count} outputs (one of your own is path/to/file.py:function)"


@dataclass(frozen=True)
class Window(Transform):
    """Turn a series into every `stride`-th window of `length` values.

    (n,) becomes (windows, length, 1), or (windows, length) if `tokens` says that it holds token numbers; (n, features)
    becomes (windows, length, features). `horizon` is the number of values after a window that its target needs.
    """

    kind = "window"
    needs_all = True
    needs_memory = True
    length: int = 3
    horizon: int = 1
    stride: int = 1
    tokens: bool = False

    @property
    def windows_without_target(self) -> int:
        return self.horizon

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if len(values) < self.length:
            raise DataError(f"a series of {len(values)} values is shorter than the window of {self.length}")
        series = values if values.ndim > 1 or self.tokens else values[:, None]
        windows = np.lib.stride_tricks.sliding_window_view(series, self.length, axis=0)[:: self.stride]
        return np.ascontiguousarray(windows if self.tokens else np.moveaxis(windows, -1, 1))

    def flaw(self) -> str:
        return out_of_range(length=self.length, horizon=self.horizon + 1, stride=self.stride)


@dataclass(frozen=True)
class NextValue(Transform):
    """Turn a series into the targets of its windows: the value after each, (windows, features) or (windows,)."""

    kind = "after"
    needs_all = True
    needs_memory = True
    length: int = 3
    stride: int = 1
    tokens: bool = False

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if len(values) <= self.length:
            raise DataError(f"a series of {len(values)} values has none after a window of {self.length}")
        series = values if values.ndim > 1 or self.tokens else values[:, None]
        return series[self.length :: self.stride]

    def flaw(self) -> str:
        return out_of_range(length=self.length, stride=self.stride)


@dataclass(frozen=True)
class NextValues(Transform):
    """Turn a series into targets at each value of its windows: the `horizon` values that follow it.

    A series (n,) becomes (n − length − horizon + 1, length, horizon).
    """

    kind = "ahead"
    needs_all = True
    needs_memory = True
    length: int = 3
    horizon: int = 5

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if len(values) < self.length + self.horizon:
            raise DataError(f"a series of {len(values)} values has no {self.horizon} after a window of {self.length}")
        following = np.lib.stride_tricks.sliding_window_view(values[1:], self.horizon)
        windows = np.lib.stride_tricks.sliding_window_view(following, self.length, axis=0)
        return np.ascontiguousarray(np.moveaxis(windows, -1, 1))

    def flaw(self) -> str:
        return out_of_range(length=self.length, horizon=self.horizon)
