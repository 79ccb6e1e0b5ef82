"""The state of a translation from a traced function of JAX to the nodes of `foreign_graph.py`.

A jaxpr writes every repetition as an array of full size: a bias once per sample, zeros once per position. Here an
array keeps the size that it really has (`JaxArray`), and the operations that follow repeat it as NumPy does. `full`
repeats it where the full size matters.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ....backends.traced_program import Shape, TracedEquation, TracedProgram, TracedValue
from ....errors import PortError
from ..foreign_graph import AT, ForeignNode, Operand, Ref, Weight


@dataclass(frozen=True)
class JaxArray:
    """What a value is in the graph.

    Attributes:
        operand: a reference, or a number.
        shape: its shape, from which NumPy's rules give that of the value.
    """

    operand: Operand
    shape: Shape

    @property
    def is_number(self) -> bool:
        return not isinstance(self.operand, Ref)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of several arrays together, where one position is repeated as often as needed."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((n for n in lengths if n != 1), 1) for lengths in zip(*padded, strict=True))


def open_lengths(shape: Shape) -> tuple[int, ...]:
    """Return a shape with -1 for the batch."""
    return tuple(-1 if length is None else length for length in shape)


@dataclass
class Translator:
    """The nodes and weights so far.

    Attributes:
        program: the traced function.
        tied: the names of weights that are read in several ways, and so are arrays of the model and not of its layers.
        places: for each trainable weight here, the name of the program's weight, and its places in that.
        arrays: what each value is, by name.
        producers: the equation that computes a value, by name.
        readers: the equations that read a value, by name.
        counts: the number of equations and outputs that read a value, by name.
    """

    program: TracedProgram
    tied: frozenset[str] = frozenset()
    nodes: list[ForeignNode] = field(default_factory=list)
    weights: dict[str, Weight] = field(default_factory=dict)
    places: dict[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    arrays: dict[str, JaxArray] = field(default_factory=dict)
    producers: dict[str, TracedEquation] = field(default_factory=dict)
    readers: dict[str, list[TracedEquation]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    equation: TracedEquation | None = None
    _count: int = 0

    def __post_init__(self) -> None:
        for equation in self.program.equations:
            self.producers.update((value.name, equation) for value in equation.outputs)
            self.counts.update(value.name for value in equation.inputs)
            for value in equation.inputs:
                self.readers[value.name].append(equation)
        self.counts.update(value.name for value in self.program.outputs)

    # --- reading -------------------------------------------------------------------------------------------------

    def array(self, value: TracedValue) -> JaxArray:
        """Return what a value is."""
        if value.name not in self.arrays:
            self.arrays[value.name] = self._constant(value)
        return self.arrays[value.name]

    def _constant(self, value: TracedValue) -> JaxArray:
        if value.name in self.program.weights:
            stored = self.program.weights[value.name]
            self.weights[value.name] = Weight(stored.path, stored.value, True, frozen=not stored.trainable)
            if value.name in self.tied:
                return self.emit("parameter", [Ref(value.name)], stored.value.shape)
            if stored.trainable:
                numbers = np.arange(stored.value.size, dtype="int32").reshape(stored.value.shape)
                self.places[value.name] = value.name, numbers
            return JaxArray(Ref(value.name), stored.value.shape)
        if value.name not in self.program.constants:
            raise self.refusal("it reads an array that differs from sample to sample, or depends on the batch size")
        constant = self.program.constants[value.name]
        if constant.size and (constant == constant.flat[0]).all():
            return JaxArray(constant.flat[0].item(), ())
        return self.new_weight(Weight("constant", constant, False), value.name)

    def producer(self, value: TracedValue) -> TracedEquation | None:
        """Return the equation that computes a value; None for an input, weight or constant."""
        return self.producers.get(value.name)

    def origin(self, value: TracedValue, primitives: Sequence[str]) -> TracedValue:
        """Return what a value was before equations of these primitives, each of which has it as its first input."""
        while (producer := self.producer(value)) is not None and producer.primitive in primitives:
            value = producer.inputs[0]
        return value

    def is_known(self, value: TracedValue) -> bool:
        return value.name in self.program.constants or value.name in self.program.varying

    def number(self, value: TracedValue) -> float | None:
        """Return a value that is one number everywhere, or None."""
        if value.name not in self.program.constants:
            return None
        array = self.array(value)
        return array.operand if array.is_number else None

    def known(self, value: TracedValue, what: str) -> np.ndarray:
        """Return a value that is a constant."""
        if value.name not in self.program.constants:
            raise self.refusal(f"{what} is computed by the network")
        return self.program.constants[value.name]

    def weight(self, array: JaxArray) -> Weight | None:
        """Return the weight or constant that an array is, or None."""
        return self.weights.get(array.operand.name) if isinstance(array.operand, Ref) else None

    def ranked(self, value: TracedValue) -> JaxArray:
        """Return what a value is, with as many axes as the value has; a number stays a number."""
        array = self.array(value)
        missing = value.rank - len(array.shape)
        if array.is_number or not missing:
            return array
        return self.reshaped(array, (1,) * missing + array.shape)

    def full(self, value: TracedValue) -> JaxArray:
        """Return a value in its full size."""
        array = self.array(value)
        if array.shape == value.shape and not array.is_number:
            return array
        weight, small = self.weight(array), tuple(1 if length is None else length for length in value.shape)
        if array.is_number:
            array = self.new_weight(Weight("constant", np.full(small, array.operand, value.dtype), False))
        elif weight is not None and not weight.trains_standalone:
            array = self.new_weight(
                Weight(
                    weight.name, np.array(np.broadcast_to(weight.value, small)), weight.trainable, frozen=weight.frozen
                )
            )
        if array.shape != value.shape:
            array = self.emit("expand", [array.operand], value.shape, shape=open_lengths(value.shape), open=True)
        self.arrays[value.name] = array
        return array

    # --- writing -------------------------------------------------------------------------------------------------

    def emit(self, kind: str, inputs: Sequence[Operand], shape: Shape, /, **attributes: Operand) -> JaxArray:
        """Add a node with one output, and return the output."""
        output = self.new_name()
        self.nodes.append(ForeignNode(kind, tuple(inputs), (output,), attributes, self.operator))
        return JaxArray(Ref(output), tuple(shape))

    def bind(self, array: JaxArray, index: int = 0) -> None:
        """Say what an output of the current equation is."""
        assert self.equation is not None
        self.arrays[self.equation.outputs[index].name] = array

    def new_name(self) -> str:
        self._count += 1
        return f"%{self._count}"

    def new_weight(self, weight: Weight, name: str = "") -> JaxArray:
        name = name or self.new_name()
        self.weights[name] = weight
        return JaxArray(Ref(name), weight.value.shape)

    def rearranged(self, array: JaxArray, function: Callable[[np.ndarray], np.ndarray], part: str = "") -> JaxArray:
        """Return a weight with its numbers in other places.

        Args:
            array: the weight.
            function: returns it rearranged.
            part: what tells a part of a weight from its other parts; empty if all numbers stay.
        """
        weight = self.weights[array.operand.name]
        path, _, last = weight.name.rpartition(".")
        name = ".".join(filter(None, (path, part, last))) if part else weight.name
        value = np.array(function(weight.value))
        result = self.new_weight(Weight(name, value, weight.trainable, weight.standalone, weight.frozen))
        if array.operand.name in self.places:
            origin, numbers = self.places[array.operand.name]
            self.places[result.operand.name] = origin, np.asarray(function(numbers))
        return result

    def reshaped(self, array: JaxArray, shape: Shape) -> JaxArray:
        if array.is_number or array.shape == tuple(shape):
            return array
        if self.weight(array) is not None:
            return self.rearranged(array, lambda value: value.reshape(open_lengths(shape)))
        return self.emit("reshape", [array.operand], shape, shape=open_lengths(shape))

    def permuted(self, array: JaxArray, axes: Sequence[int]) -> JaxArray:
        shape = tuple(array.shape[axis] for axis in axes)
        if tuple(axes) == tuple(range(len(axes))):
            return array
        if self.weight(array) is not None:
            return self.rearranged(array, lambda value: value.transpose(axes))
        return self.emit("permute", [array.operand], shape, axes=tuple(axes))

    @property
    def operator(self) -> str:
        """The name of the current primitive for messages, with the line of the user's code."""
        if self.equation is None:
            return ""
        return f"{self.equation.primitive}{f'{AT}{self.equation.place}' if self.equation.place else ''}"

    def refusal(self, why: str) -> PortError:
        return PortError(f"{self.operator} cannot be rebuilt in Keras: {why}")


Translation = Callable[[Translator, TracedEquation], None]
