"""MNIST: the full set where it lies on this machine, else the sample inside trivium. No download unasked."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import numpy as np

from ....errors import DataError, first_line
from ..dataset import Dataset, Split
from .files import read_splits

FOLDER_VARIABLE = "TRIVIUM_DATA"
_PACKAGE = __package__.rpartition(".")[0]


def load(name: str, which: str = "") -> Dataset:
    if which not in ("", "full", "sample"):
        raise DataError(f"unknown dataset {name!r}: choose mnist, mnist:full or mnist:sample")
    full = None if which == "sample" else _find_full_mnist()
    if which == "full" and full is None:
        full = _download_mnist()
    if full is not None:
        return _require_digits(name, full, source=str(full))
    with resources.as_file(resources.files(_PACKAGE) / "samples" / "mnist.npz") as sample:
        source = "the sample inside trivium: 5,000 + 1,000 of MNIST's 60,000 + 10,000 digits (`mnist:full` for all)"
        return _require_digits(name, sample, source)


def _find_full_mnist() -> Path | None:
    """The full set on this machine: in `$TRIVIUM_DATA`, then where Keras keeps it.

    Raises:
        DataError: `TRIVIUM_DATA` is set and does not hold it.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        path = Path(folder).expanduser() / "mnist.npz"
        if not path.is_file():
            raise DataError(f"{FOLDER_VARIABLE} is {folder}, but there is no mnist.npz in it")
        return path
    cached = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets" / "mnist.npz"
    return cached if cached.is_file() else None


def _download_mnist() -> Path:
    import keras

    try:
        keras.datasets.mnist.load_data()
    except Exception as error:  # whatever the network does
        raise DataError(
            f"MNIST could not be downloaded ({first_line(error)}): put mnist.npz into a folder and set "
            f"{FOLDER_VARIABLE} to it, or use mnist:sample"
        ) from error
    found = _find_full_mnist()
    assert found
    return found


def _require_digits(name: str, path: Path, source: str) -> Dataset:
    """The digits in a file; a digit that is missing in it keeps its number."""
    train, test = read_splits(path)
    for split in filter(None, (train, test)):
        if split.x.shape[1:] != (28, 28) or split.x.dtype != np.uint8:
            raise DataError(
                f"{source}: expected images (n, 28, 28) of uint8, received {split.x.shape} of {split.x.dtype}"
            )
    return Dataset(name, train, test, tuple("0123456789"), source)


def load_digit_or_not(name: str, which: str = "") -> Dataset:
    """MNIST, half of it taken apart: label 1 is a digit, label 0 one whose sixteen tiles of 7×7 pixels are shuffled.

    Nothing but the order of the strokes tells the two apart: they have the same ink in the same tiles.

    Raises:
        DataError: as `load`.
    """
    digits = load(name.replace("digit-or-not", "mnist"), which)
    test = _half_shuffled(digits.test, seed=1) if digits.test else None
    source = f"every second digit taken apart, from {digits.source}"
    return Dataset(name, _half_shuffled(digits.train, seed=0), test, ("no digit", "digit"), source)


def load_digit_images(name: str, which: str = "") -> Dataset:
    """MNIST for a model that is to give back what it is given: the target of each picture is the picture.

    Raises:
        DataError: as `load`.
    """
    digits = load(name.replace("digit-images", "mnist"), which)
    test = Split(digits.test.x, digits.test.x) if digits.test else None
    return Dataset(name, Split(digits.train.x, digits.train.x), test, (), digits.source)


def _half_shuffled(split: Split, seed: int) -> Split:
    generator = np.random.default_rng(seed)
    images, labels = split.x.copy(), np.ones(len(split), "int64")
    labels[::2] = 0
    tiles = images[::2].reshape(-1, 4, 7, 4, 7).swapaxes(2, 3).reshape(-1, 16, 7, 7)
    order = generator.permuted(np.tile(np.arange(16), (len(tiles), 1)), axis=1)
    shuffled = np.take_along_axis(tiles, order[:, :, None, None], axis=1)
    images[::2] = shuffled.reshape(-1, 4, 4, 7, 7).swapaxes(2, 3).reshape(-1, 28, 28)
    return Split(images, labels)
