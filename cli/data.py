"""`trivium data`: what some data look like, before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import OptionError
from .common import common_options, console, print_json, table


@click.command()
@click.argument("name", required=False)
@click.option("--preview", type=click.Path(path_type=Path), metavar="PNG", help="Draw a picture of the data.")
@click.option(
    "--augment", metavar="CHANGES", help="Preview pictures as training would see them: rotation=10,shift=0.1,…"
)
@common_options
def command(name: str | None, preview: Path | None, augment: str | None, as_json: bool) -> None:
    """List the datasets, or tell what one holds: shapes, ranges, class balance, duplicates, likely mistakes.

    NAME is one of them, an .npz or .csv file, or a folder of pictures by class.

    \b
    Example:
      trivium data mnist --preview digits.png
      trivium data mnist --augment rotation=10,shift=0.1 --preview changed.png
    """
    from ..engine.data import datasets
    from ..engine.data.augmentation import Augmentation
    from ..engine.plots import data_summary

    changes = Augmentation.parse(augment) if augment else None
    if changes and not preview:
        raise OptionError("--augment is for a picture here: add --preview changed.png")
    if name is None:
        _list(list(datasets.LOADERS), as_json)
        return
    dataset = datasets.load(name)
    found = data_summary.summarize(dataset)
    if preview and changes:
        data_summary.preview_augmented(dataset, changes, preview)
    elif preview:
        data_summary.preview(dataset, preview)
    if as_json:
        print_json(found)
        return
    _print(found)
    if preview:
        console().print(f"drawn       {preview}")


def _list(names: list[str], as_json: bool) -> None:
    if as_json:
        print_json({"schema": 1, "datasets": names})
    else:
        console().print("\n".join(names))


def _print(found: dict[str, Any]) -> None:
    screen = console()
    screen.print(f"source      {found['source']}")
    shown = table("split", "samples", "shape", "dtype", "range", "mean", right=("samples", "mean"))
    for name, split in found["splits"].items():
        reach = f"{split['low']:.4g} … {split['high']:.4g}"
        shape = "×".join(map(str, split["shape"])) or "one value"
        shown.add_row(name, f"{split['samples']:,}", shape, split["dtype"], reach, f"{split['mean']:.4g}")
    screen.print(shown)
    if found["labels"]:
        balance = table("class", *found["splits"], right=tuple(found["splits"]))
        for label in found["labels"]:
            balance.add_row(label, *(f"{split['classes'][label]:,}" for split in found["splits"].values()))
        screen.print(balance)
    if found["duplicates"]:
        screen.print(f"{found['duplicates']} of the test samples stand in the training split too.")
    for warning in found["warnings"]:
        screen.print(f"warning     {warning}")
