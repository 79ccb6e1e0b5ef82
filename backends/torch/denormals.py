"""Flushing denormal numbers to zero during training.

A processor needs a hundred times as long for a denormal as for a normal float, and the gradients of a model that has
nearly converged contain many. TensorFlow and XLA flush them to zero by default.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path

import torch

_THREAD_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@contextlib.contextmanager
def flush_to_zero() -> Iterator[None]:
    """Within this context, PyTorch flushes denormals to zero, if the processor can. May be nested."""
    before = flushes_to_zero()
    _set_flush_to_zero(True)
    try:
        yield
    finally:
        _set_flush_to_zero(before)


def flushes_to_zero() -> bool:
    """Return whether PyTorch flushes denormals to zero now. PyTorch has no function for this, so it is tested."""
    return bool(torch.tensor(torch.finfo(torch.float32).tiny) / 2 == 0)


def _set_flush_to_zero(on: bool) -> None:
    """Switch flushing to zero on or off in every computing thread.

    `torch.set_flush_denormal` affects only the calling thread, and PyTorch computes with several. GNU OpenMP's
    `GOMP_parallel` calls it in all of them. With another OpenMP only the calling thread is switched.
    """
    threads = torch.get_num_threads()
    if threads == 1 or (openmp := _openmp()) is None:
        torch.set_flush_denormal(on)
        return

    openmp.GOMP_parallel(_THREAD_FUNCTION(lambda _: torch.set_flush_denormal(on)), None, threads, 0)


@functools.cache
def _openmp() -> ctypes.CDLL | None:
    """Return PyTorch's GNU OpenMP library, or None; tests/backends/torch/test_denormals.py fails when it moves."""
    libraries = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    return ctypes.CDLL(str(libraries[0])) if libraries else None
