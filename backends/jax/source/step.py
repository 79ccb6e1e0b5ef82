"""The program that takes one step of gradient descent with a written function, by which the function is verified."""

from __future__ import annotations

_HEAD = """import jax
import jax.numpy as jnp
import numpy as np

from model import apply, load
"""
# One program returns the answers beside the gradients, and NumPy computes the step: JAX would compile another program,
# and small ones for each shape of a weight, for longer than it computes. It runs twice only, and compiles in half the
# time without LLVM's optimisations.
_BODY = """
    def loss(params, inputs):
        outputs = answers(params, inputs)
        pairs = [(o, t) for o, t in zip(outputs, targets, strict=True) if t.size]
        return sum(jnp.mean((output - target) ** 2) for output, target in pairs), outputs

    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    compute = jax.jit(jax.grad(loss, has_aux=True), compiler_options=options)
    gradients, _ = compute(params, inputs)
    params = jax.tree.map(lambda weight, gradient: np.asarray(weight) - rate * np.asarray(gradient), params, gradients)
    return [np.asarray(output) for output in compute(params, inputs)[1]]
"""

STEP = (
    _HEAD
    + """

def answers_after_step(inputs, targets, rate):
    params = load()

    def answers(params, inputs):
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

    def answers(params, inputs):
        outputs, _ = apply(params, state, *inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)
"""
    + _BODY
)
