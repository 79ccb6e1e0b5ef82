"""`trivium bench masks`."""

from __future__ import annotations

from typing import Any

import click

from .common import backends_option, cells_table, listed, ratio_lines, run, suite_options


@click.command("masks")
@click.option("--recipe", default="cnn/pooling", show_default=True, help="One with dropout or noise.")
@backends_option
@click.option("--data", metavar="NAME", help="The recipe's own by default, of MNIST the sample.")
@suite_options(precision="2%")
@click.pass_context
def command(ctx: click.Context, /, recipe: str, backends: str | None, data: str | None, **options: Any) -> None:
    """What dropout that is the same everywhere costs.

    An epoch with the masks that trivium owns against one with the backend's own dropout, by the same plan, interleaved.

    \b
    Example:
      trivium bench masks --recipe cnn/pooling --budget 60s
    """
    from ...benchmarks.suites import masks

    run(
        ctx,
        masks.SUITE,
        lambda benchmark_options: masks.measure(recipe, listed(backends), data=data, options=benchmark_options),
        lambda found: [cells_table(found, {"suffix": "masks"}), *ratio_lines(found)],
        options,
    )
