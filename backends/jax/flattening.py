"""Flatten a jaxpr into one list of equations: nested calls are inlined, loops of few rounds are unrolled.

What depends on constants only is computed here by JAX itself. Random numbers never are: a function that draws some is
refused later. An activation of `jax.nn` stays one equation if its jaxpr is exactly that of `jax.nn`, so that its
gradient is the library's too.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..traced_program import ACTIVATION, POSITION, TracedEquation, TracedValue

# Calls, which only give a name, a gradient or a memory policy to what they compute.
_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "remat2"}
    | {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "custom_lin"}
)
_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")
# The functions of `jax.nn` with the same names in Keras.
_ACTIVATIONS = ("relu", "relu6", "silu", "softplus", "log_sigmoid", "selu", "hard_sigmoid", "hard_silu", "soft_sign")
_ROUNDS, _EQUATIONS = 128, 20_000  # limits of an unrolled loop, and of the whole
_LIBRARIES = ("jax", "jaxlib", "flax", "equinox", "haiku", "trivium", "optax", "einops")


@dataclass
class Flattener:
    """The equations of one trace.

    Attributes:
        equations: in order.
        constants: values that are known, by name.
    """

    equations: list[TracedEquation] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    _count: int = 0

    def value(self, aval: Any) -> TracedValue:
        """Return a value of a new name."""
        self._count += 1
        return TracedValue(f"v%{self._count}", tuple(int(n) for n in aval.shape), str(aval.dtype))

    def constant(self, array: Any) -> TracedValue:
        """Return a value that is known."""
        value = self.value(array if hasattr(array, "dtype") else np.asarray(array))
        self.constants[value.name] = np.asarray(array)
        return value

    def flatten(
        self, jaxpr: Any, constants: Sequence[Any], inputs: Sequence[TracedValue], place: str = ""
    ) -> list[TracedValue]:
        """Add the equations of a jaxpr, and return its outputs.

        Args:
            constants: the values of its constants: arrays, or values already.
            place: the line of the user's code that calls it.
        """
        values = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, array in zip(jaxpr.constvars, constants, strict=True):
            values[variable] = array if isinstance(array, TracedValue) else self._constant(array)
        for equation in jaxpr.eqns:
            read = [self._read(values, variable) for variable in equation.invars]
            outputs = self._add(equation, read, _place(equation) or place)
            values.update(zip(equation.outvars, outputs, strict=True))
        return [self._read(values, variable) for variable in jaxpr.outvars]

    def _constant(self, array: Any) -> TracedValue:
        is_array = hasattr(array, "dtype") and not jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key)
        return self.constant(array) if is_array else self.value(array)

    def _read(self, values: dict[Any, TracedValue], variable: Any) -> TracedValue:
        if hasattr(variable, "val"):  # a literal
            return self.constant(np.asarray(variable.val, variable.aval.dtype))
        return values[variable]

    def _add(self, equation: Any, inputs: list[TracedValue], place: str) -> list[TracedValue]:
        name, settings = str(equation.primitive), equation.params
        if name in _CALLS:
            body = next(settings[key] for key in _BODIES if key in settings)
            jaxpr, constants = getattr(body, "jaxpr", body), getattr(body, "consts", ())
            activation = _activation(equation, jaxpr)
            if activation and inputs[0].name not in self.constants:
                return self._append(ACTIVATION, inputs, {"name": activation}, equation, place)
            return self.flatten(jaxpr, constants, inputs, place)
        if name == "scan" and settings["length"] <= _ROUNDS:
            return self._unroll(equation, inputs, place)
        if name == "cond" and inputs[0].name in self.constants:
            branches = settings["branches"]
            branch = branches[int(np.clip(self.constants[inputs[0].name], 0, len(branches) - 1))]
            return self.flatten(branch.jaxpr, branch.consts, inputs[1:], place)
        return self._append(name, inputs, settings, equation, place)

    def _append(
        self, name: str, inputs: list[TracedValue], settings: Any, equation: Any, place: str
    ) -> list[TracedValue]:
        outputs = [self.value(variable.aval) for variable in equation.outvars]
        self.equations.append(TracedEquation(name, tuple(inputs), tuple(outputs), settings, place))
        if len(self.equations) > _EQUATIONS:
            raise ValueError(f"it has over {_EQUATIONS:,} primitives once its loops are unrolled")
        if _is_deterministic(name) and all(value.name in self.constants for value in inputs):
            arrays = [self.constants[value.name] for value in inputs]
            results = equation.primitive.bind(*arrays, **equation.params)
            results = results if equation.primitive.multiple_results else [results]
            self.constants.update((value.name, np.asarray(each)) for value, each in zip(outputs, results, strict=True))
        return outputs

    # --- loops ---------------------------------------------------------------------------------------------------

    def _unroll(self, equation: Any, inputs: list[TracedValue], place: str) -> list[TracedValue]:
        """Add the body of a scan once for each position."""
        settings, body = equation.params, equation.params["jaxpr"]
        shared, carried = settings["num_consts"], settings["num_carry"]
        fixed, carry, sequences = inputs[:shared], inputs[shared : shared + carried], inputs[shared + carried :]
        length = settings["length"]
        order = range(length - 1, -1, -1) if settings["reverse"] else range(length)
        rows: list[list[TracedValue]] = [[] for _ in range(length)]
        for index in order:
            positions = [self._position(sequence, index, place) for sequence in sequences]
            outputs = self.flatten(body.jaxpr, body.consts, [*fixed, *carry, *positions], place)
            carry, rows[index] = outputs[:carried], outputs[carried:]
        stacked = zip(equation.outvars[carried:], zip(*rows, strict=True), strict=True) if length else ()
        return [*carry, *(self._stack(list(values), variable, place) for variable, values in stacked)]

    def _position(self, sequence: TracedValue, index: int, place: str) -> TracedValue:
        output = TracedValue(self.value(np.zeros(0)).name, sequence.shape[1:], sequence.dtype)
        if sequence.name in self.constants:
            self.constants[output.name] = self.constants[sequence.name][index]
        self.equations.append(TracedEquation(POSITION, (sequence,), (output,), {"index": index}, place))
        return output

    def _stack(self, values: list[TracedValue], variable: Any, place: str) -> TracedValue:
        output = self.value(variable.aval)
        if all(value.name in self.constants for value in values):
            self.constants[output.name] = np.stack([self.constants[value.name] for value in values])
        self.equations.append(TracedEquation("stack", tuple(values), (output,), {"axis": 0}, place))
        return output


def _is_deterministic(name: str) -> bool:
    return not name.startswith(("random_", "threefry", "rng_")) and name not in ("while", "scan")


def _activation(equation: Any, jaxpr: Any) -> str:
    """Return the name of the function of `jax.nn` that a call is; empty if it is none."""
    named = [equation, *jaxpr.eqns[:1]]  # a call with a gradient of its own has its name one level deeper
    name = next((each.params["name"] for each in named if "name" in each.params), "")
    if name not in _ACTIVATIONS or len(jaxpr.invars) != 1:
        return ""
    aval = jaxpr.invars[0].aval
    same = str(jaxpr) == _body_of(name, tuple(aval.shape), str(aval.dtype))
    return {"soft_sign": "softsign"}.get(name, name) if same else ""


@functools.cache
def _body_of(name: str, shape: tuple[int, ...], dtype: str) -> str:
    """Return the jaxpr of a function of `jax.nn` as text."""
    (equation, *others) = jax.make_jaxpr(getattr(jax.nn, name))(jax.ShapeDtypeStruct(shape, dtype)).eqns
    body = next((equation.params[key] for key in _BODIES if key in equation.params), None)
    return "" if others or body is None else str(getattr(body, "jaxpr", body))


def _place(equation: Any) -> str:
    """Return the file and line of the user's code that an equation comes from."""
    traceback = getattr(equation.source_info, "traceback", None)
    for frame in traceback.frames if traceback is not None else ():
        if not _is_library(Path(frame.file_name)):
            return f"{Path(frame.file_name).name}:{frame.line_num}"
    return ""


def _is_library(file: Path) -> bool:
    """Return whether a file is no code of the user: of JAX, of a library upon it, of trivium, or no file at all."""
    if file.name.startswith("<"):
        return True
    is_own = file.is_relative_to(Path(__file__).parents[2]) and "tests" not in file.parts
    return is_own or ("site-packages" in file.parts and any(library in file.parts for library in _LIBRARIES))
