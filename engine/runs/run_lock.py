"""One writer at a time: a run's folder is locked for as long as a process writes into it.

The system gives the lock back when the process ends, however it ends. Who holds it stands in `run.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import OutputError

FILE_NAME = ".lock"
# Whoever only looks whether a folder is locked holds the lock for a moment.
_PATIENCE = 1.0  # seconds


@contextlib.contextmanager
def held(folder: Path, *, moving: bool = False) -> Iterator[None]:
    """Hold the lock of a folder that exists; the lock's file is gone afterwards.

    Args:
        moving: the folder will be elsewhere when the block ends, where its lock's file is left to the caller.

    Raises:
        OutputError: another process holds it; the message says which, where and since when.
    """
    import filelock

    path = folder / FILE_NAME
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=_PATIENCE)
    except filelock.Timeout as error:
        raise OutputError(
            f"{folder} is being written by {_holder(folder)}: wait for it, stop it, or choose another --out"
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # gone with its folder
            if not moving:
                path.unlink(missing_ok=True)
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether some process writes into the folder."""
    import filelock

    if not (folder / FILE_NAME).exists():
        return False
    try:
        with filelock.FileLock(folder / FILE_NAME).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a folder that may only be read tells nothing
        return False


def describe_process() -> dict[str, Any]:
    """This process, for `run.json`."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def _holder(folder: Path) -> str:
    try:
        process = json.loads((folder / "run.json").read_text())["process"]
        return f"process {process['pid']} on {process['host']} since {process['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # the file may hold anything
        return "another process"
