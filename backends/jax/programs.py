"""Tracing a function of JAX and running it, for networks that are rebuilt in Keras."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from ...errors import PortError
from ..traced_program import TracedProgram
from . import tracing


@dataclass(frozen=True, eq=False)
class JaxNetwork:
    """A function of JAX with its arrays.

    Attributes:
        name: of the function, for messages.
        function: called with `params`, `state` and the inputs.
        params: a tree of arrays, of which the floats are trained.
        state: a tree of arrays that are not trained.
        input_names: as many as are known.
    """

    name: str
    function: Callable[..., Any]
    params: Any
    state: Any
    input_names: tuple[str, ...] = ()

    def __call__(self, params: Any, inputs: Sequence[Any]) -> list[Any]:
        with jax.default_matmul_precision("highest"):
            return list(jax.tree_util.tree_leaves(self.function(params, self.state, *inputs)))


def is_module(value: Any) -> bool:
    """Return whether a value is a module of Flax NNX; Flax is not imported for that."""
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(value, nnx.Module)


def of_function(function: Callable[..., Any], params: Any) -> JaxNetwork:
    """Return the network of a `function(params, *inputs)`."""

    def call(params: Any, state: Any, *inputs: Any) -> Any:
        return function(params, *inputs)

    name = getattr(function, "__name__", type(function).__name__)
    return JaxNetwork("function" if name == "<lambda>" else name, call, params, (), _input_names(function, 1))


def of_module(module: Any) -> JaxNetwork:
    """Return the network of a module of Flax NNX, in eval mode: what it stores as `nnx.Param` is trained."""
    nnx = sys.modules["flax.nnx"]
    copy = nnx.merge(*nnx.split(module))  # whose mode may change
    copy.eval()
    graph, params, generators, state = nnx.split(copy, nnx.Param, nnx.RngState, ...)

    def call(params: Any, state: Any, *inputs: Any) -> Any:
        return nnx.merge(graph, params, generators, state, copy=True)(*inputs)

    names = _input_names(type(module).__call__, 1)
    return JaxNetwork(type(module).__name__.lower(), call, params, state, names)


def _input_names(function: Callable[..., Any], skipped: int) -> tuple[str, ...]:
    """Return the names of the parameters of a function after the first ones; none if they are not known."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[skipped:]
    except (TypeError, ValueError):
        return ()
    return tuple(each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD)


def as_arrays(inputs: Any) -> list[np.ndarray]:
    """Return example inputs as NumPy arrays.

    Raises:
        PortError: an input is not an array, or has no samples.
    """
    arrays: list[Any] = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    for array in arrays:
        if not isinstance(array, (jax.Array, np.ndarray)) or not array.ndim or not array.size:
            raise PortError(
                f"an example input is {type(array).__name__}, expected arrays with samples along the first axis"
            )
    return [np.asarray(jax.numpy.asarray(array)) for array in arrays]


def trace(network: JaxNetwork, inputs: Sequence[np.ndarray]) -> TracedProgram:
    """Return what a network computes, for every batch size; see `tracing.trace`."""
    names = [*network.input_names, *(f"input_{index}" for index in range(len(network.input_names), len(inputs)))]
    program = tracing.trace(network.name, network.function, network.params, network.state, inputs)
    return replace(program, input_names=tuple(names[: len(inputs)]))


def answers(network: JaxNetwork, batches: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any]:
    """Run a network on batches; return `answers`, one array for each output, and `versions`."""
    outputs = {name: _answers(network, network.params, arrays) for name, arrays in batches.items()}
    return {"answers": outputs, "versions": {"jax": jax.__version__}}


def _answers(network: JaxNetwork, params: Any, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    outputs = jax.jit(network)(params, [jax.numpy.asarray(array) for array in inputs])
    return [np.asarray(output) for output in outputs]


def answers_after_step(
    network: JaxNetwork, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray], rate: float
) -> list[np.ndarray]:
    """Return what a network answers after one step of gradient descent on its parameters that are floats.

    Args:
        network: the network.
        inputs: a batch.
        targets: one array per output; empty for an output that has no part in the loss, which is the sum of the mean
            squared differences.
        rate: the learning rate.
    """
    leaves, structure = jax.tree_util.tree_flatten(network.params)
    leaves = [jax.numpy.asarray(leaf) for leaf in leaves]
    places = [place for place, leaf in enumerate(leaves) if jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)]

    def with_floats(floats: Sequence[Any]) -> Any:
        current = list(leaves)
        for place, value in zip(places, floats, strict=True):
            current[place] = value
        return jax.tree_util.tree_unflatten(structure, current)

    def loss(floats: Sequence[Any]) -> Any:
        outputs = network(with_floats(floats), [jax.numpy.asarray(array) for array in inputs])
        pairs = [(output, target) for output, target in zip(outputs, targets, strict=True) if target.size]
        return sum((((output - target) ** 2).mean() for output, target in pairs), jax.numpy.zeros(()))

    weights = [leaves[place] for place in places]
    stepped = [weight - rate * change for weight, change in zip(weights, jax.jit(jax.grad(loss))(weights), strict=True)]
    return _answers(network, with_floats(stepped), inputs)
