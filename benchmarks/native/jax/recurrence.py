"""Recurrent layers in JAX. The input projections of all steps are one product; `lax.scan` does the rest."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .forward_pass import ForwardPass


def lstm(forward: ForwardPass, x: jax.Array) -> jax.Array:
    """(steps, n, features) → (steps, n, units)."""
    kernel, recurrent, bias = forward.take(3)

    def step(state: tuple[jax.Array, jax.Array], step_input: jax.Array) -> Any:
        hidden, memory = state
        enter, forget, new, leave = jnp.split(step_input + hidden @ recurrent, 4, axis=-1)
        memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(enter) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(leave) * jnp.tanh(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros((x.shape[1], recurrent.shape[0]))
    _, outputs = jax.lax.scan(step, (zeros, zeros), x @ kernel + bias)
    return outputs


def gru(forward: ForwardPass, x: jax.Array) -> jax.Array:
    """(steps, n, features) → (steps, n, units)."""
    kernel, recurrent, bias = forward.take(3)

    def step(hidden: jax.Array, step_input: jax.Array) -> Any:
        update, reset, new = jnp.split(step_input, 3, axis=-1)
        from_update, from_reset, from_new = jnp.split(hidden @ recurrent + bias[1], 3, axis=-1)
        update = jax.nn.sigmoid(update + from_update)
        new = jnp.tanh(new + jax.nn.sigmoid(reset + from_reset) * from_new)
        hidden = update * hidden + (1 - update) * new
        return hidden, hidden

    zeros = jnp.zeros((x.shape[1], recurrent.shape[0]))
    _, outputs = jax.lax.scan(step, zeros, x @ kernel + bias[0])
    return outputs
