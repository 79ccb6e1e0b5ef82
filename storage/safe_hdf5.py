"""HDF5 files that may be hostile: every link, array and filter in one is looked at before a value is read.

An HDF5 file can point to other files on the machine: external links, arrays stored elsewhere, virtual arrays; it can
name code to load as a filter; and it can declare arrays far larger than what it holds. Keras writes none of these.
The walk is by links, without following one that is not a plain name for an object in the same file.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileError, first_line

if TYPE_CHECKING:
    import h5py

MOST_OBJECTS = 100_000
DEEPEST = 100
# An array larger than this must not be this many times as large as what is stored of it.
LARGE = 256 * 2**20  # bytes
MOST_EXPANSION = 100
# Filters that are part of the library; any other is loaded as code from wherever the machine keeps such.
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}


@dataclass(frozen=True)
class Stored:
    """An array in the file, not read.

    Attributes:
        shape, dtype: dtype by its name in NumPy.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@contextlib.contextmanager
def opened(source: Path | bytes, what: str) -> Iterator[tuple[h5py.File, dict[str, Stored]]]:
    """A file whose objects were checked, and the arrays in it by their path.

    Args:
        source: a file, or its bytes.
        what: the file, for the message.

    Raises:
        FileError: it is none, was truncated, or is a hostile one; also from the block, for what HDF5 raises there.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as file:
            yield file, dict(_walk(file, what))
    except FileError:
        raise
    except Exception as error:  # on damaged bytes HDF5 raises whatever class its inner workings map to
        raise FileError(f"{what} cannot be read as HDF5, truncated or damaged ({first_line(error)})") from error


def check(source: Path | bytes, what: str) -> dict[str, Stored]:
    """The arrays in a file by their path; no value is read.

    Raises:
        FileError: as `opened`.
    """
    with opened(source, what) as (_, found):
        return found


def _walk(file: h5py.File, what: str) -> Iterator[tuple[str, Stored]]:
    import h5py

    seen: set[Any] = {h5py.h5o.get_info(file.id).addr}
    waiting: list[tuple[h5py.Group, int]] = [(file, 1)]
    while waiting:
        group, depth = waiting.pop()
        if depth > DEEPEST:
            raise FileError(f"{what}: its groups are nested deeper than {DEEPEST} levels")
        for name in group:
            item = _own(group, name, what)
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise FileError(f"{what}: {item.name!r} has another name too, which Keras never writes")
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise FileError(f"{what} holds more than {MOST_OBJECTS:,} objects")
            if isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            else:
                yield str(item.name).lstrip("/"), _stored(item, what)


def _own(group: h5py.Group, name: str, what: str) -> Any:
    """The object of that name, which is in the file itself."""
    import h5py

    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        target = f" to {link.filename!r}" if isinstance(link, h5py.ExternalLink) else ""
        raise FileError(f"{what}: {name!r} is a {type(link).__name__}{target}, which could lead out of the file")
    item = group[name]
    if not isinstance(item, h5py.Group | h5py.Dataset):
        raise FileError(f"{what}: {name!r} is neither a group nor an array")
    return item


def _stored(array: h5py.Dataset, what: str) -> Stored:
    where = f"{what}: the array {array.name!r}"
    if array.external or array.is_virtual:
        raise FileError(f"{where} is stored in another file")
    if array.dtype.hasobject:
        raise FileError(f"{where} holds objects or references, expected numbers")
    settings = array.id.get_create_plist()
    filters = [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]
    if unknown := [number for number in filters if number not in _FILTERS]:
        raise FileError(f"{where} asks for filter {unknown[0]}, which would be loaded as code")
    declared = math.prod(array.shape or ()) * array.dtype.itemsize
    held = array.id.get_storage_size()
    if declared > LARGE and declared > MOST_EXPANSION * held:
        raise FileError(f"{where} declares {declared:,} bytes and holds {held:,}: a bomb, not read")
    return Stored(tuple(array.shape or ()), array.dtype.name)
