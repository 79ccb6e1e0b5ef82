"""Optimizer steps that go over the weights once, and that can be captured: the same arithmetic as Keras' own.

Keras' Adam under PyTorch goes over the weights and both moments ten times; its SGD asks for the learning rate as a
Python number, which a captured step would hold for ever. They take the place of Keras' step for as long as a model
trains, on the optimizer itself.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import torch
from torch.optim.adam import adam

# Private; tests/backends/torch/test_optimizers.py notices when it moves.
_STEP = "_parallel_update_step"
# After so many steps nothing is left of the bias that PyTorch's Adam would correct; it is in Keras' rate already.
_LATE = 1e9
# Weights of which fewer operations of one pass each cost less than one call from Python.
_LARGE = 2**14


@contextlib.contextmanager
def tuned(optimizer: Any) -> Iterator[None]:
    """While it lasts, the optimizer computes the same in the way that is fastest here; one that scales the loss too."""
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
    """By the classes that Keras makes of its optimizers under PyTorch; a user's own is none of them."""
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
    left_1, left_2 = (ops.power(ops.cast(beta, dtype), number) for beta in (optimizer.beta_1, optimizer.beta_2))
    corrected = ops.cast(rate, dtype) * ops.sqrt(1 - left_2) / (1 - left_1)
    settings = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
    for variable, gradient in zip(variables, gradients, strict=True):
        place = optimizer._get_variable_index(variable)
        first, second = optimizer._momentums[place].value, optimizer._velocities[place].value
        largest = optimizer._velocity_hats[place].value if optimizer.amsgrad else None
        touched = [variable.value, gradient, first, second, *([] if largest is None else [largest])]
        step: Callable[..., None] = torch.ops.trivium.adam if _is_large(touched) else _small_adam
        step(variable.value, gradient, first, second, largest, corrected, *settings)


def _small_adam(
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
    first.mul_(beta_1).add_(gradient, alpha=1 - beta_1)
    second.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
    if largest is not None:
        torch.maximum(largest, second, out=largest)
        second = largest
    weights.addcdiv_(first * rate, second.sqrt().add_(epsilon), value=-1)


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
    """One pass over all of them. An operation of its own, because a captured step loses PyTorch's fused one."""
    adam(
        [weights],
        [gradient],
        [first],
        [second],
        [] if largest is None else [largest],
        [torch.full((), _LATE, device=weights.device)],
        fused=True,
        amsgrad=largest is not None,
        beta1=beta_1,
        beta2=beta_2,
        lr=float(rate),
        weight_decay=0.0,  # Keras has done it by now
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
        momentum = optimizer.momentums[optimizer._get_variable_index(variable)].value
        momentum.mul_(optimizer.momentum).addcmul_(gradient, descent)
        if optimizer.nesterov:
            weights.addcmul_(gradient, descent).add_(momentum, alpha=optimizer.momentum)
        else:
            weights.add_(momentum)


def _is_large(tensors: list[torch.Tensor]) -> bool:
    """Whether the fused kernel pays, and can take them: it goes over memory as it lies."""
    first = tensors[0]
    return first.numel() >= _LARGE and all(
        tensor.dtype == first.dtype and tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in tensors
    )
