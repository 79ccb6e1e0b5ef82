"""`trivium bench book`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common import common_options, console, print_json, seconds, table
from ..progress import progress
from .common import backends_option, listed, out_option

if TYPE_CHECKING:
    from ...benchmarks.suites import book


@click.command("book")
@click.option(
    "--recipes", metavar="NAMES", help="Recipes or families, such as cnn,rnn/lstm; the whole book by default."
)
@backends_option
@click.option("--data", metavar="NAME", help="Such as mnist:sample, for the recipes whose own data are of its kind.")
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True, help="Of each recipe.")
@out_option
@click.option(
    "--keep", is_flag=True, help="Let `trivium recipes` show the figures, of each recipe the fastest backend's."
)
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
    """Train recipes; our figures beside the published.

    How good each becomes here, and how long an epoch takes. What is measured is kept after each recipe, so that
    stopping half-way loses nothing.

    \b
    Example:
      trivium bench book --recipes dense,cnn/striding --backends jax --data mnist:sample --epochs 3
    """
    from ...benchmarks.suites import book
    from ...storage.atomic import require_writable_folder, write_json

    if out:
        require_writable_folder(out)
    if keep:
        book.update_figures(book.BookResult([]))  # a file that cannot be written is better known before the work

    def keep_all(so_far: book.BookResult) -> None:
        if out:
            write_json(out / "results.json", so_far.to_json())
        if keep:
            book.update_figures(so_far)

    with progress(book.SUITE) as listener:
        result = book.measure(
            listed(recipes), listed(backends), data=data, epochs=epochs, listener=listener, after_each=keep_all
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
