"""Lock the folder of a run while a process writes into it.

The operating system releases the lock when the process ends, however it ends. `run.json` names the process.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import FileError, OutputError
from ...storage import safe_json

FILE_NAME = ".lock"
# `is_held` takes the lock for a moment, which must not fail a writer.
_PATIENCE = 1.0  # seconds


@contextlib.contextmanager
def hold(folder: Path, *, moving: bool = False) -> Iterator[None]:
    """Lock an existing folder until the block ends, then remove the lock file.

    Args:
        moving: whether the block moves the folder; the caller then removes the lock file.

    Raises:
        OutputError: another process holds the lock; the message says which, where and since when.
    """
    import filelock

    path = folder / FILE_NAME
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=_PATIENCE)
    except filelock.Timeout as error:
        raise OutputError(
            f"{folder} is being written by {_holder(folder)}: wait for it, stop it, or choose another `out`"
        ) from error
    except OSError as error:
        raise OutputError(f"cannot lock {folder} by {path}: {error.strerror or error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it is gone with its folder
            if not moving:
                path.unlink(missing_ok=True)
        lock.release()


def is_held(folder: Path) -> bool:
    """Return whether a process has locked the folder."""
    import filelock

    if not (folder / FILE_NAME).exists():
        return False
    try:
        with filelock.FileLock(folder / FILE_NAME).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # the lock of a read-only folder cannot be tested
        return False


def describe_process() -> dict[str, Any]:
    """Return this process, for `run.json`."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def _holder(folder: Path) -> str:
    try:
        process = safe_json.read(folder / "run.json")["process"]
        return f"process {process['pid']} on {process['host']} since {process['since']}"
    except (FileError, KeyError, TypeError):  # the file may hold anything
        return "another process"
