"""A dataset of picture files, each with a class or a value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..dataset import Dataset, Split
from ..stored import is_stored
from .picture_settings import PictureSettings
from .reading import decode_pictures, leave_out_broken, open_pictures
from .splits import ReadingOrder, picture_dataset


def read_labelled_pictures(
    where: Path, files: Sequence[Path], y: np.ndarray, labels: tuple[str, ...], settings: PictureSettings
) -> Dataset:
    """Read the dataset of some picture files with their targets.

    Args:
        where: the folder or file that names the pictures.
        files: n files.
        y: (n,) class numbers or values.
        labels: the names of the classes; empty for values.

    Returns:
        Pictures (n, height, width) or (n, height, width, 3) uint8.

    Raises:
        DataError: there are fewer than two pictures, some cannot be read, or they differ in size and none is set.
    """
    order = ReadingOrder.of(where, y, settings.test_share)
    ordered = [files[number] for number in order.numbers]
    opened = open_pictures(ordered, settings.size)
    pictures = decode_pictures(opened, stored=is_stored(opened.nbytes, settings.stored))
    notes = leave_out_broken(where, ordered, pictures.errors, skip_broken=settings.skip_broken)
    order = order.without(pictures.errors)
    whole = Split(pictures.without(pictures.errors), y[order.numbers])
    return picture_dataset(where, whole, order, labels, settings, notes)
