"""Where XLA is known to be slow: on a CPU, its convolutions take twenty times as long as TensorFlow's own."""

from __future__ import annotations

import tensorflow as tf


def compiles_convolutions() -> bool:
    """Return whether an expert would let XLA compile convolutions on this device."""
    return bool(tf.config.list_logical_devices("GPU"))
