"""Random weights for PyTorch modules, as `random_weights.py` draws those of Keras models."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..random_weights import draw, statistics


def randomize_module(module: Any, inputs: tuple[Any, ...], seed: int = 0) -> None:
    """Draw all parameters of a PyTorch module, and the statistics of its batch normalisations from its inputs."""
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    tables = {id(each.weight) for each in module.modules() if isinstance(each, torch.nn.Embedding)}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            shape = tuple(parameter.shape)
            fan_in = 2 if id(parameter) in tables or shape[:1] == (1,) else int(np.prod(shape[1:]))
            parameter.copy_(torch.from_numpy(draw(name, shape, fan_in, generator)))
        normalizations = [
            each
            for each in module.modules()
            if isinstance(each, torch.nn.modules.batchnorm._BatchNorm) and each.running_mean is not None
        ]
        if not normalizations:
            return
        momenta = [each.momentum for each in normalizations]
        for each in normalizations:
            each.momentum = 1.0
        module.train()
        module(*inputs)
        module.eval()
        for each, momentum in zip(normalizations, momenta, strict=True):
            each.momentum = momentum
            running = each.running_mean.numpy(), each.running_var.numpy()
            for buffer, value in zip(
                (each.running_mean, each.running_var), statistics(*running, generator), strict=True
            ):
                buffer.copy_(torch.from_numpy(value))
