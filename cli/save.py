"""`trivium save`: save weights, architecture or the whole model as separate files."""

from __future__ import annotations

from pathlib import Path

import click

from .common import common_options, print_json


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@common_options
def command(bundle: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Save parts of the model in BUNDLE (a run folder or a bundle file) as FILES that plain Keras reads.

    The file name decides the content: *.weights.h5 the weights, *.json or *.yaml the architecture, *.keras all.

    \b
    Example:
      trivium save runs/digits digits.weights.h5 digits.json
    """
    from ..engine.bundles import bundle as bundles
    from ..engine.bundles import extract

    loaded = bundles.load(bundle)
    for file in files:
        extract.save(loaded, file)
    if as_json:
        print_json({"files": [str(file) for file in files]})
    else:
        click.echo(f"kept {', '.join(map(str, files))}")
