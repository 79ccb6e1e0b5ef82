"""`TracedProgram`: a function of JAX as plain data, for every batch size.

`jax/tracing.py` writes it, and nothing here depends on JAX. Nested calls are inlined. An axis whose length is a
multiple of the batch size has the length None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int | None, ...]
# The primitives that are not JAX's own: an activation of `jax.nn`, and one position along the first axis of an array.
ACTIVATION, POSITION = "activation", "position"


@dataclass(frozen=True)
class TracedValue:
    """An input or output of an equation.

    Attributes:
        name: unique in the program.
        shape: None for an axis of the batch.
        dtype: NumPy's name of it, or JAX' own.
    """

    name: str
    shape: Shape
    dtype: str

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True, eq=False)
class TracedEquation:
    """One primitive.

    Attributes:
        primitive: its name, such as "dot_general".
        inputs, outputs: its values.
        settings: its parameters; lengths of the batch are None.
        place: the line of the user's code, as `net.py:12`; empty if it is not known.
    """

    primitive: str
    inputs: tuple[TracedValue, ...]
    outputs: tuple[TracedValue, ...]
    settings: Mapping[str, Any]
    place: str


@dataclass(frozen=True, eq=False)
class TracedWeight:
    """An array of floats that the function reads.

    Attributes:
        path: its place in the parameters, as `dense.kernel`; "constant" for an array that the function closes over.
        value: the array.
        trainable: whether it is one of the parameters.
    """

    path: str
    value: np.ndarray
    trainable: bool


@dataclass(frozen=True, eq=False)
class TracedProgram:
    """A function.

    Attributes:
        name: of the function.
        inputs: without the parameters.
        outputs: the leaves of what it returns.
        equations: those that the outputs depend on, in order.
        weights: by the names of their values.
        constants: values that depend on no input and on no trainable weight. Equal samples are there once, so that
            an axis of the batch has length 1.
        varying: the names of such values that do not fit all batch sizes.
        input_names: those of the function's parameters.
    """

    name: str
    inputs: tuple[TracedValue, ...]
    outputs: tuple[TracedValue, ...]
    equations: tuple[TracedEquation, ...]
    weights: Mapping[str, TracedWeight]
    constants: Mapping[str, np.ndarray]
    varying: frozenset[str]
    input_names: tuple[str, ...] = ()
