"""`trivium bench import`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from .common import Shown, backends_option, listed, ratio_lines, run, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("import")
@click.option("--recipe", default="cnn/striding", show_default=True, help="Whose model answers.")
@backends_option
@suite_options(precision="10%", elsewhere=False)
@click.pass_context
def command(ctx: click.Context, /, recipe: str, backends: str | None, **options: Any) -> None:
    """What a user waits for: import, build, first prediction.

    Each backend once a round in a fresh process, from starting Python to the first answer.

    \b
    Example:
      trivium bench import --budget 60s
    """
    from ...benchmarks.suites import start_up

    run(
        ctx,
        start_up.SUITE,
        lambda benchmark_options: start_up.measure(recipe, listed(backends), options=benchmark_options),
        _show,
        options,
    )


def _show(found: Results) -> Shown:
    from ...benchmarks.suites.start_up import STAGES, TOTAL

    columns = (*STAGES, TOTAL)
    shown = table(
        "backend", *(name.replace("_", " ") for name in columns), right=tuple(c.replace("_", " ") for c in columns)
    )
    for backend in dict.fromkeys(each["backend"] for each in found.rows):
        shown.add_row(backend, *(seconds(found.median(backend=backend, metric=name)) for name in columns))
    yield "Median seconds, each a fresh process:"
    yield shown
    yield from ratio_lines(found)
