"""`trivium bench inference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from ..options.help_page import SuiteCommand
from .common import Printable, backends_option, ratio_lines, run, split_names, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("inference", cls=SuiteCommand)
@click.option("--recipes", metavar="NAMES", help="Recipes. Default: dense/one-hidden,cnn/striding.")
@backends_option
@suite_options()
@click.pass_context
def command(ctx: click.Context, /, recipes: str | None, backends: str | None, **options: Any) -> None:
    """Measure how fast a model predicts: one sample, and 256.

    Times Keras on each backend, and ONNX Runtime and OpenVINO if they are installed.

    \b
    Example:
      trivium bench inference --recipes cnn/striding --budget 60s
    """
    from ...benchmarks.suites import inference

    run(
        ctx,
        inference.SUITE,
        lambda benchmark_options: inference.measure(
            split_names(recipes), split_names(backends), options=benchmark_options
        ),
        _show,
        options,
    )


def _show(results: Results) -> Printable:
    from ...benchmarks.suites.inference import LATENCY, METRIC, THROUGHPUT

    numbers = ("latency s", "samples/s")
    shown = table("recipe", "by", "on", *numbers, right=numbers)
    for each in results.find(metric=METRIC, batch_size=LATENCY):
        same = {name: each[name] for name in ("recipe", "backend", "runner")}
        many = results.median(**same, metric="throughput", batch_size=THROUGHPUT)
        shown.add_row(
            each["recipe"],
            "Keras" if each["runner"] == "predict" else each["runner"],
            each["backend"],
            seconds(each["median"]),
            "–" if many is None else f"{many:,.0f}",
        )
    yield shown
    yield from ratio_lines(results)
    for what, why in results.extra["without"].items():
        yield f"without {what}: {why}"
