"""`trivium bench time-to-accuracy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common import seconds, table
from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from .common import (
    ENERGY_NOTE,
    Printable,
    backends_option,
    device_option,
    quick_option,
    ratio_lines,
    run,
    split_names,
    suite_options,
)

if TYPE_CHECKING:
    from ...benchmarks.results import Results
    from ...benchmarks.targets.seed_run import SeedRun


@click.command("time-to-accuracy", cls=SuiteCommand)
@click.option(
    "--recipe",
    "--model",
    "recipe",
    default="dense/one-hidden",
    show_default=True,
    metavar="NAME|FILE:FUNCTION",
    help="A recipe, or your own model, such as my.py:build.",
)
@click.option("--reach", "value", type=float, required=True, metavar="VALUE", help="Value that the metric must reach.")
@click.option(
    "--metric",
    default="val_accuracy",
    show_default=True,
    metavar="NAME",
    help="Metric of the validation, such as val_loss.",
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "max", "min"]),
    default="auto",
    show_default=True,
    help="Whether the metric rises or falls to --reach. Keras knows it of its own metrics.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Trainings on each backend.")
@click.option(
    "--epochs",
    type=click.IntRange(min=2),
    metavar="N",
    help="A seed has failed after so many. Default: the recipe's own.",
)
@click.option("--batch-size", type=click.IntRange(min=1), metavar="N", help="Default: the recipe's own.")
@backends_option
@device_option
@click.option("--data", metavar="NAME|FILE", help="Dataset. Default: the recipe's own, but only the sample of MNIST.")
@reading_options
@suite_options(
    budget="10m",
    precision=None,
    quick=quick_option("--seeds 3 --budget 60s", seeds=3, budget="60s"),
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    recipe: str,
    value: float,
    metric: str,
    mode: str,
    seeds: int,
    epochs: int | None,
    batch_size: int | None,
    backends: str | None,
    device: str | None,
    data: str | None,
    **options: Any,
) -> None:
    """Find the backend that reaches an accuracy soonest.

    Trains from several seeds on every backend, one seed after the other, until the metric of the validation reaches the
    target. The time includes compilation and validation, not the loading of data and the building of the model.

    \b
    Example:
      trivium bench time-to-accuracy --recipe dense/small --reach 0.9
      trivium bench time-to-accuracy --model my.py:build --data my.npz \\
        --metric val_loss --reach 0.3 --seeds 8 --out runs/soonest
    """
    from ...benchmarks.suites import time_to_accuracy
    from ...benchmarks.targets.target import Target

    aim = Target(metric, value, mode)
    run(
        ctx,
        time_to_accuracy.SUITE,
        lambda benchmark_options: time_to_accuracy.measure(
            recipe,
            split_names(backends),
            target=aim,
            seeds=seeds,
            epochs=epochs,
            batch_size=batch_size,
            device=device,
            data=data,
            options=benchmark_options,
        ),
        _show,
        options,
        after=_draw,
    )


def _show(results: Results) -> Printable:
    from ...benchmarks.targets.target_rows import ENERGY, METRIC, confidence

    joules = ["joules"] if results.find(metric=ENERGY) else []
    numbers = ("s to the target", "quartiles", "compile s", "setup s", *joules)
    shown = table("backend", *numbers, "epochs", "reached", right=numbers, optional=("quartiles", "setup s"))
    backends = _by_backend(results)
    for name, runs in backends.items():
        steps = results.find(backend=name, metric=METRIC)
        span = [f"{seconds(row['q1'])} – {seconds(row['q3'])}" for row in steps] or ["–"]
        parts = (results.median(backend=name, metric=part) for part in ("compile", "initialization"))
        energies = [results.median(backend=name, metric=ENERGY)] if joules else []
        shown.add_row(
            name,
            seconds(steps[0]["median"]) if steps else "–",
            *span,
            *("–" if part is None else seconds(part) for part in parts),
            *("–" if energy is None else f"{energy:.3g}" for energy in energies),
            " ".join(str(each.epochs) if each.reached else "–" for each in runs),
            f"{sum(each.reached for each in runs)} of {len(runs)}",
        )
    yield shown
    if joules:
        yield ENERGY_NOTE
    yield from ratio_lines(results)
    if results.ratios:
        count = min(len(runs) for runs in backends.values() if runs)
        yield f"The intervals of {count} seeds hold with {confidence(count):.0%}; eight seeds give 95%."
    target = results.extra["target"]
    if any(not each.reached for runs in backends.values() for each in runs):
        yield (
            f"A seed that did not reach {target['metric']} {target['value']:g} in {target['epochs']} epochs counts as "
            "the slowest of its backend."
        )


def _by_backend(results: Results) -> dict[str, list[SeedRun]]:
    """Return the trainings on each backend, in the order in which the backends are listed."""
    from ...benchmarks.targets.seed_run import SeedRun

    runs: dict[str, list[SeedRun]] = {}
    for record in results.extra["runs"]:
        runs.setdefault(record["backend"], []).append(SeedRun.from_json(record))
    return runs


def _draw(results: Results, out: Path) -> list[Path]:
    from ...benchmarks.targets import seed_chart

    path = out / "time-to-accuracy.png"
    seed_chart.save_seeds(_by_backend(results), results.extra["target"], path)
    return [path]
