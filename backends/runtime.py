"""The interface between the engine and a framework.

Each backend (`tensorflow/`, `jax/`, `torch/`, `numpy/`) implements it in its own `runtime.py`; code outside these
folders has no conditional on a framework's name. What Keras already does alike on every backend does not belong here.
"""

from __future__ import annotations

import contextlib
import functools
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
from .processor import cores as cores
from .processor import processor as processor
from .quiet_imports import import_quietly
from .vectorized import InitialState, VectorizedModels

# Minimises a loss by one step of an optimizer: (compute, optimizer, variables). `compute` returns the loss and anything
# else, which is returned.
Minimise = Callable[[Callable[[], tuple[Any, Any]], Any, Sequence[Any]], Any]


@dataclass(frozen=True)
class Device:
    """A device that the backend can compute on.

    Attributes:
        name: the framework's name for it, such as `cpu:0`.
        kind: `cpu`, `gpu` or `tpu`.
        description: the name of the product, if the framework knows it.
    """

    name: str
    kind: str
    description: str


class Runtime(ABC):
    """The interface of the engine to a framework. There is one instance per process.

    Attributes:
        evaluates_eagerly: whether each step of an evaluation runs in Python, which takes as long for one sample as for
            a few hundred.
    """

    evaluates_eagerly = False

    @abstractmethod
    def devices(self) -> list[Device]:
        """Return the devices that can compute, the default device first."""

    @abstractmethod
    def threads(self) -> int:
        """Return how many CPU threads one operation may use; `catalog.use(threads=…)` can set a limit beforehand."""

    @abstractmethod
    def synchronise(self, value: Any = None) -> None:
        """Wait until `value` (any nest of arrays) is computed, and on an accelerator all queued work."""

    @abstractmethod
    def device_memory_peak(self) -> int | None:
        """Return the peak of allocated bytes on the default device, or None if that is the CPU."""

    @abstractmethod
    def set_matmul_precision(self, name: str) -> None:
        """Compute products of matrices and convolutions of float32 in this precision, one of the catalogue's."""

    @abstractmethod
    def make_deterministic(self) -> None:
        """Prefer reproducible kernels to fast ones. Call it after setting the seeds, before the first computation."""

    @abstractmethod
    def carry_rnn_states(self, model: Any) -> AbstractContextManager[None]:
        """Within this context, stateful RNN layers of a Keras model carry their states from batch to batch.

        It is needed for training and prediction. It leaves no trace in the model.
        """

    def release_models(self, *, thoroughly: bool = False) -> None:  # noqa: B027 most frameworks hold nothing
        """Release what the framework still holds of models that are gone.

        Args:
            thoroughly: release also what other models of this process would have to compile again.
        """

    def dense_gradients(self, model: Any) -> AbstractContextManager[None]:
        """Within this context, the optimizer of a model adds the gradients of repeated tokens before it uses them."""
        return contextlib.nullcontext()

    def corrected_operations(self) -> AbstractContextManager[None]:
        """Within this context, operations that Keras computes wrongly on this backend are right.

        A function that is compiled within it keeps the corrections. They leave no trace in a model.
        """
        return contextlib.nullcontext()

    def deviations(self, model: Any) -> list[str]:
        """Return a sentence for each kind of layer that this backend trains otherwise, and that is not corrected."""
        return []

    @abstractmethod
    def gradients(self, model: Any, x: Any, y: Any, *, training: bool = True) -> tuple[float, list[np.ndarray]]:
        """Return the loss of one batch and its gradients with respect to `model.trainable_variables`, in that order.

        They are computed as in training: with dropout, with the batch statistics of batch normalisation, and with the
        losses that layers add. The model is not changed.

        Args:
            model: a compiled Keras model.
            x, y: as for `train_on_batch`.
            training: False for the gradients of the model as it answers.
        """

    @abstractmethod
    def call_step(self, model: Any, step: Callable[[Any, Minimise], Any], arguments: tuple[Any, ...]) -> Any:
        """Call a training or test step that reads and changes Keras variables, as Keras calls a step of this backend.

        Args:
            model: whose variables the step changes.
            step: called with the data of a batch, and with what minimises a loss; it returns the metrics.
            arguments: those that Keras gives to `train_step` or `test_step` on this backend.

        Returns:
            What Keras expects of that method on this backend.
        """

    @abstractmethod
    def double_precision(self) -> AbstractContextManager[None]:
        """Within this context, operations on float64 are computed in float64."""

    @abstractmethod
    def tuned(self, model: Any) -> AbstractContextManager[None]:
        """Within this context, the model's layers use the fastest implementation for this backend and device.

        Methods are replaced on the layer objects only; their weights, classes and saved form do not change.
        """

    @abstractmethod
    def plans(self, model: Any, steps: int) -> list[Plan]:
        """Return the plans by which this framework can run the model's epochs, the presumably fastest first.

        Args:
            model: a compiled Keras model.
            steps: number of steps of the whole run, in which compilation must pay for itself.
        """

    def costly_plan(self, model: Any) -> Plan | None:
        """Return a further plan whose compilation pays in a run of minutes only, or None."""
        return None

    def missing_for(self, plan: str) -> str:
        """Return what this machine lacks for the plan of this name, as a sentence; an empty string if nobody knows."""
        return ""

    @abstractmethod
    def compile_epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        """Return a runner of the model's epochs on these data. It compiles when an epoch first runs."""

    @abstractmethod
    def device_group(self, count: int) -> DeviceGroup:
        """Return a group of `count` devices of this machine. The caller closes it.

        Raises:
            BackendError: this machine has fewer devices.
        """

    @abstractmethod
    def init_process_group(self, rank: int, addresses: Sequence[str]) -> DeviceGroup:
        """Join this process to a group of processes that train a model together. Call it before any computation.

        Args:
            rank: rank of this process, from 0.
            addresses: `host:port` of each process, where nothing listens yet.
        """

    def can_vectorize(self, model: Any) -> bool:
        """Return whether `compile_vectorized` trains several models like this one faster than one by one."""
        return False

    def compile_vectorized(
        self, model: Any, starts: Sequence[InitialState], x: np.ndarray, y: np.ndarray, batch_size: int
    ) -> VectorizedModels:
        """Return several models of one architecture, trained together. Call it only if `can_vectorize` is true."""
        raise NotImplementedError

    def generator_states(self) -> list[np.ndarray]:
        """Return the states of the framework's own random generators, (n,) bytes each; empty if it has none."""
        return []

    def set_generator_states(self, states: Sequence[np.ndarray]) -> None:
        """Restore the states that `generator_states` returned."""
        return

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions of the framework and of its libraries, such as CUDA."""


def current() -> Runtime:
    """Return the runtime of the backend that this process uses; this imports the framework.

    Raises:
        BackendError: the backend is not installed, or Keras already runs on another.
        OptionError: the environment names an unknown precision of products.
    """
    backend = catalog.use()
    here: Runtime = _import_room(backend.name).RUNTIME
    _set_matmul_precision(here, catalog.matmul_precision())
    return here


@functools.lru_cache(maxsize=1)  # so that it is set where it has changed
def _set_matmul_precision(here: Runtime, name: str) -> None:
    here.set_matmul_precision(name)


@functools.cache
def _import_room(name: str) -> ModuleType:
    """Import a backend's module `runtime`, with its framework and Keras."""
    return import_quietly(f"{__package__}.{name}.runtime")


