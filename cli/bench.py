"""`trivium bench`: what is faster here, measured so that it can be believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import common_options, console, print_json, seconds, table
from .progress import progress

if TYPE_CHECKING:
    from ..benchmarks.pooling_vs_striding import Result

SUITES = ("pooling-vs-striding",)


@click.command()
@click.argument("suite", type=click.Choice(SUITES))
@click.option("--backends", metavar="NAMES", help="Such as jax,torch; all that are installed by default.")
@click.option("--data", default="mnist:sample", show_default=True, help="The dataset to train on.")
@click.option("--budget", type=click.FloatRange(min=1), default=120, show_default=True, help="Seconds of measuring.")
@click.option(
    "--precision", type=click.FloatRange(0.001, 1), default=0.05, show_default=True, help="Interval at which to stop."
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for results.json and a chart.")
@common_options
def command(
    suite: str, backends: str | None, data: str, budget: float, precision: float, out: Path | None, as_json: bool
) -> None:
    """Measure SUITE on the installed backends, interleaved, each in a process of its own.

    \b
    Example:
      trivium bench pooling-vs-striding --budget 60 --out runs/pooling
    """
    from ..benchmarks import charts, pooling_vs_striding
    from ..engine.files import require_place, write_json

    if out:
        require_place(out)
    names = [name for name in (backends or "").split(",") if name]
    with progress(suite) as listener:
        result = pooling_vs_striding.measure(names, data=data, budget=budget, precision=precision, listener=listener)
    if out:
        write_json(out / "results.json", result.to_json())
        charts.epoch_bars(result, out / "epochs.png")
    if as_json:
        print_json(result.to_json())
        return
    _print(result, out)


def _print(result: Result, out: Path | None) -> None:
    from ..benchmarks.measure import Summary

    screen = console()
    shown = table("backend", "recipe", "s/epoch", "quartiles", "compile s", right=("s/epoch", "quartiles", "compile s"))
    for (backend, recipe), opened in result.opened.items():
        found = Summary.of(result.rounds.samples[backend, recipe])
        shown.add_row(
            backend,
            recipe,
            seconds(found.median),
            f"{seconds(found.q1)} – {seconds(found.q3)}",
            seconds(opened["compile"]),
        )
    screen.print(shown)
    for backend in result.backends:
        cost = result.cost(backend)
        verdict = "" if cost.differs else ": no difference"
        screen.print(
            f"{backend:<11}pooling costs {cost.ratio:.2f} × striding [{cost.low:.2f}, {cost.high:.2f}]{verdict}"
        )
    screen.print(f"{result.rounds.count} interleaved rounds, stopped by {result.rounds.stopped_by}.")
    if out:
        screen.print(f"kept {out / 'results.json'}, {out / 'epochs.png'}")
