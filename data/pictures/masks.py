"""Masks: pictures that hold the class of each pixel of another picture.

A mask is read as its numbers: those of a palette or of grey, without the conversions of a picture that is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import DataError
from ..sources.labels import MAX_CLASSES
from .picture_file import Header, convert_picture, open_picture
from .picture_size import PictureSize
from .reading import Errors, allocate, in_threads

# The class that `pad` fills a border with.
_BORDER = 0
_OPAQUE = 255
# How Pillow calls more than 8 bits of grey.
_WIDE = "I"
# The number of classes that a byte can hold.
_BYTE = 256


def read_mask(path: Path, picture: Header, size: PictureSize | None = None) -> np.ndarray:
    """Read the mask of a picture, and bring it to a size as the picture was brought: by its nearest pixels.

    Returns:
        (height, width) int32.

    Raises:
        PictureError: the file is missing, or not a picture that can be read.
        DataError: the mask is in colour, or has another size than its picture.
    """

    def convert(mask: Image.Image) -> np.ndarray:
        values = Image.fromarray(_values(path, mask).astype("int32"))
        if values.size != (picture.width, picture.height):
            raise DataError(
                f"{path} has {values.height}x{values.width} pixels (height x width), but its picture has "
                f"{picture.height}x{picture.width}: give it the size of its picture"
            )
        return np.asarray(size.scale(values, Image.Resampling.NEAREST, _BORDER) if size else values)

    return convert_picture(path, convert)


def read_masks(
    files: Sequence[Path], pictures: Mapping[int, Header], size: PictureSize | None, shape: tuple[int, int]
) -> tuple[np.ndarray, Errors]:
    """Read the masks of some pictures.

    Args:
        files: n masks.
        pictures: the headers of the pictures, by number; masks of other pictures are passed over, and are 0.
        size: that the pictures were brought to.
        shape: height and width of a picture then.

    Returns:
        (n, height, width) uint8, or int32 if a mask has 16 bits; and why a mask could not be read, by number.

    Raises:
        DataError: a mask is in colour, or has another size than its picture.
    """
    modes: dict[int, str] = {}

    def note_mode(number: int) -> None:
        modes[number] = open_picture(files[number], lambda mask: mask.mode)

    errors = in_threads(note_mode, len(files))
    is_wide = any(mode.startswith(_WIDE) for mode in modes.values())
    masks = allocate((len(files), *shape), "int32" if is_wide else "uint8")

    def read(number: int) -> None:
        if number in modes and number in pictures:
            masks[number] = read_mask(files[number], pictures[number], size)

    return masks, errors | in_threads(read, len(files))


def number_classes(masks: np.ndarray, where: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number the classes in masks from 0.

    Args:
        masks: (n, height, width) uint8 or int32; may be overwritten.

    Returns:
        (n, height, width) uint8, or int32 for more than 256 classes; and the names of the classes: their numbers in
        the files.

    Raises:
        DataError: there is one class only, or there are more than 1,000.
    """
    classes = np.unique(np.concatenate([np.unique(mask) for mask in masks]))
    if not 1 < len(classes) <= MAX_CLASSES:
        raise DataError(
            f"{where}: the masks hold {len(classes):,} different numbers, expected one for each of 2 to "
            f"{MAX_CLASSES:,} classes"
        )
    for mask in masks:
        mask[...] = np.searchsorted(classes, mask)
    return masks.astype("uint8" if len(classes) <= _BYTE else "int32", copy=False), tuple(map(str, classes))


def _values(path: Path, mask: Image.Image) -> np.ndarray:
    """Return the numbers in a mask, (height, width).

    Raises:
        DataError: it is in colour or transparent.
    """
    values = np.asarray(mask)
    if values.ndim == 2:
        return values
    if values.shape[-1] in (2, 4) and (values[..., -1] == _OPAQUE).all():
        values = values[..., :-1]
    if (values != values[..., :1]).any():
        raise DataError(
            f"{path} is in colour, expected the number of a class in each pixel: save it in grey or a palette"
        )
    return values[..., 0]
