"""`trivium bench pooling-vs-striding`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from .common import Shown, backends_option, cells_table, listed, ratio_lines, run, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results

_VARIED = {"recipe": "recipe", "way": "way", "filters": "filters", "image_size": "pixels"}


@click.command("pooling-vs-striding")
@backends_option
@click.option("--data", default="mnist:sample", show_default=True, help="The dataset to train on.")
@click.option("--why/--no-why", default=True, show_default=True, help="Also what lies between, and a sweep.")
@click.option("--quick", is_flag=True, help="Few samples, few rounds, a short sweep: some minutes in all.")
@suite_options(budget="10m")
@click.pass_context
def command(ctx: click.Context, /, backends: str | None, data: str, why: bool, quick: bool, **options: Any) -> None:
    """What pooling costs against striding, and why.

    Both pairs of the book, the models between them, and a sweep over filters and image sizes, on every backend,
    interleaved, with intervals. --quick measures for 75 s unless --budget says otherwise.

    \b
    Example:
      trivium bench pooling-vs-striding --quick --out runs/pooling
    """
    from ...benchmarks.suites import pooling_vs_striding

    if quick and ctx.get_parameter_source("budget") is click.core.ParameterSource.DEFAULT:
        options["budget"] = 75.0
    run(
        ctx,
        pooling_vs_striding.SUITE,
        lambda benchmark_options: pooling_vs_striding.measure(
            listed(backends), data=data, why=why, quick=quick, options=benchmark_options
        ),
        _show,
        options,
        after=_draw,
    )


def _show(found: Results) -> Shown:
    yield cells_table(found, _VARIED if found.find(way="pooling") else None)
    yield from ratio_lines(found)
    if not found.extra["why"]:
        return
    yield "What pooling costs is made of:"
    shown = table("backend", "part", "s/epoch", "share", right=("s/epoch", "share"))
    for each in found.extra["why"]:
        share = f"{each['share']:.0%}" if each["differs"] else "no difference"
        shown.add_row(each["backend"], each["part"], seconds(each["seconds"]), share)
    yield shown


def _draw(found: Results, out: Path) -> list[Path]:
    from ...benchmarks import pooling_chart

    pooling_chart.save_epoch_bars(found, out / "epochs.png")
    return [out / "epochs.png"]
