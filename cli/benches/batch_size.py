"""`trivium bench batch-size`."""

from __future__ import annotations

from typing import Any

import click

from .common import backends_option, cells_table, numbers, ratio_lines, run, suite_options


@click.command("batch-size")
@click.option("--recipe", default="dense/one-hidden", show_default=True, help="A recipe's name.")
@backends_option
@click.option("--sizes", default="8,16,32,64,128,256,512,1024,2048", show_default=True, help="Samples in a step.")
@click.option("--data", metavar="NAME", help="The recipe's own by default, of MNIST the sample.")
@suite_options(precision="10%")
@click.pass_context
def command(
    ctx: click.Context, /, recipe: str, backends: str | None, sizes: str, data: str | None, **options: Any
) -> None:
    """What a larger batch buys, and what it costs.

    Time of an epoch, accuracy after as many epochs, and the gap to held-out data, over batch sizes.

    \b
    Example:
      trivium bench batch-size --backends jax --sizes 8,64,512 --budget 60s
    """
    from ...benchmarks.suites import batch_size
    from .common import listed

    chosen = numbers("--sizes", sizes)
    run(
        ctx,
        batch_size.SUITE,
        lambda benchmark_options: batch_size.measure(
            recipe, listed(backends), sizes=chosen, data=data, options=benchmark_options
        ),
        lambda found: [cells_table(found, {"batch_size": "batch size"}), *ratio_lines(found)],
        options,
    )
