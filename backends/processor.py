"""The processor of this machine: its cores, as far as this process may use them, and its name.

Nothing is imported for it, so that the catalogue can ask before a framework starts.
"""

from __future__ import annotations

import os
import platform


def cores() -> int:
    """Return the number of processor cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name as its maker writes it, as far as the system tells.

    Read here, because py-cpuinfo starts processes and takes 0.2 s for this one line.
    """
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
