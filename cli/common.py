"""Options that several subcommands share, and helpers that print results."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..backends.catalog import MATMUL_PRECISIONS, MATMUL_VARIABLE
from ..engine.bundles import trust
from ..storage.visible_text import visible
from .entries import parse_assignment, parse_value
from .options.option_names import errors_name_options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..engine.prediction.loaded_bundle import LoadedBundle

    FloatType = click.ParamType[float]
else:
    FloatType = click.ParamType  # older versions of Click cannot be subscripted

# The endings of files that a model comes from.
_FILES = (".keras", ".h5", ".hdf5", ".json", ".yaml", ".yml")
DEBUG_VARIABLE = "TRIVIUM_DEBUG"
# A shell that completes a command sets it.
COMPLETION_VARIABLE = "_TRIVIUM_COMPLETE"
# Where the JSON goes, in `click.Context.meta`.
_OUTPUT = "trivium.output"

Command = TypeVar("Command", bound=Callable[..., Any])


class DurationType(FloatType):
    """A duration of at least one second, such as `120`, `120s` or `2m`; converted to seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        factor = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
        try:
            seconds = float(text[:-1]) * factor if factor else float(text)
        except ValueError:
            seconds = 0.0
        if not 1 <= seconds < 1e6:
            self.fail(f"expected a duration of at least one second, such as 120s or 2m, received {text}", param, ctx)
        return seconds


def _show_tracebacks(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ[DEBUG_VARIABLE] = "1"


def _trust_files(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ[trust.VARIABLE] = "1"
    trust.is_enabled()  # the variable is checked before anything is read


def _set_matmul_precision(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:  # workers inherit it
        os.environ[MATMUL_VARIABLE] = value


def _keep_for_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Keep standard output for the JSON alone: what a user's own file prints goes to standard error."""
    if value and _OUTPUT not in ctx.meta:  # a group and its subcommand have the option both
        ctx.meta[_OUTPUT] = sys.stdout
        ctx.with_resource(contextlib.redirect_stdout(sys.stderr))
    return value


_debug_flag = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_tracebacks,
    help="Print the traceback of an error.",
)


def debug_option(command: Command) -> Command:
    """Add `--debug`, which every subcommand has, and let its errors name its options."""
    return _debug_flag(errors_name_options(command))


trust_option = click.option(
    "--trust",
    is_flag=True,
    expose_value=False,
    callback=_trust_files,
    help="Let code in the model file run (Lambda layers, custom classes); a message names it.",
)
threshold_option = click.option(
    "--threshold",
    type=float,
    metavar="P",
    help="Predict the second of two classes above this probability. Default: 0.5, or that of the training.",
)
json_option = click.option("--json", "as_json", is_flag=True, callback=_keep_for_json, help="Print the result as JSON.")
backend_option = click.option(
    "--backend", metavar="NAME", help="tensorflow, jax, torch or numpy. Default: KERAS_BACKEND."
)
matmul_option = click.option(
    "--matmul-precision",
    type=click.Choice(MATMUL_PRECISIONS),
    expose_value=False,
    callback=_set_matmul_precision,
    help="Precision of products of float32 on a GPU, the same for every backend. Default: float32.",
)
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="OPTION=VALUE", help="Set an option of the recipe; may be repeated."
)
executor_option = click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where workers run: local processes, or processes on a Ray cluster.",
)
address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    help="Head of the Ray cluster, or auto. Default: RAY_ADDRESS; if that is not set, a new cluster on this machine.",
)


def common_options(command: Command) -> Command:
    """Add the options that every subcommand has: `--json` and `--debug`."""
    return debug_option(json_option(command))


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the values of `("units=64", "filters=[8,4]")` by name; the last value of a name counts.

    Raises:
        OptionError: an assignment has no `=` or no name.
    """
    pairs = [parse_assignment("--set", text, "--set units=64") for text in assignments]
    return {name: parse_value(text) for name, text in pairs}


def backend_names(text: str | None) -> list[str]:
    """Split `torch, jax` into names; none without text."""
    return [name.strip() for name in text.split(",")] if text else []


def say(text: str) -> None:
    """Print a line on standard error, with its control characters made visible."""
    click.echo(visible(text), err=True)


def print_json(value: Any) -> None:
    ctx = click.get_current_context(silent=True)
    click.echo(json.dumps(value, indent=1, allow_nan=False), file=ctx.meta.get(_OUTPUT) if ctx else None)


def console() -> Console:
    """Return the console for results. It prints text verbatim: `[jax]` is not a style, and `:cat:` is not an emoji.

    Control characters are made visible, line ends too: a text from a file must not look like several lines.

    Without a terminal there is no end of a line, so that logs and pipes have each row of a table in one.
    """
    from rich.console import Console

    from .output.whole_table import ENDLESS

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # as `click.echo` does; the entry point handles it

        def render_str(self, text: str, **style: Any) -> Text:
            return super().render_str(visible(text), **style)

    screen = Screen(highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        screen.width = ENDLESS
    return screen


def table(
    *columns: str, title: str | None = None, right: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> Table:
    """Return an empty table.

    The first column holds what one has to type, so it is not wrapped: the others give way. Nothing is ever cut off.

    Args:
        columns: their headings.
        right: the columns of numbers, which are aligned right.
        optional: the columns that a narrow terminal leaves out, the first of them first.
    """
    from rich import box

    from .output.whole_table import WholeTable

    rows = WholeTable(
        optional=tuple(each for each in optional if each in columns),
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        rows.add_column(column, justify="right" if column in right else "left", no_wrap=column == columns[0])
    return rows


def seconds(value: float | None) -> str:
    """Format seconds with three significant digits, or a dash where nothing was measured."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.3g}" if value >= 0.001 else f"{value:.1e}"


def say_if_unprepared(model: LoadedBundle) -> None:
    """Say on standard error that a model from Keras' own file takes its inputs as they stand."""
    from ..engine.trained_models import LoadedModelFile

    if isinstance(model, LoadedModelFile):
        sentence = f"{model.run['recipe']} says nothing of how its inputs were prepared: they are taken as they stand"
        say(f"trivium: {sentence}")


def default_out(recipe: str) -> Path:
    """Return the folder of a run without `--out`: `runs/cnn-striding`, `runs/my_model-build`, `runs/model`."""
    place, _, function = recipe.partition(":")
    is_file = bool(function) or Path(place).suffix in _FILES
    name = "-".join(part for part in (Path(place).stem if is_file else place, function) if part)
    return Path("runs") / name.replace("/", "-")
