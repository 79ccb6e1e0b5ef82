"""Reads HDF5 files that may be hostile: each link, array and filter is checked before a value is read.

An HDF5 file can point to other files on the machine (external links, external storage, virtual arrays), it can name
code to load as a filter, and it can declare arrays far larger than its content. Keras writes none of these. The check
walks the hard links and follows no other: a hard link is a plain name for an object in the same file.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FileError, first_line
from . import hdf5_heaps
from .budget import DOCUMENT, EXPANSION, HDF5_OBJECTS, LARGE
from .regular_file import open_regular

if TYPE_CHECKING:
    import h5py

# The filters of the library itself; any other is a plug-in, loaded as code from the machine's plug-in folder.
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}


@dataclass(frozen=True)
class StoredArray:
    """The shape and dtype of an array in a file; its values are not read.

    Attributes:
        shape: as stored.
        dtype: NumPy's name.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@contextlib.contextmanager
def open_checked(source: Path | bytes, label: str) -> Iterator[tuple[h5py.File, dict[str, StoredArray]]]:
    """Open a file and check its objects; give the file, and its arrays by path.

    Args:
        source: a file, or its bytes.
        label: the name of the file in error messages.

    Raises:
        FileError: the file is not HDF5, was truncated, or is hostile; also for HDF5's errors within the block.
    """
    import h5py

    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else open_regular(source)
        with stream, h5py.File(stream, "r") as file:
            hdf5_heaps.require_finite(stream, file.id.get_create_plist().get_sizes()[1], label)
            yield file, dict(_walk(file, label))
    except FileError:
        raise
    except Exception as error:  # on damaged bytes, h5py raises errors of many classes
        raise FileError(f"{label} cannot be read as HDF5, truncated or damaged ({first_line(error)})") from error


def list_arrays(source: Path | bytes, label: str) -> dict[str, StoredArray]:
    """Check a file and return its arrays by path; no value is read.

    Raises:
        FileError: as `open_checked`.
    """
    with open_checked(source, label) as (_, arrays):
        return arrays


def _walk(file: h5py.File, label: str) -> Iterator[tuple[str, StoredArray]]:
    import h5py

    addresses: set[Any] = {h5py.h5o.get_info(file.id).addr}
    stack: list[tuple[h5py.Group, int]] = [(file, 1)]
    while stack:
        group, depth = stack.pop()
        if depth > DOCUMENT.depth:
            raise FileError(f"{label}: its groups are nested deeper than {DOCUMENT.depth} levels")
        for name in group:
            item = _local_object(group, name, label)
            address = h5py.h5o.get_info(item.id).addr
            if address in addresses:
                raise FileError(f"{label}: {item.name!r} has another name too, which Keras never writes")
            addresses.add(address)
            if len(addresses) > HDF5_OBJECTS:
                raise FileError(f"{label} holds more than {HDF5_OBJECTS:,} objects")
            if isinstance(item, h5py.Group):
                stack.append((item, depth + 1))
            else:
                yield str(item.name).lstrip("/"), _inspect_array(item, label)


def _local_object(group: h5py.Group, name: str, label: str) -> Any:
    """Return the object of that name; raise a FileError if it is not in the file itself."""
    import h5py

    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        target = f" to {link.filename!r}" if isinstance(link, h5py.ExternalLink) else ""
        raise FileError(f"{label}: {name!r} is a {type(link).__name__}{target}, which could lead out of the file")
    item = group[name]
    if not isinstance(item, h5py.Group | h5py.Dataset):
        raise FileError(f"{label}: {name!r} is neither a group nor an array")
    return item


def _inspect_array(array: h5py.Dataset, label: str) -> StoredArray:
    where = f"{label}: the array {array.name!r}"
    if array.external or array.is_virtual:
        raise FileError(f"{where} is stored in another file")
    if array.dtype.hasobject:
        raise FileError(f"{where} holds objects or references, expected numbers")
    settings = array.id.get_create_plist()
    filters = [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]
    if unknown := [number for number in filters if number not in _FILTERS]:
        raise FileError(f"{where} asks for filter {unknown[0]}, which would be loaded as code")
    declared_bytes = math.prod(array.shape or ()) * array.dtype.itemsize
    stored_bytes = array.id.get_storage_size()
    if declared_bytes > LARGE and declared_bytes > EXPANSION * stored_bytes:
        raise FileError(f"{where} declares {declared_bytes:,} bytes and holds {stored_bytes:,}: a bomb, not read")
    return StoredArray(tuple(array.shape or ()), array.dtype.name)


def text_of(value: Any) -> str:
    """Return an attribute as text: HDF5 files hold some as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def text_list(group: h5py.Group, name: str) -> list[str]:
    """Return an attribute that lists texts; Keras divides a long one into `name0`, `name1` and so on."""
    parts = [name] if name in group.attrs else itertools.takewhile(group.attrs.__contains__, _numbered(name))
    return [text_of(text) for part in parts for text in group.attrs[part]]


def arrays_listed(group: h5py.Group, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a group that an attribute lists, in its order; those that are not there are left out."""
    return {text: np.array(group[text]) for text in text_list(group, name) if text in group}


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}{number}" for number in itertools.count())
