"""Crossentropies that are the same function on every backend, and have a gradient wherever a model may be wrong.

Keras 3.15 takes the crossentropy of a softmax or a sigmoid from the logits on TensorFlow; elsewhere from probabilities
that it clips to 1e-7 … 1 - 1e-7. There a mistake that is surer than that costs 16.1 whatever it should cost, and
teaches nothing. Two runs that agreed to the last digits part at the first such sample; and two backends that both
clip part as soon as one probability lies just above the bound on one of them and just below it on the other.

`owned_losses` takes them from the logits everywhere. The model itself is not touched: what is saved is plain Keras.
Left as they are: losses of probabilities that no softmax or sigmoid gave, or that something was done to since.
"""

from __future__ import annotations

import contextlib
import importlib
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from .. import catalog, runtime

# Keras' functions, and the method of `_Logits` that makes what takes the place of each.
OWNED = {
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "categorical_crossentropy": "categorical",
    "sparse_categorical_crossentropy": "categorical",
    "binary_crossentropy": "binary",
}

# Of Keras' losses: a batch's is the mean of its samples'.
_MEANS = ("sum_over_batch_size", "mean")

Function = Callable[..., Any]


def native_module() -> ModuleType:
    """The private module of Keras whose functions every activation and every loss computes by.

    tests/backends/same_run/test_crossentropy.py notices when it moves or changes its signatures.
    """
    return importlib.import_module(f"keras.src.backend.{catalog.selected().name}.nn")


def are_means(model: Any) -> bool:
    """Whether each loss of a compiled model is a mean over the samples of a batch."""
    import keras

    # What is named or a function is a mean; an object may have been told otherwise.
    return all(getattr(loss, "reduction", _MEANS[0]) in _MEANS for loss in keras.tree.flatten(model.loss))


@contextlib.contextmanager
def owned_losses() -> Iterator[None]:
    """While it lasts, Keras takes crossentropies by our functions. May be nested; put back also after an exception.

    What is compiled within it, such as a model's training function, keeps ours.
    """
    runtime.current()
    module, known = native_module(), _Logits()
    replaced = {name: getattr(module, name) for name in OWNED}
    try:
        for name, ours in OWNED.items():
            setattr(module, name, getattr(known, ours)(replaced[name]))
        yield
    finally:
        for name, function in replaced.items():
            setattr(module, name, function)


class _Origin(NamedTuple):
    """What an activation's output was computed from; `axis` from the end, None where it goes element by element."""

    output: weakref.ref[Any]
    logits: Any
    activation: str
    axis: int | None


class _Logits:
    """Remembers, for as long as an activation's output lives, what it was computed from.

    By identity: what JAX traces takes no attributes, and a framework's arrays cannot be keys.
    """

    def __init__(self) -> None:
        self._origins: dict[int, _Origin] = {}

    def softmax(self, native: Function) -> Function:
        def softmax(x: Any, axis: Any = -1) -> Any:
            output = native(x, axis=axis)
            if axis is not None:
                self._note(output, x, "softmax", _from_end(axis, output))
            return output

        return softmax

    def sigmoid(self, native: Function) -> Function:
        def sigmoid(x: Any) -> Any:
            output = native(x)
            self._note(output, x, "sigmoid", None)
            return output

        return sigmoid

    def categorical(self, native: Function) -> Function:
        """Either of the categorical crossentropies."""

        def crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
            logits = None if from_logits else self._behind(output, "softmax", _from_end(axis, output))
            if logits is not None:
                return native(target, logits, from_logits=True, axis=axis)
            return native(target, output if from_logits else _plain(output), from_logits=from_logits, axis=axis)

        return crossentropy

    def binary(self, native: Function) -> Function:
        import keras

        def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
            logits = output if from_logits else self._behind(output, "sigmoid", None)
            if logits is not None:
                target, logits = (keras.ops.convert_to_tensor(given) for given in (target, logits))
                if tuple(target.shape) == tuple(logits.shape):  # else Keras says what is wrong
                    return _of_logits(keras.ops.cast(target, logits.dtype), logits)
            return native(target, output if from_logits else _plain(output), from_logits=from_logits)

        return binary_crossentropy

    def _note(self, output: Any, logits: Any, activation: str, axis: int | None) -> None:
        name, origins = id(output), self._origins
        gone = weakref.ref(output, lambda _: origins.pop(name, None))
        origins[name] = _Origin(gone, logits, activation, axis)

    def _behind(self, output: Any, activation: str, axis: int | None) -> Any:
        """The logits of what that activation gave along that axis, or None."""
        found = self._origins.get(id(output))
        if found is None or found.output() is not output or (found.activation, found.axis) != (activation, axis):
            return None
        return found.logits


def _from_end(axis: int, array: Any) -> int:
    return axis if axis < 0 else axis - len(array.shape)


def _plain(output: Any) -> Any:
    """The same numbers, without the logits that some backend finds on them by itself and takes for any loss's."""
    return output * 1 if hasattr(output, "_keras_logits") else output


def _of_logits(target: Any, logits: Any) -> Any:
    """Binary crossentropy, each element by itself: its digits and its slope's are right however small it is."""
    import keras

    ops, positive = keras.ops, logits >= 0
    below = ops.where(positive, -logits, logits)  # -|x|, but with a slope at zero
    return ops.where(positive, 1 - target, -target) * logits + ops.log1p(ops.exp(below))
