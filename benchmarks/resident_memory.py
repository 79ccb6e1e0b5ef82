"""The resident memory of processes, measured while they work."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import numpy as np


def resident_memory(process: psutil.Process) -> int:
    """Return the resident memory of a process and its children, in bytes; 0 once it has ended."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):  # it, or a worker, ended between the two
        for each in (process, *process.children(recursive=True)):
            total += each.memory_info().rss
    return total


def memory_while(process: subprocess.Popen[bytes], seconds: float, distance: float = 2.0) -> Iterator[int]:
    """Yield the memory of a process every two seconds, for so many seconds or until it ends."""
    watched, began = psutil.Process(process.pid), time.monotonic()
    while process.poll() is None and time.monotonic() < began + seconds:
        if memory := resident_memory(watched):
            yield memory
        time.sleep(distance)


def process_id() -> int:
    """Return the number of this process, such as a worker."""
    return os.getpid()


def predict_samples(run: str, x: np.ndarray) -> int:
    """Load the bundle of a run, predict samples with it, and return their number."""
    from ..engine.prediction.evaluation import predict

    return len(predict(run, x).values)
