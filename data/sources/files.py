"""A user's own arrays: `.npz` and `.npy` files.

Nothing in a file is unpickled or run. A damaged file raises an error of one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...storage import safe_arrays
from ..dataset import Dataset, Split
from ..deferred_array import chunks_of
from . import array_files
from .labels import number_classes

# The endings of arrays: of the training data, the test split, and the split to validate on.
_PARTS = ("train", "test", "val")


def read_npz(path: Path, stored: str = "") -> Dataset:
    """Read a dataset from an `.npz` file with `x_train`, `y_train`, and for further parts `x_test`, `x_val`, ….

    `x` and `y` alone are training data. Nothing in the file is unpickled. Integers in y, (n,) or (n, 1), are classes:
    they are numbered from 0, and the original numbers become their names. They stay values where there are more than
    1,000 distinct ones, or where x is a series.

    Other names, such as `price_train` and `price_test`, are those of a model's inputs and outputs. Their dataset does
    not say which are targets; see `assignment.assign`.

    Args:
        path: the file.
        stored: `yes` leaves arrays of several values per sample in the file, `no` loads them; by default they are left
            there if the file is large.

    Raises:
        DataError: the file is missing or truncated; an array is missing, not numeric, not finite, or of another length.
    """
    return _dataset_of(path, _read_arrays(path, stored))


def read_safetensors(path: Path, stored: str = "") -> Dataset:
    """Read a dataset from a safetensors file with the arrays of `read_npz`.

    Raises:
        DataError: as `read_npz`.
    """
    _require_file(path)
    return _dataset_of(path, array_files.read_safetensors(path, stored))


def read_array_folder(path: Path, stored: str = "") -> Dataset:
    """Read a dataset from a folder of `.npy` files that are named as the arrays of `read_npz`.

    Raises:
        DataError: as `read_npz`.
    """
    return _dataset_of(path, array_files.read_folder(path, stored))


def _dataset_of(path: Path, arrays: dict[str, np.ndarray]) -> Dataset:
    if not _is_named_x_and_y(arrays) and len(_named(arrays, "train")) > 1:
        train, test, validation = (_read_named_split(path, arrays, part) for part in _PARTS)
        assert train
        return Dataset(str(path), train, test, (), str(path), validation=validation)
    train, test = _splits_of(path, arrays)
    validation = _read_split(path, arrays, "val") if {"x_val", "y_val"} <= arrays.keys() else None
    (numbered, test, validation), labels = number_classes(train, test, validation)
    assert numbered
    return Dataset(str(path), numbered, test, labels, str(path), validation=validation, guesses_classes=bool(labels))


def read_splits(path: Path) -> tuple[Split, Split | None]:
    """Read the training and test split in an `.npz` file, without numbering classes.

    Raises:
        DataError: as `read_npz`.
    """
    return _splits_of(path, _read_arrays(path))


def _splits_of(path: Path, arrays: dict[str, np.ndarray]) -> tuple[Split, Split | None]:
    if "x" in arrays and "x_train" not in arrays:
        arrays = {f"{key}_train": value for key, value in arrays.items()}
    missing = [key for key in ("x_train", "y_train") if key not in arrays]
    if missing:
        raise DataError(f"{path}: no {' and no '.join(missing)} in it (it has: {', '.join(arrays) or 'nothing'})")
    train = _read_split(path, arrays, "train")
    test = _read_split(path, arrays, "test") if {"x_test", "y_test"} <= arrays.keys() else None
    return train, test


def read_named_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays in an `.npz` or safetensors file, or in a folder of `.npy` files, by name.

    Of files with splits they are those of the test split, else of the training part.

    Raises:
        DataError: the file is missing or truncated; an array is not numeric, not finite, or of another length.
    """
    arrays = _read_arrays_of_any_kind(path)
    part = "test" if _named(arrays, "test") else "train"
    split = _read_named_split(path, arrays, part)
    assert split
    return dict(split.x)


def _read_arrays_of_any_kind(path: Path) -> dict[str, np.ndarray]:
    if path.is_dir():
        return array_files.read_folder(path, "no")
    return array_files.read_safetensors(path, "no") if path.suffix.lower() == ".safetensors" else _read_arrays(path)


def _is_named_x_and_y(arrays: Mapping[str, np.ndarray]) -> bool:
    return {"x_train", "y_train"} <= arrays.keys() or {"x", "y"} & arrays.keys() != set()


def _named(arrays: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    """Return the arrays of a part by the name before its ending; those without an ending are training data."""
    ending = f"_{part}"
    named = {name.removesuffix(ending): array for name, array in arrays.items() if name.endswith(ending)}
    if part == "train" and not any(name.endswith(tuple(f"_{part}" for part in _PARTS)) for name in arrays):
        return dict(arrays)
    return named


def _read_named_split(path: Path, arrays: Mapping[str, np.ndarray], part: str) -> Split | None:
    """Return the named arrays of a part as inputs, with no target among them yet; None if there are none."""
    named = _named(arrays, part)
    for name, array in named.items():
        require_numbers(array, f"{path}: {name}_{part}")
    lengths = {name: len(array) for name, array in named.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"{path}: the arrays of {part} have different numbers of samples ({listed})")
    return Split(named, {}) if named else None


def read_array(path: Path) -> np.ndarray:
    """Read the array in an `.npy` file; nothing is unpickled.

    Raises:
        DataError: the file is missing or truncated; the array is not numeric, not finite, or empty.
    """
    _require_file(path)
    array = safe_arrays.read_npy(path)
    require_numbers(array, str(path))
    return array


def require_numbers(array: np.ndarray, where: str) -> None:
    """Raise a DataError unless the array is not empty and holds only finite numbers."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, received dtype {array.dtype}")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{where}: there is no sample in it (shape {array.shape})")
    if array.dtype.kind == "f":
        _require_finite(array, where)


def _require_finite(array: np.ndarray, where: str) -> None:
    first: tuple[int, ...] = ()
    count = start = 0
    for rows in chunks_of(array):
        if not (finite := np.isfinite(rows)).all():
            bad = np.argwhere(~finite)
            first = first or (start + int(bad[0][0]), *map(int, bad[0][1:]))
            count += len(bad)
        start += len(rows)
    if count:
        raise DataError(f"{where}: {count} of its values are NaN or infinite, the first at index {first}")


def _read_arrays(path: Path, stored: str = "no") -> dict[str, np.ndarray]:
    _require_file(path)
    return array_files.read_archive(path, stored)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file")


def _read_split(path: Path, arrays: dict[str, np.ndarray], part: str) -> Split:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    require_numbers(x, f"{path}: x_{part}")
    require_numbers(y, f"{path}: y_{part}")
    if len(x) != len(y):
        raise DataError(f"{path}: x_{part} has {len(x)} samples but y_{part} has {len(y)}")
    return Split(x, y)
