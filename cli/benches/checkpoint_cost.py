"""`trivium bench checkpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common import backend_option, common_options, console, print_json, seconds, table
from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from ..progress import progress
from .common import out_option, quick_option

if TYPE_CHECKING:
    from ...benchmarks.suites import checkpoint_cost


@click.command("checkpoint", cls=SuiteCommand)
@click.option("--recipe", default="cnn/pooling", show_default=True, help="Recipe whose epochs are saved.")
@click.option("--data", metavar="NAME", help="Dataset. Default: the recipe's own, but only the sample of MNIST.")
@reading_options
@click.option(
    "--parameters",
    type=click.IntRange(min=1),
    default=100_000_000,
    show_default=True,
    help="Parameters of the large model.",
)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Folder on the disk to measure. Default: that of temporary files."
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="How often each operation is timed."
)
@quick_option("--parameters 10000000 --rounds 2", parameters=10_000_000, rounds=2)
@out_option
@backend_option
@common_options
def command(
    recipe: str,
    data: str | None,
    parameters: int,
    folder: Path | None,
    rounds: int,
    out: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Measure what a checkpoint costs beside an epoch.

    \b
    Example:
      trivium bench checkpoint --backend jax --data mnist:full
    """
    from ...benchmarks.suites import checkpoint_cost
    from ...storage.atomic import require_writable_folder, write_json

    for place in filter(None, (out, folder)):
        require_writable_folder(place)
    with progress("bench checkpoint") as listener:
        result = checkpoint_cost.measure(
            recipe, backend, data=data, parameters=parameters, folder=folder, rounds=rounds, listener=listener
        )
    if out:
        write_json(out / "results.json", result.to_json())
    if as_json:
        print_json(result.to_json())
    else:
        _print(result, out)


def _print(result: checkpoint_cost.CheckpointCostResult, out: Path | None) -> None:
    from ...benchmarks.statistics import Summary
    from ...benchmarks.suites.checkpoint_cost import LARGE

    screen = console()
    shown = table("what", "s", "MB", right=("s", "MB"))
    for name, samples in result.samples.items():
        size = result.bytes.get(name)
        shown.add_row(name.replace("_", " "), seconds(Summary.of(samples).median), f"{size / 1e6:.1f}" if size else "–")
    screen.print(shown)
    share, speed = result.share, result.speed
    screen.print(
        f"a checkpoint costs {share.ratio:.2%} [{share.low:.2%}, {share.high:.2%}] of an epoch of {result.recipe}"
    )
    screen.print(
        f"the large one is written at {speed.ratio:.0%} [{speed.low:.0%}, {speed.high:.0%}] of the disk's speed"
    )
    if result.extra_memory is not None:
        screen.print(f"and takes {result.extra_memory / result.bytes[LARGE]:.2f} × its size of further memory")
    if out:
        screen.print(f"kept {out / 'results.json'}")
