"""`trivium bench data-size`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..options.help_page import SuiteCommand
from .common import Printable, backends_option, cells_table, parse_counts, quick_option, run, split_names, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("data-size", cls=SuiteCommand)
@click.option("--recipe", default="rnn/three-lstm", show_default=True, help="A recipe that trains on waves.")
@backends_option
@click.option("--sizes", default="200,2000,20000", show_default=True, help="Lengths of the wave, in steps.")
@click.option("--waves", default="waves:2", show_default=True, help="The wave set.")
@suite_options(
    quick=quick_option("--sizes 200,2000 --budget 20s --precision 20%", sizes="200,2000", budget="20s", precision="20%")
)
@click.pass_context
def command(ctx: click.Context, /, recipe: str, backends: str | None, sizes: str, waves: str, **options: Any) -> None:
    """Measure how time and error grow with the data.

    Trains one recipe on waves of several lengths, and fits an exponent: 1 means twice the time for twice the data.

    \b
    Example:
      trivium bench data-size --backends jax --sizes 200,2000 --budget 30s
    """
    from ...benchmarks.suites import data_size

    chosen = parse_counts("--sizes", sizes)
    run(
        ctx,
        data_size.SUITE,
        lambda benchmark_options: data_size.measure(
            recipe, split_names(backends), sizes=chosen, waves=waves, options=benchmark_options
        ),
        _show,
        options,
    )


def _show(results: Results) -> Printable:
    yield cells_table(results, {"steps": "steps"})
    for each in results.rows:
        if each["metric"].endswith("_exponent"):
            what = each["metric"].removesuffix("_exponent")
            yield f"{each['backend']:<11}{what} grows as steps ** {each['median']:.2f}"
