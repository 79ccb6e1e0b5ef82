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
from .schedule_free import old_momentum


@contextlib.contextmanager
def portable_operations() -> Iterator[None]:
    """Within this context, Keras computes crossentropies from logits, and corrected operations. It can be nested.

    A function that is compiled within it, such as a model's training function, keeps the replaced operations.
    """
    current = runtime.current()
    with contextlib.ExitStack() as stack:
        stack.enter_context(losses_from_logits())
        stack.enter_context(current.corrected_operations())
        stack.enter_context(keras_internals.corrected(_ON_EVERY_BACKEND))
        stack.enter_context(old_momentum())
        yield


def _partition_by_sorting(native: Callable[..., Any]) -> Callable[..., Any]:
    """Return an `argpartition` whose order is known. Keras' own also rounds floats to integers on two backends."""
    import keras

    return lambda x, kth, axis=-1: keras.ops.argsort(x, axis)


_ON_EVERY_BACKEND = {"numpy": {"argpartition": _partition_by_sorting}}
