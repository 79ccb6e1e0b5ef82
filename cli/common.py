"""What several subcommands share: their common options, and how results are printed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..engine.bundles.trust import VARIABLE as TRUST_VARIABLE
from ..errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

DEBUG_VARIABLE = "TRIVIUM_DEBUG"

Command = TypeVar("Command", bound=Callable[..., Any])


def _show_tracebacks(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ[DEBUG_VARIABLE] = "1"


def _trust_files(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ[TRUST_VARIABLE] = "1"


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_tracebacks,
    help="Show the traceback of an error.",
)
trust_option = click.option(
    "--trust",
    is_flag=True,
    expose_value=False,
    callback=_trust_files,
    help="Run code that the model brings (Lambda layers, custom classes); says which.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
backend_option = click.option(
    "--backend", metavar="NAME", help="tensorflow, jax, torch or numpy; by default what KERAS_BACKEND says."
)
data_option = click.option(
    "--data", metavar="NAME|FILE", help="A dataset's name (mnist, waves:0, …) or an .npz file with x_train, y_train."
)
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="OPTION=VALUE", help="An option of the recipe; may be repeated."
)
executor_option = click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where workers are: processes on this machine, or a Ray cluster's.",
)
address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    help="Of the Ray cluster's head, or auto; otherwise RAY_ADDRESS holds, or one is started on this machine.",
)


def common_options(command: Command) -> Command:
    """The options that every subcommand has."""
    return debug_option(json_option(command))


def parse_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
    """`("units=64", "filters=[8,4]")` as a dictionary; values are JSON where they can be, else words.

    Raises:
        OptionError: one has no `=`.
    """
    parsed = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise OptionError(f"--set {assignment}: expected OPTION=VALUE, such as --set units=64")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        parsed[name] = tuple(value) if isinstance(value, list) else value
    return parsed


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, allow_nan=False))


def console() -> Console:
    """Where results are printed, word for word: `[jax]` is no style and `:cat:` no picture.

    Wide when it is no terminal, so that logs and pipes keep whole tables.
    """
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # as `click.echo` does; the entry point knows what it means

    found = Screen(highlight=False, markup=False, emoji=False)
    return found if found.is_terminal else Screen(highlight=False, markup=False, emoji=False, width=160)


def table(*columns: str, title: str | None = None, right: tuple[str, ...] = ()) -> Table:
    """An empty table; the columns named in `right` hold numbers."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    return made


def seconds(value: float | None) -> str:
    """Seconds with three significant digits, a dash where they were not measured."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.3g}" if value >= 0.001 else f"{value:.1e}"


def default_out(recipe: str) -> Path:
    """Where a run goes that was given no `--out`: `runs/cnn-striding`, `runs/my_model-build`."""
    place, _, function = recipe.partition(":")
    name = f"{Path(place).stem}-{function}" if function else place
    return Path("runs") / name.replace("/", "-")
