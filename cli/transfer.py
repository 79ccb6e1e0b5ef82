"""`trivium transfer`: trained weights of PyTorch into a Keras model that was written independently."""

from __future__ import annotations

import click

from .check_table import check_table
from .common import common_options, console, print_json
from .compare import map_table
from .progress import progress


@click.command()
@click.argument("weights")
@click.argument("model")
@click.option("--like", required=True, metavar="FILE.py:FUNCTION", help="Returns the PyTorch module of these weights.")
@click.option("--out", required=True, metavar="FILE.keras", help="Where to write the Keras model.")
@click.option("--map", "map_file", metavar="FILE", help="Lines `layer of A: layer of B`, where the map is wrong.")
@common_options
@click.pass_context
def command(
    ctx: click.Context, weights: str, model: str, like: str, out: str, map_file: str | None, as_json: bool
) -> None:
    """Give a Keras model the trained weights of a PyTorch module.

    Both have the same architecture.     WEIGHTS is a .safetensors file or a saved state_dict. MODEL is a recipe, a
    Keras file or path/to/file.py:function. Which weight is which is found as by `trivium compare`. The file is written
    only if both models answer and train the same; otherwise the place where they part is shown, and the exit code is 1.

    \b
    Example:
      trivium transfer net.pt net.py:keras --like net.py:torch --out net.keras
    """
    from ..comparison.transfer import transfer

    with progress(f"transfer {weights}") as listener:
        report = transfer(weights, model, like, out, known_pairs=map_file, listener=listener)
    if as_json:
        print_json({**report.to_json(), "out": out if report.passed else None})
    else:
        screen = console()
        screen.print(map_table(report))
        screen.print(check_table(report.checks))
        screen.print(report.finding)
        screen.print(f"{out}: written" if report.passed else f"{out}: not written")
    if not report.passed:
        ctx.exit(1)
