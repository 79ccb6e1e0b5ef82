"""`trivium data`: summarize a dataset before a model is trained on it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OptionError
from .common import common_options, console, print_json, table
from .entries import parse_entries
from .options.data_options import reading_options
from .options.help_page import GroupedCommand
from .options.option_names import with_options
from .progress import progress

# Those of `engine/plots/picture_choice.py`, which imports NumPy.
_CHOICES = ("random", "classes", "border", "noisy")
# Classes that are listed.
_MOST_CLASSES = 100

if TYPE_CHECKING:
    from rich.console import Console

    from ..data.augmentation import Augmentation
    from ..data.dataset import Dataset


@click.command(cls=GroupedCommand)
@click.argument("name", required=False)
@click.option(
    "--preview", type=click.Path(path_type=Path), metavar="PNG", help="Draw samples of the data into this file."
)
@click.option(
    "--augment",
    metavar="CHANGES",
    help="Draw the --preview with augmented pictures, as in training, or write them to --out: rotation=10,shift=0.1,…",
)
@click.option(
    "--show",
    type=click.Choice(_CHOICES),
    help="Pictures to draw: random; ten of each of the classes; those with the most ink on their border, or the most "
    "noisy. Default: the first.",
)
@click.option("--sample", type=int, metavar="N", help="Draw training picture N in many --augment changes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write the training pictures, changed by --augment, into this new folder, for --data FOLDER.",
)
@click.option("--copies", type=int, metavar="N", help="Changed copies of each picture in --out. Default: 1.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of what is drawn at random.")
@functools.partial(reading_options, name="name")
@common_options
def command(
    name: str | None,
    preview: Path | None,
    augment: str | None,
    show: str | None,
    sample: int | None,
    out: Path | None,
    copies: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """List the datasets, or describe one and its likely mistakes.

    NAME is a listed dataset, an .npz, .safetensors or .csv file, a folder of .npy files or with one folder of pictures
    per class, or a function path/to/file.py:function that returns arrays.

    \b
    Example:
      trivium data mnist --preview digits.png
      trivium data sales.csv --window 24 --key shop --time day
      trivium data mnist --augment rotation=10,shift=0.1 --preview changed.png
      trivium data mnist --show classes --preview classes.png
      trivium data mnist --augment rotation=10,shear=10 --copies 3 --out changed
    """
    from ..data import datasets
    from ..data.data_source import dataset_of
    from ..engine.plots import data_summary

    changes = _changes(augment)
    draw = _preview(preview, changes, show, sample, seed, is_written=out is not None)
    write = _writing(out, changes, copies, seed)
    if name is None:
        _list(list(datasets.LOADERS), as_json)
        return
    dataset = dataset_of(name)
    summary = data_summary.summarize(dataset)
    if draw:
        draw(dataset)
    if write:
        summary["written"] = write(dataset)
    if as_json:
        print_json(summary)
        return
    _print(summary)
    if preview:
        console().print(f"drawn       {preview}")
    if write:
        written = summary["written"]
        console().print(f"written     {written['pictures']:,} pictures, {written['folder']}")


def _changes(augment: str | None) -> Augmentation | None:
    from ..data.augmentation import Augmentation

    if augment is None:
        return None
    return Augmentation.of(parse_entries("--augment", augment, example="rotation=10,shift=0.1"))


def _writing(
    out: Path | None, changes: Augmentation | None, copies: int | None, seed: int
) -> Callable[[Dataset], dict[str, Any]] | None:
    """Return what writes the changed pictures and says what it wrote, or None without `--out`.

    Raises:
        OptionError: options do not go together.
        OutputError: the folder cannot be written, or holds other files.
    """
    if out is None:
        if copies is not None:
            raise OptionError("--copies is for changed pictures in a folder: add --out FOLDER")
        return None
    from ..data.pictures.augmented_folder import write_augmented
    from ..storage.atomic import require_empty_folder

    if changes is None:
        raise OptionError("--out is a folder for changed pictures: add --augment rotation=10,shift=0.1")
    if copies is not None and copies < 1:
        raise OptionError(f"--copies must be 1 or more, received {copies}")
    require_empty_folder(out)

    def write(dataset: Dataset) -> dict[str, Any]:
        with progress(f"write {out}") as listener:
            return {"folder": str(out), "pictures": write_augmented(dataset, changes, out, copies or 1, seed, listener)}

    return write


def _preview(
    path: Path | None,
    changes: Augmentation | None,
    show: str | None,
    sample: int | None,
    seed: int,
    *,
    is_written: bool,
) -> Callable[[Dataset], None] | None:
    """Return what draws the preview, or None without one.

    Raises:
        OptionError: options that choose what is drawn do not go together.
    """
    from ..engine.plots import data_summary

    if changes is None and sample is not None:
        raise OptionError("--sample is drawn in many changes: add --augment rotation=10,shift=0.1")
    if show and (changes is not None or not path):
        raise OptionError("--show chooses the pictures of a preview: add --preview shown.png, and leave --augment out")
    if changes is not None:
        if not path and is_written and sample is None:
            return None
        if not path:
            raise OptionError("--augment only changes the preview: add --preview changed.png, or --out FOLDER")
        if sample is not None:
            return lambda dataset: data_summary.preview_one_augmented(dataset, sample, changes, path, seed)
        return lambda dataset: data_summary.preview_augmented(dataset, changes, path, seed)
    if path and show:
        return lambda dataset: data_summary.preview_chosen(dataset, show, path, seed)
    return (lambda dataset: data_summary.preview(dataset, path)) if path else None


def _list(names: list[str], as_json: bool) -> None:
    if as_json:
        print_json({"schema": 1, "datasets": names})
    else:
        screen = console()
        for name in names:
            screen.print(name)


def _print(summary: dict[str, Any]) -> None:
    screen = console()
    screen.print(f"source      {summary['source']}")
    _print_splits(summary["splits"], screen)
    if "columns" in summary:
        _print_columns(summary["columns"], screen)
    if summary["labels"] and "arrays" not in summary["splits"]["train"]:
        _print_balance(summary, screen)
    if "series" in summary:
        _print_series(summary["series"], screen)
    _print_sentences(summary, screen)


def _print_splits(splits: dict[str, Any], screen: Console) -> None:
    are_named = any("arrays" in split for split in splits.values())
    columns = ("split", *(["array"] if are_named else []), "samples", "shape", "dtype", "range", "mean")
    shown = table(*columns, right=("samples", "mean"))
    for name, split in splits.items():
        for array, values in split.get("arrays", {"": split}).items():
            shown.add_row(name, *([array] if are_named else []), f"{split['samples']:,}", *_describe(values))
    screen.print(shown)


def _print_balance(summary: dict[str, Any], screen: Console) -> None:
    """Print how many samples, or pixels, of each class there are in each split."""
    splits = summary["splits"]
    balance = table("pixels of" if "target_shape" in splits["train"] else "class", *splits, right=tuple(splits))
    for label in summary["labels"][:_MOST_CLASSES]:
        balance.add_row(label, *(f"{split['classes'][label]:,}" for split in splits.values()))
    screen.print(balance)
    if len(summary["labels"]) > _MOST_CLASSES:
        screen.print(f"… and {len(summary['labels']) - _MOST_CLASSES:,} more: --json prints all.")


def _print_sentences(summary: dict[str, Any], screen: Console) -> None:
    for note in summary["notes"]:
        screen.print(f"note        {with_options(note, click.get_current_context().command.params)}")
    for warning in summary["warnings"]:
        screen.print(f"warning     {warning}")


def _print_columns(columns: list[dict[str, Any]], screen: Console) -> None:
    """Print what each column of a table holds."""
    shown = table("column", "holds", "gaps", "range", "mean", right=("gaps", "mean"))
    for column in columns:
        gaps = f"{column['gaps']:,}" if column["gaps"] else ""
        if "words" in column:
            more = ", …" if column["distinct"] > len(column["words"]) else ""
            words = ", ".join(f"{word} {count:,}" for word, count in column["words"].items())
            shown.add_row(column["name"], f"{column['distinct']:,} words", gaps, words + more, "")
        else:
            low, high, mean = (_number(column[key]) for key in ("low", "high", "mean"))
            shown.add_row(column["name"], column["kind"], gaps, f"{low} … {high}", mean)
    screen.print(shown)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _print_series(series: dict[str, Any], screen: Console) -> None:
    """Print how series are cut, and the time that each part covers."""
    named = [f"{name} {series[name]}" for name in ("window", "horizon", "stride", "key", "time") if name in series]
    screen.print(f"series      {series['count']:,}, {', '.join(named)}; to predict: {', '.join(series['target'])}")
    names = ["series"] if any(part["series"] for part in series["parts"]) else []
    ranges = table(*names, "part", "rows", "from", "to", right=("rows",))
    for part in series["parts"]:
        cells = [part["series"] for _ in names]
        ranges.add_row(*cells, part["part"], f"{part['rows']:,}", str(part["first"]), str(part["last"]))
    screen.print(ranges)
    listed = len({part["series"] for part in series["parts"]})
    if listed < series["count"]:
        screen.print(f"… and {series['count'] - listed} more series.")


def _describe(values: dict[str, Any]) -> tuple[str, ...]:
    """Return shape, dtype, range and mean of an array."""
    shape = "×".join(map(str, values["shape"])) or "one value"
    return shape, values["dtype"], f"{values['low']:.4g} … {values['high']:.4g}", f"{values['mean']:.4g}"
