"""MNIST: the full set if this machine has it, else the sample inside trivium. It is downloaded only on request."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import numpy as np

from ...errors import DataError, first_line
from ..dataset import DIGITS, Dataset, Split
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
        closed = _closed_folder() if which != "sample" else None
        source = "the sample inside trivium: 5,000 + 1,000 of MNIST's 60,000 + 10,000 digits (`mnist:full` for all)"
        source += f"; {closed} cannot be read" if closed else ""
        return _require_digits(name, sample, source)


def _find_full_mnist() -> Path | None:
    """Find the full set on this machine: in `$TRIVIUM_DATA`, then in Keras' cache; None where it cannot be read.

    Raises:
        DataError: `TRIVIUM_DATA` is a folder that can be read, but the set is not there.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        path = Path(folder).expanduser() / "mnist.npz"
        if not _may_search(path.parent):
            return None
        if not _is_readable(path):
            raise DataError(f"{FOLDER_VARIABLE} is {folder}, but there is no mnist.npz in it")
        return path
    cached = _cache() / "datasets" / "mnist.npz"
    return cached if _is_readable(cached) else None


def _closed_folder() -> Path | None:
    """Return the folder in which the full set would be looked for, if this user may not look into it."""
    named = os.environ.get(FOLDER_VARIABLE)
    folder = Path(named).expanduser() if named else _cache() / "datasets"
    return None if _may_search(folder) else folder


def _may_search(folder: Path) -> bool:
    """Return whether a folder can be looked into, or is missing: one of another user may be closed."""
    try:
        return not folder.exists() or os.access(folder, os.R_OK | os.X_OK)
    except OSError:  # a folder above it is closed
        return False


def _is_readable(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except OSError:
        return False


def _cache() -> Path:
    return Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))  # an account may have no home


def _download_mnist() -> Path:
    import keras

    try:
        keras.datasets.mnist.load_data()
    except Exception as error:  # the network can fail in any way
        raise DataError(
            f"MNIST could not be downloaded ({first_line(error)}): put mnist.npz into a folder and set "
            f"{FOLDER_VARIABLE} to it, or use mnist:sample"
        ) from error
    path = _find_full_mnist()
    if path is None:
        raise DataError(
            f"{_closed_folder() or _cache()} cannot be read: set {FOLDER_VARIABLE} to a folder with mnist.npz, "
            "or use mnist:sample"
        )
    return path


def _require_digits(name: str, path: Path, source: str) -> Dataset:
    """Read the digits in a file; labels keep their numbers even if the file lacks a digit."""
    train, test = read_splits(path)
    for split in filter(None, (train, test)):
        if split.x.shape[1:] != (28, 28) or split.x.dtype != np.uint8:
            raise DataError(
                f"{source}: expected images (n, 28, 28) of uint8, received {split.x.shape} of {split.x.dtype}"
            )
    return Dataset(name, train, test, tuple("0123456789"), source, kind=DIGITS)


def load_digit_or_not(name: str, which: str = "") -> Dataset:
    """Load MNIST with every second digit scrambled: label 1 is a digit, label 0 has its sixteen 7×7 tiles shuffled.

    The tiles of a shuffled digit hold the same ink as before. Only their arrangement distinguishes the two classes.

    Raises:
        DataError: as `load`.
    """
    digits = load(name.replace("digit-or-not", "mnist"), which)
    test = _shuffle_every_second(digits.test, seed=1) if digits.test else None
    source = f"every second digit taken apart, from {digits.source}"
    return Dataset(name, _shuffle_every_second(digits.train, seed=0), test, ("no digit", "digit"), source, kind=DIGITS)


def load_digit_images(name: str, which: str = "") -> Dataset:
    """Load MNIST for an autoencoder: the target of each picture is the picture itself.

    Raises:
        DataError: as `load`.
    """
    digits = load(name.replace("digit-images", "mnist"), which)
    test = Split(digits.test.x, digits.test.x) if digits.test else None
    return Dataset(name, Split(digits.train.x, digits.train.x), test, (), digits.source, kind=DIGITS)


def _shuffle_every_second(split: Split, seed: int) -> Split:
    generator = np.random.default_rng(seed)
    images, labels = split.x.copy(), np.ones(len(split), "int64")
    labels[::2] = 0
    tiles = images[::2].reshape(-1, 4, 7, 4, 7).swapaxes(2, 3).reshape(-1, 16, 7, 7)
    order = generator.permuted(np.tile(np.arange(16), (len(tiles), 1)), axis=1)
    shuffled = np.take_along_axis(tiles, order[:, :, None, None], axis=1)
    images[::2] = shuffled.reshape(-1, 4, 4, 7, 7).swapaxes(2, 3).reshape(-1, 28, 28)
    return Split(images, labels)
