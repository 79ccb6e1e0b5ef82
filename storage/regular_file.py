"""Regular files: what is none is refused, because a pipe never ends, and /dev/zero gives bytes for ever."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from ..errors import FileError


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
        raise FileError(f"cannot read {str(path)[:80]}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise FileError(f"{path} is no file but a pipe or a device, which may never end: copy it into a file")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, which is not read into memory as a whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
