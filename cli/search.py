"""`trivium search`: find the best options of a recipe by cross-validation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from ..backends import catalog
from ..errors import OptionError
from .common import (
    DurationType,
    address_option,
    backend_option,
    common_options,
    console,
    default_out,
    executor_option,
    matmul_option,
    parse_assignments,
    print_json,
    seconds,
    set_option,
    table,
)
from .entries import parse_assignment, parse_value, split_list
from .options.config_file import config_options
from .options.data_options import data_options
from .options.help_page import GroupedCommand
from .options.tracker_options import export_or_warn, log_option, parse_trackers
from .progress import progress

if TYPE_CHECKING:
    from ..engine.search.search import Search

_MOST_ROWS = 30
_RESULTS = "results.json"
_STOPPED = {"time": "the time limit", "interrupted": "Ctrl-C"}


@click.command(cls=GroupedCommand)
@click.argument("recipe")
@click.option(
    "--grid",
    "grid",
    multiple=True,
    required=True,
    metavar="OPTION=VALUES",
    help="Values to try, such as units=20,30,40; may be repeated.",
)
@click.option(
    "--folds", type=int, default=3, show_default=True, metavar="N", help="Number of folds of the cross-validation."
)
@click.option("--random", type=int, metavar="N", help="Try N combinations instead of all.")
@click.option(
    "--sampler",
    type=click.Choice(["random", "tpe"]),
    help="How --random chooses: random, or tpe, which learns from the scores so far. Default: random.",
)
@click.option(
    "--halving", is_flag=True, help="Start with few epochs; the best third continues with three times as many."
)
@click.option("--zoom", type=int, default=0, metavar="N", help="Search again N times on a finer grid around the best.")
@click.option("--training-scores", is_flag=True, help="Score each combination on its training samples too.")
@click.option("--time-limit", type=DurationType(), help="Train no further model after this time, such as 90s or 1h.")
@set_option
@data_options
@click.option("--epochs", type=int, metavar="N", help="Epochs of each fit. Default: the recipe's own.")
@click.option("--batch-size", type=int, metavar="N", help="Samples per step.")
@click.option("--optimizer", metavar="NAME", help="A Keras optimizer: adam, sgd, rmsprop, …")
@click.option("--learning-rate", type=float, metavar="RATE", help="Learning rate of the optimizer.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the weights, the folds and --random.")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Number of worker processes. Default: one per core."
)
@executor_option
@address_option
@log_option
@click.option("--out", type=click.Path(path_type=Path), help="Output folder. Default: runs/search-RECIPE.")
@click.option("--resume", is_flag=True, help="Score only the combinations that have no score yet in the output folder.")
@backend_option
@matmul_option
@common_options
@config_options
def command(
    recipe: str,
    grid: tuple[str, ...],
    assignments: tuple[str, ...],
    data: str | None,
    out: Path | None,
    resume: bool,
    backend: str | None,
    as_json: bool,
    log: tuple[str, ...],
    **settings: Any,
) -> None:
    """Find good options of a recipe by cross-validation.

    The grid may vary the recipe's own options and those of training, such as optimizer, epochs or batch_size. The
    test split of the data is not used. Ctrl-C and --time-limit end a search with what it has scored so far.

    \b
    Example:
      trivium search dense/dropout --grid units=20,30,40 --grid optimizer=adam,sgd
      trivium search dense/dropout --grid learning_rate=0.001,0.01 --zoom 2
      trivium search dense/dropout --grid units=20,30,40 --time-limit 10m
      trivium search dense/dropout --grid units=8,16,32 --random 2 --sampler tpe
      trivium search dense/dropout --grid units=20,30 --executor ray
    """
    catalog.use(backend)
    values, fixed, destinations = parse_grid(grid), parse_assignments(assignments), parse_trackers(log)
    from ..engine.search.search import search
    from ..storage import atomic

    out = out or default_out(recipe).with_name(f"search-{default_out(recipe).name}")
    atomic.require_writable_folder(out)
    chosen = {name: value for name, value in settings.items() if value is not None}
    keeping: dict[str, Any] = {
        "earlier": _read(out / _RESULTS) if resume else None,
        "save": lambda so_far: atomic.write_json(out / _RESULTS, so_far.to_json()),
    }
    with progress(f"search {recipe}") as listener:
        result = search(recipe, values, data, listener=listener, **keeping, **fixed, **chosen)
        listener({"kind": "stage", "stage": "drawing", "done": result.fits, "total": result.fits})
        written = _save(result, out)
    export_or_warn(out, destinations)
    if as_json:
        print_json({**result.to_json(), "files": [str(file) for file in written]})
        return
    _print(result, written)


def parse_grid(assignments: Iterable[str]) -> dict[str, list[Any]]:
    """Return the lists of values of `("units=20,30", "optimizer=adam,sgd")`; `filters=[8,4],[16,8]` has two values.

    Raises:
        OptionError: an assignment has no `=` or no values, or an option appears twice.
    """
    grid: dict[str, list[Any]] = {}
    for assignment in assignments:
        name, text = parse_assignment("--grid", assignment, "--grid units=20,30,40")
        if not text:
            raise OptionError(f"--grid {assignment}: expected values, such as --grid units=20,30,40")
        if name in grid:
            raise OptionError(f"--grid {name} appears twice: give all values at once, --grid {name}=…,…")
        grid[name] = [parse_value(element) for element in split_list(text)]
    return grid


def _read(path: Path) -> dict[str, Any]:
    """Read the results of an earlier search.

    Raises:
        OptionError: there are none.
        FileError: the file is damaged.
    """
    from ..storage import safe_json

    if not path.exists():
        raise OptionError(f"--resume: {path.parent} holds no search: leave it out to begin one")
    read = safe_json.read(path)
    if not isinstance(read, dict):
        raise OptionError(f"--resume: {path} is no result of a search")
    return read


def _save(result: Search, out: Path) -> list[Path]:
    from ..engine.search import search_plot
    from ..storage import atomic

    written = [out / "scores.png", out / _RESULTS, out / "in-order.png"]
    search_plot.draw_scores(result, written[0])
    search_plot.draw_in_order(result, written[2])
    varied = tuple(result.best.params)
    if len(varied) == 2:
        written.append(out / "map.png")
        search_plot.draw_map(result, varied, written[-1])
    atomic.write_json(written[1], result.to_json())
    return written


def _print(result: Search, written: list[Path]) -> None:
    from ..engine.search.search_plot import format_params

    names = list(result.best.params)
    screen = console()
    further = ("training",) if result.best.training_scores else ()
    numbers = ("rank", "epochs", result.metric, "±", *further)
    shown = table("rank", *names, "epochs", result.metric, "±", *further, "folds", right=numbers)
    for rank, each in enumerate(result.candidates[:_MOST_ROWS], start=1):
        values = [format_params({name: each.params[name]}).partition("=")[2] for name in names]
        folds = " ".join(f"{score:.4f}" for score in each.scores)
        trained = [fmean(each.training_scores)] if further else []
        scores = [f"{score:.4f}" for score in (each.mean, each.deviation, *trained)]
        shown.add_row(str(rank), *values, str(each.epochs), *scores, folds)
    screen.print(shown)
    if len(result.candidates) > _MOST_ROWS:
        screen.print(f"and {len(result.candidates) - _MOST_ROWS} more in {written[1]}")
    screen.print(
        f"best    {format_params(result.best.params)}: {result.metric} {result.best.mean:.4f} over {result.folds} folds"
    )
    screen.print(f"took    {seconds(result.seconds)} s for {result.fits} fits")
    if result.stopped:
        screen.print(
            f"stopped by {_STOPPED[result.stopped]}: {result.untried} combinations have no score; "
            f"trivium search … --resume --out {written[1].parent} tries them"
        )
    screen.print(f"kept    {', '.join(str(file) for file in written)}")
