"""`trivium bench epochs`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ...errors import OptionError
from .common import Shown, backends_option, cells_table, listed, ratio_lines, run, suite_options

if TYPE_CHECKING:
    from ...benchmarks.results import Results
    from ...benchmarks.suite import BenchmarkOptions


@click.command("epochs")
@click.option("--recipes", metavar="NAMES", help="Such as dense/one-hidden,rnn/lstm; one of each family by default.")
@click.option("--model", metavar="FILE:FUNCTION", help="A model of your own, such as my.py:build.")
@backends_option
@click.option("--devices", metavar="NAMES", help="Of cpu,gpu; by default the CPU, and the GPU where there is one.")
@click.option(
    "--policies", metavar="NAMES", help="Floats that layers compute in: of float32,mixed_bfloat16,mixed_float16."
)
@click.option("--data", metavar="NAME|FILE", help="The recipe's own by default, of MNIST the sample.")
@click.option("--recommend", is_flag=True, help="Say which backend to take, and remember it for --backend auto.")
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
    """Which backend is fastest here, for recipes or a model of yours.

    Each recipe on every backend and device, interleaved, each with each compared, with intervals.

    \b
    Example:
      trivium bench epochs --recipes dense/one-hidden,rnn/lstm --precision 10%
      trivium bench epochs --model my.py:build --data my.npz --recommend
    """
    from ...benchmarks import recommend as answers
    from ...benchmarks.suites import epochs

    if unknown := set(listed(devices)) - {"cpu", "gpu"}:
        raise OptionError(f"--devices: no device {min(unknown)!r}: choose of cpu,gpu")
    if recommend and policies:
        raise OptionError("--recommend is about backends, whatever the floats: leave --policies out")
    chosen = [*listed(recipes), *([model] if model else [])]

    def measure(benchmark_options: BenchmarkOptions) -> Results:
        places = {"devices": listed(devices), "policies": listed(policies)}
        found = epochs.measure(chosen, listed(backends), **places, data=data, options=benchmark_options)
        if recommend:
            best = answers.recommend(found)
            answers.remember(best)
            found.extra["recommended"] = [{**asdict(each), "said": str(each)} for each in best]
        return found

    run(ctx, epochs.SUITE, measure, _show, options)


def _show(found: Results) -> Shown:
    varied = {"device": len({each["device"] for each in found.rows}) > 1}
    varied["precision"] = any("precision" in each for each in found.rows)
    yield cells_table(found, {"recipe": "recipe", **{name: name for name, shown in varied.items() if shown}})
    yield from ratio_lines(found)
    yield from (each["said"] for each in found.extra.get("recommended", []))
