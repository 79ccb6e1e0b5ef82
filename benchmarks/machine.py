"""The peak rates of this machine, measured in the same run as the models, and the settings of its processor.

There are two ceilings: a product of large matrices, and a copy of a large array. Each framework measures both on the
device that its models run on, by its own operations and its default precision; on a CPU, NumPy measures them too. The
ceiling is the highest rate of all: with its own product alone as ceiling, a framework would look good by being slow.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog, runtime
from ..storage.memory import memory_peak

# Seconds of one product at least, so that its launch does not count.
_MIN_SECONDS = 0.02
_SMALLEST, _LARGEST = 1024, 8192
# Larger than the caches.
_COPIED_VALUES = 2**26
_REPEATS = 5

CEILINGS = ("gemm_gflops", "copy_gbytes")
Ceilings = dict[str, float]


def numpy_ceilings(threads: int | None = None, *, smallest: int = _SMALLEST, copied: int = _COPIED_VALUES) -> Ceilings:
    """Measure GFLOP/s of a float32 matrix product and GB/s of a copy by NumPy, by default on all cores."""
    from threadpoolctl import threadpool_limits

    workers = threads or runtime.cores()
    source, target = np.ones(copied, "float32"), np.empty(copied, "float32")
    parts = [slice(i * copied // workers, (i + 1) * copied // workers) for i in range(workers)]
    with threadpool_limits(threads), ThreadPoolExecutor(workers) as pool:

        def copy() -> None:
            list(pool.map(lambda part: np.copyto(target[part], source[part]), parts))

        def square(size: int) -> Callable[[], Any]:
            matrix = np.ones((size, size), "float32")
            return lambda: matrix @ matrix

        return {"gemm_gflops": _gemm_gflops(square, smallest), "copy_gbytes": _copy_gbytes(copy, copied)}


def framework_ceilings(*, smallest: int = _SMALLEST, copied: int = _COPIED_VALUES) -> Ceilings:
    """Measure the same by this process' backend on its default device; the copy adds one to each value."""
    current = runtime.current()
    import keras

    source = keras.ops.ones((copied,), "float32")

    def copy() -> None:
        current.synchronise(keras.ops.add(source, 1.0))

    def square(size: int) -> Callable[[], Any]:
        matrix = keras.ops.ones((size, size), "float32")
        return lambda: current.synchronise(keras.ops.matmul(matrix, matrix))

    return {"gemm_gflops": _gemm_gflops(square, smallest), "copy_gbytes": _copy_gbytes(copy, copied)}


def highest(ceilings: dict[str, Ceilings]) -> Ceilings:
    """Return the highest of the measured ceilings."""
    return {name: max(rates[name] for rates in ceilings.values()) for name in CEILINGS}


def describe() -> dict[str, Any]:
    """Return the settings of this process and its processor that `environment.describe` leaves out."""
    names = [name for backend in catalog.BACKENDS for name in backend.thread_variables]
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "governor": governor(),
        "affinity": affinity,
        "thread_settings": {name: os.environ[name] for name in names if name in os.environ},
    }


def governor() -> str | None:
    """Return the processor's frequency governor; None where the system does not tell."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None


def reset_memory_peak() -> int:
    """Reset the peak of this process' main memory, where the system allows it, and return the current bytes."""
    with contextlib.suppress(OSError):  # then the peak is the whole process', and the difference a lower bound
        Path("/proc/self/clear_refs").write_text("5")
    return memory_peak()


def _gemm_gflops(square: Callable[[int], Callable[[], Any]], size: int) -> float:
    while True:
        seconds = fastest(square(size))
        if seconds >= _MIN_SECONDS or size >= _LARGEST:
            return 2 * size**3 / seconds / 1e9
        size *= 2


def _copy_gbytes(copy: Callable[[], Any], values: int) -> float:
    return 2 * 4 * values / fastest(copy) / 1e9  # read once, written once


def fastest(work: Callable[[], Any]) -> float:
    """Return the seconds of the fastest of a few runs: disturbances do not belong to a ceiling."""
    work()
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
