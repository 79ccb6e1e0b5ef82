"""The one interface that the engine asks of a framework.

Each room (`tensorflow/`, `jax/`, `torch/`) answers it in its own `runtime.py`; nothing outside the rooms says a
framework's name in a conditional. Whatever Keras itself already does the same on every backend does not belong here.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import platform
import resource
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from . import catalog
from .device_group import DeviceGroup
from .epochs import Data, EpochRunner, Plan
from .vectorized import InitialState, VectorizedModels


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
    def carry_rnn_states(self, model: Any) -> AbstractContextManager[None]:
        """While a Keras model trains or answers: let its stateful layers remember from batch to batch.

        Whatever this framework needs for it is in force for that time only, and leaves no trace in the model.
        """

    @abstractmethod
    def gradients(self, model: Any, x: Any, y: Any) -> tuple[float, list[np.ndarray]]:
        """The loss of one batch and its gradient by each of `model.trainable_variables`, in their order.

        Computed as in training: dropout drops, batch normalisation takes the batch's own statistics, and the losses
        that layers add are in it. Nothing in the model is changed by it.

        Args:
            model: a compiled Keras model.
            x, y: what its `train_on_batch` takes.
        """

    @abstractmethod
    def double_precision(self) -> AbstractContextManager[None]:
        """For the time of the context: let the framework compute in float64 what is asked for in float64."""

    @abstractmethod
    def tuned(self, model: Any) -> AbstractContextManager[None]:
        """While it lasts, the model's layers compute the same in the way that is fastest on this backend and device.

        On the layers themselves: their weights and classes, and what is saved of them, stay as they are.
        """

    @abstractmethod
    def plans(self, model: Any, steps: int) -> list[Plan]:
        """The ways in which this framework can run the model's epochs here, the one that should be fastest first.

        Args:
            model: a compiled Keras model.
            steps: of the whole run: compiling must pay for itself.
        """

    @abstractmethod
    def compile_epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        """Epochs of the model over these data: see `EpochRunner`. What is slow about it happens when they first run."""

    @abstractmethod
    def device_group(self, count: int) -> DeviceGroup:
        """So many devices of this machine, to train a model on together. To be closed by whoever has asked for it.

        Raises:
            BackendError: there are fewer.
        """

    @abstractmethod
    def init_process_group(self, rank: int, addresses: Sequence[str]) -> DeviceGroup:
        """Make this process one of several that train a model together; before it computes anything.

        Args:
            rank: its number, from 0.
            addresses: `host:port` of each of them, where nobody listens yet.
        """

    def can_vectorize(self, model: Any) -> bool:
        """Whether several models like this one are faster trained together, by `compile_vectorized`, than one by one."""
        return False

    def compile_vectorized(
        self, model: Any, starts: Sequence[InitialState], x: np.ndarray, y: np.ndarray, batch_size: int
    ) -> VectorizedModels:
        """Several models of one architecture over these data: see `VectorizedModels`. Only where `can_vectorize` says so."""
        raise NotImplementedError

    def generator_states(self) -> list[np.ndarray]:
        """What the framework's own random generators stand at, (n,) bytes each; none where it has no such thing."""
        return []

    def set_generator_states(self, states: Sequence[np.ndarray]) -> None:
        """Let them go on from what `generator_states` gave."""
        return

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """The versions of the framework and of what it computes with (such as CUDA)."""


def current() -> Runtime:
    """The runtime of the backend that this process uses; imports that framework.

    Raises:
        BackendError: that backend is not installed, or Keras runs on another.
    """
    backend = catalog.use()
    return _import_room(backend.name).RUNTIME  # type: ignore[no-any-return]


@functools.cache
def _import_room(name: str) -> ModuleType:
    """The room of a backend, imported with its framework and Keras.

    Some frameworks write to file descriptor 2 while they load, whatever their log level; that is held back, and shown
    only when the import fails. Keras would import an `always_imported` one later anyway, when it first seeds or
    saves.
    """
    with tempfile.TemporaryFile() as captured:
        sys.stderr.flush()
        standard_error = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            for backend in catalog.BACKENDS:
                if backend.always_imported and backend.installed:
                    importlib.import_module(backend.package)
            importlib.import_module("keras")
            return importlib.import_module(f".{name}.runtime", __package__)
        except BaseException:
            captured.seek(0)
            os.write(standard_error, captured.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)


def stateful_layers(model: Any) -> list[Any]:
    """The layers of a Keras model that remember from one batch to the next."""
    return [layer for layer in model.layers if getattr(layer, "stateful", False)]


def variables_of(model: Any) -> list[Any]:
    """All that training a Keras model changes, each once: weights, seeds, metrics, states, the optimizer's own."""
    # Keras leaves what stateful layers remember out of a model's variables.
    states = [state for layer in stateful_layers(model) for state in layer.states or ()]
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *model.metrics_variables, *states, *(optimizer.variables if optimizer else ())]
    return list({id(variable): variable for variable in variables}.values())


def snapshot(variables: Sequence[Any]) -> Callable[[], None]:
    """Keep what Keras variables hold; what is returned puts it back, as often as it is called."""
    # Copies: NumPy's view of a variable would follow what happens to it.
    saved = [(variable, np.array(variable.numpy())) for variable in variables]

    def restore() -> None:
        for variable, saved_value in saved:
            variable.assign(saved_value)

    return restore


@contextlib.contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Put back all that training changes in a Keras model as it was before: see `variables_of`."""
    restore = snapshot(variables_of(model))
    try:
        yield
    finally:
        restore()


def memory_peak() -> int:
    """The most bytes of main memory that this process has held (resident set); psutil has no such peak on Linux."""
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
    """The processor's name as its maker writes it, as far as the system tells.

    Read here, because py-cpuinfo starts processes and takes 0.2 s for this one line.
    """
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
