"""What the engine asks of JAX."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jaxlib.version

from ..runtime import Device, Runtime, cores, processor


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

    def training(self, model: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}


def _describe(device: jax.Device) -> str:
    return processor() if device.platform == "cpu" else device.device_kind


def _host_devices() -> list[jax.Device]:
    """The CPU beside an accelerator, which `jax.devices()` leaves out."""
    return [] if jax.default_backend() == "cpu" else jax.devices("cpu")


RUNTIME = JaxRuntime()
