"""A folder with one folder of pictures per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import TEST_SHARE, Dataset
from .labelled import read_labelled_pictures
from .picture_file import SUFFIXES, picture_files
from .picture_settings import PictureSettings


def read_picture_folder(
    path: Path,
    test_share: str = str(TEST_SHARE),
    size: str = "",
    fit: str = "",
    skip_broken: str = "no",
    stored: str = "",
) -> Dataset:
    """Read a dataset from a folder with one subfolder of pictures per class.

    The pictures are in colour if any of them is. The classes are the names of the subfolders in alphabetical order. A
    fifth of the pictures of each class, or `test_share` of them, is the test split.

    Args:
        size, fit: the size that pictures are brought to, and how; see `PictureSize`. Without it they have one size.
        skip_broken: `yes` leaves out pictures that cannot be read.
        stored: `yes` leaves the pictures in their files, to be decoded while a model trains, `no` decodes them into
            memory; by default they are left there if they are large.

    Returns:
        Pictures (n, height, width) or (n, height, width, 3) uint8.

    Raises:
        DataError: there are no subfolders with pictures, or the pictures cannot be read or differ in size.
    """
    settings = PictureSettings.parse(size, fit, test_share, skip_broken, stored)
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    pictures = [(file, number) for number, folder in enumerate(classes) for file in picture_files(folder)]
    if len({number for _, number in pictures}) < 2:
        raise DataError(
            f"{path}: expected a folder for each of two classes or more, with {', '.join(SUFFIXES)} in them"
        )
    files, numbers = zip(*pictures, strict=True)
    return read_labelled_pictures(path, files, np.array(numbers), tuple(folder.name for folder in classes), settings)
