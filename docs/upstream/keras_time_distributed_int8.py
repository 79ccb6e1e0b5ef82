"""A quantised layer in TimeDistributed, against the layer by itself; exits with 0 while they differ."""

import os
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np

warnings.simplefilter("ignore")  # each layer without weights warns that it is not quantised
steps = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")
inputs = keras.Input((6, 8))
layer = keras.layers.Dense(8)
alone = keras.Model(inputs, layer(inputs))
wrapped = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
before = wrapped.predict(steps, verbose=0)
wrapped.quantize("int8")
after, by_itself = wrapped.predict(steps, verbose=0), alone.predict(steps, verbose=0)
print(f"Keras {keras.__version__} under {keras.backend.backend()}: the largest change by quantisation is")
print(f"{np.abs(by_itself - before).max():.3g} of {np.abs(before).max():.3g} for the layer by itself, ", end="")
print(f"{np.abs(after - before).max():.3g} in TimeDistributed")
sys.exit(0 if np.abs(after - by_itself).max() > 0.1 else 1)
