"""Atomic writes: a file is written completely or not at all.

Everything that trivium writes to disk goes through `atomic_write`: a temporary file in the same folder is written,
flushed to disk and renamed over the old one. A full disk, a crash or a kill leaves the old file unchanged.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import OutputError

# How the name of a temporary file begins: nobody else names a file so, and a folder may be swept of them.
_PARTIAL = ".trivium-partial."
# How early versions named those of checkpoints.
_EARLIER = re.compile(r"\.epoch-\d+\.[a-z0-9_]{8}\.safetensors")
_BACKUP = "before"  # the folder that is replaced, within a temporary one
_WINDOWS = os.name == "nt"
_LONGEST_STEM = 30  # characters of the name that a temporary file takes over, which may be too long for more


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; the file replaces `path` when the block ends without an error.

    The temporary name has the suffix of `path`, because libraries choose a format by the suffix.

    Raises:
        OutputError: the disk is full, or the folder is missing or not writable; the old file is unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_partial_prefix(path), suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _output_error(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _flush_to_disk(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def is_partial(path: Path) -> bool:
    """Return whether a file is named as a temporary one of `atomic_write`, which a killed process may leave."""
    return path.name.startswith(_PARTIAL) or _EARLIER.fullmatch(path.name) is not None


def require_writable_folder(folder: Path, option: str = "out") -> None:
    """Check before the work that its results can be written to a folder, which need not exist yet. Creates nothing.

    Args:
        folder: the folder.
        option: the parameter by which the user named it, for messages.

    Raises:
        OutputError: the folder, or its nearest existing parent, is a file or not writable.
    """
    try:
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:  # too long a name, or a folder that may not be looked into
        raise _output_error(folder, error) from error
    if not nearest.is_dir():
        raise OutputError(f"{nearest} is a file: choose another `{option}`")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into {nearest}: Permission denied")


def require_writable_file(path: Path, option: str = "out") -> None:
    """Check before the work that a file can be written or replaced. Creates nothing.

    Args:
        path: of the file.
        option: the parameter by which the user named it, for messages.

    Raises:
        OutputError: the path is a folder, a pipe or a device, or its own folder is a file or not writable.
    """
    try:
        kind = "a folder" if path.is_dir() else "no file" if path.exists() and not path.is_file() else ""
    except OSError as error:  # too long a name, or a folder that may not be looked into
        raise _output_error(path, error) from error
    if kind:
        raise OutputError(f"{path} is {kind}: choose another `{option}`")
    require_writable_folder(path.parent, option)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, for people and tools; NaN raises a ValueError."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")


def require_empty_folder(folder: Path) -> None:
    """Check before the work that a new folder can be written. Creates nothing.

    Raises:
        OutputError: the folder holds files, or it or its nearest existing parent is a file or not writable.
    """
    require_writable_folder(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder} holds other files: choose another `out`, or empty it")


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to write into, which becomes `folder` when the block ends without an error.

    Its files are not flushed to the disk one by one: what holds many of them can be made again.

    Raises:
        OutputError: as `require_empty_folder`, or the disk is full.
    """
    require_empty_folder(folder)
    staged = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=_partial_prefix(folder), dir=folder.parent))
        yield staged
        os.chmod(staged, 0o777 & ~_umask())
        if folder.is_dir():  # an empty one, which Windows does not replace
            folder.rmdir()
        os.replace(staged, folder)
    except OSError as error:
        raise _output_error(folder, error) from error
    finally:
        if staged:
            shutil.rmtree(staged, ignore_errors=True)


def replace_folder(staged: Path, folder: Path) -> None:
    """Replace `folder` by a staged folder on the same disk, completely or not at all.

    Raises:
        OutputError: the folder cannot be replaced; the old one is unchanged.
    """
    backup = None
    try:
        for path in staged.rglob("*"):
            if path.is_file():
                _flush_to_disk(path)
        os.chmod(staged, 0o777 & ~_umask())
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            backup = Path(tempfile.mkdtemp(prefix=_partial_prefix(folder), dir=folder.parent))
            os.rename(folder, backup / _BACKUP)
        try:
            os.rename(staged, folder)
        except OSError:
            if backup:
                os.rename(backup / _BACKUP, folder)
            raise
        _flush_to_disk(folder.parent)
    except OSError as error:
        raise _output_error(folder, error) from error
    if backup:
        shutil.rmtree(backup, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    if _WINDOWS and path.is_dir():  # Windows opens no folder
        return
    # Windows flushes only what is open for writing; elsewhere a file need not be writable for its owner.
    descriptor = os.open(path, os.O_RDWR if _WINDOWS else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _output_error(path: Path, error: OSError | ValueError) -> OutputError:
    try:
        outcome = "; the file that was there is kept" if path.exists() else ""
    except OSError:  # as for the error itself
        outcome = ""
    return OutputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}{outcome}")


def _partial_prefix(path: Path) -> str:
    return f"{_PARTIAL}{path.stem[:_LONGEST_STEM]}."
