"""What the engine asks of JAX."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jaxlib.version
import numpy as np

from ..device_group import Group
from ..epochs import Data, Epochs, Plan, convolves, recurs
from ..runtime import Device, Runtime, cores, float64_kept, processor, stateful_layers, unchanged
from ..vectorized import Many, Start
from . import devices
from .epochs import JaxEpochs
from .layers import tuned
from .vectorized import JaxMany


class JaxRuntime(Runtime):
    def devices(self) -> list[Device]:
        return [
            Device(f"{device.platform}:{device.id}", device.platform, _describe(device))
            for device in [*jax.devices(), *_host_devices()]
        ]

    def threads(self) -> int:
        # XLA sizes its pool by this variable when its client starts; JAX itself has no setting for it.
        return int(os.environ.get("NPROC") or cores())

    def synchronise(self, value: Any = None) -> None:
        jax.block_until_ready(value)
        jax.effects_barrier()

    def device_memory_peak(self) -> int | None:
        statistics = jax.devices()[0].memory_stats()
        return int(statistics["peak_bytes_in_use"]) if statistics else None

    def make_deterministic(self) -> None:
        # On a CPU XLA is deterministic; on a GPU this flag makes it so, read when a computation is compiled.
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()

    def remembering(self, model: Any) -> AbstractContextManager[None]:
        return _tracked_states(model)

    def gradients(self, model: Any, x: Any, y: Any) -> tuple[float, list[np.ndarray]]:
        with unchanged(model):
            with unchanged(model):
                # A loss of several outputs makes its variables when first called, which JAX must not trace.
                model.compute_loss(x=x, y=y, y_pred=model(x, training=False), training=False)
            kept = [[v.value for v in group] for group in (model.non_trainable_variables, model.metrics_variables)]
            optimizer = [v.value for v in model.optimizer.variables]

            def loss_of(values: list[jax.Array]) -> jax.Array:
                # The unscaled loss: a mixed-precision optimizer would differentiate a multiple of it.
                _, (loss, *_) = model.compute_loss_and_updates(
                    values, *kept, x, y, None, training=True, optimizer_variables=optimizer
                )
                return loss

            # Compiled as a whole: one by one the operations take several times as long to compile.
            loss, found = jax.jit(jax.value_and_grad(loss_of))([v.value for v in model.trainable_variables])
            return float(loss), [np.array(gradient) for gradient in found]

    def double_precision(self) -> AbstractContextManager[None]:
        return _x64()

    def tuned(self, model: Any) -> AbstractContextManager[None]:
        return tuned(model)

    def plans(self, model: Any, steps: int) -> list[Plan]:
        in_a_loop, one_by_one = Plan("loop", loop=True, jit=True), Plan("steps", loop=False, jit=True)
        # Inside a loop XLA gives a convolution one thread on a CPU; a small step gains more from being in one.
        loops = recurs(model) or (_on_accelerator() and not convolves(model))
        return [in_a_loop, one_by_one] if loops else [one_by_one, in_a_loop]

    def compile_epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> Epochs:
        return JaxEpochs(model, data, batch_size, plan)

    def group(self, count: int) -> Group:
        return devices.group(count)

    def join(self, rank: int, addresses: Sequence[str]) -> Group:
        return devices.join(rank, addresses)

    def trains_together(self, model: Any) -> bool:
        # A convolution with a kernel for each model becomes one in groups, for which XLA has no fast code on a CPU.
        return not (convolves(model) or stateful_layers(model))

    def compile_many(self, model: Any, starts: Sequence[Start], x: np.ndarray, y: np.ndarray, batch_size: int) -> Many:
        return JaxMany(model, starts, x, y, batch_size)

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}


def _on_accelerator() -> bool:
    return bool(jax.default_backend() != "cpu")


def _describe(device: jax.Device) -> str:
    return processor() if device.platform == "cpu" else device.device_kind


def _host_devices() -> list[jax.Device]:
    """The CPU beside an accelerator, which `jax.devices()` leaves out."""
    return [] if jax.default_backend() == "cpu" else jax.devices("cpu")


@contextlib.contextmanager
def _tracked_states(model: Any) -> Iterator[None]:
    """Let Keras carry the states of stateful recurrent layers through its compiled steps.

    Keras 3.15 makes these variables but leaves them out of the layer's `non_trainable_variables`, which are what a
    step under JAX takes and returns: whatever is assigned to them is dropped, and the layer forgets, silently. The
    only way to add them is Keras' private tracker; tests/backends/test_runtime.py notices when it moves or is no
    longer needed.
    """
    stateful = stateful_layers(model)
    for layer in stateful:
        layer._tracker.unlock()
        for state in layer.states:
            layer._track_variable(state)
        layer._tracker.lock()
    try:
        yield
    finally:
        for layer in stateful:
            for state in layer.states:
                layer._untrack_variable(state)


@contextlib.contextmanager
def _x64() -> Iterator[None]:
    """JAX makes every float64 a float32 unless this is set."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        with float64_kept():
            yield
    finally:
        jax.config.update("jax_enable_x64", before)


RUNTIME = JaxRuntime()
