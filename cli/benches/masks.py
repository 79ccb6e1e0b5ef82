"""`trivium bench masks`."""

from __future__ import annotations

from typing import Any

import click

from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from .common import backends_option, cells_table, ratio_lines, run, split_names, suite_options


@click.command("masks", cls=SuiteCommand)
@click.option("--recipe", default="cnn/pooling", show_default=True, help="A recipe with dropout or noise.")
@backends_option
@click.option("--data", metavar="NAME", help="Dataset. Default: the recipe's own, but only the sample of MNIST.")
@reading_options
@suite_options(precision="2%")
@click.pass_context
def command(ctx: click.Context, /, recipe: str, backends: str | None, data: str | None, **options: Any) -> None:
    """Measure the cost of dropout alike on every backend.

    Compares epochs with trivium's dropout masks and epochs with the backend's own, under the same plan, interleaved.

    \b
    Example:
      trivium bench masks --recipe cnn/pooling --budget 60s
    """
    from ...benchmarks.suites import masks

    run(
        ctx,
        masks.SUITE,
        lambda benchmark_options: masks.measure(recipe, split_names(backends), data=data, options=benchmark_options),
        lambda results: [cells_table(results, {"suffix": "masks"}), *ratio_lines(results)],
        options,
    )
