"""One picture in a file.

A picture is read as it is seen: turned as its camera says (EXIF), 16 bits of grey as 8, a palette as its colours, and
what is transparent as white.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ...errors import DataError, FileError
from ...storage.budget import PIXELS
from ...storage.regular_file import open_regular
from .picture_size import PictureSize

SUFFIXES = (".png", ".jpg", ".jpeg")
# What Pillow raises on damaged bytes.
_ERRORS = (UnidentifiedImageError, OSError, SyntaxError, ValueError, OverflowError, struct.error)

# From the 16 bits of a channel to 8: 65535 becomes 255.
_SIXTEEN_TO_EIGHT_BITS = 257
# A picture of more pixels is reduced before it is converted, to this many times the size that it is brought to: the
# result is nearly the same.
_LARGE = 2**23
_REDUCING_GAP = 3
_AVERAGED_MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr")
_GREY_MODES = ("1", "L", "LA")
# Orientations of a camera that was held upright: height and width change places.
_TURNED = (5, 6, 7, 8)

Result = TypeVar("Result")

# Photographs of today's phones have more pixels than Pillow warns of; twice as many are an error.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class PictureError(DataError):
    """A picture file is missing, damaged, or of another kind."""


@dataclass(frozen=True)
class Header:
    """What a picture file says before its pixels are decoded: height and width in pixels, and whether it has colour."""

    height: int
    width: int
    is_colour: bool


def read_picture(path: Path, size: PictureSize | None = None) -> np.ndarray:
    """Read a picture, and bring it to a size if one is given.

    Returns:
        (height, width) uint8 for a grey picture, (height, width, 3) uint8 for one in colour.

    Raises:
        PictureError: the file is missing, or not a picture that can be read.
    """

    def convert(picture: Image.Image) -> np.ndarray:
        seen = as_seen(picture)
        return np.asarray(size.scale(seen) if size else seen)

    return convert_picture(path, convert, _REDUCING_GAP * max(size.height, size.width) if size else None)


def read_reduced(path: Path, longer_side: int) -> tuple[np.ndarray, float]:
    """Read a picture so small that its longer side has at most so many pixels; its size is that share of the file's.

    Raises:
        PictureError: the file is missing, or not a picture that can be read.
    """

    def convert(picture: Image.Image) -> np.ndarray:
        seen = as_seen(picture)
        seen.thumbnail((longer_side, longer_side))
        return np.asarray(seen)

    small, header = convert_picture(path, convert, longer_side), read_header(path)
    return small, max(small.shape[:2]) / max(header.height, header.width)


def convert_picture(path: Path, convert: Callable[[Image.Image], Result], least_side: int | None = None) -> Result:
    """Read a picture, turned as its camera says, by a function that converts it.

    Args:
        least_side: a large picture may come smaller, with this many pixels or more on its shorter side; None for all.

    Raises:
        PictureError: the file is missing, has too many pixels, or is not a picture that can be read.
    """

    def turn(picture: Image.Image) -> Result:
        picture = _reduced(picture, least_side) if least_side else picture
        ImageOps.exif_transpose(picture, in_place=True)
        return convert(picture)

    return open_picture(path, turn)


def _reduced(picture: Image.Image, least_side: int) -> Image.Image:
    """Return a large picture with its pixels averaged in squares, of a JPEG file by its decoder, to save memory."""
    factor = min(picture.size) // least_side
    if picture.width * picture.height < _LARGE or factor < 2:
        return picture
    picture.draft(None, (picture.width // factor, picture.height // factor))
    factor = min(picture.size) // least_side
    if factor < 2:
        return picture
    if picture.mode.startswith("I"):
        picture = picture.convert("I")
    elif picture.mode not in _AVERAGED_MODES:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "L" if picture.mode == "1" else "RGB")
    return picture.reduce(factor)


def open_picture(path: Path, read: Callable[[Image.Image], Result]) -> Result:
    """Open a picture, and read something of it by a function; Pillow decodes the pixels only if they are asked for.

    Raises:
        PictureError: the file is missing, or not a picture that can be read.
    """
    try:
        with open_regular(path) as file, Image.open(file) as picture:
            return read(picture)
    except FileError as error:  # a pipe or a device
        raise PictureError(str(error)) from error
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except Image.DecompressionBombError:
        raise PictureError(
            f"{path}: has more than {PIXELS // 10**6} million pixels, the most that are read: make it smaller"
        ) from None
    except _ERRORS as error:
        raise PictureError(f"{path}: not a picture that can be read ({error})") from error


def read_header(path: Path) -> Header:
    """Read the size and the kind of a picture without its pixels.

    A PNG file may say at its end that it is turned: its size is exact only once it is decoded.

    Raises:
        PictureError: the file is missing, or not a picture.
    """
    return open_picture(path, _header)


def as_seen(picture: Image.Image) -> Image.Image:
    """Return a picture with 8 bits a channel, grey (mode L) or in colour (mode RGB), white where it is transparent."""
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype("float64") / _SIXTEEN_TO_EIGHT_BITS
        return Image.fromarray(np.asarray(np.rint(values.clip(0, 255)), "uint8"))
    is_grey = picture.mode in _GREY_MODES
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    mode = "L" if is_grey else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def picture_files(folder: Path) -> list[Path]:
    """Return the picture files in a folder, by name."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.name[0] != ".")


def _header(picture: Image.Image) -> Header:
    width, height = picture.size
    # Asking a PNG file without this entry for its orientation would decode all of it.
    says_orientation = picture.format != "PNG" or "exif" in picture.info
    if says_orientation and picture.getexif().get(ExifTags.Base.Orientation) in _TURNED:
        height, width = width, height
    return Header(height, width, picture.mode not in _GREY_MODES and not picture.mode.startswith("I"))
