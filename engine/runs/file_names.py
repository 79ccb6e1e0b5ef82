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


def require_no_way_out(folder: Path) -> None:
    """Raise an OutputError if a link in a folder, or below it, leads out of it: files would lie elsewhere."""
    for place, folders, names in os.walk(folder, followlinks=False):
        for name in (*folders, *names):
            require_within(folder, Path(place) / name)


def require_within(folder: Path, path: Path) -> None:
    """Raise an OutputError if a path in a folder is a link that leads out of the folder."""
    if path.is_symlink() and not is_within(path, folder):
        raise OutputError(
            f"{path} is a link to {path.readlink()}, outside of {folder}: put what it points to in its place"
        )


def is_within(path: Path, folder: Path) -> bool:
    """Return whether a path lies in a folder, or below it, once all links are followed."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a link to itself, or a NUL
        return False


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and in those below it, hidden ones too; links to folders are not followed."""
    for place, _, names in os.walk(folder, followlinks=False):
        yield from (Path(place) / name for name in names)
