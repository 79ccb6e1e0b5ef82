"""`trivium generate`: text from a trained text model, pictures from a trained autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..backends import catalog
from .common import backend_option, common_options, console, print_json, trust_option

if TYPE_CHECKING:
    from ..engine.bundles.bundle import Bundle

_SIDE = 12


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--seed-text", metavar="TEXT", help="What to continue; by default the beginning of the training text.")
@click.option("--length", default=400, show_default=True, help="Letters or words to add.")
@click.option("--temperature", default=1.0, show_default=True, help="Low is sure, high is wild.")
@click.option("--seed", default=0, show_default=True, help="Of the choices: the same on every backend.")
@click.option("--out", type=click.Path(path_type=Path), metavar="PNG", help="Where an autoencoder's pictures go.")
@backend_option
@trust_option
@common_options
def command(
    source: Path,
    seed_text: str | None,
    length: int,
    temperature: float,
    seed: int,
    out: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Let a trained text model write on, or a trained autoencoder draw.

    SOURCE is the folder or bundle of a text recipe's run, or of functional/autoencoder.

    \b
    Example:
      trivium generate runs/text-letters --seed-text "It was a dark night" --temperature 0.5
      trivium generate runs/functional-autoencoder --out digits.png
    """
    catalog.use(backend)
    from ..engine.bundles import bundle
    from ..engine.prediction.decoder import has_decoder
    from ..engine.prediction.generation import generate, is_text_model

    found = bundle.load(source)
    if not is_text_model(found) and has_decoder(found):
        _draw(found, out or Path("generated.png"), seed, as_json)
        return
    pieces = generate(found, seed_text, length=length, temperature=temperature, seed=seed)
    if as_json:
        print_json({"schema": 1, "source": str(source), "text": "".join(pieces)})
        return
    for piece in pieces:
        click.echo(piece, nl=False)
    click.echo()


def _draw(found: Bundle, out: Path, seed: int, as_json: bool) -> None:
    from ..engine.plots import plots
    from ..engine.prediction.decoder import code_grid, code_length, decode, random_codes

    length = code_length(found)
    codes = code_grid(_SIDE) if length == 2 else random_codes(_SIDE**2, length, seed)
    title = "each place is a code of two numbers" if length == 2 else f"random codes of {length} numbers"
    plots.contact_sheet(decode(found, codes), _SIDE, out, title=title)
    if as_json:
        print_json({"schema": 1, "drawn": len(codes), "file": str(out)})
        return
    console().print(f"drawn       {out} ({len(codes)} pictures)")
