"""Several devices under TensorFlow: a copy of the model in a strategy's scope, and a shard of each batch per replica.

Keras' own `fit` under a strategy weights shards of different sizes equally, cannot handle an empty shard, and fails
with several processes (Keras 3.15). So trivium has its own loop over the steps; the step itself is Keras'.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from ...errors import BackendError
from .. import keras_internals
from ..device_group import DeviceGroup, require_accelerators, require_cores
from ..distribution.distributed_epochs import set_variable_values, variable_values
from ..distribution.model_copies import classes_of, pack, unpack
from ..distribution.sharding import Collective, synchronized, train_on_shard
from ..epochs import Data, EpochRunner, Plan, build_metrics, layers_of
from ..runtime import cores
from ..shard import Shard, shard_of
from .dense_gradients import dense_gradients
from .epochs import Logs, TensorFlowEpochs
from .layers import tuned

# The number of CPU devices. It is read when this backend is imported, because TensorFlow cannot add devices later.
CPU_DEVICES = "TRIVIUM_CPU_DEVICES"


class TensorFlowDeviceGroup(DeviceGroup):
    """The replicas of a strategy; with a strategy of several workers, those of all processes."""

    def __init__(self, strategy: tf.distribute.Strategy):
        super().__init__(strategy.num_replicas_in_sync)
        self.strategy = strategy

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return TensorFlowDistributedEpochs(self.strategy, model, data, batch_size, plan)


class ReplicaCollective(Collective):
    """Collective operations between the replicas of a strategy, within `strategy.run`."""

    def __init__(self, count: int, model: Any):
        self._count = count
        self._layers = [model, *layers_of(model)]

    def all_reduce_sum(self, value: Any) -> Any:
        # The replicas share layer objects, and tracing switches between replicas here. Saving and restoring the
        # layers' losses keeps those of one replica from being lost or counted by another.
        saved_losses = [list(keras_internals.added_losses(layer)) for layer in self._layers]
        total = _all_reduce_sum(value)
        for layer, losses in zip(self._layers, saved_losses, strict=True):
            keras_internals.added_losses(layer).clear()
            keras_internals.added_losses(layer).extend(losses)
        return total

    def all_reduce_sums(self, values: Sequence[Any]) -> list[Any]:
        return list(_all_reduce_sum([tf.convert_to_tensor(value) for value in values]))

    def loss_factor(self, shard: Shard) -> float:
        # Under a strategy, Keras divides a loss by the number of replicas.
        return shard.weight * self._count


class TensorFlowDistributedEpochs(TensorFlowEpochs):
    """Epochs whose training steps are divided between replicas; validation runs on one device."""

    def __init__(self, strategy: tf.distribute.Strategy, model: Any, data: Data, batch_size: int, plan: Plan):
        # XLA compiles for one device and cannot compile the communication between replicas.
        super().__init__(model, data, batch_size, replace(plan, jit=False))
        self._strategy, self._replicas = strategy, strategy.num_replicas_in_sync
        packed, known = pack(model), classes_of(model)
        with strategy.scope():
            self._copy = unpack(packed, known)
            build_metrics(self._copy, *(array[:batch_size] for array in data[:2]))

    def begin(self, order: np.ndarray) -> None:
        super().begin(order)
        with self._strategy.scope():
            set_variable_values(self._copy, variable_values(self.model))

    def run(self, start: int, stop: int) -> None:
        with self._synchronized():
            super().run(start, stop)

    def loss(self) -> float:
        with self._strategy.scope():
            return float(self._copy.get_metrics_result()["loss"])

    def end(self) -> None:
        with self._strategy.scope():
            values = variable_values(self._copy)
        set_variable_values(self.model, values)

    @contextlib.contextmanager
    def _synchronized(self) -> Any:
        """Within this context, and in functions that are traced in it, the replicas make each step together."""
        optimizer = getattr(self._copy.optimizer, "inner_optimizer", self._copy.optimizer)
        setattr(optimizer, keras_internals.GRADIENT_REDUCTION, lambda pairs: pairs)
        try:
            collective = ReplicaCollective(self._replicas, self._copy)
            with synchronized(self._copy, collective), dense_gradients(self._copy), tuned(self._copy):
                yield
        finally:
            delattr(optimizer, keras_internals.GRADIENT_REDUCTION)

    def _train_batch(self, first: tf.Tensor, size: int) -> Logs:
        def train(first: tf.Tensor) -> None:
            shard = shard_of(size, _replica(), self._replicas)
            indices = tf.slice(self._order, [first + shard.first], [shard.size])
            train_on_shard(self._copy, [tf.gather(part, indices) for part in self._data], shard)

        self._strategy.run(train, args=(first,))
        return {}


def device_group(count: int) -> DeviceGroup:
    """Return a group of `count` devices of this process.

    Raises:
        BackendError: the process has fewer devices.
    """
    gpus, cpus = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    if gpus:
        require_accelerators(count, len(gpus), "GPU")
    else:
        require_cores(count, cores())
    devices = gpus or cpus
    if count > len(devices):
        raise BackendError(
            f"TensorFlow has started with {len(devices)} CPU device{'s' * (len(devices) != 1)} in this process and "
            f"adds none: call trivium.use('tensorflow', devices={count}) before it computes, or set "
            f"{CPU_DEVICES}={count}"
        )
    return TensorFlowDeviceGroup(tf.distribute.MirroredStrategy([device.name for device in devices[:count]]))


def init_process_group(rank: int, addresses: Sequence[str]) -> DeviceGroup:
    """Make this process one of several. Call it before the process computes anything."""
    task = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": rank}}
    os.environ["TF_CONFIG"] = json.dumps(task)
    return TensorFlowDeviceGroup(tf.distribute.MultiWorkerMirroredStrategy())


def split_cpu() -> None:
    """Split the CPU into as many devices as the environment says. Call it before TensorFlow starts."""
    count = os.environ.get(CPU_DEVICES, "")
    (cpu,) = tf.config.list_physical_devices("CPU")
    if count.isdecimal() and int(count) > 1:
        with contextlib.suppress(RuntimeError):  # TensorFlow has started: `device_group` reports the missing devices
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(count))


def _replica() -> int:
    """Return the number of the replica that is being traced."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return int(tf.get_static_value(number))


def _all_reduce_sum(value: Any) -> Any:
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
