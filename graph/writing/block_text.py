"""The text of all blocks of a family, made from the texts of each: numbers that differ become parameters.

The texts are the same but for numbers. So a text with a block's numbers in place of the parameters is what would be
written for that block alone, which makes the class or function right for each of them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Options of calls are written as `key=option(value, default)` in the text of a block.
OPTION = "option"

_SINGULAR = {"strides": "stride", "eps": "epsilon", "pool_size": "size"}
# Sizes, which are the first parameters and are passed by position; other numbers are passed by name.
_SIZES = ("channels", "filters", "features", "units", "tokens", "size")
_SHAPE = "shape"  # the suggestion for the shape of an array
_LARGEST_FACTOR = 16


@dataclass(frozen=True)
class Parameter:
    """An argument of a block.

    Attributes:
        name: its name.
        values: its value for each block of the family.
    """

    name: str
    values: tuple[int | float, ...]

    @property
    def annotation(self) -> str:
        return "float" if any(isinstance(value, float) for value in self.values) else "int"

    @property
    def is_size(self) -> bool:
        return self.name.rstrip("_0123456789") in _SIZES

    def passed(self, value: str) -> str:
        """Return the argument of a call that passes a value."""
        return value if self.is_size else f"{self.name}={value}"


@dataclass(frozen=True)
class BlockText:
    """A text with parameters.

    Attributes:
        text: one statement a line, of any length.
        parameters: those that the text reads.
    """

    text: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class _Number:
    """A number in a text: its place, its value, what to call it, and whether a product needs parentheses there."""

    start: int
    stop: int
    value: int | float
    suggestion: str
    is_operand: bool


@dataclass(frozen=True)
class _Option:
    """An option of a call: the places of the whole keyword, of its value and of its end, and whether it is needed."""

    start: int
    stop: int
    value_start: int
    value_stop: int
    is_default: bool


@dataclass
class _Places:
    numbers: list[_Number] = field(default_factory=list)
    options: list[_Option] = field(default_factory=list)


def pattern_of(text: str) -> str:
    """Return a text with the types of numbers in their places, and without the defaults of options."""
    places = _places(text, {})
    edits = [(n.start, n.stop, f"<{type(n.value).__name__}>") for n in places.numbers]
    return _edited(text, [*edits, *((o.value_stop, o.stop, "") for o in places.options)])


class ParameterFinder:
    """Finds the parameters of a family, and puts them into its texts.

    Args:
        names: what the arguments of a function are called, by its name; "shape" for a shape.
        reserved: names that no parameter may have.
    """

    def __init__(self, names: Mapping[str, Sequence[str]], reserved: frozenset[str] | set[str]) -> None:
        self._names = names
        self._reserved = reserved
        self._parameters: list[Parameter] = []

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters that the texts read, sizes first."""
        return sorted(self._parameters, key=lambda parameter: not parameter.is_size)

    def text(self, texts: Sequence[str], prefix: str = "") -> BlockText:
        """Return the text of all blocks.

        Args:
            texts: the text of each block, which have the same pattern.
            prefix: stands before the name of a parameter, such as "self.".
        """
        places = [_places(text, self._names) for text in texts]
        needless = [all(o.is_default for o in options) for options in zip(*(p.options for p in places), strict=True)]
        edits, left_out = _option_edits(places[0].options, needless)
        read: dict[str, Parameter] = {}
        for numbers in zip(*(p.numbers for p in places), strict=True):
            first, values = numbers[0], tuple(number.value for number in numbers)
            if len(set(values)) == 1 or any(start <= first.start < stop for start, stop in left_out):
                continue
            parameter, expression = self._expression(values, first.suggestion, prefix)
            read[parameter.name] = parameter
            needs_parentheses = first.is_operand and " " in expression
            edits.append((first.start, first.stop, f"({expression})" if needs_parentheses else expression))
        return BlockText(_edited(texts[0], edits), tuple(p for p in self.parameters if p.name in read))

    def _expression(self, values: tuple[int | float, ...], suggestion: str, prefix: str) -> tuple[Parameter, str]:
        """Return the parameter with these values, or whose multiple they are, and the expression for them."""
        for parameter in self._parameters:
            text = _relation(values, parameter.values, f"{prefix}{parameter.name}")
            if text:
                return parameter, text
        used = {parameter.name for parameter in self._parameters} | self._reserved
        name, number = suggestion, 1
        while name in used:
            number += 1
            name = f"{suggestion}_{number}"
        self._parameters.append(Parameter(name, values))
        return self._parameters[-1], f"{prefix}{name}"


