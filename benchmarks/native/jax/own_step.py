"""A Keras model with a training step of its own, as Keras' guide writes it for JAX."""

from __future__ import annotations

from typing import Any

import jax


def own_step_model() -> Any:
    """Return a subclass of `keras.Sequential` with a training step of its own."""
    import keras

    class Own(keras.Sequential):  # type: ignore[misc]
        def _loss_and_others(self, trainable: Any, others: Any, x: Any, y: Any) -> Any:
            answers, others = self.stateless_call(trainable, others, x, training=True)
            return self.compute_loss(x, y, answers), others

        def train_step(self, state: Any, data: Any) -> Any:
            trainable, others, optimizer, metrics = state
            differentiate = jax.value_and_grad(self._loss_and_others, has_aux=True)
            (loss, others), gradients = differentiate(trainable, others, *data)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return {"loss": loss}, (trainable, others, optimizer, metrics)

    return Own
