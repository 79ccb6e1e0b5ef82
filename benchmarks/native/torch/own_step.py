"""A Keras model with a training step of its own, as Keras' guide writes it for PyTorch."""

from __future__ import annotations

from typing import Any

import torch


def own_step_model() -> Any:
    """Return a subclass of `keras.Sequential` with a training step of its own."""
    import keras

    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data
            self.zero_grad()
            loss = self.compute_loss(x, y, self(x, training=True))
            loss.backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply([variable.value.grad for variable in weights], weights)
            return {"loss": loss}

    return Own
