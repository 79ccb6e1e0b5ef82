"""How the shells ask for completions, by Click; the names that Click does not know come from `names.py`.

Bash splits a word at `:` and `=`, so that `waves:0` and `--backend=jax` are three words to it. Here the line is split
as it was typed, and an answer leaves out what Bash holds to be earlier words.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from ..common import COMPLETION_VARIABLE as VARIABLE
from .names import Completer, Items, Words, completer_of

PROGRAM = "trivium"

_SCRIPT = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value

    response=$(env COMP_LINE="${COMP_LINE:0:$COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
            [[ $value == *= ]] && compopt -o nospace
        fi
    done
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _WithNames(ShellComplete):
    """Completion that knows the names of recipes, datasets, backends, targets and runs."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        path, command = _command(self.cli, args)
        for parameter in command.params:
            if complete := completer_of(path, parameter):
                parameter.shell_complete = _completion(complete, [*args])  # type: ignore[method-assign, assignment]
        return super().get_completions(args, incomplete)


class _Bash(_WithNames, BashComplete):
    source_template = _SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        if line[-1:].isspace():
            words.append("")
        return words[1:-1], words[-1]

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        breaks = {":", "="} & set(os.environ.get("COMP_WORDBREAKS", ""))
        value = incomplete.partition("=")[2] if incomplete.startswith("--") else incomplete
        length = 1 + max((value.rfind(each) for each in breaks), default=-1)
        items = super().get_completions(args, incomplete)
        return [CompletionItem(item.value.removeprefix(value[:length]), item.type) for item in items]


class _Zsh(_WithNames, ZshComplete):
    pass


class _Fish(_WithNames, FishComplete):
    pass


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def script(cli: click.Command, shell: str) -> str:
    """Return the script that a shell reads."""
    return SHELLS[shell](cli, {}, PROGRAM, VARIABLE).source()


def complete(cli: click.Command) -> int:
    """Answer a shell that runs the script, and return the exit code."""
    shell, _, instruction = os.environ[VARIABLE].partition("_")
    if shell not in SHELLS or instruction != "complete":
        return 1
    click.echo(SHELLS[shell](cli, {}, PROGRAM, VARIABLE).complete())
    return 0


def _command(cli: click.Command, words: list[str]) -> tuple[str, click.Command]:
    """Return the subcommand that the words name, with its name: `bench epochs`."""
    path: list[str] = []
    context = click.Context(cli)
    for word in words:
        following = cli.get_command(context, word) if isinstance(cli, click.Group) else None
        if following is None:
            continue
        cli = following
        path.append(word)
    return " ".join(path), cli


def _completion(complete: Completer, words: Words) -> Callable[[click.Context, str], Items]:
    return lambda _, beginning: complete(words, beginning)
