"""`trivium generate`: generate text with a trained text model, or pictures with a trained autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..backends import catalog
from ..storage.visible_text import visible
from .common import backend_option, common_options, console, print_json, trust_option

if TYPE_CHECKING:
    from ..engine.bundles.bundle import Bundle

_GRID_SIDE = 12


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--seed-text", metavar="TEXT", help="Text to continue. Default: the beginning of the training text.")
@click.option("--random-start", is_flag=True, help="Begin at a random place of the recorded text, by --seed.")
@click.option("--length", default=400, show_default=True, help="Number of letters or words to add.")
@click.option(
    "--temperature",
    default=1.0,
    show_default=True,
    help="Sampling temperature: lower is safer, higher is more varied; 0 takes the likeliest.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Seed of the sampling; gives the same result on every backend."
)
@click.option("--known-words", is_flag=True, help="Leave out the mark of all words beyond the vocabulary.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PNG",
    help="File for an autoencoder's pictures. Default: generated.png.",
)
@backend_option
@trust_option
@common_options
def command(
    source: Path,
    seed_text: str | None,
    random_start: bool,
    length: int,
    temperature: float,
    seed: int,
    known_words: bool,
    out: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Continue a text, or draw pictures, with a trained model.

    SOURCE is the run folder or bundle file of a text recipe or of functional/autoencoder.

    \b
    Example:
      trivium generate runs/text-letters --seed-text "It was" --temperature 0.5
      trivium generate runs/functional-autoencoder --out digits.png
    """
    catalog.use(backend)
    from ..engine.bundles import bundle
    from ..engine.prediction.decoder import has_decoder
    from ..engine.prediction.generation import generate, is_text_model

    loaded = bundle.load(source)
    if not is_text_model(loaded) and has_decoder(loaded):
        _draw(loaded, out or Path("generated.png"), seed, as_json)
        return
    settings = {"random_start": random_start, "known_words": known_words}
    pieces = generate(loaded, seed_text, length=length, temperature=temperature, seed=seed, **settings)
    if as_json:
        print_json({"schema": 1, "source": str(source), "text": "".join(pieces)})
        return
    for piece in pieces:
        click.echo(visible(piece, keep="\n\t"), nl=False)
    click.echo()


def _draw(bundle: Bundle, out: Path, seed: int, as_json: bool) -> None:
    from ..engine.plots import plots
    from ..engine.prediction.decoder import code_grid, code_length, decode, random_codes

    length = code_length(bundle)
    codes = code_grid(_GRID_SIDE) if length == 2 else random_codes(_GRID_SIDE**2, length, seed)
    title = "each position is a code of two numbers" if length == 2 else f"random codes of {length} numbers"
    plots.contact_sheet(decode(bundle, codes), _GRID_SIDE, out, title=title)
    if as_json:
        print_json({"schema": 1, "drawn": len(codes), "file": str(out)})
        return
    console().print(f"drawn       {out} ({len(codes)} pictures)")
