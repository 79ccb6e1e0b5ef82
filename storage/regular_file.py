"""The one place through which files are opened to be read: regular files only, and no more of them than was there.

A pipe never ends, /dev/zero gives bytes for ever, and a log may grow faster than it is read. So what is no regular file
is refused before it is opened, and the size of a file is taken once, when it is opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import FileError
from .memory import machine_memory

_CHUNK_SIZE = 2**22  # bytes
# Windows lacks the first two, and alone has the third: without it, bytes are changed as they are read.
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LONGEST_NAME = 80  # characters of a path in a message


def require_regular(path: Path) -> None:
    """Raise a FileError if the path is a pipe, a device or a socket; one that does not exist is left to its reader.

    Raises:
        FileError: it is, or the system refuses to look.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # too long a name, no permission, a NUL in it
        raise unreadable(path, error) from error
    if not stat.S_ISDIR(mode):
        _require_regular_mode(path, mode)


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read its bytes.

    Raises:
        FileError: the path is a pipe, a device or a socket, or no path.
        OSError: there is no such file, it is a folder, or the system refuses it.
    """
    require_regular(path)
    # Without waiting for a writer, if the path has become a pipe meanwhile.
    descriptor = os.open(path, _READ)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISDIR(mode):  # `fdopen` refuses a folder
            _require_regular_mode(path, mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def read_regular(path: Path, most: int | None = None) -> bytes:
    """Read the bytes of a file; those that are added to it meanwhile are left out.

    Args:
        most: the number of bytes to stop after; None for all.

    Raises:
        FileError, OSError: as `open_regular`; or the file is larger than the memory of this machine.
    """
    with open_regular(path) as file:
        size = size_of(file) if most is None else min(most, size_of(file))
        if size > (memory := machine_memory()):
            raise FileError(f"{path} has {size:,} bytes, and this machine has {memory:,} bytes of memory: not read")
        return file.read(size)


def chunks_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next `size` bytes of a file, or those up to its end, some megabytes at a time."""
    while chunk := file.read(min(size, _CHUNK_SIZE)):
        yield chunk
        size -= len(chunk)


def unreadable(path: Path, error: Exception) -> FileError:
    """Return the error for a file that the system does not let this process read."""
    name = str(path)
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return FileError(f"cannot read {shown}: {getattr(error, 'strerror', None) or error}")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, which is not read into memory as a whole.

    Raises:
        FileError, OSError: as `open_regular`.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        for chunk in chunks_of(file, size_of(file)):
            digest.update(chunk)
    return digest.hexdigest()


def _require_regular_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise FileError(f"{path} is no file but a pipe or a device, which may never end: copy it into a file")
