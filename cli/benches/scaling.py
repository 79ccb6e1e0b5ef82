"""`trivium bench scaling`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from .common import Shown, backends_option, cells_table, listed, ratio_lines, run, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("scaling")
@click.option(
    "--recipes", metavar="NAMES", help="Such as dense/one-hidden,cnn/striding; one of each family by default."
)
@backends_option
@click.option(
    "--batch-size", type=click.IntRange(min=2), default=256, show_default=True, help="Of all workers together."
)
@click.option(
    "--bandwidth",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="GBIT/S",
    help="Between the workers of a cluster, for what is computed and not measured.",
)
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=50.0,
    show_default=True,
    metavar="MICROSECONDS",
    help="Until the first byte of a message arrives.",
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
    """What two workers gain over one, and how many would be too many.

    An epoch by one worker with a core, by two, and by one with two cores, interleaved; from it, for workers on a
    network, the number at which they communicate as long as they compute.

    \b
    Example:
      trivium bench scaling --recipes dense/one-hidden,cnn/striding --bandwidth 25 --budget 2m
    """
    from ...benchmarks.suites import scaling
    from ...benchmarks.suites.scaling_model import Network

    network = Network(bandwidth * 1e9 / 8, latency * 1e-6)
    run(
        ctx,
        scaling.SUITE,
        lambda benchmark_options: scaling.measure(
            listed(recipes), listed(backends), batch_size=batch_size, network=network, options=benchmark_options
        ),
        _show,
        options,
    )


def _show(found: Results) -> Shown:
    yield cells_table(found, {"recipe": "recipe", "workers": "workers", "cores": "cores"})
    yield from ratio_lines(found)
    network = found.arguments["network"]
    yield (
        f"With {network['bandwidth'] * 8 / 1e9:g} Gbit/s and {network['latency'] * 1e6:g} µs between workers, "
        "if nothing else were in the way:"
    )
    numbers = ("compute s", "gradients MB", "equal at", "best with", "then")
    shown = table("backend", "recipe", *numbers, right=numbers)
    for each in found.find(metric="step_compute"):
        told = {name: found.cell_median(each, name) or 0.0 for name in _RECKONED}
        shown.add_row(
            each["backend"],
            each["recipe"],
            seconds(each["median"]),
            f"{told['gradient_bytes'] / 1e6:.3g}",
            f"{told['equal_at']:,.0f} workers",
            f"{told['best_workers']:,.0f} workers",
            f"{told['best_speedup']:.1f} × one",
        )
    yield shown


_RECKONED = ("gradient_bytes", "equal_at", "best_workers", "best_speedup")
