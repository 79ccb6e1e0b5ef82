"""Crossentropies that are the same function on every backend, and have a gradient wherever a model may be wrong.

Keras 3.15 computes the crossentropy of a softmax or a sigmoid from the logits on TensorFlow, but elsewhere from
probabilities clipped to 1e-7 … 1 - 1e-7. There a wrong prediction beyond that bound has a loss of 16.1, whatever it
should be, and no gradient. Two runs that agreed to the last digit diverge at the first such sample. Two backends that
both clip diverge as soon as a probability is just above the bound on one and just below it on the other.

Under `losses_from_logits` they are computed from the logits on every backend. The model is not changed, and is saved
as plain Keras. Losses of other probabilities, or of a softmax's output that was changed since, are not replaced.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .. import keras_internals, runtime

# Keras' functions, and the method of `_LogitsTracker` that creates the replacement of each.
REPLACED = {
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "categorical_crossentropy": "categorical",
    "sparse_categorical_crossentropy": "categorical",
    "binary_crossentropy": "binary",
}

# The reductions of Keras' losses with which the loss of a batch is the mean over its samples.
_MEAN_REDUCTIONS = ("sum_over_batch_size", "mean")
# Losses that compare the sums over a whole batch, unless they have an axis.
_OVERLAPS = ("dice", "tversky")

Function = Callable[..., Any]


def has_mean_losses(model: Any) -> bool:
    """Return whether each loss of a compiled model is a mean over the samples of a batch."""
    import keras

    return all(map(_is_mean, keras.tree.flatten(model.loss)))


def _is_mean(loss: Any) -> bool:
    """Return whether a loss is a mean over samples; one given by name or as a function is, unless it is an overlap."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if name.lower() in _OVERLAPS and getattr(loss, "axis", None) is None:
        return False
    return getattr(loss, "reduction", _MEAN_REDUCTIONS[0]) in _MEAN_REDUCTIONS


@contextlib.contextmanager
def losses_from_logits() -> Iterator[None]:
    """Within this context, Keras computes crossentropies from logits. It can be nested.

    A function that is compiled within it, such as a model's training function, keeps the replaced losses.
    """
    runtime.current()
    module, tracker = keras_internals.backend_module("nn"), _LogitsTracker()
    replacements = {name: getattr(tracker, method)(getattr(module, name)) for name, method in REPLACED.items()}
    with keras_internals.replaced_functions(module, replacements):
        yield


class _Origin(NamedTuple):
    """The logits that an activation's output was computed from.

    Attributes:
        axis: of the classes, counted from the end; None for an elementwise activation.
    """

    output: weakref.ref[Any]
    logits: Any
    activation: str
    axis: int | None


class _LogitsTracker:
    """Remembers the logits behind an activation's output for as long as the output lives.

    Outputs are recognised by identity, because JAX's tracers take no attributes and arrays cannot be dictionary keys.
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
        """Replace one of the two categorical crossentropies."""

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
                if tuple(target.shape) == tuple(logits.shape):  # else Keras raises its own error
                    return _binary_crossentropy_from_logits(keras.ops.cast(target, logits.dtype), logits)
            return native(target, output if from_logits else _without_keras_logits(output), from_logits=from_logits)

        return binary_crossentropy

    def _record(self, output: Any, logits: Any, activation: str, axis: int | None) -> None:
        name, origins = id(output), self._origins
        reference = weakref.ref(output, lambda _: origins.pop(name, None))
        origins[name] = _Origin(reference, logits, activation, axis)

    def _logits_behind(self, output: Any, activation: str, axis: int | None) -> Any:
        """Return the logits if `output` came from that activation along that axis, else None."""
        origin = self._origins.get(id(output))
        if origin is None or origin.output() is not output or (origin.activation, origin.axis) != (activation, axis):
            return None
        return origin.logits


def _from_end(axis: int, array: Any) -> int:
    return axis if axis < 0 else axis - len(array.shape)


def _without_keras_logits(output: Any) -> Any:
    """Return the same values without `_keras_logits`: one backend attaches it, and then uses it for any loss."""
    return output * 1 if hasattr(output, "_keras_logits") else output


def _binary_crossentropy_from_logits(target: Any, logits: Any) -> Any:
    """Return the elementwise binary crossentropy; it and its gradient are accurate however small they are."""
    import keras

    ops, positive = keras.ops, logits >= 0
    below = ops.where(positive, -logits, logits)  # -|x|, but with a gradient at zero
    return ops.where(positive, 1 - target, -target) * logits + ops.log1p(ops.exp(below))
