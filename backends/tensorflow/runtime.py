"""The TensorFlow runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context as eager
from tensorflow.python.framework import ops

from .. import catalog, keras_internals
from ..device_group import DeviceGroup
from ..epochs import Data, EpochRunner, Plan, has_convolutions
from ..runtime import Device, Minimise, Runtime, cores, processor, unchanged
from . import devices
from .corrections import CORRECTIONS
from .dense_gradients import dense_gradients
from .epochs import TensorFlowEpochs
from .layers import tuned

# XLA takes one to two seconds for a small model and saves one to four milliseconds a step.
_STEPS_WORTH_COMPILING = 1_000


class TensorFlowRuntime(Runtime):
    def devices(self) -> list[Device]:
        gpus = tf.config.list_logical_devices("GPU")
        cpus = tf.config.list_logical_devices("CPU")
        physical = tf.config.list_physical_devices("GPU")
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in physical]
        return [
            *(Device(f"gpu:{i}", "gpu", names[i] if i < len(names) else "GPU") for i, _ in enumerate(gpus)),
            *(Device(f"cpu:{i}", "cpu", processor()) for i, _ in enumerate(cpus)),
        ]

    def threads(self) -> int:
        # Zero means that TensorFlow chooses: by its environment variable, else by the available cores.
        threads = tf.config.threading.get_intra_op_parallelism_threads()
        return int(threads or os.environ.get("TF_NUM_INTRAOP_THREADS") or cores())

    def synchronise(self, value: Any = None) -> None:
        tf.test.experimental.sync_devices()

    def device_memory_peak(self) -> int | None:
        if not tf.config.list_logical_devices("GPU"):
            return None
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])

    def set_matmul_precision(self, name: str) -> None:
        tf.config.experimental.enable_tensor_float_32_execution(name == catalog.TF32)

    def make_deterministic(self) -> None:
        tf.config.experimental.enable_op_determinism()

    def release_models(self, *, thoroughly: bool = False) -> None:
        # The kernels of each function that was ever traced, 0.1 MB of a small model; `clear_session` does this, too.
        eager.context().clear_kernel_cache()
        if thoroughly:
            _forget_custom_gradients()

    def carry_rnn_states(self, model: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def dense_gradients(self, model: Any) -> AbstractContextManager[None]:
        return dense_gradients(model)

    def corrected_operations(self) -> AbstractContextManager[None]:
        return keras_internals.corrected(CORRECTIONS)

    def gradients(self, model: Any, x: Any, y: Any, *, training: bool = True) -> tuple[float, list[np.ndarray]]:
        with unchanged(model):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=training), training=training)
            gradients = tape.gradient(
                loss,
                [v.value for v in model.trainable_variables],
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            # The gradient of an embedding is an `IndexedSlices`.
            return float(loss), [np.array(tf.convert_to_tensor(gradient)) for gradient in gradients]

    def call_step(self, model: Any, step: Callable[[Any, Minimise], Any], arguments: tuple[Any, ...]) -> Any:
        return step(arguments[0], _minimise)

    def double_precision(self) -> AbstractContextManager[None]:
        return _exact_conversions()

    def tuned(self, model: Any) -> AbstractContextManager[None]:
        return tuned(model)

    def plans(self, model: Any, steps: int) -> list[Plan]:
        compiled, graph = Plan("xla-loop", loop=True, jit=True), Plan("graph-loop", loop=True, jit=False)
        # XLA's convolution is 20 times slower than TensorFlow's own on a CPU.
        on_cpu = not tf.config.list_logical_devices("GPU")
        if on_cpu and has_convolutions(model):
            return [graph]
        return [compiled, graph] if steps >= _STEPS_WORTH_COMPILING else [graph, compiled]

    def compile_epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return TensorFlowEpochs(model, data, batch_size, plan)

    def device_group(self, count: int) -> DeviceGroup:
        return devices.device_group(count)

    def init_process_group(self, rank: int, addresses: Sequence[str]) -> DeviceGroup:
        return devices.init_process_group(rank, addresses)

    def versions(self) -> dict[str, str]:
        build = tf.sysconfig.get_build_info()
        versions = {
            "tensorflow": tf.__version__,
            "cuda": build.get("cuda_version"),
            "cudnn": build.get("cudnn_version"),
        }
        return {name: str(version) for name, version in versions.items() if version}


def _minimise(compute: Callable[[], tuple[Any, Any]], optimizer: Any, variables: Sequence[Any]) -> Any:
    values = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        loss, further = compute()
    # Zero rather than none where the loss does not depend on a weight: the other backends have no such difference.
    optimizer.apply(tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO), variables)
    return further


@contextmanager
def _exact_conversions() -> Iterator[None]:
    """Let TensorFlow convert a Python float without rounding it to float32 first.

    Keras casts an optimizer's decay rates and a regulariser's factor with `tf.cast`, and converts the learning rate of
    a schedule with `tf.convert_to_tensor`. Rounding to float32 gives a relative error of 1e-8, and of 1e-5 in one minus
    a decay rate.
    """
    cast, convert = tf.cast, tf.convert_to_tensor
    tf.cast = lambda x, dtype, name=None: cast(np.float64(x) if type(x) is float else x, dtype, name)

    def convert_exactly(value: Any, dtype: Any = None, *arguments: Any, **keywords: Any) -> Any:
        is_default = dtype is None and not any(keywords.values()) and type(value) is float
        return convert(value, "float64" if is_default else dtype, *arguments, **keywords)

    tf.convert_to_tensor = convert_exactly
    try:
        yield
    finally:
        tf.cast, tf.convert_to_tensor = cast, convert


def _forget_custom_gradients() -> None:
    """Drop the gradients that functions have registered while they were traced.

    TensorFlow keeps each for the life of the process, and with it the whole graph: tensorflow/tensorflow#97697 and
    #80895. Keras' optimizers register one in each training step. A function that is alive can no longer be
    differentiated from without; it runs as before.
    """
    registered = ops.gradient_registry
    for name in [*registered.list()]:
        if name.startswith("CustomGradient-"):
            del registered._registry[name]


devices.split_cpu()
RUNTIME = TensorFlowRuntime()
