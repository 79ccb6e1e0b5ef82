"""The engine's interface to NumPy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .. import keras_internals
from ..inference_only import InferenceOnly
from ..runtime import Device, cores, processor


class NumpyRuntime(InferenceOnly):
    def devices(self) -> list[Device]:
        return [Device("cpu:0", "cpu", processor())]

    def threads(self) -> int:
        # BLAS libraries read such a variable when they are loaded; NumPy's own operations use one thread.
        return int(os.environ.get("OMP_NUM_THREADS") or cores())

    def synchronise(self, value: Any = None) -> None:
        return

    def device_memory_peak(self) -> int | None:
        return None

    def double_precision(self) -> AbstractContextManager[None]:
        return _float64_in_convolutions_too()

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}


@contextlib.contextmanager
def _float64_in_convolutions_too() -> Iterator[None]:
    """Keras' NumPy backend convolves by JAX, which computes in float32 unless it is told otherwise."""
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        with keras_internals.float64_preserved():
            yield
    finally:
        jax.config.update("jax_enable_x64", before)


RUNTIME = NumpyRuntime()
