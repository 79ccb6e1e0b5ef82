"""Datasets by name: `load` takes the name of a known dataset, or a file or folder of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from ...errors import DataError
from ...functions import suggest
from .dataset import Dataset
from .sources import files, mnist, pictures, shapes, text, toys, waves

LOADERS: dict[str, Callable[..., Dataset]] = {
    "mnist": mnist.load,
    "digit-or-not": mnist.load_digit_or_not,
    "digit-images": mnist.load_digit_images,
    "digits": toys.load_digits,
    "iris": toys.load_iris,
    "moons": toys.load_synthetic,
    "circles": toys.load_synthetic,
    "blobs": toys.load_synthetic,
    "shapes": shapes.load,
    "waves": waves.load,
    "text": text.load,
}


def load(name: str | Path) -> Dataset:
    """Load the dataset of that name, or from that file or folder.

    Names: `mnist` (the full set if this machine has it, else the sample), `mnist:full` (downloaded by Keras if this
    machine does not have it), `mnist:sample`, `digit-or-not`, scikit-learn's `digits`, `iris`, `moons`, `circles` and
    `blobs`, `shapes` (drawings, which a run can draw anew for each batch), `waves:SET` and `waves:SET:STEPS` with SET
    0, 1 or 2 (200 steps by default), `text` and `text:FILE`.
    Files: `.npz` arrays, a `.csv` table with a label column, a folder with one folder of pictures per class.

    Raises:
        DataError: there is no such name, file or folder, or it cannot be read.
    """
    name, path = str(name), Path(name)
    if name.endswith(".npz"):
        return files.read_npz(path)
    if name.endswith(".csv"):
        return files.read_labelled_table(path)
    family, *settings = name.split(":")
    if family in LOADERS:
        highest = len(inspect.signature(LOADERS[family]).parameters) - 1
        if len(settings) > highest:
            raise DataError(f"unknown dataset {name!r}: {family} takes at most {highest} settings after it")
        return LOADERS[family](name, *settings)
    if path.is_dir():
        return pictures.read_picture_folder(path)
    known = list(LOADERS)
    raise DataError(
        f"unknown dataset {name!r}{suggest(family, known)} (known: {', '.join(known)}; or a .npz or .csv file, "
        "or a folder of pictures)"
    )


def portable_name(name: str | None) -> str | None:
    """Return the name of a dataset that is the same on every machine: the sample instead of `mnist`.

    `mnist` is the full set on some machines. Comparisons of machines or backends need equal data, not the full set.
    """
    return "mnist:sample" if name == "mnist" else name
