"""A folder of pictures and a folder of their masks, which hold the class of each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import TEST_SHARE, Dataset, Split
from ..stored import is_stored
from .masks import decode_masks, open_masks
from .picture_file import SUFFIXES, picture_files
from .picture_settings import PictureSettings
from .reading import decode_pictures, leave_out_broken, open_pictures
from .splits import ReadingOrder, picture_dataset

# The names of the two folders.
_FOLDERS = (("images", "masks"), ("image", "mask"), ("x", "y"))
# Beside other folders, these are the letters among the classes of an alphabet.
_LETTERS = {"x", "y"}
# Formats that change the numbers of pixels when they are written.
_LOSSY = (".jpg", ".jpeg")


def is_segmentation(path: Path) -> bool:
    """Return whether a folder holds a folder of pictures and one of masks."""
    return _folders(path) is not None


def read_segmentation(
    path: Path,
    test_share: str = str(TEST_SHARE),
    size: str = "",
    fit: str = "",
    skip_broken: str = "no",
    stored: str = "",
) -> Dataset:
    """Read a dataset from a folder of pictures and a folder of masks; a mask has the name of its picture.

    The masks hold a number for each pixel: of grey, or of a palette. The classes are the numbers that occur, in their
    order, and are called by them. Where pictures are brought to a size, masks follow by their nearest pixels, and what
    `pad` fills is the class 0. A fifth of the pictures, chosen at random, or `test_share` of them, is the test split.

    Args:
        size, fit: the size that pictures are brought to, and how; see `PictureSize`. Without it they have one size.
        skip_broken: `yes` leaves out pictures that cannot be read, or whose mask cannot.
        stored: as for `folder.read_picture_folder`, for pictures and masks together.

    Returns:
        Pictures (n, height, width) or (n, height, width, 3) uint8, and the numbers of the classes from 0, (n, height,
        width) uint8.

    Raises:
        DataError: a picture has no mask, or one of another size; or pictures cannot be read or differ in size.
    """
    settings = PictureSettings.parse(size, fit, test_share, skip_broken, stored)
    folders = _folders(path)
    if folders is None:
        raise DataError(f"{path}: expected a folder images and a folder masks")
    masks_of = _masks_of(*folders)
    order = ReadingOrder.of(path, np.zeros((len(masks_of), 1, 1)), settings.test_share)
    files = [list(masks_of)[number] for number in order.numbers]
    mask_files = [masks_of[file] for file in files]
    opened = open_pictures(files, settings.size)
    opened_masks = open_masks(mask_files, opened)
    in_files = is_stored(opened.nbytes + opened_masks.nbytes, settings.stored)
    pictures, masks = decode_pictures(opened, stored=in_files), decode_masks(opened_masks, stored=in_files)
    broken = [mask_files[n] if n in masks.errors and n not in pictures.errors else file for n, file in enumerate(files)]
    errors = masks.errors | pictures.errors
    notes = leave_out_broken(path, broken, errors, skip_broken=settings.skip_broken)
    y, labels = masks.classes_without(errors, path)
    whole = Split(pictures.without(errors), y)
    return picture_dataset(path, whole, order.without(errors), labels, settings, notes)


def _folders(path: Path) -> tuple[Path, Path] | None:
    """Return the folder of pictures and that of masks, or None if there are none."""
    folders = {folder.name.lower(): folder for folder in path.iterdir() if folder.is_dir() and folder.name[0] != "."}
    for names in _FOLDERS:
        if folders.keys() >= {*names} and ({*names} != _LETTERS or len(folders) == len(names)):
            return folders[names[0]], folders[names[1]]
    return None


def _masks_of(pictures: Path, masks: Path) -> Mapping[Path, Path]:
    """Return the mask of each picture.

    Raises:
        DataError: a picture has no mask or two, or one that is compressed with loss.
    """
    by_stem: dict[str, Path] = {}
    for mask in picture_files(masks):
        if mask.stem in by_stem:
            raise DataError(f"{mask} and {by_stem[mask.stem]} are masks of one picture: remove one")
        by_stem[mask.stem] = mask
    files = picture_files(pictures)
    for file in files:
        if file.stem not in by_stem:
            raise DataError(f"{file} has no mask: expected {masks / file.stem}.png")
        if by_stem[file.stem].suffix.lower() in _LOSSY:
            raise DataError(f"{by_stem[file.stem]}: JPEG changes the numbers of the classes: save masks as .png")
    if not files:
        raise DataError(f"{pictures}: expected pictures, {', '.join(SUFFIXES)}")
    return {file: by_stem[file.stem] for file in files}
