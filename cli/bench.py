"""`trivium bench`: what is faster here, measured so that it can be believed, and what the recipes give here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import common_options, console, print_json, seconds, table
from .progress import progress

if TYPE_CHECKING:
    from ..benchmarks import book, masks, overhead
    from ..benchmarks.pooling_vs_striding import Result


class _Suites(click.Group):
    """One subcommand a suite, because each has options of its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            ctx.fail(f"no suite {args[0]!r}: choose one of {', '.join(self.commands)}")
        return super().resolve_command(ctx, args)


backends_option = click.option(
    "--backends", metavar="NAMES", help="Such as jax,torch; all that are installed by default."
)


@click.group(cls=_Suites)
@common_options
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Measure a suite on the installed backends, each in a process of its own.

    \b
    Example:
      trivium bench pooling-vs-striding --budget 60 --out runs/pooling
      trivium bench book --recipes cnn --backends jax
    """
    ctx.default_map = {suite: {"as_json": as_json} for suite in command.commands}  # `--json` may stand before the suite


@command.command("pooling-vs-striding")
@backends_option
@click.option("--data", default="mnist:sample", show_default=True, help="The dataset to train on.")
@click.option("--budget", type=click.FloatRange(min=1), default=120, show_default=True, help="Seconds of measuring.")
@click.option(
    "--precision", type=click.FloatRange(0.001, 1), default=0.05, show_default=True, help="Interval at which to stop."
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for results.json and a chart.")
@common_options
def pooling_vs_striding(
    backends: str | None, data: str, budget: float, precision: float, out: Path | None, as_json: bool
) -> None:
    """What pooling costs against striding.

    The same two convolutions on every backend, interleaved, with intervals.

    \b
    Example:
      trivium bench pooling-vs-striding --budget 60 --out runs/pooling
    """
    from ..benchmarks import charts, pooling_vs_striding
    from ..engine.files import require_place, write_json

    if out:
        require_place(out)
    with progress(pooling_vs_striding.SUITE) as listener:
        result = pooling_vs_striding.measure(
            _names(backends), data=data, budget=budget, precision=precision, listener=listener
        )
    if out:
        write_json(out / "results.json", result.to_json())
        charts.epoch_bars(result, out / "epochs.png")
    if as_json:
        print_json(result.to_json())
        return
    _print_pooling(result, out)


@command.command("book")
@click.option(
    "--recipes", metavar="NAMES", help="Recipes or families, such as cnn,rnn/lstm; the whole book by default."
)
@backends_option
@click.option("--data", metavar="NAME", help="Such as mnist:sample, for the recipes whose own data are of its kind.")
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True, help="Of each recipe.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for results.json.")
@click.option(
    "--keep", is_flag=True, help="Let `trivium recipes` show the figures, of each recipe the fastest backend's."
)
@common_options
def train_book(
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
    from ..benchmarks import book
    from ..engine.files import require_place, write_json

    if out:
        require_place(out)
    if keep:
        book.keep(book.Result([]))  # a file that cannot be written is better known before the work

    def keep_all(so_far: book.Result) -> None:
        if out:
            write_json(out / "results.json", so_far.to_json())
        if keep:
            book.keep(so_far)

    with progress(book.SUITE) as listener:
        result = book.measure(
            _names(recipes), _names(backends), data=data, epochs=epochs, listener=listener, after_each=keep_all
        )
    if as_json:
        print_json(result.to_json())
        return
    _print_book(result, out, keep)


@command.command("masks")
@click.option("--recipe", default="cnn/pooling", show_default=True, help="One with dropout or noise.")
@backends_option
@click.option("--data", metavar="NAME", help="The recipe's own by default, of MNIST the sample.")
@click.option("--budget", type=click.FloatRange(min=1), default=120, show_default=True, help="Seconds of measuring.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for results.json.")
@common_options
def masks_against_native(
    recipe: str, backends: str | None, data: str | None, budget: float, out: Path | None, as_json: bool
) -> None:
    """What dropout that is the same everywhere costs.

    An epoch with the masks that trivium owns against one with the backend's own dropout, by the same plan, interleaved.

    \b
    Example:
      trivium bench masks --recipe cnn/pooling --budget 60
    """
    from ..benchmarks import masks
    from ..engine.files import require_place, write_json

    if out:
        require_place(out)
    with progress(masks.SUITE) as listener:
        result = masks.measure(recipe, _names(backends), data=data, budget=budget, listener=listener)
    if out:
        write_json(out / "results.json", result.to_json())
    if as_json:
        print_json(result.to_json())
        return
    _print_masks(result, out)


@command.command("overhead")
@click.option("--recipes", metavar="NAMES", help="Such as dense/one-hidden,rnn/lstm; all that are written by hand too.")
@backends_option
@click.option("--data", metavar="NAME", help="The recipe's own by default, of MNIST the sample.")
@click.option("--budget", type=click.FloatRange(min=1), default=300, show_default=True, help="Seconds of measuring.")
@click.option(
    "--precision", type=click.FloatRange(0.001, 1), default=0.05, show_default=True, help="Interval at which to stop."
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for results.json.")
@common_options
def overhead_of_runners(
    recipes: str | None,
    backends: str | None,
    data: str | None,
    budget: float,
    precision: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """What Keras' fit and a native loop take beside trivium.

    The same model, data and arithmetic by `keras.Model.fit`, by trivium and by a loop written by hand in the framework,
    interleaved, with intervals.

    \b
    Example:
      trivium bench overhead --recipes rnn/lstm,dense/one-hidden --budget 120
    """
    from ..benchmarks import overhead
    from ..engine.files import require_place, write_json

    if out:
        require_place(out)
    with progress(overhead.SUITE) as listener:
        result = overhead.measure(
            _names(recipes), _names(backends), data=data, budget=budget, precision=precision, listener=listener
        )
    if out:
        write_json(out / "results.json", result.to_json())
    if as_json:
        print_json(result.to_json())
        return
    _print_overhead(result, out)


def _names(listed: str | None) -> list[str]:
    return [name for name in (listed or "").split(",") if name]


def _print_pooling(result: Result, out: Path | None) -> None:
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


def _print_masks(result: masks.Result, out: Path | None) -> None:
    from ..benchmarks.measure import Summary

    screen = console()
    shown = table("backend", "masks", "plan", "s/epoch", "quartiles", right=("s/epoch", "quartiles"))
    for (backend, generator), opened in result.opened.items():
        found = Summary.of(result.rounds.samples[backend, generator])
        quartiles = f"{seconds(found.q1)} – {seconds(found.q3)}"
        shown.add_row(backend, generator, opened["plan"]["name"], seconds(found.median), quartiles)
    screen.print(shown)
    for backend in result.backends:
        cost = result.cost(backend)
        verdict = "" if cost.differs else ": no difference"
        screen.print(
            f"{backend:<11}owned masks cost {cost.ratio:.2f} × native [{cost.low:.2f}, {cost.high:.2f}]{verdict}"
        )
    screen.print(f"{result.rounds.count} interleaved rounds, stopped by {result.rounds.stopped_by}.")
    if out:
        screen.print(f"kept {out / 'results.json'}")


def _print_overhead(result: overhead.Result, out: Path | None) -> None:
    from ..benchmarks.overhead import OTHERS, TRIVIUM

    screen = console()
    for of in OTHERS:
        screen.print(f"{of} ÷ {TRIVIUM}, seconds of a steady epoch:")
        shown = table("recipe", *result.backends, right=tuple(result.backends))
        for recipe in result.recipes:
            costs = [result.cost(recipe, backend, of) for backend in result.backends]
            shown.add_row(recipe, *(f"{cost.ratio:.2f} [{cost.low:.2f}, {cost.high:.2f}]" for cost in costs))
        screen.print(shown)
    screen.print("Above 1 trivium is faster; an interval that holds 1 is no difference.")
    if out:
        screen.print(f"kept {out / 'results.json'}")


def _print_book(result: book.Result, out: Path | None, keep: bool) -> None:
    from ..models import measured

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
