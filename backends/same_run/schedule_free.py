"""The step of `ScheduleFreeAdamW` with the momentum before the step, as its definition has it.

Keras 3.15 keeps the momentum before the step as `momentum.value`, then updates it in place. Under TensorFlow and
PyTorch that is the variable itself, so the step uses the new momentum twice; under JAX it is the old value. After 20
steps the weights differ by a tenth. docs/upstream/keras-schedule-free-torch.md is the report. Its reproducer notices
when this can go, and a test runs it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .. import keras_internals
from ..replaced_methods import original_method, overridden


@contextlib.contextmanager
def old_momentum() -> Iterator[None]:
    """Within this context, `ScheduleFreeAdamW` averages with the momentum before the step (Defazio et al., 2024)."""
    import keras

    optimizer_class, ops = keras.optimizers.ScheduleFreeAdamW, keras.ops
    keras_step = original_method(optimizer_class, "update_step")

    def update_step(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        momentum = keras_internals.schedule_free_momentum(optimizer, variable)
        weights_before, momentum_before = (ops.copy(array) for array in (variable, momentum))
        keras_step(optimizer, gradient, variable, learning_rate)
        dtype = variable.dtype
        beta, share = ops.cast(optimizer.beta_1, dtype), 1 / ops.cast(optimizer.iterations + 1, dtype)
        average = (weights_before - (1 - beta) * momentum_before) / beta
        average = (1 - share) * average + share * momentum
        optimizer.assign(variable, (1 - beta) * momentum + beta * average)

    with overridden([(optimizer_class, "update_step", update_step)]):
        yield
