"""`trivium bench scaling`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from ..options.help_page import SuiteCommand
from .common import Printable, backends_option, cells_table, ratio_lines, run, split_names, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("scaling", cls=SuiteCommand)
@click.option(
    "--recipes", metavar="NAMES", help="Recipes, such as dense/one-hidden,cnn/striding. Default: one of each family."
)
@backends_option
@click.option(
    "--batch-size",
    type=click.IntRange(min=2),
    default=256,
    show_default=True,
    help="Samples per step, of all workers together.",
)
@click.option(
    "--bandwidth",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="GBIT/S",
    help="Network bandwidth between workers, for the estimate.",
)
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=50.0,
    show_default=True,
    metavar="MICROSECONDS",
    help="Network latency of a message, for the estimate.",
)
@suite_options(elsewhere=False)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    recipes: str | None,
    backends: str | None,
    batch_size: int,
    bandwidth: float,
    latency: float,
    **options: Any,
) -> None:
    """Measure what two workers gain over one.

    Times an epoch with one worker on one core, with two workers, and with one worker on two cores, interleaved. From
    these it estimates, for workers on a network, the number at which they communicate as long as they compute.

    \b
    Example:
      trivium bench scaling --recipes dense/one-hidden --bandwidth 25 --budget 2m
    """
    from ...benchmarks.suites import scaling
    from ...benchmarks.suites.scaling_model import Network

    network = Network(bandwidth * 1e9 / 8, latency * 1e-6)
    run(
        ctx,
        scaling.SUITE,
        lambda benchmark_options: scaling.measure(
            split_names(recipes),
            split_names(backends),
            batch_size=batch_size,
            network=network,
            options=benchmark_options,
        ),
        _show,
        options,
    )


def _show(results: Results) -> Printable:
    yield cells_table(results, {"recipe": "recipe", "workers": "workers", "cores": "cores"})
    yield from ratio_lines(results)
    network = results.arguments["network"]
    yield (
        f"With {network['bandwidth'] * 8 / 1e9:g} Gbit/s and {network['latency'] * 1e6:g} µs between workers, "
        "without any other overhead:"
    )
    numbers = ("compute s", "gradients MB", "equal at", "best with", "then")
    shown = table("backend", "recipe", *numbers, right=numbers)
    for each in results.find(metric="step_compute"):
        medians = {name: results.cell_median(each, name) or 0.0 for name in _ESTIMATES}
        shown.add_row(
            each["backend"],
            each["recipe"],
            seconds(each["median"]),
            f"{medians['gradient_bytes'] / 1e6:.3g}",
            f"{medians['equal_at']:,.0f} workers",
            f"{medians['best_workers']:,.0f} workers",
            f"{medians['best_speedup']:.1f} × one",
        )
    yield shown


_ESTIMATES = ("gradient_bytes", "equal_at", "best_workers", "best_speedup")
