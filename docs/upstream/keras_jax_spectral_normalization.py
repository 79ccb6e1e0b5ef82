"""The kernel of a spectrally normalised layer after a step under JAX; exits with 0 while it is not normalised."""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

generator = np.random.default_rng(0)
layer = keras.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=50)
model = keras.Sequential([keras.Input((4,)), layer])
layer.layer.kernel.assign(5 * generator.normal(size=(4, 3)))
model.compile(
    keras.optimizers.SGD(0.0), "mean_squared_error"
)  # a rate of 0: the step changes the kernel by itself only
model.train_on_batch(generator.normal(size=(8, 4)), generator.normal(size=(8, 3)))

norm = np.linalg.norm(layer.layer.kernel.numpy(), 2)
print(f"Keras {keras.__version__}, JAX {jax.__version__}: the spectral norm is {norm:.3g} after a step, expected 1")
sys.exit(0 if abs(norm - 1) > 1e-2 else 1)
