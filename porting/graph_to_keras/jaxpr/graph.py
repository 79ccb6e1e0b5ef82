"""Translate a traced function of JAX into a `ForeignGraph`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ....backends.traced_program import TracedEquation, TracedProgram, TracedValue
from ....errors import PortError
from ....functions import first_of
from ...converters import teach
from ..converted_nodes import Targets, converted_node
from ..foreign_graph import ForeignGraph, ForeignNode, GraphInput, Ref, Weight, drop_unused, rename_refs, simplify
from .arithmetic import ARITHMETIC
from .contractions import CONTRACTIONS
from .layers import recognize
from .shapes import SHAPES
from .tied_weights import tied_weights
from .translator import JaxArray, Translation, Translator

PRIMITIVES: dict[str, Translation] = {**ARITHMETIC, **SHAPES, **CONTRACTIONS}

_INPUTS = ("float32", "int32", "int16", "int8", "uint8", "bool")
_MOST_NAMED = 8
_TARGET = "jax:"  # of a converter


def to_graph(program: TracedProgram, converter_targets: Targets = ()) -> ForeignGraph:
    """Translate a traced function.

    Args:
        program: the function.
        converter_targets: the primitives for which the user has converters.

    Raises:
        PortError: it draws random numbers, decides by values, or has primitives that are not covered, each of which is
            named with its line; or an output has no batch axis.
    """
    _refuse_unknown(Translator(program), converter_targets)
    tied: frozenset[str] = frozenset()
    while True:
        graph, translator = _translate_all(program, tied, converter_targets)
        more = tied_weights(graph, translator.places)
        if more <= tied:
            return graph
        tied |= more


def _translate_all(
    program: TracedProgram, tied: frozenset[str], converter_targets: Targets
) -> tuple[ForeignGraph, Translator]:
    translator = Translator(program, tied)
    inputs = []
    for value, name in zip(program.inputs, _input_names(program), strict=True):
        if value.dtype not in _INPUTS:
            raise PortError(
                f"{program.name}: its input {name} is {value.dtype}, and only {', '.join(_INPUTS)} are covered"
            )
        inputs.append(GraphInput(name, value.shape, value.dtype))
        translator.arrays[value.name] = JaxArray(Ref(name), value.shape)
    for equation in program.equations:
        translator.equation = equation
        if _is_computed(translator, equation):
            _translate(translator, equation, converter_targets)
    translator.equation = None
    names = tuple(_output(translator, number, value) for number, value in enumerate(program.outputs))
    graph = ForeignGraph(program.name, "jax", tuple(inputs), tuple(translator.nodes), names, translator.weights)
    graph = simplify(_with_names(drop_unused(graph)))
    return _with_output_names(graph), translator


def _translate(translator: Translator, equation: TracedEquation, converter_targets: Targets) -> None:
    if _TARGET + equation.primitive in converter_targets:
        _convert(translator, equation)
        return
    layer = recognize(translator, equation)
    if layer is not None:
        translator.bind(layer)
    else:
        PRIMITIVES[equation.primitive](translator, equation)


def _convert(translator: Translator, equation: TracedEquation) -> None:
    """Add the node of a primitive that the user's converter computes."""
    inputs = {f"input {place}": translator.full(value).operand for place, value in enumerate(equation.inputs)}
    outputs = tuple(translator.new_name() for _ in equation.outputs)
    target, settings = _TARGET + equation.primitive, {key: _plain(value) for key, value in equation.settings.items()}
    node = converted_node(target, {**inputs, **settings}, outputs, translator.operator, len(inputs))
    translator.nodes.append(node)
    for index, (name, value) in enumerate(zip(outputs, equation.outputs, strict=True)):
        translator.bind(JaxArray(Ref(name), value.shape), index)


def _plain(value: Any) -> Any:
    """Return a parameter of a primitive with tuples for mappings, for the message to the worker."""
    if isinstance(value, Mapping):
        return tuple(_plain(each) for each in value.values())
    return tuple(_plain(each) for each in value) if isinstance(value, tuple) else value


