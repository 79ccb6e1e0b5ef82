"""`trivium save`: weights, architecture or the whole model, each as a file of its own."""

from __future__ import annotations

from pathlib import Path

import click

from .common import common_options, print_json


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@common_options
def command(bundle: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Save parts of the model in BUNDLE, a run's folder or its bundle, as FILES that plain Keras reads.

    What a file holds is told by its name: *.weights.h5 the weights, *.json or *.yaml the architecture, *.keras all.

    \b
    Example:
      trivium save runs/digits digits.weights.h5 digits.json
    """
    from ..engine.bundles import bundle as bundles
    from ..engine.bundles import extract

    held = bundles.load(bundle)
    for file in files:
        extract.save(held, file)
    if as_json:
        print_json({"files": [str(file) for file in files]})
    else:
        click.echo(f"kept {', '.join(map(str, files))}")
