"""What the engine asks of JAX."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import jax
import jaxlib.version

from ..runtime import Device, Runtime, cores, processor, stateful_layers


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

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}


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


RUNTIME = JaxRuntime()
