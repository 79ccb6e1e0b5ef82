"""The JAX runtime."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jaxlib.version
import keras
import numpy as np

from .. import catalog, keras_internals
from ..device_group import DeviceGroup
from ..epochs import Data, EpochRunner, Plan, has_convolutions, has_recurrence, layers_of
from ..runtime import Device, Minimise, Runtime, cores, processor, stateful_layers, unchanged
from ..vectorized import InitialState, VectorizedModels
from . import devices
from .corrections import CORRECTIONS
from .epochs import JaxEpochs
from .layers import tuned
from .sharded_epochs import JaxShardedEpochs, Placement
from .stateless_step import stateless_step
from .vectorized import JaxVectorizedModels

_PRECISIONS = {catalog.FLOAT32: "float32", catalog.TF32: "tensorfloat32"}


# Other layers than convolutions use all threads without it.
SHARDED = Plan("sharded", loop=False, jit=True)


class JaxRuntime(Runtime):
    def devices(self) -> list[Device]:
        return [
            Device(f"{device.platform}:{device.id}", device.platform, _describe(device))
            for device in [*_default_devices(), *_host_devices()]
        ]

    def threads(self) -> int:
        # XLA reads this variable when its client starts; JAX itself has no setting for the number of threads.
        return int(os.environ.get("NPROC") or cores())

    def synchronise(self, value: Any = None) -> None:
        jax.block_until_ready(value)
        jax.effects_barrier()

    def device_memory_peak(self) -> int | None:
        statistics = jax.devices()[0].memory_stats()
        return int(statistics["peak_bytes_in_use"]) if statistics else None

    def set_matmul_precision(self, name: str) -> None:
        jax.config.update("jax_default_matmul_precision", _PRECISIONS[name])

    def make_deterministic(self) -> None:
        # XLA is deterministic on a CPU. On a GPU it needs this flag, which is read when a computation is compiled.
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()

    def release_models(self, *, thoroughly: bool = False) -> None:
        if thoroughly:
            jax.clear_caches()  # every operation is compiled for every shape that it had

    def carry_rnn_states(self, model: Any) -> AbstractContextManager[None]:
        return _track_states(model)

    def corrected_operations(self) -> AbstractContextManager[None]:
        return keras_internals.corrected(CORRECTIONS)

    def deviations(self, model: Any) -> list[str]:
        # docs/upstream/keras-jax-spectral-normalization.md is the report, whose reproducer notices when this can go.
        names = [layer.name for layer in layers_of(model) if isinstance(layer, keras.layers.SpectralNormalization)]
        if not names:
            return []
        return [
            f"{', '.join(names)}: Keras trains SpectralNormalization otherwise under JAX, where a step discards the "
            "normalised kernel; train it on another backend for the same run"
        ]

    def gradients(self, model: Any, x: Any, y: Any, *, training: bool = True) -> tuple[float, list[np.ndarray]]:
        with unchanged(model):
            with unchanged(model):
                # The loss of several outputs creates its variables in its first call, which JAX must not trace.
                model.compute_loss(x=x, y=y, y_pred=model(x, training=False), training=False)
            other_variables = [
                [v.value for v in group] for group in (model.non_trainable_variables, model.metrics_variables)
            ]
            optimizer = [v.value for v in model.optimizer.variables]

            def loss_of(values: list[jax.Array]) -> jax.Array:
                # The unscaled loss: a mixed-precision optimizer would differentiate a multiple of it.
                _, (loss, *_) = model.compute_loss_and_updates(
                    values, *other_variables, x, y, None, training=training, optimizer_variables=optimizer
                )
                return loss

            # Compiled as a whole, because compiling the operations one by one takes several times as long.
            loss, gradients = jax.jit(jax.value_and_grad(loss_of))([v.value for v in model.trainable_variables])
            return float(loss), [np.array(gradient) for gradient in gradients]

    def call_step(self, model: Any, step: Callable[[Any, Minimise], Any], arguments: tuple[Any, ...]) -> Any:
        return stateless_step(model, step, *arguments)

    def double_precision(self) -> AbstractContextManager[None]:
        return _enable_x64()

    def tuned(self, model: Any) -> AbstractContextManager[None]:
        return tuned(model)

    def plans(self, model: Any, steps: int) -> list[Plan]:
        in_a_loop, one_by_one = Plan("loop", loop=True, jit=True), Plan("steps", loop=False, jit=True)
        # Inside a loop on a CPU, XLA runs a convolution on one thread; a small step still gains more from the loop.
        loops = has_recurrence(model) or not has_convolutions(model)
        plans = [in_a_loop, one_by_one] if loops else [one_by_one, in_a_loop]
        return [*plans, SHARDED] if _can_shard() and has_convolutions(model) else plans

    def compile_epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        if plan != SHARDED:
            return JaxEpochs(model, data, batch_size, plan)
        return JaxShardedEpochs(model, data, batch_size, plan, Placement.over(jax.local_devices()))

    def device_group(self, count: int) -> DeviceGroup:
        return devices.device_group(count)

    def init_process_group(self, rank: int, addresses: Sequence[str]) -> DeviceGroup:
        return devices.init_process_group(rank, addresses)

    def can_vectorize(self, model: Any) -> bool:
        # `vmap` turns convolutions into one grouped convolution, for which XLA has no fast code on a CPU.
        return not (has_convolutions(model) or stateful_layers(model))

    def compile_vectorized(
        self, model: Any, starts: Sequence[InitialState], x: np.ndarray, y: np.ndarray, batch_size: int
    ) -> VectorizedModels:
        return JaxVectorizedModels(model, starts, x, y, batch_size)

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}


def _on_accelerator() -> bool:
    return bool(jax.default_backend() != "cpu")


def _can_shard() -> bool:
    """Return whether the CPU is split into several devices, all of this process."""
    return not _on_accelerator() and 1 < jax.local_device_count() == jax.device_count()


def _default_devices() -> list[jax.Device]:
    """Return the devices of `jax.devices()`; the parts of a CPU are one."""
    devices: list[jax.Device] = jax.devices() if _on_accelerator() else jax.local_devices()[:1]
    return devices


def _describe(device: jax.Device) -> str:
    return processor() if device.platform == "cpu" else device.device_kind


def _host_devices() -> list[jax.Device]:
    """Return the CPU of a machine with an accelerator, which `jax.devices()` leaves out."""
    return jax.devices("cpu")[:1] if _on_accelerator() else []


@contextlib.contextmanager
def _track_states(model: Any) -> Iterator[None]:
    """Let Keras carry the states of stateful recurrent layers through its compiled steps.

    Keras 3.15 creates these variables but leaves them out of the layer's `non_trainable_variables`, which are the
    variables that a step under JAX takes and returns. So assignments to them are lost and the layer silently forgets.
    Only Keras' private tracker can add them. tests/backends/test_runtime.py fails when the tracker moves, or when a
    Keras version no longer needs this.
    """
    with contextlib.ExitStack() as stack:
        for layer in stateful_layers(model):
            stack.enter_context(keras_internals.tracked_variables(layer, layer.states))
        yield


@contextlib.contextmanager
def _enable_x64() -> Iterator[None]:
    """Enable float64, which JAX otherwise turns into float32."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        with keras_internals.float64_preserved():
            yield
    finally:
        jax.config.update("jax_enable_x64", before)


RUNTIME = JaxRuntime()
