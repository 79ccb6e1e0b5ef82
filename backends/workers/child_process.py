"""Starts the processes of workers such that none outlives its parent, not even one that is stopped or hangs.

Linux ends such a process as soon as the thread that started it has ended. So one thread starts all of them, and lives
as long as this process. On other systems a worker notices by itself that its parent has gone, unless it is stopped.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

_Task = tuple["Future[subprocess.Popen[bytes]]", Callable[[], "subprocess.Popen[bytes]"]]

_PR_SET_PDEATHSIG = 1
_lock = threading.Lock()
_tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
_starter: threading.Thread | None = None


def start(command: Sequence[str], **settings: Any) -> subprocess.Popen[bytes]:
    """Start a process.

    Args:
        command: the program and its arguments; the program calls `end_with_parent`.
        settings: as those of `subprocess.Popen`.

    Raises:
        OSError: the system starts no process.
    """
    process: Future[subprocess.Popen[bytes]] = Future()
    with _lock:
        _require_starter()
        _tasks.put((process, lambda: subprocess.Popen(command, **settings)))
    return process.result()


def end_with_parent(parent: int) -> None:
    """Let the system end this process when its parent ends; called by the process itself.

    Args:
        parent: the process id of the parent, which may have ended already.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _require_starter() -> None:
    """Start the thread that starts processes, unless it lives; after a fork it does not."""
    global _starter
    if _starter is None or not _starter.is_alive():
        _starter = threading.Thread(target=_start_each, name="trivium-starter", daemon=True)
        _starter.start()


def _start_each() -> None:
    while True:
        process, task = _tasks.get()
        try:
            process.set_result(task())
        except BaseException as error:
            process.set_exception(error)
