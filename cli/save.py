"""`trivium save`: save weights, architecture or the whole model as separate files."""

from __future__ import annotations

from pathlib import Path

import click

from ..backends import catalog
from ..storage.visible_text import visible
from .common import backend_option, common_options, print_json, trust_option


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@backend_option
@trust_option
@common_options
def command(bundle: Path, files: tuple[Path, ...], backend: str | None, as_json: bool) -> None:
    """Save a model in files that plain Keras reads.

    BUNDLE is a run folder, a bundle file, or a whole model in a .keras or .h5 file. The file name decides the content:
    *.weights.h5 the weights, *.json or *.yaml the architecture, *.keras all, *.h5 all in Keras' older format.

    \b
    Example:
      trivium save runs/digits digits.weights.h5 digits.json
      trivium save old.h5 new.keras
    """
    catalog.use(backend)
    from ..engine.bundles import bundle as bundles
    from ..engine.bundles import extract, model_file

    loaded = model_file.load_bundle(bundle) if model_file.is_model_file(bundle) else bundles.load(bundle)
    for file in files:
        extract.save(loaded, file)
    if as_json:
        print_json({"files": [str(file) for file in files]})
    else:
        click.echo(visible(f"kept {', '.join(map(str, files))}"))
