"""Pictures: one file, or a folder with one folder of pictures per class.

A picture is read as it is seen: turned as its camera says (EXIF), 16 bits of grey as 8, a palette as its colours, and
what is transparent as white.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import DataError
from ..dataset import PICTURES, TEST_SHARE, Dataset, Split, share_of, split_evenly

SUFFIXES = (".png", ".jpg", ".jpeg")
# What Pillow raises on damaged bytes; too many pixels raise `Image.DecompressionBombError` instead.
_ERRORS = (UnidentifiedImageError, OSError, SyntaxError, ValueError, OverflowError, struct.error)

# From the 16 bits of a channel to 8: 65535 becomes 255.
_SIXTEEN_TO_EIGHT_BITS = 257
_GREY_MODES = ("1", "L", "LA")


def read_picture(path: Path) -> np.ndarray:
    """Read a picture.

    Returns:
        (height, width) uint8 for a grey picture, (height, width, 3) uint8 for one in colour.

    Raises:
        DataError: the file is missing, or not a picture that can be read.
    """
    return convert_picture(path, _to_array)


def convert_picture(path: Path, convert: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """Read a picture, turned as its camera says, by a function that converts it.

    Raises:
        DataError: the file is missing, or not a picture that can be read.
    """
    try:
        with Image.open(path) as picture:
            return convert(ImageOps.exif_transpose(picture))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (*_ERRORS, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a picture that can be read ({error})") from error


def read_picture_folder(path: Path, test_share: str = str(TEST_SHARE)) -> Dataset:
    """Read a dataset from a folder with one subfolder of pictures per class.

    The pictures have one size. They are in colour if any of them is. The classes are the names of the subfolders in
    alphabetical order. A fifth of the pictures of each class, or `test_share` of them, is the test split.

    Returns:
        Images (n, height, width) or (n, height, width, 3) uint8.

    Raises:
        DataError: there are no subfolders with pictures, or the pictures cannot be read or differ in size.
    """
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    files = [(file, number) for number, folder in enumerate(classes) for file in _picture_files(folder)]
    if len({number for _, number in files}) < 2:
        raise DataError(
            f"{path}: expected a folder for each of two classes or more, with {', '.join(SUFFIXES)} in them"
        )
    pictures = [read_picture(file) for file, _ in files]
    for (file, _), picture in zip(files, pictures, strict=True):
        if picture.shape[:2] != pictures[0].shape[:2]:
            sizes = [f"{shape[1]}×{shape[0]}" for shape in (picture.shape, pictures[0].shape)]
            raise DataError(f"{file} has {sizes[0]} pixels, {files[0][0]} has {sizes[1]}: bring them to one size")
    if len({picture.ndim for picture in pictures}) > 1:
        pictures = [picture if picture.ndim == 3 else to_colour(picture) for picture in pictures]
    train, test = split_evenly(np.stack(pictures), np.array([number for _, number in files]), share_of(test_share))
    return Dataset(str(path), train, test, tuple(folder.name for folder in classes), str(path), kind=PICTURES)


def with_channels(dataset: Dataset, *, colour: bool) -> Dataset:
    """Return a dataset of pictures with all of them in colour, or all in grey."""

    def converted(split: Split) -> Split:
        return replace(split, x=in_channels(split.x, colour=colour))

    return replace(dataset, train=converted(dataset.train), test=dataset.test and converted(dataset.test))


def in_channels(pictures: np.ndarray, *, colour: bool) -> np.ndarray:
    """Return pictures (n, height, width, …) in colour or in grey."""
    if is_colour(pictures) == colour:
        return pictures
    return to_colour(pictures) if colour else to_grey(pictures)


def to_colour(pictures: np.ndarray) -> np.ndarray:
    """Return grey pictures (…, height, width) in colour, (…, height, width, 3)."""
    return np.repeat(pictures[..., None], 3, axis=-1)


def to_grey(pictures: np.ndarray) -> np.ndarray:
    """Return pictures in colour (…, height, width, 3) in grey, (…, height, width) uint8.

    The luma of ITU-R Recommendation BT.601: 0.299 red, 0.587 green, 0.114 blue.
    """
    return np.asarray(np.rint(pictures @ np.array([0.299, 0.587, 0.114])), "uint8")


def is_colour(pictures: np.ndarray) -> bool:
    """Return whether pictures (n, height, width, …) have three channels of colour."""
    return pictures.ndim == 4 and pictures.shape[-1] == 3


def _to_array(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype("float64") / _SIXTEEN_TO_EIGHT_BITS
        return np.asarray(np.rint(values.clip(0, 255)), "uint8")
    is_grey = picture.mode in _GREY_MODES
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(picture.convert("L" if is_grey else "RGB"))


def _picture_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
