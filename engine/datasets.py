"""Arrays with a name, two splits, and where they came from. Thin on purpose: no framework loader, no download unasked.

`load` takes a name (`mnist`, `waves:0`) or the path of an `.npz` file of the user's own.
"""

from __future__ import annotations

import hashlib
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..functions import suggest

FOLDER_VARIABLE = "TRIVIUM_DATA"

# θ advances by this much at each step of a wave.
WAVE_STEP = 0.057
WAVE_TEST_STEPS = 200
# (frequency, amplitude) of each sine; every phase is 0. Set 2 is set 1, mirrored where it falls.
WAVES = {
    0: ((1.0, 1.0), (2.0, 2.0)),
    1: ((1.1, 1.0), (1.7, 2.0), (3.1, 2.0), (7.0, 3.0)),
    2: ((1.1, 1.0), (1.7, 2.0), (3.1, 2.0), (7.0, 3.0)),
}


@dataclass(frozen=True)
class Split:
    """Samples `x` and what is to be said of them, `y`; the first axis of both counts the samples."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """Data with a name and a provenance.

    Attributes:
        name: what it was asked for as.
        train, test: the splits; `test` may be missing in a user's own file.
        labels: the names of the classes, empty where `y` is no class.
        source: where the arrays came from, in words.
    """

    name: str
    train: Split
    test: Split | None
    labels: tuple[str, ...]
    source: str

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over dtypes, shapes and bytes of all arrays: equal data, equal checksum, whatever file it was in."""
        digest = hashlib.sha256()
        for split in filter(None, (self.train, self.test)):
            for array in (split.x, split.y):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What a run keeps of its data."""
        return {
            "name": self.name,
            "source": self.source,
            "checksum": self.checksum,
            "train": len(self.train),
            "test": len(self.test) if self.test else 0,
        }


def load(name: str | Path) -> Dataset:
    """The dataset of that name, or the one in that `.npz` file.

    Names: `mnist` (the full set where it lies on this machine, else the sample), `mnist:full` (downloaded by Keras
        when it
    is nowhere here), `mnist:sample`, `waves:SET` and `waves:SET:STEPS` with SET 0, 1 or 2 (200 steps by default).

    Raises:
        DataError: no such name or file, or a file that is truncated or does not hold finite numbers.
    """
    name = str(name)
    if name.endswith(".npz"):
        return read_npz(Path(name))
    family, *settings = name.split(":")
    loader = _LOADERS.get(family)
    if loader is None:
        known = list(_LOADERS)
        raise DataError(f"unknown dataset {name!r}{suggest(family, known)} (known: {', '.join(known)}, or a .npz file)")
    return loader(name, *settings)


# --- digits ---------------------------------------------------------------------------------------------------------


def _load_mnist(name: str, which: str = "") -> Dataset:
    if which not in ("", "full", "sample"):
        raise DataError(f"unknown dataset {name!r}: choose mnist, mnist:full or mnist:sample")
    full = None if which == "sample" else _find_full_mnist()
    if which == "full" and full is None:
        full = _download_mnist()
    if full is not None:
        dataset = read_npz(full, name=name)
        return _require_digits(dataset, source=str(full))
    with resources.as_file(resources.files(__package__) / "samples" / "mnist.npz") as sample:
        dataset = read_npz(sample, name=name)
    source = "the sample inside trivium: 5,000 + 1,000 of MNIST's 60,000 + 10,000 digits (`mnist:full` for all)"
    return _require_digits(dataset, source=source)


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
            f"MNIST could not be downloaded ({str(error).splitlines()[0]}): put mnist.npz into a folder and set "
            f"{FOLDER_VARIABLE} to it, or use mnist:sample"
        ) from error
    found = _find_full_mnist()
    assert found
    return found


def _require_digits(dataset: Dataset, source: str) -> Dataset:
    for split in filter(None, (dataset.train, dataset.test)):
        if split.x.shape[1:] != (28, 28) or split.x.dtype != np.uint8:
            raise DataError(
                f"{source}: expected images (n, 28, 28) of uint8, received {split.x.shape} of {split.x.dtype}"
            )
    return Dataset(dataset.name, dataset.train, dataset.test, tuple("0123456789"), source)


# --- waves ----------------------------------------------------------------------------------------------------------


def wave(number: int, steps: int, skip: int = 0) -> np.ndarray:
    """`steps` values of wave set `number`, from step `skip` on: Σ amplitude · sin(frequency · θ), θ = 0.057 · step.

    Returns:
        (steps,) float64. Set 2 is negated wherever the summed curve falls, its first value too when it falls at once.
    """
    theta = WAVE_STEP * (np.arange(steps) + skip)
    curve: np.ndarray = np.sum([amp * np.sin(freq * theta) for freq, amp in WAVES[number]], axis=0)
    if number == 2:
        rise = np.diff(curve)
        falls = np.concatenate([rise[:1], rise]) < 0
        curve = np.where(falls, -curve, curve)
    return curve


def _load_waves(name: str, number: str = "0", steps: str = "200") -> Dataset:
    if number not in map(str, WAVES) or not steps.isdecimal() or int(steps) < 2:
        raise DataError(
            f"unknown dataset {name!r}: choose waves:0, waves:1 or waves:2, or waves:2:2000 for 2,000 steps"
        )
    train = wave(int(number), int(steps))
    # The test part starts where a network that merely learnt the training part by heart has nothing to go by.
    test = wave(int(number), WAVE_TEST_STEPS, skip=2 * int(steps))
    return Dataset(name, Split(train, train), Split(test, test), (), f"computed: wave set {number}, {steps} steps")


_LOADERS: dict[str, Callable[..., Dataset]] = {"mnist": _load_mnist, "waves": _load_waves}


# --- a user's own file ----------------------------------------------------------------------------------------------


def read_npz(path: Path, *, name: str | None = None) -> Dataset:
    """A dataset from an `.npz` file with `x_train`, `y_train` and, if it has a test split, `x_test`, `y_test`.

    `x` and `y` alone are taken for training data. Nothing in the file is unpickled.

    Raises:
        DataError: missing, truncated, arrays missing, not numbers, not finite, or of unequal length.
    """
    arrays = _read_arrays(path)
    if "x" in arrays and "x_train" not in arrays:
        arrays = {f"{key}_train": value for key, value in arrays.items()}
    missing = [key for key in ("x_train", "y_train") if key not in arrays]
    if missing:
        raise DataError(f"{path}: no {' and no '.join(missing)} in it (it has: {', '.join(arrays) or 'nothing'})")
    train = _checked_split(path, arrays, "train")
    test = _checked_split(path, arrays, "test") if {"x_test", "y_test"} <= arrays.keys() else None
    return Dataset(name or str(path), train, test, _class_names(train, test), str(path))


def read_array(path: Path) -> np.ndarray:
    """The one array in an `.npy` file; nothing is unpickled.

    Raises:
        DataError: missing, truncated, not numbers, not finite, or empty.
    """
    with _readable(path):
        array: np.ndarray = np.load(path, allow_pickle=False)
    require_numbers(array, str(path))
    return array


def require_numbers(array: np.ndarray, where: str) -> None:
    """Raise a DataError unless the array is non-empty and all of it finite numbers."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, received dtype {array.dtype}")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{where}: there is no sample in it (shape {array.shape})")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        raise DataError(
            f"{where}: {len(bad)} of its values are NaN or infinite, the first at index {tuple(map(int, bad[0]))}"
        )


