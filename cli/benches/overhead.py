"""`trivium bench overhead`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..common import table
from .common import Shown, backends_option, cells_table, device_option, listed, run, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results


@click.command("overhead")
@click.option(
    "--recipes", metavar="NAMES", help="Such as dense/one-hidden,rnn/lstm, or all; those with a native loop by default."
)
@backends_option
@click.option("--data", metavar="NAME", help="The recipe's own by default, of MNIST the sample.")
@device_option
@suite_options(budget="300s")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    recipes: str | None,
    backends: str | None,
    data: str | None,
    device: str | None,
    **options: Any,
) -> None:
    """What Keras' fit and a native loop take beside trivium.

    The same model, data and arithmetic by `keras.Model.fit`, by trivium and by a loop written by hand in the framework,
    interleaved, with intervals. A recipe without a loop written by hand is compared with fit alone.

    \b
    Example:
      trivium bench overhead --recipes rnn/lstm,dense/one-hidden --budget 120s
    """
    from ...benchmarks.suites import overhead

    run(
        ctx,
        overhead.SUITE,
        lambda benchmark_options: overhead.measure(
            listed(recipes), listed(backends), data=data, device=device, options=benchmark_options
        ),
        _show,
        options,
    )


def _show(found: Results) -> Shown:
    from ...benchmarks.suites.overhead import OTHERS, TRIVIUM

    yield cells_table(found, {"recipe": "recipe", "runner": "runner"})
    backends = list(dict.fromkeys(each["backend"] for each in found.ratios))
    for of in OTHERS:
        yield f"{of} ÷ {TRIVIUM}, seconds of a steady epoch:"
        shown = table("recipe", *backends, right=tuple(backends))
        costs = {(each["recipe"], each["backend"]): each for each in found.ratios if each["of"] == of}
        for recipe in dict.fromkeys(recipe for recipe, _ in costs):
            shown.add_row(recipe, *(_interval(costs.get((recipe, backend))) for backend in backends))
        yield shown
    yield "Above 1 trivium is faster; an interval that holds 1 is no difference."


def _interval(cost: dict[str, Any] | None) -> str:
    return f"{cost['ratio']:.2f} [{cost['low']:.2f}, {cost['high']:.2f}]" if cost else "–"