def _relation(values: Sequence[int | float], others: Sequence[int | float], name: str) -> str:
    """Return values as an expression of others, such as `4 * channels`; nothing if they are no multiple."""
    if tuple(values) == tuple(others):
        return name
    if not all(isinstance(value, int) and value > 0 for value in (*values, *others)):
        return ""
    for factor in range(2, _LARGEST_FACTOR + 1):
        if all(value == factor * other for value, other in zip(values, others, strict=True)):
            return f"{factor} * {name}"
        if all(factor * value == other for value, other in zip(values, others, strict=True)):
            return f"{name} // {factor}"
    return ""


def _option_edits(
    options: Sequence[_Option], needless: Sequence[bool]
) -> tuple[list[tuple[int, int, str]], list[tuple[int, int]]]:
    """Return the edits that remove or unwrap options, and the parts of the text that they remove."""
    removed = []
    for option, is_needless in zip(options, needless, strict=True):
        if is_needless:
            removed.append((option.start - len(", "), option.stop))
        else:
            removed += [(option.value_start - len(f"{OPTION}("), option.value_start), (option.value_stop, option.stop)]
    return [(start, stop, "") for start, stop in removed], removed


def _edited(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, stop, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[stop:]
    return text


# --- reading a text -------------------------------------------------------------------------------------------------


def _places(text: str, names: Mapping[str, Sequence[str]]) -> _Places:
    reader = _TextReader(text, names)
    for line in ast.parse(text).body:
        reader.read(line, "number")
    return reader.places


class _TextReader:
    """Reads where the numbers and options of a text are."""

    def __init__(self, text: str, names: Mapping[str, Sequence[str]]) -> None:
        self._text = text
        self._names = names
        lines = text.splitlines(keepends=True)
        self._starts = [sum(map(len, lines[:index])) for index in range(len(lines))]
        self.places = _Places()

    def read(self, node: ast.AST, suggestion: str, is_operand: bool = False) -> None:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
                start, stop = self._span(node)
                self.places.numbers.append(_Number(start, stop, node.value, suggestion, is_operand))
            return
        if isinstance(node, ast.Call):
            self._read_call(node)
        elif isinstance(node, ast.Tuple):
            count = len(node.elts)
            for index, element in enumerate(node.elts):
                self.read(element, _dimension(index, count) if suggestion == _SHAPE else suggestion)
        else:
            operand = isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Attribute))
            for child in ast.iter_child_nodes(node):
                self.read(child, suggestion, operand)

    def _read_call(self, call: ast.Call) -> None:
        self.read(call.func, "number")
        names = self._names.get(_function_name(call.func), ())
        for index, argument in enumerate(call.args):
            self.read(argument, names[index] if index < len(names) else "number")
        for keyword in call.keywords:
            suggestion = _SINGULAR.get(keyword.arg or "", keyword.arg or "number")
            if isinstance(keyword.value, ast.Call) and getattr(keyword.value.func, "id", "") == OPTION:
                self._read_option(keyword, keyword.value, suggestion)
            else:
                self.read(keyword.value, suggestion)

    def _read_option(self, keyword: ast.keyword, call: ast.Call, suggestion: str) -> None:
        value, default = call.args
        (start, stop), (value_start, value_stop) = self._span(keyword), self._span(value)
        default_text = self._text[slice(*self._span(default))]
        is_default = self._text[value_start:value_stop] == default_text
        self.places.options.append(_Option(start, stop, value_start, value_stop, is_default))
        self.read(value, suggestion)

    def _span(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        stop = self._starts[node.end_lineno - 1] + node.end_col_offset
        return start, stop


def _function_name(function: ast.expr) -> str:
    """Return the last part of a function's name; `uniform` for what `initializers.uniform()` returns."""
    if isinstance(function, ast.Call):
        return _function_name(function.func)
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _dimension(index: int, rank: int) -> str:
    """Return what a length of a weight is called: the last are the channels, of which a kernel has two."""
    if index == rank - 1:
        return "channels" if rank == 1 else "filters"
    return "channels" if index == rank - 2 else "size"
