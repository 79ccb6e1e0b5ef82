"""The gradient of masked attention under PyTorch, against numerical differentiation; exits with 0 while it is wrong."""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

generator = np.random.default_rng(0)
query, key, value = generator.normal(size=(3, 1, 3, 2, 4)).astype("float32")  # (batch, length, heads, features) each
mask = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], bool)[None, None]  # the last query has no key


def loss(value_tensor):
    tensors = [torch.tensor(query), torch.tensor(key), value_tensor]
    return keras.ops.dot_product_attention(*tensors, mask=torch.tensor(mask)).square().sum()


def numerical_derivative(index, step=0.5):  # exact for any step, because the loss is a square of the value
    moved = [value.copy(), value.copy()]
    moved[0][index] += step
    moved[1][index] -= step
    return float(loss(torch.tensor(moved[0])) - loss(torch.tensor(moved[1]))) / (2 * step)


leaf = torch.tensor(value, requires_grad=True)
(gradient,) = torch.autograd.grad(loss(leaf), leaf)
numerical = np.array([numerical_derivative(index) for index in np.ndindex(value.shape)]).reshape(value.shape)
difference = np.abs(gradient.numpy() - numerical).max()
print(f"Keras {keras.__version__}, PyTorch {torch.__version__}: gradient of the value off by {difference:.2g}")
print("numerical differentiation, last key:", numerical[0, 2, 0].round(3))
print("PyTorch, last key:                  ", gradient.numpy()[0, 2, 0].round(3))
sys.exit(0 if difference > 1e-3 else 1)
