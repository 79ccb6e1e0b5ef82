"""What this machine can do at most, measured in the same run as what is compared with it, and how it is set.

Two ceilings: a product of large matrices, and a copy of a large array. Each framework measures both on the device that
its models run on, by its own operations and its own default precision, and on a CPU NumPy measures them too. A ceiling
is the most that anybody reached: one framework's product alone would make that framework look good by being slow.
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

# One product takes at least this long, so that starting it does not count.
_LONG_ENOUGH = 0.02
_SMALLEST, _LARGEST = 1024, 8192
# Larger than what caches hold.
_COPIED_VALUES = 2**26
_REPEATS = 5

CEILINGS = ("gemm_gflops", "copy_gbytes")
Ceilings = dict[str, float]


def by_numpy(threads: int | None = None, *, smallest: int = _SMALLEST, copied: int = _COPIED_VALUES) -> Ceilings:
    """GFLOP/s of a matrix product and GB/s of a copy by NumPy, float32, on all cores or on so many threads."""
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

        return {"gemm_gflops": _product(square, smallest), "copy_gbytes": _copying(copy, copied)}


def by_framework(*, smallest: int = _SMALLEST, copied: int = _COPIED_VALUES) -> Ceilings:
    """The same by this process' backend on its default device; what is copied has one added to it."""
    current = runtime.current()
    import keras

    source = keras.ops.ones((copied,), "float32")

    def copy() -> None:
        current.synchronise(keras.ops.add(source, 1.0))

    def square(size: int) -> Callable[[], Any]:
        matrix = keras.ops.ones((size, size), "float32")
        return lambda: current.synchronise(keras.ops.matmul(matrix, matrix))

    return {"gemm_gflops": _product(square, smallest), "copy_gbytes": _copying(copy, copied)}


def highest(found: dict[str, Ceilings]) -> Ceilings:
    """The ceilings over all that measured them."""
    return {name: max(each[name] for each in found.values()) for name in CEILINGS}


def describe() -> dict[str, Any]:
    """How this process and its processor are set: what the general description of an environment leaves out."""
    names = [name for backend in catalog.BACKENDS for name in backend.thread_variables]
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "governor": governor(),
        "affinity": affinity,
        "thread_settings": {name: os.environ[name] for name in names if name in os.environ},
    }


def governor() -> str | None:
    """What decides the processor's clock, as far as the system tells."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None


def reset_memory_peak() -> int:
    """Let the peak of this process' main memory begin anew, where the system can; the bytes that it starts from."""
    with contextlib.suppress(OSError):  # then the peak is that of the whole process, and what is told a lower bound
        Path("/proc/self/clear_refs").write_text("5")
    return runtime.memory_peak()


def _product(square: Callable[[int], Callable[[], Any]], size: int) -> float:
    while True:
        seconds = fastest(square(size))
        if seconds >= _LONG_ENOUGH or size >= _LARGEST:
            return 2 * size**3 / seconds / 1e9
        size *= 2


def _copying(copy: Callable[[], Any], values: int) -> float:
    return 2 * 4 * values / fastest(copy) / 1e9  # read once, written once


def fastest(work: Callable[[], Any]) -> float:
    """Seconds of the fastest of a few: of a ceiling, what disturbs is no part."""
    work()
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
