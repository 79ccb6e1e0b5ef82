"""What the engine asks of TensorFlow."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

from ..runtime import Device, Runtime, cores, processor


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
        # Zero means that TensorFlow chooses: by its variable, else by the cores that it may run on.
        chosen = tf.config.threading.get_intra_op_parallelism_threads()
        return int(chosen or os.environ.get("TF_NUM_INTRAOP_THREADS") or cores())

    def synchronise(self, value: Any = None) -> None:
        tf.test.experimental.sync_devices()

    def device_memory_peak(self) -> int | None:
        if not tf.config.list_logical_devices("GPU"):
            return None
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])

    def make_deterministic(self) -> None:
        tf.config.experimental.enable_op_determinism()

    def remembering(self, model: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def versions(self) -> dict[str, str]:
        build = tf.sysconfig.get_build_info()
        found = {"tensorflow": tf.__version__, "cuda": build.get("cuda_version"), "cudnn": build.get("cudnn_version")}
        return {name: str(version) for name, version in found.items() if version}


RUNTIME = TensorFlowRuntime()
