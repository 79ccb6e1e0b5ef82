"""The PyTorch runtime."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import torch

from .. import catalog, keras_internals
from ..device_group import DeviceGroup
from ..epochs import Data, EpochRunner, Plan, has_convolutions, optimizers_of
from ..runtime import Device, Minimise, Runtime, processor, stateful_layers, unchanged
from . import compiled, devices
from .corrections import CORRECTIONS
from .epochs import CAPTURED, COMPILED, STEPS, TorchEpochs
from .layers import tuned

# A capture takes half a second and saves two milliseconds a step.
_STEPS_WORTH_CAPTURING = 250


class TorchRuntime(Runtime):
    evaluates_eagerly = True

    def devices(self) -> list[Device]:
        gpus = [
            Device(f"cuda:{index}", "gpu", torch.cuda.get_device_name(index))
            for index in range(torch.cuda.device_count())
        ]
        return [*gpus, Device("cpu:0", "cpu", processor())]

    def threads(self) -> int:
        return int(torch.get_num_threads())

    def synchronise(self, value: Any = None) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def device_memory_peak(self) -> int | None:
        return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None

    def set_matmul_precision(self, name: str) -> None:
        torch.set_float32_matmul_precision("high" if name == catalog.TF32 else "highest")
        torch.backends.cudnn.allow_tf32 = name == catalog.TF32

    def make_deterministic(self) -> None:
        # cuBLAS needs a fixed workspace to be deterministic. It reads this when the first handle is created.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)

    def carry_rnn_states(self, model: Any) -> AbstractContextManager[None]:
        return _use_copied_states(model)

    def corrected_operations(self) -> AbstractContextManager[None]:
        return keras_internals.corrected(CORRECTIONS)

    def gradients(self, model: Any, x: Any, y: Any, *, training: bool = True) -> tuple[float, list[np.ndarray]]:
        with unchanged(model), self.carry_rnn_states(model):
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=training), training=training)
            if not model.trainable_variables:  # `grad` refuses an empty list
                return float(loss), []
            # Not `backward`, which would accumulate into the parameters' gradients.
            gradients = torch.autograd.grad(
                loss,
                [v.value for v in model.trainable_variables],
                allow_unused=True,
                materialize_grads=True,
            )
            return float(loss), [gradient.cpu().numpy() for gradient in gradients]

    def call_step(self, model: Any, step: Callable[[Any, Minimise], Any], arguments: tuple[Any, ...]) -> Any:
        return step(arguments[0], _minimise)

    def double_precision(self) -> AbstractContextManager[None]:
        return keras_internals.float64_preserved()

    def tuned(self, model: Any) -> AbstractContextManager[None]:
        return tuned(model)

    def plans(self, model: Any, steps: int) -> list[Plan]:
        if _scales_loss(model):
            return [STEPS]
        # Python costs the same per step for every model; beside convolutions it is little.
        capture_pays = steps > _STEPS_WORTH_CAPTURING and not has_convolutions(model)
        return [CAPTURED, STEPS] if capture_pays else [STEPS, CAPTURED]

    def costly_plan(self, model: Any) -> Plan | None:
        return None if _scales_loss(model) or compiled.requirement() else COMPILED

    def missing_for(self, plan: str) -> str:
        return compiled.requirement() if plan == COMPILED.name else ""

    def compile_epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return TorchEpochs(model, data, batch_size, plan)

    def device_group(self, count: int) -> DeviceGroup:
        return devices.device_group(count)

    def init_process_group(self, rank: int, addresses: Sequence[str]) -> DeviceGroup:
        return devices.init_process_group(rank, addresses)

    def generator_states(self) -> list[np.ndarray]:
        on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return [state.numpy() for state in (torch.get_rng_state(), *on_gpus)]

    def set_generator_states(self, states: Sequence[np.ndarray]) -> None:
        on_cpu, *on_gpus = (torch.tensor(state, dtype=torch.uint8) for state in states)
        torch.set_rng_state(on_cpu)
        if len(on_gpus) == (torch.cuda.device_count() if torch.cuda.is_available() else 0):
            torch.cuda.set_rng_state_all(on_gpus)

    def versions(self) -> dict[str, str]:
        versions = {"torch": torch.__version__, "cuda": torch.version.cuda}
        return {name: str(version) for name, version in versions.items() if version}


def _minimise(compute: Callable[[], tuple[Any, Any]], optimizer: Any, variables: Sequence[Any]) -> Any:
    with torch.enable_grad():
        loss, further = compute()
        values = [variable.value for variable in variables]
        gradients = torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=True)
    with torch.no_grad():
        optimizer.apply(gradients, variables)
    return further


def _scales_loss(model: Any) -> bool:
    """Return whether the loss scale depends on each step's gradients: a captured step would not check them."""
    return any(isinstance(part, keras.optimizers.LossScaleOptimizer) for part in optimizers_of(model))


@contextlib.contextmanager
def _use_copied_states(model: Any) -> Iterator[None]:
    """Let stateful recurrent layers compute on copies of their states.

    Keras 3.15 computes with the state variables themselves and then overwrites them in place. Autograd still needs the
    old values and raises an error. tests/backends/test_runtime.py fails when a Keras version no longer needs this.
    """
    stateful = stateful_layers(model)
    for layer in stateful:
        layer.inner_loop = functools.partial(_loop_on_copies, layer.inner_loop)
    try:
        yield
    finally:
        for layer in stateful:
            del layer.inner_loop


def _loop_on_copies(inner_loop: Callable[..., Any], sequences: Any, initial_state: Any, **keywords: Any) -> Any:
    return inner_loop(sequences, [state.clone() for state in initial_state], **keywords)


RUNTIME = TorchRuntime()
