"""Keras' operations that compute the same on every backend, for the time of a run.

Some operations of Keras differ between its backends by more than rounding: the order of equal values, derivatives
where a function has none, attention. Each backend has its own corrections, in its own room
(`Runtime.corrected_operations`); crossentropies are replaced on every backend. The model is not changed, and is saved
as plain Keras.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from .. import keras_internals, runtime
from .crossentropy import losses_from_logits


@contextlib.contextmanager
def portable_operations() -> Iterator[None]:
    """Within this context, Keras computes crossentropies from logits, and corrected operations. It can be nested.

    A function that is compiled within it, such as a model's training function, keeps the replaced operations.
    """
    current = runtime.current()
    with losses_from_logits(), current.corrected_operations(), keras_internals.corrected(_ON_EVERY_BACKEND):
        yield


def _partition_by_sorting(native: Callable[..., Any]) -> Callable[..., Any]:
    """Return an `argpartition` whose order is known. Keras' own also rounds floats to integers on two backends."""
    import keras

    return lambda x, kth, axis=-1: keras.ops.argsort(x, axis)


_ON_EVERY_BACKEND = {"numpy": {"argpartition": _partition_by_sorting}}
