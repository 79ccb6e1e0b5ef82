"""`trivium bench book`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common import common_options, console, print_json, seconds, table
from ..data_options import reading_options
from ..progress import progress
from .common import backends_option, out_option, split_names

if TYPE_CHECKING:
    from ...benchmarks.suites import book


@click.command("book")
@click.option("--recipes", metavar="NAMES", help="Recipes or families, such as cnn,rnn/lstm. Default: all recipes.")
@backends_option
@click.option("--data", metavar="NAME", help="Dataset, such as mnist:sample, for the recipes with data of that kind.")
@reading_options
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True, help="Epochs of each recipe.")
@out_option
@click.option("--keep", is_flag=True, help="Save the figures of the fastest backend for `trivium recipes`.")
@common_options
def command(
    recipes: str | None,
    backends: str | None,
    data: str | None,
    epochs: int,
    out: Path | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Train recipes, and compare our figures with the published ones.

    Measures how good each recipe becomes and how long an epoch takes. Results are saved after each recipe, so that
    nothing is lost if you stop half-way.

    \b
    Example:
      trivium bench book --recipes dense,cnn/striding --backends jax --data mnist:sample --epochs 3
    """
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
            epochs=epochs,
            listener=listener,
            after_each=keep_all,
        )
    if as_json:
        print_json(result.to_json())
        return
    _print_book(result, out, keep)


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
