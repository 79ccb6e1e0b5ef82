"""The one interface that the engine asks of a framework.

Each room (`tensorflow/`, `jax/`, `torch/`) answers it in its own `runtime.py`; nothing outside the rooms says a
framework's name in a conditional. Whatever Keras itself already does the same on every backend does not belong here.
"""

from __future__ import annotations

import functools
import importlib
import os
import platform
import resource
import sys
import tempfile
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from . import catalog


@dataclass(frozen=True)
class Device:
    """A device that the backend can compute on.

    Attributes:
        name: how the framework addresses it, such as `cpu:0`.
        kind: `cpu`, `gpu` or `tpu`.
        description: what its maker calls it, where the framework knows.
    """

    name: str
    kind: str
    description: str


class Runtime(ABC):
    """What the engine asks of a framework. One instance serves a process."""

    @abstractmethod
    def devices(self) -> list[Device]:
        """The devices that computation can run on, the default one first."""

    @abstractmethod
    def threads(self) -> int:
        """How many CPU threads one operation may use, which `catalog.use(threads=…)` can limit beforehand."""

    @abstractmethod
    def synchronise(self, value: Any = None) -> None:
        """Wait until `value` (any nest of arrays), and on an accelerator all queued work, is computed."""

    @abstractmethod
    def device_memory_peak(self) -> int | None:
        """The most bytes that were allocated on the default device, or None where it is the CPU."""

    @abstractmethod
    def make_deterministic(self) -> None:
        """Choose reproducible kernels over fast ones; before the first computation, after the seeds are set."""

    @abstractmethod
    def remembering(self, model: Any) -> AbstractContextManager[None]:
        """While a Keras model trains or answers: let its stateful layers remember from batch to batch.

        Whatever this framework needs for it is in force for that time only, and leaves no trace in the model.
        """

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """The versions of the framework and of what it computes with (such as CUDA)."""


def current() -> Runtime:
    """The runtime of the backend that this process uses; imports that framework.

    Raises:
        BackendError: that backend is not installed, or Keras runs on another.
    """
    backend = catalog.use()
    return _import(backend.name).RUNTIME  # type: ignore[no-any-return]


@functools.cache
def _import(name: str) -> ModuleType:
    """The room of a backend, imported with its framework and Keras.

    Some frameworks write to file descriptor 2 while they load, whatever their log level; that is held back, and shown
    only when the import fails. Keras would import an `always_imported` one later anyway, when it first seeds or
    saves.
    """
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        standard_error = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            for backend in catalog.BACKENDS:
                if backend.always_imported and backend.installed:
                    importlib.import_module(backend.package)
            importlib.import_module("keras")
            return importlib.import_module(f".{name}.runtime", __package__)
        except BaseException:
            held.seek(0)
            os.write(standard_error, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)


def stateful_layers(model: Any) -> list[Any]:
    """The layers of a Keras model that remember from one batch to the next."""
    return [layer for layer in model.layers if getattr(layer, "stateful", False)]


def memory_peak() -> int:
    """The most bytes of main memory that this process has held (resident set)."""
    try:
        # On Linux `getrusage` starts a child at the peak of its parent, so a worker would report its caller's memory.
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, others KiB


def cores() -> int:
    """The processor cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name as its maker writes it, as far as the system tells."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
