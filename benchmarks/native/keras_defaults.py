"""Keras' defaults, which are part of what a hand-written loop has to learn alike."""

from __future__ import annotations

# Of Adam and RMSprop, and the maximum norm of the kernels of `cnn/…`.
BETA_1, BETA_2, RHO, EPSILON, MAX_NORM = 0.9, 0.999, 0.9, 1e-7, 3.0
# Of batch normalisation: the share of a moving statistic that remains after a step, and what is added to variances.
MOMENTUM, NORMALIZATION_EPSILON = 0.99, 1e-3