def import_frameworks_of_keras() -> None:
    """Import what Keras uses under every backend, where it is installed.

    Keras imports it when it needs it, such as TensorFlow to read an `.h5` file; its lines on standard error would stay.
    """
    for backend in catalog.BACKENDS:
        if backend.serves_others and backend.installed:
            with contextlib.suppress(ImportError):  # Keras goes on without it, too
                import_quietly(backend.package)


def stateful_layers(model: Any) -> list[Any]:
    """Return the layers of a Keras model that carry states from one batch to the next."""
    return [layer for layer in model.layers if getattr(layer, "stateful", False)]


def variables_of(model: Any) -> list[Any]:
    """Return each variable that training changes once: weights, seeds, metrics, RNN states, the optimizer's."""
    # Keras does not count the states of stateful layers among a model's variables.
    states = [state for layer in stateful_layers(model) for state in layer.states or ()]
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *model.metrics_variables, *states, *(optimizer.variables if optimizer else ())]
    return list({id(variable): variable for variable in variables}.values())


def snapshot(variables: Sequence[Any]) -> Callable[[], None]:
    """Copy the values of Keras variables; return a function that restores them and can be called repeatedly."""
    # Copied, because NumPy's view of a variable would follow its changes.
    saved = [(variable, np.array(variable.numpy())) for variable in variables]

    def restore() -> None:
        for variable, saved_value in saved:
            variable.assign(saved_value)

    return restore


@contextlib.contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """On leaving this context, restore the values of `variables_of(model)`."""
    restore = snapshot(variables_of(model))
    try:
        yield
    finally:
        restore()
