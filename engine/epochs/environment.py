"""Describe the environment of a run: what a reader needs before comparing its times or repeating it."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import psutil

from ...backends import catalog, runtime
from ...storage.memory import machine_memory


def describe() -> dict[str, Any]:
    """Return the machine, the backend of this process and the versions; imports that backend."""
    current = runtime.current()
    device = current.devices()[0]
    return {
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "processor": runtime.processor(),
        "cores": runtime.cores(),
        "memory_bytes": machine_memory(),
        "load_average": psutil.getloadavg()[0],
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
