"""`trivium bench book`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import OptionError
from ...notebook.progress_events import NOTE
from ..common import common_options, console, print_json, seconds, table
from ..options.data_options import reading_options
from ..options.help_page import SuiteCommand
from ..progress import progress
from .common import backends_option, out_option, quick_option, split_names

if TYPE_CHECKING:
    from ...backends.workers.worker import Listener
    from ...benchmarks.suites import book, published


@click.command("book", cls=SuiteCommand)
@click.option("--recipes", metavar="NAMES", help="Recipes or families, such as cnn,rnn/lstm. Default: all recipes.")
@backends_option
@click.option("--data", metavar="NAME", help="Dataset, such as mnist:sample, for the recipes with data of that kind.")
@reading_options
@click.option(
    "--epochs", type=click.IntRange(min=1), metavar="N", help="Epochs of each recipe. Default: 5, or as --published."
)
@click.option(
    "--published",
    "published_size",
    is_flag=True,
    help="Run the published experiments at their own size, each on its fastest backend, into --out. Takes hours.",
)
@quick_option("--epochs 1", epochs=1)
@click.option("--resume", is_flag=True, help="Go on with the --published experiments that --out holds.")
@out_option
@click.option("--keep", is_flag=True, help="Save the figures of the fastest backend for `trivium recipes`.")
@common_options
def command(
    recipes: str | None,
    backends: str | None,
    data: str | None,
    epochs: int | None,
    published_size: bool,
    resume: bool,
    out: Path | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Train recipes, and compare with published figures.

    Measures how good each recipe becomes and how long an epoch takes. Results are saved after each recipe, so that
    nothing is lost if you stop half-way.

    \b
    Example:
      trivium bench book --recipes dense,cnn/striding --backends jax --epochs 3
      trivium bench book --published --out runs/published
      trivium bench book --published --out runs/published --resume
    """
    if published_size:
        _run_published(split_names(recipes), split_names(backends), data, epochs, resume, out, as_json)
        return
    if resume:
        raise OptionError("--resume goes on with published experiments: add --published")
    from ...benchmarks.suites import book
    from ...storage.atomic import require_writable_folder, write_json

    if out:
        require_writable_folder(out)
    if keep:
        book.update_figures(book.BookResult([]))  # fails now, not after the work, if the file cannot be written

    def keep_all(so_far: book.BookResult) -> None:
        if out:
            write_json(out / "results.json", so_far.to_json())
        if keep:
            book.update_figures(so_far)

    with progress(book.SUITE) as listener:
        result = book.measure(
            split_names(recipes),
            split_names(backends),
            data=data,
            epochs=epochs or book.EPOCHS,
            listener=listener,
            after_each=keep_all,
        )
    if as_json:
        print_json(result.to_json())
        return
    _print_book(result, out, keep)


def _run_published(
    recipes: list[str],
    backends: list[str],
    data: str | None,
    epochs: int | None,
    resume: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from ...benchmarks.suites import published
    from ...storage.atomic import require_writable_folder

    if out is None:
        raise OptionError("--published takes hours, and is kept while it goes on: add --out runs/published")
    if not resume and (out / published.RESULTS).exists():
        raise OptionError(f"{out} holds results: add --resume to go on, or name another --out")
    chosen = published.experiments(recipes, data=data, epochs=epochs)
    published.require_all_digits(chosen)
    require_writable_folder(out)
    with progress(published.SUITE) as listener:
        result = published.measure(
            chosen, out, backends, resume=resume, listener=listener, announce=lambda each: _announce(each, listener)
        )
    if as_json:
        print_json(result.to_json())
        return
    _print_published(result, out)


def _announce(expected: Mapping[str, float], listener: Listener) -> None:
    """Tell how long the experiments will take."""
    total = sum(expected.values())
    longest = max(expected, key=expected.__getitem__)
    text = (
        f"{len(expected)} experiments will take about {_duration(total)}; the longest, {longest}, "
        f"{_duration(expected[longest])}. Ctrl-C loses nothing: --resume goes on."
    )
    listener({"kind": NOTE, "text": text})


def _duration(time: float) -> str:
    return f"{time / 3600:.1f} hours" if time >= 5400 else f"{max(1, round(time / 60))} minutes"


def _print_published(result: published.ExperimentResults, out: Path) -> None:
    numbers = ("epochs", "ours", "best", "published", "s/epoch", "published s/epoch")
    shown = table(
        "experiment",
        "backend",
        "metric",
        "epochs",
        "ours",
        "best",
        "published",
        "s/epoch",
        "published s/epoch",
        right=numbers,
    )
    for each in result.outcomes:
        experiment = each.experiment
        cut = f" of {experiment.full_epochs}" if experiment.full_epochs else ""
        values = [f"{value:.4g}" for value in (each.value, each.best, experiment.value)]
        pace = seconds(each.seconds) if each.seconds else ""
        epochs = f"{experiment.epochs}{cut}"
        shown.add_row(experiment.name, each.backend, experiment.metric, epochs, *values, pace, experiment.seconds)
    console().print(shown)
    console().print(f"kept {out / 'results.json'}")


def _print_book(result: book.BookResult, out: Path | None, keep: bool) -> None:
    from ...models import measured

    numbers = ("parameters", "s/epoch", "published s/epoch")
    shown = table("recipe", "backend", "parameters", "ours", "published", "s/epoch", "published s/epoch", right=numbers)
    for each in result.measurements:
        reference = each.recipe.reference
        shown.add_row(
            each.recipe.name,
            each.backend,
            f"{each.run['parameters']:,}",
            measured.result(each.describe()),
            reference.result,
            seconds(each.steady_epoch),
            reference.seconds_per_epoch,
        )
    screen = console()
    screen.print(shown)
    screen.print("Published for a 2014 iMac, CPU only, TensorFlow 2.4.")
    if out:
        screen.print(f"kept {out / 'results.json'}")
    if keep:
        screen.print("kept for `trivium recipes`")
