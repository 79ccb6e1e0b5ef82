"""Trace a function of JAX into a `TracedProgram`, which holds for every batch size.

The function is traced at two batch sizes. Lengths that differ in proportion are those of the batch; anything else that
differs would make the program one for a single batch size, and is refused.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from ...errors import PortError, first_line
from ..traced_program import Shape, TracedEquation, TracedProgram, TracedValue, TracedWeight
from .flattening import Flattener

_SIZES = 2, 3


class _BatchSizeError(Exception):
    """A length that is no multiple of the batch size."""


def trace(
    name: str, function: Callable[..., Any], params: Any, state: Any, inputs: Sequence[np.ndarray]
) -> TracedProgram:
    """Trace `function(params, state, *inputs)`.

    Args:
        name: of the function.
        function: the function.
        params: a tree of arrays; those of floats are trainable.
        state: a tree of arrays that are not trained.
        inputs: arrays whose first axis is the batch.

    Raises:
        PortError: JAX cannot trace the function, or it computes otherwise at another batch size.
    """
    weights = [*_named_arrays(params, True), *_named_arrays(state, False)]
    first, second = (_trace_at(name, function, params, state, inputs, weights, size) for size in _SIZES)
    try:
        return _merge(name, first, second, weights, len(inputs))
    except _BatchSizeError as error:
        raise PortError(f"{name} does not compute each sample alone: {error}") from error


def _named_arrays(tree: Any, trainable: bool) -> Iterator[TracedWeight]:
    names: set[str] = set()
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if len(path) > 1 and path[-1] == jax.tree_util.GetAttrKey("value"):  # of a variable of Flax NNX
            path = path[:-1]
        name = ".".join(str(_key(entry)) for entry in path) or "weight"
        name = f"{name}_{len(names)}" if name in names else name
        names.add(name)
        try:
            array = np.asarray(jax.numpy.asarray(leaf))
        except (TypeError, ValueError) as error:
            raise PortError(f"the parameter {name} is {type(leaf).__name__}, expected an array of numbers") from error
        if array.dtype.kind not in "fiub" or (array.dtype.kind == "f" and array.dtype != np.float32):
            raise PortError(
                f"the parameter {name} is {array.dtype.name}, and only float32, integers and bool are covered"
            )
        yield TracedWeight(name, array, trainable and array.dtype.kind == "f")


def _key(entry: Any) -> Any:
    return next((getattr(entry, name) for name in ("key", "idx", "name") if hasattr(entry, name)), entry)


# --- one trace ------------------------------------------------------------------------------------------------------


class _Trace:
    """The flat equations of a function at one batch size."""

    def __init__(self, closed: Any, weights: Sequence[TracedWeight]):
        self.flattener = Flattener()
        inputs = [self.flattener.value(aval) for aval in closed.in_avals]
        self.weights, self.inputs = inputs[: len(weights)], inputs[len(weights) :]
        for value, weight in zip(self.weights, weights, strict=True):
            if not weight.trainable:
                self.flattener.constants[value.name] = weight.value
        # Arrays that the function closes over.
        self.closed = [self.flattener.constant(array) for array in closed.consts if _is_plain(array)]
        values = iter(self.closed)
        constants = [next(values) if _is_plain(array) else array for array in closed.consts]
        self.outputs = self.flattener.flatten(closed.jaxpr, constants, inputs)


def _is_plain(array: Any) -> bool:
    return hasattr(array, "dtype") and not jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key)


def _trace_at(
    name: str,
    function: Callable[..., Any],
    params: Any,
    state: Any,
    inputs: Sequence[np.ndarray],
    weights: Sequence[TracedWeight],
    size: int,
) -> _Trace:
    structs = [jax.ShapeDtypeStruct((size, *array.shape[1:]), _dtype(array)) for array in inputs]
    try:
        return _Trace(jax.make_jaxpr(function)(params, state, *structs), weights)
    except Exception as error:  # the user's own code may raise anything
        raise PortError(f"JAX cannot trace {name} at a batch of {size}: {first_line(error, 300)}") from error


def _dtype(array: np.ndarray) -> Any:
    return jax.dtypes.canonicalize_dtype(array.dtype)


# --- two traces as one ----------------------------------------------------------------------------------------------


def _merge(name: str, first: _Trace, second: _Trace, weights: Sequence[TracedWeight], inputs: int) -> TracedProgram:
    one, two = first.flattener, second.flattener
    if [each.primitive for each in one.equations] != [each.primitive for each in two.equations]:
        raise _BatchSizeError(f"its operations at a batch of {_SIZES[0]} are others than at {_SIZES[1]}")
    equations = [_merge_equations(*pair) for pair in zip(one.equations, two.equations, strict=True)]
    outputs = tuple(_merge_values(*pair) for pair in zip(first.outputs, second.outputs, strict=True))
    constants, varying = _merge_constants(one, two)
    named = {value.name: weight for value, weight in zip(first.weights, weights, strict=True)}
    for number, value in enumerate(first.closed):
        named[value.name] = TracedWeight(f"constant_{number}", one.constants[value.name], False)
    return TracedProgram(
        name,
        tuple(_merge_values(*pair) for pair in zip(first.inputs, second.inputs, strict=True)),
        outputs,
        tuple(_needed(equations, outputs)),
        {key: weight for key, weight in named.items() if weight.trainable or _is_frozen(weight.value)},
        constants,
        frozenset(varying),
    )


def _is_frozen(array: np.ndarray) -> bool:
    """Return whether an array is a weight that is not trained, and not just a number."""
    return array.dtype == np.float32 and array.ndim > 0


def _needed(equations: Sequence[TracedEquation], outputs: Sequence[TracedValue]) -> list[TracedEquation]:
    """Return the equations that the outputs depend on; of a constant too, whose definition tells what it is."""
    wanted, needed = {value.name for value in outputs}, []
    for equation in reversed(equations):
        if wanted.intersection(value.name for value in equation.outputs):
            wanted.update(value.name for value in equation.inputs)
            needed.append(equation)
    return needed[::-1]


def _merge_values(one: TracedValue, two: TracedValue) -> TracedValue:
    if len(one.shape) != len(two.shape) or one.dtype != two.dtype:
        raise _BatchSizeError(f"an array of it has {len(one.shape)} axes or {len(two.shape)}, depending on the batch")
    return replace(one, shape=_merge_shapes(one.shape, two.shape))


def _merge_shapes(one: Shape, two: Shape) -> Shape:
    return tuple(_merge_lengths(n, m) for n, m in zip(one, two, strict=True))


def _merge_lengths(one: int | None, two: int | None) -> int | None:
    if one == two or one is None or two is None:
        return one
    if one * _SIZES[1] != two * _SIZES[0]:
        raise _BatchSizeError(f"a length is {one} at a batch of {_SIZES[0]}, but {two} at {_SIZES[1]}")
    return None


def _merge_equations(one: TracedEquation, two: TracedEquation) -> TracedEquation:
    try:
        return replace(
            one,
            inputs=tuple(_merge_values(*pair) for pair in zip(one.inputs, two.inputs, strict=True)),
            outputs=tuple(_merge_values(*pair) for pair in zip(one.outputs, two.outputs, strict=True)),
            settings={
                key: _merge_settings(_plain(value), _plain(two.settings[key])) for key, value in one.settings.items()
            },
        )
    except _BatchSizeError as error:
        raise _BatchSizeError(f"{error} ({one.primitive}{', ' if one.place else ''}{one.place})") from error


def _plain(value: Any) -> Any:
    """Return a parameter of a primitive as plain Python; a function or a jaxpr as None."""
    if hasattr(value, "_asdict"):
        return {key: _plain(each) for key, each in value._asdict().items()}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (bool, str, float)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (tuple, list)):
        return tuple(_plain(each) for each in value)
    if isinstance(value, (np.dtype, type)):
        return np.dtype(value).name if value is not jax.numpy.bfloat16 else "bfloat16"
    return None


def _merge_settings(one: Any, two: Any) -> Any:
    if isinstance(one, dict) and isinstance(two, dict):
        return {key: _merge_settings(value, two[key]) for key, value in one.items()}
    if isinstance(one, tuple) and isinstance(two, tuple) and len(one) == len(two):
        return tuple(_merge_settings(*pair) for pair in zip(one, two, strict=True))
    if isinstance(one, int) and isinstance(two, int) and not isinstance(one, bool):
        return _merge_lengths(one, two)
    if repr(one) != repr(two):  # not a number is not equal to itself
        raise _BatchSizeError(f"a setting is {one!r} at a batch of {_SIZES[0]}, but {two!r} at {_SIZES[1]}")
    return one


def _merge_constants(one: Flattener, two: Flattener) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the constants that hold for every batch size, and the names of the others."""
    constants, varying = {}, []
    for name, array in one.constants.items():
        other = two.constants.get(name)
        common = None if other is None else _common(array, other)
        if common is None:
            varying.append(name)
        else:
            constants[name] = common
    return constants, varying


def _common(one: np.ndarray, two: np.ndarray) -> np.ndarray | None:
    """Return what a constant is at both batch sizes, with one of its equal samples; None if it is not the same."""
    axes = [axis for axis, (n, m) in enumerate(zip(one.shape, two.shape, strict=True)) if n != m]
    small, other = _without_copies(one, axes), _without_copies(two, axes)
    if small is None or other is None:
        return None
    return small if np.array_equal(small, other, equal_nan=small.dtype.kind == "f") else None


def _without_copies(array: np.ndarray, axes: Sequence[int]) -> np.ndarray | None:
    """Return an array with one of the equal positions along some axes; None if they are not equal."""
    for axis in axes:
        first = array.take([0], axis=axis)
        if not np.array_equal(np.broadcast_to(first, array.shape), array, equal_nan=array.dtype.kind == "f"):
            return None
        array = first
    return array
