"""Masks: pictures that hold the class of each pixel of another picture.

A mask is read as its numbers: those of a palette or of grey, without the conversions of a picture that is looked at.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import DataError
from ..deferred_array import DeferredArray
from ..sources.labels import MAX_CLASSES
from .decoded_rows import DecodedRows
from .picture_file import Header, convert_picture, open_picture
from .picture_size import PictureSize
from .reading import PictureFiles, allocate
from .threads import Errors, in_threads

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


@dataclass(frozen=True)
class MaskFiles:
    """The masks of some pictures, of which the modes are read.

    Attributes:
        files: n masks.
        pictures: the files of the pictures.
        modes: how Pillow calls the pixels of a mask, by number.
        errors: why a mask could not be opened, by number.
    """

    files: Sequence[Path]
    pictures: PictureFiles
    modes: Mapping[int, str]
    errors: Errors

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the masks as an array, (n, height, width)."""
        return self.pictures.shape[:3]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the numbers in the files: uint8, or int32 if a mask has 16 bits."""
        return np.dtype("int32" if any(mode.startswith(_WIDE) for mode in self.modes.values()) else "uint8")

    @property
    def nbytes(self) -> int:
        """The size of the masks in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, number: int) -> np.ndarray:
        """Read a mask, (height, width) int32; see `read_mask`."""
        return read_mask(self.files[number], self.pictures.headers[number], self.pictures.size)


@dataclass(frozen=True)
class Masks:
    """Masks that were decoded once.

    Attributes:
        opened: their files.
        array: (n, height, width) of `MaskFiles.dtype`; masks that could not be read are 0. None where the masks stay in
            their files.
        numbers: that occur in a mask, by number of the mask.
        errors: why a mask could not be read, by number.
    """

    opened: MaskFiles
    array: np.ndarray | None
    numbers: Mapping[int, np.ndarray]
    errors: Errors

    def classes_without(self, broken: Iterable[int], where: Path) -> tuple[np.ndarray | DeferredArray, tuple[str, ...]]:
        """Number the classes in the masks from 0, without some of the masks.

        Returns:
            (n, height, width) uint8, or int32 for more than 256 classes; and the names of the classes: their numbers in
            the files.

        Raises:
            DataError: there is one class only, or there are more than 1,000.
        """
        left_out = set(broken)
        rest = [number for number in range(self.opened.shape[0]) if number not in left_out]
        classes = np.unique(np.concatenate([self.numbers[number] for number in rest]))
        if not 1 < len(classes) <= MAX_CLASSES:
            raise DataError(
                f"{where}: the masks hold {len(classes):,} different numbers, expected one for each of 2 to "
                f"{MAX_CLASSES:,} classes"
            )
        labels = tuple(map(str, classes))
        dtype = np.dtype("uint8" if len(classes) <= _BYTE else "int32")
        if self.array is None:
            decode = functools.partial(_decode_again, self.opened, rest, classes)
            return DeferredArray(DecodedRows(decode, (len(rest), *self.opened.shape[1:]), dtype)), labels
        array = self.array[rest] if left_out else self.array
        for mask in array:
            mask[...] = np.searchsorted(classes, mask)
        return array.astype(dtype, copy=False), labels


def open_masks(files: Sequence[Path], pictures: PictureFiles) -> MaskFiles:
    """Read the modes of the masks of some pictures."""
    modes: dict[int, str] = {}

    def note_mode(number: int) -> None:
        modes[number] = open_picture(files[number], lambda mask: mask.mode)

    errors = in_threads(note_mode, len(files))
    return MaskFiles(files, pictures, modes, errors)


def decode_masks(opened: MaskFiles, *, stored: bool) -> Masks:
    """Decode the mask of each picture that could be opened, once.

    Args:
        stored: whether the pixels stay in the files.

    Raises:
        DataError: a mask is in colour, or has another size than its picture.
    """
    array = None if stored else allocate(opened.shape, str(opened.dtype))
    numbers: dict[int, np.ndarray] = {}

    def read(number: int) -> None:
        if number in opened.modes and number in opened.pictures.headers:
            mask = opened.read(number)
            numbers[number] = np.unique(mask)
            if array is not None:
                array[number] = mask

    errors = in_threads(read, len(opened.files))
    return Masks(opened, array, numbers, opened.errors | errors)


def _decode_again(opened: MaskFiles, places: Sequence[int], classes: np.ndarray, number: int) -> np.ndarray:
    """Return the classes in a mask that was decoded before, numbered from 0.

    Args:
        places: of the masks among the files.
        classes: the numbers in the files, in order.

    Raises:
        DataError: the mask is broken now, or holds another number.
    """
    mask = opened.read(places[number])
    numbered = np.searchsorted(classes, mask).clip(max=len(classes) - 1)
    if (unknown := mask[classes[numbered] != mask]).size:
        raise DataError(
            f"{opened.files[places[number]]} was changed while it was in use: it holds the number {unknown[0]}, which "
            "is no class"
        )
    return numbered


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
