"""The program that takes one step of gradient descent with a written module, by which the module is verified."""

from __future__ import annotations

STEP = """import numpy as np
import torch

from model import load


def answers_after_step(inputs, targets, rate):
    model = load()
    arrays = [torch.from_numpy(array) for array in inputs]

    def answers():
        outputs = model(*arrays)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    pairs = [(o, t) for o, t in zip(answers(), targets, strict=True) if t.size]
    loss = sum(((output - torch.from_numpy(target)) ** 2).mean() for output, target in pairs)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                weight -= rate * gradient
        return [output.numpy() for output in answers()]
"""
