"""Describe the environment of a run: what a reader needs before comparing its times or repeating it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from ...backends import catalog, runtime


def describe() -> dict[str, Any]:
    """Return the machine, the backend of this process and the versions; imports that backend."""
    current = runtime.current()
    device = current.devices()[0]
    return {
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "processor": runtime.processor(),
        "cores": runtime.cores(),
        "memory_bytes": memory_bytes(),
        "load_average": os.getloadavg()[0],
        "backend": catalog.selected().name,
        "device": device.kind,
        "device_name": device.description,
        "threads": current.threads(),
        "matmul_precision": catalog.matmul_precision(),
        "versions": {
            "trivium": metadata.version("trivium"),
            "keras": metadata.version("keras"),
            "numpy": metadata.version("numpy"),
            **current.versions(),
        },
    }


def memory_bytes() -> int:
    """Return the size of the machine's main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
