"""Files that are either written whole or not at all.

Everything that trivium leaves on disk goes through `written_whole`: it is written beside its place, flushed to the
disk and then renamed over what was there, so that a full disk, a crash or a kill leaves the old file as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import OutputError


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends without an error.

    The name keeps the suffix of `path`, which libraries choose a format by.

    Raises:
        OutputError: the disk is full, the folder is gone or may not be written; the old file is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _refused(path, error) from error
    aside = Path(name)
    try:
        yield aside
        _flush_to_disk(aside)
        os.chmod(aside, 0o666 & ~_umask())
        os.replace(aside, path)
        _flush_to_disk(path.parent)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        aside.unlink(missing_ok=True)


def require_place(folder: Path) -> None:
    """Make sure, before the work, that its results can go to a folder, which need not exist yet. Makes nothing.

    Raises:
        OutputError: it, or one above it, is a file or may not be written to.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise OutputError(f"{nearest} is a file: choose another --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into {nearest}: Permission denied")


def require_file(path: Path) -> None:
    """Make sure, before the work, that a file can be written, or written over. Makes nothing.

    Raises:
        OutputError: a folder is there, or its own folder is none or may not be written to.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder: choose another --out")
    require_place(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and tools: indented, NaN refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    with written_whole(path) as aside:
        aside.write_text(text)


def replace_folder(made: Path, folder: Path) -> None:
    """Let a folder that was filled aside, on the same disk, take the place of `folder`, whole or not at all.

    Raises:
        OutputError: it cannot; what was there is as it was.
    """
    before = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        for path in made.rglob("*"):
            if path.is_file():
                _flush_to_disk(path)
        os.chmod(made, 0o777 & ~_umask())
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            os.rename(folder, before)
        try:
            os.rename(made, folder)
        except OSError:
            if before.exists():
                os.rename(before, folder)
            raise
        _flush_to_disk(folder.parent)
    except OSError as error:
        raise _refused(folder, error) from error
    shutil.rmtree(before, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refused(path: Path, error: OSError) -> OutputError:
    kept = "; the file that was there is kept" if path.exists() else ""
    return OutputError(f"cannot write {path}: {error.strerror or error}{kept}")
