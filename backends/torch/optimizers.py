"""Optimizer steps that pass over the weights once and can be captured, with the same arithmetic as Keras' own.

Keras' Adam under PyTorch passes over the weights and both moments ten times. Its SGD reads the learning rate as a
Python number, which would be a constant in a captured step. The replacements are set on the optimizer instance while a
model trains.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import torch
from torch.optim.adam import adam

from .. import keras_internals

_STEP = keras_internals.OPTIMIZER_UPDATE
# A step number at which PyTorch's Adam corrects no bias any more: the correction is in Keras' rate already.
_LATE_STEP = 1e9
# From this number of weights the fused kernel saves more than its call from Python costs.
_MIN_FUSED_SIZE = 2**14


@contextlib.contextmanager
def tuned(optimizer: Any) -> Iterator[None]:
    """Within this context, the optimizer uses a faster step, also inside a LossScaleOptimizer."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    step = _steps().get(type(optimizer))
    if step is None or _STEP in vars(optimizer):
        yield
        return
    setattr(optimizer, _STEP, functools.partial(step, optimizer, getattr(optimizer, _STEP)))
    try:
        yield
    finally:
        delattr(optimizer, _STEP)


@functools.cache
def _steps() -> dict[type, Callable[..., None]]:
    """Return the faster step for Keras' optimizer classes under PyTorch. Subclasses keep their own step."""
    optimizers = keras.optimizers
    return {
        type(optimizers.Adam()): _adam,
        type(optimizers.AdamW()): _adam,
        type(optimizers.SGD()): _sgd,
    }


def _adam(
    optimizer: Any, keras_step: Callable[..., None], gradients: list[Any], variables: list[Any], rate: Any
) -> None:
    ops, dtype = keras.ops, variables[0].value.dtype
    number = ops.cast(optimizer.iterations + 1, dtype)
    decay_1, decay_2 = (ops.power(ops.cast(beta, dtype), number) for beta in (optimizer.beta_1, optimizer.beta_2))
    corrected_rate = ops.cast(rate, dtype) * ops.sqrt(1 - decay_2) / (1 - decay_1)
    settings = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
    small: list[list[torch.Tensor]] = []
    for variable, gradient in zip(variables, gradients, strict=True):
        moments = [
            None if moment is None else moment.value for moment in keras_internals.moments_of(optimizer, variable)
        ]
        first, second, largest = moments
        tensors = [variable.value, gradient, first, second, *([] if largest is None else [largest])]
        if _is_large(tensors):
            torch.ops.trivium.adam(variable.value, gradient, first, second, largest, corrected_rate, *settings)
        else:
            small.append(tensors)
    if small:
        _small_adam(small, corrected_rate, *settings)


def _small_adam(
    tensors: Sequence[Sequence[torch.Tensor]], rate: torch.Tensor, beta_1: float, beta_2: float, epsilon: float
) -> None:
    """Update all weights together: each call from Python is one operation on all of them.

    Args:
        tensors: (weights, gradient, first moment, second moment) of each variable, and the largest second moment where
            the optimizer uses it.
    """
    weights, gradients, firsts, seconds, *largest = map(list, zip(*tensors, strict=True))
    torch._foreach_mul_(firsts, beta_1)
    torch._foreach_add_(firsts, gradients, alpha=1 - beta_1)
    torch._foreach_mul_(seconds, beta_2)
    torch._foreach_addcmul_(seconds, gradients, gradients, 1 - beta_2)
    if largest:
        torch._foreach_maximum_(largest[0], seconds)
        seconds = largest[0]
    deviations = torch._foreach_sqrt(seconds)
    torch._foreach_add_(deviations, epsilon)
    torch._foreach_addcdiv_(weights, torch._foreach_mul(firsts, rate), deviations, -1)


def separate_adam(
    weights: torch.Tensor,
    gradient: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    largest: torch.Tensor | None,
    rate: torch.Tensor,
    *settings: float,
) -> None:
    """Do what `trivium::adam` does, by PyTorch's separate operations."""
    _small_adam([[weights, gradient, first, second, *([] if largest is None else [largest])]], rate, *settings)


@torch.library.custom_op(  # type: ignore[untyped-decorator]
    "trivium::adam",
    mutates_args=("weights", "first", "second", "largest"),
    schema="(Tensor(a!) weights, Tensor gradient, Tensor(b!) first, Tensor(c!) second, Tensor(d!)? largest, "
    "Tensor rate, float beta_1, float beta_2, float epsilon) -> ()",
)
def _large_adam(
    weights: torch.Tensor,
    gradient: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    largest: torch.Tensor | None,
    rate: torch.Tensor,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Update large weights in one pass. A custom operation, because capturing decomposes PyTorch's fused one."""
    adam(
        [weights],
        [gradient],
        [first],
        [second],
        [] if largest is None else [largest],
        [torch.full((), _LATE_STEP, device=weights.device)],
        fused=True,
        amsgrad=largest is not None,
        beta1=beta_1,
        beta2=beta_2,
        lr=float(rate),
        weight_decay=0.0,  # Keras has applied it already
        eps=epsilon,
        maximize=False,
    )


def _sgd(
    optimizer: Any, keras_step: Callable[..., None], gradients: list[Any], variables: list[Any], rate: Any
) -> None:
    for variable, gradient in zip(variables, gradients, strict=True):
        weights = variable.value
        descent = -keras.ops.cast(rate, weights.dtype)
        if not optimizer.momentum:
            weights.addcmul_(gradient, descent)
            continue
        momentum = keras_internals.momentum_of(optimizer, variable).value
        momentum.mul_(optimizer.momentum).addcmul_(gradient, descent)
        if optimizer.nesterov:
            weights.addcmul_(gradient, descent).add_(momentum, alpha=optimizer.momentum)
        else:
            weights.add_(momentum)


def _is_large(tensors: list[torch.Tensor]) -> bool:
    """Return whether the fused kernel is faster for these tensors and accepts them: it needs contiguous memory."""
    first = tensors[0]
    return first.numel() >= _MIN_FUSED_SIZE and all(
        tensor.dtype == first.dtype and tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in tensors
    )
