"""`trivium bench epochs`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ...errors import OptionError
from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from .common import (
    ENERGY_NOTE,
    Printable,
    backends_option,
    cells_table,
    ratio_lines,
    run,
    split_names,
    suite_options,
)

if TYPE_CHECKING:
    from ...benchmarks.results import Results
    from ...benchmarks.suite import BenchmarkOptions


@click.command("epochs", cls=SuiteCommand)
@click.option(
    "--recipes", metavar="NAMES", help="Recipes, such as dense/one-hidden,rnn/lstm. Default: one of each family."
)
@click.option("--model", metavar="FILE:FUNCTION", help="Your own model, such as my.py:build.")
@backends_option
@click.option(
    "--devices", metavar="NAMES", help="cpu, gpu, or both with a comma. Default: the CPU, and a GPU if there is one."
)
@click.option(
    "--policies",
    metavar="NAMES",
    help="Dtype policies that layers compute in: any of float32,mixed_bfloat16,mixed_float16.",
)
@click.option("--data", metavar="NAME|FILE", help="Dataset. Default: the recipe's own, but only the sample of MNIST.")
@reading_options
@click.option("--recommend", is_flag=True, help="Recommend a backend, and remember it for --backend auto.")
@suite_options()
@click.pass_context
def command(
    ctx: click.Context,
    /,
    recipes: str | None,
    model: str | None,
    backends: str | None,
    devices: str | None,
    policies: str | None,
    data: str | None,
    recommend: bool,
    **options: Any,
) -> None:
    """Find the fastest backend on this machine.

    Times each recipe on every backend and device, interleaved, and compares every pair, with intervals.

    \b
    Example:
      trivium bench epochs --recipes dense/one-hidden,rnn/lstm --precision 10%
      trivium bench epochs --model my.py:build --data my.npz --recommend
    """
    from ...benchmarks import recommend as answers
    from ...benchmarks.suites import epochs

    if unknown := set(split_names(devices)) - {"cpu", "gpu"}:
        raise OptionError(f"--devices: no device {min(unknown)!r}: choose from cpu,gpu")
    if recommend and policies:
        raise OptionError("--recommend compares backends, not dtype policies: leave --policies out")
    chosen = [*split_names(recipes), *([model] if model else [])]

    def measure(benchmark_options: BenchmarkOptions) -> Results:
        places = {"devices": split_names(devices), "policies": split_names(policies)}
        results = epochs.measure(chosen, split_names(backends), **places, data=data, options=benchmark_options)
        if recommend:
            best = answers.recommend(results)
            answers.remember(best)
            results.extra["recommended"] = [{**asdict(each), "said": str(each)} for each in best]
        return results

    run(ctx, epochs.SUITE, measure, _show, options)


def _show(results: Results) -> Printable:
    varied = {"device": len({each["device"] for each in results.rows}) > 1}
    varied["precision"] = any("precision" in each for each in results.rows)
    yield cells_table(results, {"recipe": "recipe", **{name: name for name, shown in varied.items() if shown}})
    yield from ratio_lines(results)
    if results.find(metric="energy"):
        yield ENERGY_NOTE
    yield from (each["said"] for each in results.extra.get("recommended", []))
