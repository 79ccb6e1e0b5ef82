"""Two steps of ScheduleFreeAdamW under PyTorch, against its definition; exits with 0 while they differ."""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

rate, beta_1, beta_2, gradient = 0.1, 0.9, 0.999, 0.5
variable = keras.Variable(np.ones(1, "float32"))
optimizer = keras.optimizers.ScheduleFreeAdamW(rate, beta_1=beta_1, beta_2=beta_2)
momentum = average = weights = 1.0
velocity = 0.0
for step in (1, 2):
    optimizer.apply([torch.tensor([gradient])], [variable])
    velocity = beta_2 * velocity + (1 - beta_2) * gradient**2
    momentum -= rate * gradient / (np.sqrt(velocity / (1 - beta_2**step)) + 1e-8)
    average = (1 - 1 / step) * average + momentum / step
    weights = (1 - beta_1) * momentum + beta_1 * average

result = float(variable.numpy()[0])
print(f"Keras {keras.__version__}, PyTorch {torch.__version__}: {result:.4f} after two steps, expected {weights:.4f}")
sys.exit(0 if abs(result - weights) > 1e-4 else 1)