def _input_names(program: TracedProgram) -> tuple[str, ...]:
    return program.input_names or tuple(f"input_{number}" for number in range(len(program.inputs)))


def _output(translator: Translator, number: int, value: TracedValue) -> str:
    if None not in value.shape or translator.is_known(value):
        raise PortError(
            f"{translator.program.name}: its output {number} has no batch axis: return an answer per sample"
        )
    operand = translator.full(value).operand
    if operand.name in translator.weights or operand.name in _input_names(translator.program):
        operand = translator.emit("same", [operand], value.shape).operand
    return str(operand.name)


# --- refusals -------------------------------------------------------------------------------------------------------


def _is_computed(translator: Translator, equation: TracedEquation) -> bool:
    """Return whether the network computes an equation, and not JAX while it traces."""
    return not all(translator.is_known(value) for value in equation.outputs)


def _refuse_unknown(translator: Translator, converter_targets: Targets) -> None:
    computed = [each for each in translator.program.equations if _is_computed(translator, each)]
    known = {*PRIMITIVES, *(target.removeprefix(_TARGET) for target in converter_targets)}
    unknown = [equation for equation in computed if equation.primitive not in known]
    if not unknown:
        return
    # Others may only follow from random numbers, or from a loop.
    unknown = [each for each in unknown if _reason(each.primitive)] or unknown
    named = list(dict.fromkeys(f"{_title(each)}{_reason(each.primitive)}" for each in unknown))
    listed = first_of(named, _MOST_NAMED)
    hint = "" if _reason(unknown[0].primitive) else teach(_TARGET + unknown[0].primitive)
    raise PortError(f"{translator.program.name} has primitives of JAX that cannot be rebuilt in Keras: {listed}{hint}")


def _title(equation: TracedEquation) -> str:
    return f"{equation.primitive} ({equation.place})" if equation.place else equation.primitive


def _reason(primitive: str) -> str:
    if primitive.startswith(("random_", "threefry", "rng_")):
        return ", which draws random numbers"
    if primitive in ("while", "cond"):
        return ", which decides by the values of arrays"
    return ", whose loop has too many rounds to be unrolled" if primitive == "scan" else ""


# --- names ----------------------------------------------------------------------------------------------------------


def _with_names(graph: ForeignGraph) -> ForeignGraph:
    """Return the graph with the weights that it reads, and one name for each array of numbers among them."""
    read = {name for node in graph.nodes for name in node.refs()}
    values: dict[str, np.ndarray] = {}
    weights: dict[str, Weight] = {}
    for key, weight in graph.weights.items():
        if key not in read:
            continue
        name, number = weight.name, 1
        while name in values and not _is_equal(values[name], weight.value):
            number += 1
            path, _, last = weight.name.rpartition(".")
            name = ".".join(filter(None, (path, str(number), last))) if path else f"{last}_{number}"
        values[name] = weight.value
        weights[key] = replace(weight, name=name)
    return replace(graph, weights=weights)


def _is_equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


def _with_output_names(graph: ForeignGraph) -> ForeignGraph:
    """Return the graph with outputs called `output`, or `output_0` and so on."""
    inputs = {graph_input.name for graph_input in graph.inputs}
    if any(name.startswith("output") for name in inputs):
        return graph
    single = len(graph.outputs) == 1
    names = {name: "output" if single else f"output_{number}" for number, name in enumerate(graph.outputs)}
    names.update((name, name) for name in inputs)
    nodes = tuple(_renamed(node, names) for node in graph.nodes)
    return replace(graph, nodes=nodes, outputs=tuple(names[name] for name in graph.outputs))


def _renamed(node: ForeignNode, names: Mapping[str, str]) -> ForeignNode:
    return replace(
        node,
        inputs=rename_refs(node.inputs, names),
        outputs=tuple(names.get(name, name) for name in node.outputs),
        attributes={key: rename_refs(value, names) for key, value in node.attributes.items()},
    )
