"""A step that reads and changes Keras variables as a function of their values, which is what JAX differentiates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras

from ..epochs import variable_groups
from ..runtime import Minimise

State = tuple[list[jax.Array], ...]


def stateless_step(
    model: Any, step: Callable[[Any, Minimise], Any], state: State, data: Any
) -> tuple[dict[str, jax.Array], State]:
    """Call a step with these values of the model's variables; return its metrics, and the values after it.

    Args:
        model: compiled.
        step: see `Runtime.call_step`.
        state: the values as Keras gives them to `train_step`, or without the optimizer's to `test_step`.
        data: of the batch.
    """
    weights, others, optimizer, metrics = variable_groups(model)
    groups = (weights, others, optimizer, metrics) if len(state) > 3 else (weights, others, metrics)
    pairs = [pair for group, values in zip(groups, state, strict=True) for pair in zip(group, values, strict=True)]
    with keras.StatelessScope(state_mapping=pairs, collect_losses=True) as scope:
        logs = step(data, functools.partial(_minimise, scope, [variable for variable, _ in pairs]))
    after = tuple([scope.get_current_value(variable) for variable in group] for group in groups)
    return logs, after


def _minimise(
    scope: keras.StatelessScope,
    known: Sequence[Any],
    compute: Callable[[], tuple[Any, Any]],
    optimizer: Any,
    variables: Sequence[Any],
) -> Any:
    def loss_of(values: list[jax.Array]) -> tuple[jax.Array, tuple[Any, list[jax.Array]]]:
        current = [(variable, scope.get_current_value(variable)) for variable in known]
        own = zip(variables, values, strict=True)
        with keras.StatelessScope(state_mapping=[*current, *own], collect_losses=True) as inner:
            loss, further = compute()
        return loss, (further, [inner.get_current_value(variable) for variable in known])

    def values_of(group: Sequence[Any]) -> list[jax.Array]:
        return [scope.get_current_value(variable) for variable in group]

    def assign(group: Sequence[Any], values: Sequence[jax.Array]) -> None:
        for pair in zip(group, values, strict=True):
            scope.add_update(pair)

    before = values_of(variables)
    (_, (further, after)), gradients = jax.value_and_grad(loss_of, has_aux=True)(before)
    assign(known, after)  # what the networks changed themselves: statistics and counters
    trained, state = optimizer.stateless_apply(values_of(optimizer.variables), gradients, before)
    assign(variables, trained)
    assign(optimizer.variables, state)
    return further
