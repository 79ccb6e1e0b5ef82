"""Many picture files, read as one array: decoded into memory, or left in their files if the array were large.

Files are decoded in several threads. Each is decoded once when the data are read, also where no pixel is kept: so a
picture that cannot be read is known before it is asked for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...functions import first_of
from ..deferred_array import DeferredArray
from .channels import to_colour
from .decoded_rows import DecodedRows
from .picture_file import Header, read_header, read_picture
from .picture_size import PictureSize
from .threads import Errors, in_threads

_NAMED = 3


@dataclass(frozen=True)
class PictureFiles:
    """Picture files of which the headers are read.

    Attributes:
        files: one or more.
        size: to bring the pictures to; None where they have one size.
        headers: of the files, by number; their size is that before pictures are brought to one.
        errors: why a header could not be read, by number.
    """

    files: Sequence[Path]
    size: PictureSize | None
    headers: Mapping[int, Header]
    errors: Errors

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the pictures as an array: (n, height, width), or (n, height, width, 3) if any has colour."""
        side = self.size or self.headers[min(self.headers)]
        is_colour = any(header.is_colour for header in self.headers.values())
        return (len(self.files), side.height, side.width, *([3] * is_colour))

    @property
    def nbytes(self) -> int:
        """The size of the pictures in memory."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Pictures:
    """Pictures that were decoded once.

    Attributes:
        opened: their files.
        array: (n, height, width) or (n, height, width, 3) uint8, of which broken pictures are black; None where the
            pictures stay in their files.
        errors: why a picture could not be read, by its number.
    """

    opened: PictureFiles
    array: np.ndarray | None
    errors: Errors

    def without(self, broken: Iterable[int]) -> np.ndarray | DeferredArray:
        """Return the array without some pictures; it is grey if no other one has colour."""
        left_out = set(broken)
        shape, headers = self.opened.shape, self.opened.headers
        rest = [number for number in range(shape[0]) if number not in left_out]
        loses_colour = len(shape) == 4 and not any(headers[number].is_colour for number in rest)
        if self.array is None:
            files = [self.opened.files[number] for number in rest]
            return deferred_pictures(files, shape[1:3] if loses_colour else shape[1:], self.opened.size)
        if not left_out:
            return self.array
        return self.array[rest, ..., 0] if loses_colour else self.array[rest]


def open_pictures(files: Sequence[Path], size: PictureSize | None) -> PictureFiles:
    """Read the headers of picture files.

    Args:
        files: one or more.
        size: to bring the pictures to; without it they must have one size.

    Raises:
        DataError: the pictures differ in size, or no header can be read.
    """
    headers: dict[int, Header] = {}

    def note_header(number: int) -> None:
        headers[number] = read_header(files[number])

    errors = in_threads(note_header, len(files))
    if not headers:
        raise DataError(f"none of {len(files):,} pictures can be read: {errors[0]}")
    if size is None:
        _require_one_size(files, headers)
    return PictureFiles(files, size, headers, errors)


def decode_pictures(opened: PictureFiles, *, stored: bool) -> Pictures:
    """Decode each picture once. They are in colour if any of them is.

    Args:
        stored: whether the pixels stay in the files.

    Raises:
        DataError: the pictures differ in size.
    """
    headers, files, shape = opened.headers, opened.files, opened.shape
    array = None if stored else allocate(shape, "uint8")

    def read(number: int) -> None:
        if number in headers:
            picture = read_picture(files[number], opened.size)
            if picture.shape[:2] != shape[1:3]:  # a PNG file that says at its end that it is turned
                turned = Header(picture.shape[0], picture.shape[1], picture.ndim == 3)
                _require_one_size(files, {**headers, number: turned})
            if array is not None:
                array[number] = _with_colour(picture, shape[1:])

    return Pictures(opened, array, opened.errors | in_threads(read, len(files)))


def deferred_pictures(files: Sequence[Path], shape: tuple[int, ...], size: PictureSize | None) -> DeferredArray:
    """Return the array of pictures that are decoded when they are asked for; none is decoded now.

    Args:
        files: n files, all of which could be read.
        shape: of a picture: (height, width), or (height, width, 3).
        size: that pictures are brought to.
    """
    decode = functools.partial(_decode_again, files, shape, size)
    return DeferredArray(DecodedRows(decode, (len(files), *shape), np.dtype("uint8")))


def _decode_again(files: Sequence[Path], shape: tuple[int, ...], size: PictureSize | None, number: int) -> np.ndarray:
    """Return a picture that was decoded before.

    Raises:
        PictureError: the file is missing or broken now.
        DataError: it holds a picture of another size now, or one in colour among grey ones.
    """
    picture = read_picture(files[number], size)
    if picture.shape[:2] != shape[:2] or picture.ndim > len(shape):
        raise DataError(f"{files[number]} was changed while it was in use: it has another size or has become coloured")
    return _with_colour(picture, shape)


def _with_colour(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a grey picture in colour if its shape is to be (height, width, 3)."""
    return to_colour(picture) if picture.ndim < len(shape) else picture


def allocate(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return an array of zeros.

    Raises:
        DataError: there is not enough memory for it.
    """
    try:
        return np.zeros(shape, dtype)
    except MemoryError:
        size = math.prod(shape) * np.dtype(dtype).itemsize / 2**30
        raise DataError(f"the pictures would take {size:,.0f} GiB of memory: bring them to a smaller `size`") from None


def leave_out_broken(where: Path, files: Sequence[Path], errors: Errors, *, skip_broken: bool) -> tuple[str, ...]:
    """Return the note that says which pictures are left out because they cannot be read; none if all can.

    Raises:
        DataError: there are some, and they are not to be left out; or there are no others.
    """
    if not errors:
        return ()
    broken = sorted(files[number] for number in errors)
    counted = f"{len(broken):,} of {len(files):,} pictures cannot be read"
    folder = where if where.is_dir() else where.parent
    names = [str(file.relative_to(folder) if file.is_relative_to(folder) else file) for file in broken]
    listed = first_of(names, _NAMED)
    if skip_broken and len(broken) < len(files):
        return (f"{counted} and are left out: {listed}.",)
    reason = min((files[number], str(error)) for number, error in errors.items())[1]
    raise DataError(f"{where}: {counted}: {listed} ({reason}); replace them, or leave them out by `skip_broken`")


def _require_one_size(files: Sequence[Path], headers: Mapping[int, Header]) -> None:
    """Raise a DataError that names two pictures of different sizes, if there are any."""
    (first, known), *others = sorted(((files[n], header) for n, header in headers.items()), key=itemgetter(0))
    for file, header in others:
        if (header.height, header.width) != (known.height, known.width):
            raise DataError(
                f"{file} has {header.height}x{header.width} pixels (height x width), {first} has "
                f"{known.height}x{known.width}: bring them to one size, such as `size` {known.height}x{known.width}"
            )
