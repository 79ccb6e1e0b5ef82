"""Crossentropies that are the same function on every backend, and have a gradient wherever a model may be wrong.

Keras 3.15 takes the crossentropy of a softmax or a sigmoid from the logits on TensorFlow; elsewhere from probabilities
that it clips to 1e-7 … 1 - 1e-7. There a mistake that is surer than that costs 16.1 whatever it should cost, and
teaches nothing. Two runs that agreed to the last digits part at the first such sample; and two backends that both
clip part as soon as one probability lies just above the bound on one of them and just below it on the other.

`losses_from_logits` takes them from the logits everywhere. The model itself is not touched: what is saved is plain Keras.
Left as they are: losses of probabilities that no softmax or sigmoid gave, or that something was done to since.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .. import keras_internals, runtime

# Keras' functions, and the method of `_LogitsTracker` that makes what takes the place of each.
REPLACED = {
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "categorical_crossentropy": "categorical",
    "sparse_categorical_crossentropy": "categorical",
    "binary_crossentropy": "binary",
}

# Of Keras' losses: a batch's is the mean of its samples'.
_MEAN_REDUCTIONS = ("sum_over_batch_size", "mean")

Function = Callable[..., Any]


def has_mean_losses(model: Any) -> bool:
    """Whether each loss of a compiled model is a mean over the samples of a batch."""
    import keras

    # What is named or a function is a mean; an object may have been told otherwise.
    return all(
        getattr(loss, "reduction", _MEAN_REDUCTIONS[0]) in _MEAN_REDUCTIONS for loss in keras.tree.flatten(model.loss)
    )


@contextlib.contextmanager
def losses_from_logits() -> Iterator[None]:
    """While it lasts, Keras takes crossentropies by our functions. May be nested; put back also after an exception.

    What is compiled within it, such as a model's training function, keeps ours.
    """
    runtime.current()
    module, tracker = keras_internals.nn_module(), _LogitsTracker()
    native = {name: getattr(module, name) for name in REPLACED}
    try:
        for name, method in REPLACED.items():
            setattr(module, name, getattr(tracker, method)(native[name]))
        yield
    finally:
        for name, function in native.items():
            setattr(module, name, function)


class _Origin(NamedTuple):
    """What an activation's output was computed from; `axis` from the end, None where it goes element by element."""

    output: weakref.ref[Any]
    logits: Any
    activation: str
    axis: int | None


class _LogitsTracker:
    """Remembers, for as long as an activation's output lives, what it was computed from.

    By identity: what JAX traces takes no attributes, and a framework's arrays cannot be keys.
    """

    def __init__(self) -> None:
        self._origins: dict[int, _Origin] = {}

    def softmax(self, native: Function) -> Function:
        def softmax(x: Any, axis: Any = -1) -> Any:
            output = native(x, axis=axis)
            if axis is not None:
                self._record(output, x, "softmax", _from_end(axis, output))
            return output

        return softmax

    def sigmoid(self, native: Function) -> Function:
        def sigmoid(x: Any) -> Any:
            output = native(x)
            self._record(output, x, "sigmoid", None)
            return output

        return sigmoid

    def categorical(self, native: Function) -> Function:
        """Either of the categorical crossentropies."""

        def crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
            logits = None if from_logits else self._logits_behind(output, "softmax", _from_end(axis, output))
            if logits is not None:
                return native(target, logits, from_logits=True, axis=axis)
            return native(
                target, output if from_logits else _without_keras_logits(output), from_logits=from_logits, axis=axis
            )

        return crossentropy

    def binary(self, native: Function) -> Function:
        import keras

        def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
            logits = output if from_logits else self._logits_behind(output, "sigmoid", None)
            if logits is not None:
                target, logits = (keras.ops.convert_to_tensor(array) for array in (target, logits))
                if tuple(target.shape) == tuple(logits.shape):  # else Keras says what is wrong
                    return _binary_crossentropy_from_logits(keras.ops.cast(target, logits.dtype), logits)
            return native(target, output if from_logits else _without_keras_logits(output), from_logits=from_logits)

        return binary_crossentropy

    def _record(self, output: Any, logits: Any, activation: str, axis: int | None) -> None:
        name, origins = id(output), self._origins
        reference = weakref.ref(output, lambda _: origins.pop(name, None))
        origins[name] = _Origin(reference, logits, activation, axis)

    def _logits_behind(self, output: Any, activation: str, axis: int | None) -> Any:
        """The logits of what that activation gave along that axis, or None."""
        origin = self._origins.get(id(output))
        if origin is None or origin.output() is not output or (origin.activation, origin.axis) != (activation, axis):
            return None
        return origin.logits


def _from_end(axis: int, array: Any) -> int:
    return axis if axis < 0 else axis - len(array.shape)


def _without_keras_logits(output: Any) -> Any:
    """The same numbers, without the logits that some backend finds on them by itself and takes for any loss's."""
    return output * 1 if hasattr(output, "_keras_logits") else output


def _binary_crossentropy_from_logits(target: Any, logits: Any) -> Any:
    """Binary crossentropy, each element by itself: its digits and its slope's are right however small it is."""
    import keras

    ops, positive = keras.ops, logits >= 0
    below = ops.where(positive, -logits, logits)  # -|x|, but with a slope at zero
    return ops.where(positive, 1 - target, -target) * logits + ops.log1p(ops.exp(below))
