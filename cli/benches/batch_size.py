"""`trivium bench batch-size`."""

from __future__ import annotations

from typing import Any

import click

from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from .common import backends_option, cells_table, parse_counts, quick_option, ratio_lines, run, suite_options


@click.command("batch-size", cls=SuiteCommand)
@click.option("--recipe", default="dense/one-hidden", show_default=True, help="Recipe to train.")
@backends_option
@click.option("--sizes", default="8,16,32,64,128,256,512,1024,2048", show_default=True, help="Samples per step.")
@click.option("--data", metavar="NAME", help="Dataset. Default: the recipe's own, but only the sample of MNIST.")
@reading_options
@suite_options(
    precision="10%",
    quick=quick_option(
        "--sizes 8,64,512 --budget 20s --precision 20%", sizes="8,64,512", budget="20s", precision="20%"
    ),
)
@click.pass_context
def command(
    ctx: click.Context, /, recipe: str, backends: str | None, sizes: str, data: str | None, **options: Any
) -> None:
    """Measure what a larger batch gains, and what it costs.

    Measures, for each batch size, the time per epoch, the accuracy after the same number of epochs, and the gap to
    held-out data.

    \b
    Example:
      trivium bench batch-size --backends jax --sizes 8,64,512 --budget 60s
    """
    from ...benchmarks.suites import batch_size
    from .common import split_names

    chosen = parse_counts("--sizes", sizes)
    run(
        ctx,
        batch_size.SUITE,
        lambda benchmark_options: batch_size.measure(
            recipe, split_names(backends), sizes=chosen, data=data, options=benchmark_options
        ),
        lambda results: [cells_table(results, {"batch_size": "batch size"}), *ratio_lines(results)],
        options,
    )
