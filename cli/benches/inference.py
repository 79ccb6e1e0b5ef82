"""`trivium bench inference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from .common import Shown, backends_option, listed, ratio_lines, run, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("inference")
@click.option("--recipes", metavar="NAMES", help="Names of recipes; dense/one-hidden,cnn/striding by default.")
@backends_option
@suite_options()
@click.pass_context
def command(ctx: click.Context, /, recipes: str | None, backends: str | None, **options: Any) -> None:
    """How fast a model answers: one sample, and 256.

    By Keras on each backend; ONNX Runtime and OpenVINO beside it where they are installed.

    \b
    Example:
      trivium bench inference --recipes cnn/striding --budget 60s
    """
    from ...benchmarks.suites import inference

    run(
        ctx,
        inference.SUITE,
        lambda benchmark_options: inference.measure(listed(recipes), listed(backends), options=benchmark_options),
        _show,
        options,
    )


def _show(found: Results) -> Shown:
    from ...benchmarks.suites.inference import LATENCY, METRIC, THROUGHPUT

    numbers = ("latency s", "samples/s")
    shown = table("recipe", "by", "on", *numbers, right=numbers)
    for each in found.find(metric=METRIC, batch_size=LATENCY):
        same = {name: each[name] for name in ("recipe", "backend", "runner")}
        many = found.median(**same, metric="throughput", batch_size=THROUGHPUT)
        shown.add_row(
            each["recipe"],
            "Keras" if each["runner"] == "predict" else each["runner"],
            each["backend"],
            seconds(each["median"]),
            "–" if many is None else f"{many:,.0f}",
        )
    yield shown
    yield from ratio_lines(found)
    for what, why in found.extra["without"].items():
        yield f"without {what}: {why}"
