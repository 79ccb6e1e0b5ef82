"""Many picture files, read into one array: decoded in several threads, each with one picture at a time.

Pillow releases Python's lock while it decodes. Beside the array itself, only as many pictures are in memory as there
are threads.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...functions import first_of
from .channels import to_colour
from .picture_file import Header, PictureError, read_header, read_picture
from .picture_size import PictureSize

_MOST_THREADS = 16
# Files that one task reads.
_FILES_PER_TASK = 32
_NAMED = 3

# Why pictures could not be read, by their numbers.
Errors = dict[int, PictureError]


@dataclass(frozen=True)
class Pictures:
    """Pictures read from files.

    Attributes:
        array: (n, height, width) or (n, height, width, 3) uint8; broken pictures are black.
        headers: of the files, by number; their size is that before pictures are brought to one.
        errors: why a picture could not be read, by its number.
    """

    array: np.ndarray
    headers: Mapping[int, Header]
    errors: Errors

    def without(self, broken: Iterable[int]) -> np.ndarray:
        """Return the array without some pictures; it is grey if no other one has colour."""
        left_out = set(broken)
        if not left_out:
            return self.array
        rest = [number for number in range(len(self.array)) if number not in left_out]
        loses_colour = self.array.ndim == 4 and not any(self.headers[number].is_colour for number in rest)
        return self.array[rest, ..., 0] if loses_colour else self.array[rest]


def read_pictures(files: Sequence[Path], size: PictureSize | None) -> Pictures:
    """Read picture files. They are in colour if any of them is.

    Args:
        files: one or more.
        size: to bring the pictures to; without it they must have one size.

    Raises:
        DataError: the pictures differ in size, or none of them can be read.
    """
    headers: dict[int, Header] = {}

    def note_header(number: int) -> None:
        headers[number] = read_header(files[number])

    errors = in_threads(note_header, len(files))
    if not headers:
        raise DataError(f"none of {len(files):,} pictures can be read: {errors[0]}")
    first = min(headers)
    if size is None:
        _require_one_size(files, headers)
    height, width = (size.height, size.width) if size else (headers[first].height, headers[first].width)
    is_colour = any(header.is_colour for header in headers.values())
    array = allocate((len(files), height, width, *([3] * is_colour)), "uint8")

    def read(number: int) -> None:
        if number in headers:
            picture = read_picture(files[number], size)
            if picture.shape[:2] != (height, width):  # a PNG file that says at its end that it is turned
                turned = Header(picture.shape[0], picture.shape[1], picture.ndim == 3)
                _require_one_size(files, {**headers, number: turned})
            array[number] = to_colour(picture) if picture.ndim + 1 < array.ndim else picture

    errors |= in_threads(read, len(files))
    return Pictures(array, headers, errors)


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


def in_threads(task: Callable[[int], None], count: int) -> Errors:
    """Run a task for each number from 0 to `count`, several at a time; return by number which picture is unreadable.

    Any other error of a task ends all.
    """

    def run(numbers: range) -> Errors:
        errors = {}
        for number in numbers:
            try:
                task(number)
            except PictureError as error:
                errors[number] = error
        return errors

    tasks = [range(first, min(first + _FILES_PER_TASK, count)) for first in range(0, count, _FILES_PER_TASK)]
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        parts = pool.map(run, tasks)
        return {number: error for part in parts for number, error in part.items()}


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
