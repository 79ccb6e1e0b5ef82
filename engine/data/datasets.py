"""Datasets by name. `load` takes the name of a known set, or a file or folder of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from ...errors import DataError
from ...functions import suggest
from .dataset import Dataset
from .sources import files, mnist, shapes, text, toys, waves

LOADERS: dict[str, Callable[..., Dataset]] = {
    "mnist": mnist.load,
    "digit-or-not": mnist.load_digit_or_not,
    "digit-images": mnist.load_digit_images,
    "digits": toys.load_digits,
    "iris": toys.load_iris,
    "moons": toys.load_drawn,
    "circles": toys.load_drawn,
    "blobs": toys.load_drawn,
    "shapes": shapes.load,
    "waves": waves.load,
    "text": text.load,
}


def load(name: str | Path) -> Dataset:
    """The dataset of that name, or the one in that file or folder.

    Names: `mnist` (the full set where it lies on this machine, else the sample), `mnist:full` (downloaded by Keras when
    it is nowhere here), `mnist:sample`, `digit-or-not`, scikit-learn's `digits`, `iris`, `moons`, `circles` and
    `blobs`, `shapes` (drawings, which a run can have drawn afresh for each batch), `waves:SET` and `waves:SET:STEPS`
    with SET 0, 1 or 2 (200 steps by default), `text` and `text:FILE`.
    Files: `.npz` arrays, a `.csv` table with a label column, a folder with one folder of pictures for each class.

    Raises:
        DataError: no such name, file or folder, or one that cannot be read.
    """
    name, path = str(name), Path(name)
    if name.endswith(".npz"):
        return files.read_npz(path)
    if name.endswith(".csv"):
        return files.read_labelled_table(path)
    family, *settings = name.split(":")
    if family in LOADERS:
        most = len(inspect.signature(LOADERS[family]).parameters) - 1
        if len(settings) > most:
            raise DataError(f"unknown dataset {name!r}: {family} takes at most {most} settings after it")
        return LOADERS[family](name, *settings)
    if path.is_dir():
        return files.read_picture_folder(path)
    known = list(LOADERS)
    raise DataError(
        f"unknown dataset {name!r}{suggest(family, known)} (known: {', '.join(known)}; or a .npz or .csv file, "
        "or a folder of pictures)"
    )


def same_everywhere(name: str | None) -> str | None:
    """The name of a recipe's own data as they are on every machine: for `mnist`, on some the full set, the sample.

    For whatever compares machines or backends and would say as much on fewer digits.
    """
    return "mnist:sample" if name == "mnist" else name