# What NumPy and zipfile raise on bytes that are not theirs; NumPy reads an array's header as Python text.
_DAMAGE = (
    *(OSError, ValueError, EOFError, KeyError, TypeError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)


class _readable:  # noqa: N801 - reads as a statement
    """Turns whatever reading a damaged array file raises into one line."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        if not self.path.is_file():
            raise DataError(f"{self.path}: no such file")

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, _DAMAGE):
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{self.path}: cannot be read as arrays, truncated or not NumPy's ({reason})") from error


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with _readable(path):
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("one array, expected an archive of several")
        with archive:
            return {key: archive[key] for key in archive.files}


def _checked_split(path: Path, arrays: dict[str, np.ndarray], part: str) -> Split:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    require_numbers(x, f"{path}: x_{part}")
    require_numbers(y, f"{path}: y_{part}")
    if len(x) != len(y):
        raise DataError(f"{path}: x_{part} has {len(x)} samples but y_{part} has {len(y)}")
    return Split(x, y)


def _class_names(train: Split, test: Split | None) -> tuple[str, ...]:
    """The classes that integer labels count, from training and test labels alike; empty for other targets."""
    if train.y.ndim != 1 or train.y.dtype.kind not in "biu":
        return ()
    highest = max(int(split.y.max()) for split in (train, test) if split)
    return tuple(map(str, range(highest + 1)))
