"""The engine's interface to NumPy."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

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
        from ..jax.runtime import RUNTIME as JAX  # Keras' NumPy backend convolves by JAX

        return JAX.double_precision()

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}


RUNTIME = NumpyRuntime()
