"""`trivium bench pooling-vs-striding`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from .common import Printable, backends_option, cells_table, quick_option, ratio_lines, run, split_names, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results

_VARIED = {"recipe": "recipe", "way": "way", "filters": "filters", "image_size": "pixels"}


@click.command("pooling-vs-striding", cls=SuiteCommand)
@backends_option
@click.option("--data", default="mnist:sample", show_default=True, help="Dataset to train on.")
@reading_options
@click.option("--why/--no-why", default=True, show_default=True, help="Also time the models in between, and a sweep.")
@suite_options(
    budget="10m",
    quick=quick_option("--budget 75s, few samples and a short sweep; a few minutes in all", exposed=True, budget="75s"),
)
@click.pass_context
def command(ctx: click.Context, /, backends: str | None, data: str, why: bool, quick: bool, **options: Any) -> None:
    """Measure what pooling costs beside striding, and why.

    Times both pairs of recipes, the models in between, and a sweep over filters and image sizes, on every backend,
    interleaved, with intervals.

    \b
    Example:
      trivium bench pooling-vs-striding --quick --out runs/pooling
    """
    from ...benchmarks.suites import pooling_vs_striding

    run(
        ctx,
        pooling_vs_striding.SUITE,
        lambda benchmark_options: pooling_vs_striding.measure(
            split_names(backends), data=data, why=why, quick=quick, options=benchmark_options
        ),
        _show,
        options,
        after=_draw,
    )


def _show(results: Results) -> Printable:
    from ...benchmarks.suites import pooling_vs_striding

    yield cells_table(results, _VARIED if results.find(way="pooling") else None)
    yield from ratio_lines(results)
    yield pooling_vs_striding.published_ratios()
    if not results.extra["why"]:
        return
    yield "The cost of pooling has these parts:"
    shown = table("backend", "part", "s/epoch", "share", right=("s/epoch", "share"))
    for each in results.extra["why"]:
        share = f"{each['share']:.0%}" if each["differs"] else "no difference"
        shown.add_row(each["backend"], each["part"], seconds(each["seconds"]), share)
    yield shown


def _draw(results: Results, out: Path) -> list[Path]:
    from ...benchmarks import pooling_chart

    pooling_chart.save_epoch_bars(results, out / "epochs.png")
    return [out / "epochs.png"]
