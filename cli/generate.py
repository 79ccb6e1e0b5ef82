"""`trivium generate`: text from a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from ..backends import catalog
from .common import backend_option, common_options, print_json


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--seed-text", metavar="TEXT", help="What to continue; by default the beginning of the training text.")
@click.option("--length", default=400, show_default=True, help="Letters or words to add.")
@click.option("--temperature", default=1.0, show_default=True, help="Low is sure, high is wild.")
@click.option("--seed", default=0, show_default=True, help="Of the choices: the same on every backend.")
@backend_option
@common_options
def command(
    source: Path,
    seed_text: str | None,
    length: int,
    temperature: float,
    seed: int,
    backend: str | None,
    as_json: bool,
) -> None:
    """Let a trained text model write on.

    SOURCE is the folder or bundle of a text recipe's run.

    \b
    Example:
      trivium generate runs/text-letters --seed-text "It was a dark night" --temperature 0.5
    """
    catalog.use(backend)
    from ..engine.generation import generate

    pieces = generate(source, seed_text, length=length, temperature=temperature, seed=seed)
    if as_json:
        print_json({"schema": 1, "source": str(source), "text": "".join(pieces)})
        return
    for piece in pieces:
        click.echo(piece, nl=False)
    click.echo()
