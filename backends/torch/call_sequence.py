"""A sequence of calls as one Python function: the quickest way from one small operation of PyTorch to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Variable:
    """A local variable of the function, which each run computes anew."""

    name: str


class CallSequence:
    """Collects calls, and returns the function that makes them.

    Arguments are values, `Variable`s, and lists of both.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._values: dict[int, tuple[str, Any]] = {}  # id of a value → its name, and the value, which stays alive

    def call(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        result: Variable | None = None,
        last_used: Sequence[Variable] = (),
    ) -> None:
        """Append a call.

        Args:
            result: the variable that takes the result, or None if nobody needs it.
            last_used: variables that are freed afterwards.
        """
        texts = [*map(self._text, arguments), *(f"{name}={self._text(value)}" for name, value in keywords.items())]
        assignment = f"{result.name} = " if result else ""
        self._lines.append(f"{assignment}{self._text(function)}({', '.join(texts)})")
        self._lines += [f"del {variable.name}" for variable in last_used]

    def function(self, result: Any) -> Callable[[], Any]:
        """Return the function that makes the calls and returns this result, a value or a variable."""
        body = "\n".join(f"        {line}" for line in [*self._lines, f"return {self._text(result)}"])
        names = ", ".join(name for name, _ in self._values.values())
        namespace: dict[str, Any] = {}
        # Our own text: it holds no more than names that were made here.
        exec(f"def bind({names}):\n    def sequence():\n{body}\n    return sequence\n", namespace)
        return namespace["bind"](*(value for _, value in self._values.values()))  # type: ignore[no-any-return]

    def _text(self, argument: Any) -> str:
        if isinstance(argument, Variable):
            return argument.name
        if isinstance(argument, list | tuple) and _has_variables(argument):
            return f"[{', '.join(map(self._text, argument))}]"
        name, _ = self._values.setdefault(id(argument), (f"value_{len(self._values)}", argument))
        return name


def _has_variables(argument: Any) -> bool:
    if isinstance(argument, list | tuple):
        return any(map(_has_variables, argument))
    return isinstance(argument, Variable)
