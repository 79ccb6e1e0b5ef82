"""The main memory of this machine and of this process, on every operating system.

POSIX systems tell by `resource` what Windows tells by other means, so `resource` is imported where it is used.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Iterator

import psutil


@functools.cache
def machine_memory() -> int:
    """Return the size of the machine's main memory in bytes."""
    return int(psutil.virtual_memory().total)


def memory_size() -> int:
    """Return the memory in bytes that this process may have: that of the machine, unless a limit is lower."""
    return min((machine_memory(), *_limits()))


def memory_peak() -> int:
    """Return the most bytes of main memory that this process has held (resident set)."""
    try:
        # On Linux `getrusage` starts a child at the peak of its parent, so a worker would report its caller's memory.
        with open("/proc/self/status", encoding="utf-8") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return _peak_by_system()


def return_freed_memory() -> None:
    """Give back to the system what this process has freed.

    The allocator of the GNU C library keeps freed pieces for later ones. Where each model has arrays of other sizes,
    few of them fit, and a process that trains many models grows although nothing leaks. Others lack this call.
    """
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


@functools.cache
def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows
        return None


def _limits() -> Iterator[int]:
    """Yield the limits of this process in bytes, where the system has such limits and one is set."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit


def _peak_by_system() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, others KiB
