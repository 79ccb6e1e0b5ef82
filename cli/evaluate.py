"""`trivium evaluate`: measure a trained model on test data."""

from __future__ import annotations

from pathlib import Path

import click

from ..backends import catalog
from .common import (
    backend_option,
    common_options,
    console,
    print_json,
    say_if_unprepared,
    table,
    threshold_option,
    trust_option,
)
from .options.data_options import data_options
from .options.help_page import GroupedCommand


@click.command(cls=GroupedCommand)
@click.argument("source", type=click.Path(path_type=Path))
@data_options
@threshold_option
@backend_option
@trust_option
@common_options
def command(source: Path, data: str | None, threshold: float | None, backend: str | None, as_json: bool) -> None:
    """Measure a trained model on its test data, or on other data.

    SOURCE is a run folder, a bundle file, or a whole model in a .keras or .h5 file, which needs --data. The backend
    need not be the one that trained the model.

    \b
    Example:
      trivium evaluate runs/digits --backend torch
      trivium evaluate model.keras --data digits.npz
    """
    catalog.use(backend)
    from ..engine import trained_models

    model = trained_models.load(source)
    metrics = model.evaluate(data, threshold)
    say_if_unprepared(model)
    if as_json:
        print_json({"schema": 1, "source": str(source), "backend": catalog.selected().name, "metrics": metrics})
        return
    shown = table("metric", "value", right=("value",))
    for name, value in metrics.items():
        shown.add_row(name, f"{value:.6g}")
    console().print(shown)
