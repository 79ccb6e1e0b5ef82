"""Names of files below a folder, which may have folders of their own, and never lead out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from ...errors import OutputError


def is_below(name: str) -> bool:
    """Return whether a name such as `models/a.h5` stays below its folder on every system, and is hidden nowhere."""
    path = PurePosixPath(name)
    is_plain = not path.is_absolute() and not PureWindowsPath(name).drive and "\\" not in name and "\0" not in name
    return is_plain and bool(path.parts) and str(path) == name and not any(part[0] == "." for part in path.parts)


def place_of(folder: Path, name: str) -> Path:
    """Return the path of a file below a folder.

    Raises:
        OutputError: a folder on the way is a link, by which the file would lie elsewhere.
    """
    path = folder / name
    for parent in path.parents:
        if parent == folder:
            break
        if parent.is_symlink():
            raise OutputError(f"{parent} is a link to {parent.readlink()}: put the folder itself in its place")
    return path


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and in those below it, hidden ones too; links to folders are not followed."""
    for place, _, names in os.walk(folder, followlinks=False):
        yield from (Path(place) / name for name in names)
