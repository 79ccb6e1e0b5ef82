"""Numbers too small for a float's full precision, taken for zero.

A processor works on each of them a hundred times as long as on others, and gradients of a model that is nearly done are
full of them. TensorFlow and XLA take them for zero as they are.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path

import torch

_CALLED = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """While it lasts, PyTorch takes them for zero on the processor, where that can. May be nested."""
    before = are_flushed()
    _flush(True)
    try:
        yield
    finally:
        _flush(before)


def are_flushed() -> bool:
    """Whether it does so now; PyTorch has no question for it."""
    return bool(torch.tensor(torch.finfo(torch.float32).tiny) / 2 == 0)


def _flush(on: bool) -> None:
    """Let every thread that computes take them for zero, or no longer.

    PyTorch sets it for the calling thread alone, and each processor core's share of a product is another thread's. They
    are reached by OpenMP's own way to have all of them do something; where that is not GNU's, they stay as they are.
    """
    threads = torch.get_num_threads()
    if threads == 1 or (openmp := _openmp()) is None:
        torch.set_flush_denormal(on)
        return

    openmp.GOMP_parallel(_CALLED(lambda _: torch.set_flush_denormal(on)), None, threads, 0)


@functools.cache
def _openmp() -> ctypes.CDLL | None:
    """The GNU OpenMP that PyTorch computes by; tests/backends/torch/test_denormals.py notices when it moves."""
    found = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    return ctypes.CDLL(str(found[0])) if found else None
