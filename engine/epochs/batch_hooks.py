"""Callbacks that watch single batches: between two of them, each step of an epoch is a call of its own."""

from __future__ import annotations

import keras

from .callbacks import Progress

_TRAINING = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
_VALIDATION = ("on_test_batch_begin", "on_test_batch_end")


def watches_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback acts at single batches of the training. Progress is told of chunks of them."""
    if isinstance(callback, Progress):
        return False
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
        return False
    return _has_hook(callback, _TRAINING)


def watches_validation_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback acts at single batches of the validation."""
    return _has_hook(callback, _VALIDATION)


def _has_hook(callback: keras.callbacks.Callback, names: tuple[str, ...]) -> bool:
    inherited = keras.callbacks.Callback
    return any(getattr(getattr(callback, name), "__func__", None) is not getattr(inherited, name) for name in names)
