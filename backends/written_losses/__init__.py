"""Losses that are written once, in `keras.ops`: any mathematics of a training step, on every backend."""
