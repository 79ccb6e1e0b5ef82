"""`trivium bench overhead`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import DurationType, table
from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from .common import (
    Printable,
    backends_option,
    cells_table,
    device_option,
    run,
    split_names,
    suite_options,
)

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("overhead", cls=SuiteCommand)
@click.option(
    "--recipes",
    metavar="NAMES",
    help="Recipes, such as dense/one-hidden,rnn/lstm; all: the book; real: six models people train. Default: those "
    "of the book with a native loop.",
)
@click.option(
    "--runners",
    metavar="NAMES",
    help="What trivium is compared with: fit, fit-tuned, native, native-compiled. Default: all that a recipe has.",
)
@backends_option
@click.option("--data", metavar="NAME", help="Dataset. Default: the recipe's own, but only the sample of MNIST.")
@reading_options
@device_option
@click.option(
    "--limit",
    type=DurationType(),
    help="Time for all, compilation included; what there is no time for is left to --resume. Default: no limit.",
)
@suite_options(budget="300s")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    recipes: str | None,
    runners: str | None,
    backends: str | None,
    data: str | None,
    device: str | None,
    **options: Any,
) -> None:
    """Compare trivium with Keras' fit and a native loop.

    Trains the same model on the same data in turn, with intervals: with `keras.Model.fit` as most people call it and
    with the settings that an expert would choose, with trivium, and with a loop written by hand in the framework, plain
    and compiled. A recipe without a native loop is compared with fit alone.

    \b
    Example:
      trivium bench overhead --recipes rnn/lstm,dense/one-hidden --budget 120s
      trivium bench overhead --device gpu --limit 8m --out runs/overhead-gpu
    """
    from ...benchmarks.suites import overhead

    run(
        ctx,
        overhead.SUITE,
        lambda benchmark_options: overhead.measure(
            split_names(recipes),
            split_names(backends),
            runners=split_names(runners),
            data=data,
            device=device,
            options=benchmark_options,
        ),
        _show,
        options,
    )


def _show(results: Results) -> Printable:
    from ...benchmarks.suites.overhead import OTHERS, TRIVIUM

    yield cells_table(results, {"recipe": "recipe", "runner": "runner"})
    backends = list(dict.fromkeys(each["backend"] for each in results.ratios))
    for of in OTHERS:
        yield f"{of} ÷ {TRIVIUM}, seconds of a steady epoch:"
        shown = table("recipe", *backends, right=tuple(backends))
        costs = {(each["recipe"], each["backend"]): each for each in results.ratios if each["of"] == of}
        for recipe in dict.fromkeys(recipe for recipe, _ in costs):
            shown.add_row(recipe, *(_interval(costs.get((recipe, backend))) for backend in backends))
        yield shown
    yield "Above 1, trivium is faster. An interval that contains 1 shows no difference."


def _interval(cost: dict[str, Any] | None) -> str:
    return f"{cost['ratio']:.2f} [{cost['low']:.2f}, {cost['high']:.2f}]" if cost else "–"
