"""`trivium bench search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common import backend_option, common_options, console, print_json, seconds, table
from ..options.help_page import SuiteCommand
from ..progress import progress
from .common import out_option, quick_option, split_names

if TYPE_CHECKING:
    from ...benchmarks.suites import search_speed


@click.command("search", cls=SuiteCommand)
@click.option("--tasks", metavar="NAMES", help="cross-validation, grid, or both with a comma. Default: both.")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Epochs of each fit.")
@click.option(
    "--folds", type=click.IntRange(min=2), default=10, show_default=True, help="Folds of the cross-validation."
)
@click.option(
    "--samples", type=click.IntRange(min=100), metavar="N", help="Number of digits. Default: the whole sample."
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=1, show_default=True, help="How often each task is timed."
)
@quick_option("--epochs 2 --folds 3 --samples 1000", epochs=2, folds=3, samples=1000)
@out_option
@backend_option
@common_options
def command(
    tasks: str | None,
    epochs: int,
    folds: int,
    samples: int | None,
    rounds: int,
    out: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Measure how fast a search is beside single fits.

    Runs a cross-validation of dense/dropout, and a grid of 18 candidates in three folds, with trivium and with
    scikit-learn over Keras' own wrapper, in the same run on the same cores.

    \b
    Example:
      trivium bench search --backend jax --tasks cross-validation --rounds 3
    """
    from ...benchmarks.suites import search_speed
    from ...storage.atomic import require_writable_folder, write_json

    if out:
        require_writable_folder(out)
    with progress("bench search") as listener:
        result = search_speed.measure(
            backend,
            tasks=tuple(split_names(tasks)) or search_speed.TASKS,
            epochs=epochs,
            folds=folds,
            samples=samples,
            rounds=rounds,
            listener=listener,
        )
    if out:
        write_json(out / "results.json", result.to_json())
    if as_json:
        print_json(result.to_json())
        return
    _print(result, out)


def _print(result: search_speed.SearchSpeedResult, out: Path | None) -> None:
    from ...benchmarks.statistics import Summary

    screen = console()
    shown = table("task", "by", "s", "score", right=("s", "score"))
    for (task, runner), samples in result.samples.items():
        score = Summary.of(result.scores[task, runner]).median
        shown.add_row(task, runner, seconds(Summary.of(samples).median), f"{score:.4f}")
    screen.print(shown)
    for task in result.tasks:
        cost = result.speedup(task)
        screen.print(f"{task}: trivium is {cost.ratio:.2f} [{cost.low:.2f}, {cost.high:.2f}] × as fast")
    if out:
        screen.print(f"kept {out / 'results.json'}")
