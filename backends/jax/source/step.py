"""The program that takes one step of gradient descent with a written function, by which the function is verified."""

from __future__ import annotations

_HEAD = """import jax
import jax.numpy as jnp
import numpy as np

from model import apply, load
"""
_BODY = """
    def loss(params):
        pairs = [(o, t) for o, t in zip(answers(params), targets, strict=True) if t.size]
        return sum(jnp.mean((output - target) ** 2) for output, target in pairs)

    gradients = jax.jit(jax.grad(loss))(params)
    params = jax.tree.map(lambda weight, gradient: weight - rate * gradient, params, gradients)
    return [np.asarray(output) for output in jax.jit(answers)(params)]
"""

STEP = (
    _HEAD
    + """

def answers_after_step(inputs, targets, rate):
    params = load()

    def answers(params):
        outputs = apply(params, *inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)
"""
    + _BODY
)

STATEFUL_STEP = (
    _HEAD
    + """

def answers_after_step(inputs, targets, rate):
    params, state = load()

    def answers(params):
        outputs, _ = apply(params, state, *inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)
"""
    + _BODY
)
