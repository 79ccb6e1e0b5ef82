"""A page for each command, from what `--help` prints: nothing about an option is written twice.

Click's commands are asked for their parameters. No framework is imported: `cli.main` loads none.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator

import click

FOLDER = "reference/commands"
# What a command is for; a command that is not here is shown under the last heading.
GROUPS = {
    "Train": ("recipes", "data", "train", "search", "runs", "save"),
    "Use a trained model": ("evaluate", "predict", "generate", "inspect"),
    "Compare and port": ("verify", "compare", "transfer", "port"),
    "Measure": ("backends", "bench", "report", "demo"),
    "Other": (),
}


def pages() -> dict[str, str]:
    """Return the Markdown of the page of each command, and of their index, by its path in the site."""
    from trivium.cli.main import cli

    context = click.Context(cli, info_name="trivium")
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    texts = {f"{FOLDER}/index.md": _index(commands)}
    for name, command in commands.items():
        page = "\n".join(_page(command, click.Context(command, context, name), level=1))
        texts[f"{FOLDER}/{name}.md"] = f"---\ntitle: {name}\n---\n\n{page}"
    return texts


def _index(commands: dict[str, click.Command]) -> str:
    lines = ["# Commands", "", "What `trivium COMMAND --help` prints, generated from the program.", ""]
    grouped = {name for names in GROUPS.values() for name in names}
    for title, names in GROUPS.items():
        members = [name for name in commands if name in names or (title == "Other" and name not in grouped)]
        if members:
            lines += [f"## {title}", "", "| command | what it does |", "|---|---|"]
            lines += [f"| [`{name}`]({name}.md) | {_text(_summary(commands[name]))} |" for name in members]
            lines += [""]
    lines += ["## Exit codes", "", "0: success. 1: a check failed. 2: bad input; one line says what to do. "]
    return "\n".join([*lines, "70: a bug in trivium. 130: stopped by Ctrl-C.", ""])


def _summary(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\n\n")[0].replace("\n", " ")


def _page(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """Yield the lines about a command, and those about its subcommands one level deeper."""
    yield from (f"{'#' * level} {context.command_path}", "")
    yield from _paragraphs(command.help or "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("```text", f"{context.command_path} {usage}", "```", "")
    options = [
        parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden
    ]
    if options:
        yield from (f"{'#' * (level + 1)} Options {{ #{_anchor(context)}-options }}", "")
    for option in options:
        yield from _option(option, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            if member is not None:
                yield from _page(member, click.Context(member, context, name), level + 1)


def _option(option: click.Option, context: click.Context) -> Iterator[str]:
    """Yield an option as an entry of a definition list, with an anchor of its own."""
    declared, text = option.get_help_record(context) or ("", "")
    longest = max(option.opts, key=len).lstrip("-")
    yield from (f"`{declared}`{{ #{_anchor(context)}-{longest} }}", f":   {_text(text) or '–'}", "")


def _anchor(context: click.Context) -> str:
    return context.command_path.removeprefix("trivium ").replace(" ", "-")


def _paragraphs(text: str) -> Iterator[str]:
    r"""Yield the paragraphs of a help text as Markdown; one that `\b` keeps as it stands becomes a block of code."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if not paragraph.startswith("\b"):
            yield from (_text(paragraph.replace("\n", " ")), "")
            continue
        title, _, lines = paragraph.removeprefix("\b\n").partition("\n")
        if not title.endswith(":"):
            title, lines = "", f"{title}\n{lines}"
        yield from (f"{title}\n" if title else "", "```sh", inspect.cleandoc(lines), "```", "")


def _text(text: str) -> str:
    """Return a text whose `<`, `*` and `_` are no Markdown; what stands between backticks is left as it is."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_|\[\]])", r"\\\1", html.escape(part, quote=False)) for part in parts[::2]]
    return "`".join(parts)
