"""`trivium completion`: the script that lets a shell complete commands, options and names."""

from __future__ import annotations

import click

from ..common import common_options, print_json
from .shells import SHELLS, script


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@common_options
@click.pass_context
def command(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that completes commands in your shell.

    It completes commands and options, and the names of recipes, datasets, backends, targets and runs. Write it once to
    the place below, where a new shell finds it.

    \b
    Example:
      trivium completion bash > ~/.local/share/bash-completion/completions/trivium
      trivium completion zsh > "${fpath[1]}/_trivium"
      trivium completion fish > ~/.config/fish/completions/trivium.fish
    """
    text = script(ctx.find_root().command, shell)
    if as_json:
        print_json({"schema": 1, "shell": shell, "script": text})
    else:
        click.echo(text)
