"""`trivium bench data-size`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .common import Shown, backends_option, cells_table, listed, numbers, run, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("data-size")
@click.option("--recipe", default="rnn/three-lstm", show_default=True, help="One that trains on waves.")
@backends_option
@click.option("--sizes", default="200,2000,20000", show_default=True, help="Steps of the wave.")
@click.option("--waves", default="waves:2", show_default=True, help="The set they are of.")
@suite_options()
@click.pass_context
def command(ctx: click.Context, /, recipe: str, backends: str | None, sizes: str, waves: str, **options: Any) -> None:
    """How time and error grow with the data.

    One recipe on waves of several lengths, and the exponent that fits: 1 means twice the time for twice the data.

    \b
    Example:
      trivium bench data-size --backends jax --sizes 200,2000 --budget 30s
    """
    from ...benchmarks.suites import data_size

    chosen = numbers("--sizes", sizes)
    run(
        ctx,
        data_size.SUITE,
        lambda benchmark_options: data_size.measure(
            recipe, listed(backends), sizes=chosen, waves=waves, options=benchmark_options
        ),
        _show,
        options,
    )


def _show(found: Results) -> Shown:
    yield cells_table(found, {"steps": "steps"})
    for each in found.rows:
        if each["metric"].endswith("_exponent"):
            what = each["metric"].removesuffix("_exponent")
            yield f"{each['backend']:<11}{what} grows as steps ** {each['median']:.2f}"
