"""Keras' operations that compute the same on every backend, for the time of a run.

A few operations of Keras differ between its backends by more than rounding. Each backend has its own corrections, in
its own room (`Runtime.corrected_operations`); crossentropies are replaced on every backend. The model is not changed,
and is saved as plain Keras.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .. import runtime
from .crossentropy import losses_from_logits


@contextlib.contextmanager
def portable_operations() -> Iterator[None]:
    """Within this context, Keras computes crossentropies from logits, and corrected operations. It can be nested.

    A function that is compiled within it, such as a model's training function, keeps the replaced operations.
    """
    with losses_from_logits(), runtime.current().corrected_operations():
        yield
