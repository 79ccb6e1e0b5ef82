"""`trivium bench import`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from ..options.help_page import SuiteCommand
from .common import Printable, backends_option, ratio_lines, run, split_names, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("import", cls=SuiteCommand)
@click.option("--recipe", default="cnn/striding", show_default=True, help="Recipe whose model predicts.")
@backends_option
@suite_options(precision="10%", elsewhere=False)
@click.pass_context
def command(ctx: click.Context, /, recipe: str, backends: str | None, **options: Any) -> None:
    """Measure import, build and first prediction.

    Starts each backend once per round in a fresh process, and times it from the start of Python to the first
    prediction.

    \b
    Example:
      trivium bench import --budget 60s
    """
    from ...benchmarks.suites import start_up

    run(
        ctx,
        start_up.SUITE,
        lambda benchmark_options: start_up.measure(recipe, split_names(backends), options=benchmark_options),
        _show,
        options,
    )


def _show(results: Results) -> Printable:
    from ...benchmarks.suites.start_up import STAGES, TOTAL

    columns = (*STAGES, TOTAL)
    shown = table(
        "backend", *(name.replace("_", " ") for name in columns), right=tuple(c.replace("_", " ") for c in columns)
    )
    for backend in dict.fromkeys(each["backend"] for each in results.rows):
        shown.add_row(backend, *(seconds(results.median(backend=backend, metric=name)) for name in columns))
    yield "Median seconds, each in a fresh process:"
    yield shown
    yield from ratio_lines(results)
