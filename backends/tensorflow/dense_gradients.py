"""Dense gradients of embeddings.

TensorFlow's gradient of a lookup has a row for each token that a batch looked up (`tf.IndexedSlices`). Keras 3.15's
optimizers square these rows before they add those of a repeated token: Adam's second moment is too small, and its step
too long. JAX and PyTorch have dense gradients. In float64 too, a model with an embedding that is trained by Adam
differs after one step. A test in tests/backends/test_runtime.py notices when this can go.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import tensorflow as tf

from ..epochs import optimizers_of


@contextmanager
def dense_gradients(model: Any) -> Iterator[None]:
    """Within this context, the optimizers of a model get dense gradients; class and saved form do not change."""
    with ExitStack() as stack:
        for optimizer in optimizers_of(model):
            stack.enter_context(_given_dense_gradients(optimizer))
        yield


@contextmanager
def _given_dense_gradients(optimizer: Any) -> Iterator[None]:
    apply, replaced = optimizer.apply, vars(optimizer).get("apply")

    def apply_dense(grads: Any, trainable_variables: Any = None) -> Any:
        return apply([_to_dense(gradient) for gradient in grads], trainable_variables)

    optimizer.apply = apply_dense
    try:
        yield
    finally:
        del optimizer.apply
        if replaced:
            optimizer.apply = replaced


def _to_dense(gradient: Any) -> Any:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
