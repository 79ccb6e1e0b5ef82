"""The library's errors name parameters, in `backticks`; on the command line they name options."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from ...errors import TriviumError

Command = TypeVar("Command", bound=Callable[..., Any])

# Parameters of the library that the command line calls otherwise.
_SYNONYMS = {"options": "assignments"}


def errors_name_options(command: Command) -> Command:
    """Let a command's errors name its options: `replace_head` becomes --replace-head, `start` becomes --from."""

    @functools.wraps(command)
    def run(*arguments: Any, **keywords: Any) -> Any:
        try:
            return command(*arguments, **keywords)
        except TriviumError as error:
            parameters = click.get_current_context().command.params
            raise type(error)(with_options(str(error), parameters)) from error

    return run  # type: ignore[return-value]


def with_options(text: str, parameters: Iterable[click.Parameter]) -> str:
    """Return a text in which each parameter in backticks is the option that sets it, where there is one.

    Args:
        text: of an error, such as "`replace_head` needs 2 classes or more".
        parameters: of the command.
    """
    options: dict[str, str] = {}
    for parameter in parameters:
        if isinstance(parameter, click.Option):
            option = max(parameter.opts, key=len)
            names = {parameter.name or "", option.lstrip("-").replace("-", "_")}
            options |= dict.fromkeys(names, option)
    options |= {name: options[known] for name, known in _SYNONYMS.items() if known in options}
    return re.sub(r"`(\w+)`", lambda match: options.get(match[1], match[0]), text)
