"""Changed copies of the pictures of a dataset, kept in a folder with one folder per class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...errors import DataError
from ...storage.atomic import new_folder
from ..augmentation import Augmentation
from ..dataset import Dataset
from ..nests import is_array

# Pictures that are changed at a time.
_PART = 256
_CHANNELS = (1, 3)

Listener = Callable[[dict[str, Any]], None]


def write_augmented(
    dataset: Dataset, augmentation: Augmentation, folder: Path, copies: int, seed: int, listener: Listener
) -> int:
    """Write changed copies of each training picture as PNG files, in a folder for each class.

    Picture 7 becomes `CLASS/7-1.png`, `CLASS/7-2.png`, …, the number padded with zeros. Equal seeds give equal files.

    Args:
        folder: a new one, or an empty one; it is written completely or not at all.
        copies: of each picture, each changed in its own way; 1 or more.
        seed: of the changes.
        listener: receives the progress.

    Returns:
        The number of files.

    Raises:
        DataError: the samples are no pictures of bytes, or have no classes that can name folders.
        OutputError: the folder holds other files, or cannot be written.
    """
    names = _require_pictures(dataset, augmentation)
    x, y = dataset.train.x, np.asarray(dataset.train.y[:])
    total, digits = len(x) * copies, len(str(len(x) - 1))
    with new_folder(folder) as staged:
        for name in names:
            (staged / name).mkdir()
        for first in range(0, len(x), _PART):
            part = np.asarray(x[first : first + _PART])
            for copy in range(copies):
                changed = np.clip(np.rint(augmentation(part, (seed, copy, first // _PART))), 0, 255).astype("uint8")
                for number, picture in enumerate(changed, start=first):
                    path = staged / names[int(y[number])] / f"{number:0{digits}}-{copy + 1}.png"
                    Image.fromarray(np.squeeze(picture)).save(path)
            done = min(first + _PART, len(x)) * copies
            listener({"kind": "stage", "stage": f"{done:,} of {total:,} pictures", "done": done, "total": total})
    return total


def _require_pictures(dataset: Dataset, augmentation: Augmentation) -> tuple[str, ...]:
    """Return the names of the classes of a dataset of pictures.

    Raises:
        DataError: as `write_augmented`.
    """
    dataset.require_arrays("a folder of pictures")
    augmentation.require_classes_of_pictures(dataset)
    x, y, names = dataset.train.x, dataset.train.y, dataset.labels
    if not is_array(x) or not is_array(y) or dataset.series or x.ndim not in (3, 4):
        raise DataError(f"{dataset.name} has no pictures to change")
    if x.dtype != np.uint8 or (x.ndim == 4 and x.shape[-1] not in _CHANNELS):
        raise DataError(
            f"{dataset.name} has pictures {x.shape[1:]} of {x.dtype}: a folder is for (height, width) or "
            "(height, width, 3) of bytes, uint8 from 0 to 255"
        )
    if not isinstance(names, tuple) or not names:
        raise DataError(f"{dataset.name} has no classes, which would be the folders of its pictures")
    for name in names:
        if name.startswith(".") or Path(name).name != name:
            raise DataError(f"{dataset.name}: the class {name!r} cannot be the name of a folder")
    return names
