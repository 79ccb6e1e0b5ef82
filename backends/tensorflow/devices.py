"""Several devices under TensorFlow: a copy of the model in the scope of a strategy, a share of each batch to a replica.

Keras' own `fit` under a strategy takes shares of different sizes for equal, knows of no share that is empty, and fails
with several processes (3.15). So the loop over the steps is ours, and the step is Keras' own.
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
from ..device_group import Group, require_accelerators, require_cores
from ..distribution.distributed_epochs import put_values, values_of
from ..distribution.model_copies import classes_of, pack, unpack
from ..distribution.sharding import Collective, joined, train_share
from ..epochs import Data, Epochs, Plan, build_metrics, layers_of
from ..runtime import cores
from ..shard import Share, share_of
from .epochs import TensorFlowEpochs
from .layers import tuned

# Says how many CPU devices TensorFlow has; read when its room is opened, because they cannot be added later.
CPU_DEVICES = "TRIVIUM_CPU_DEVICES"
# Of Keras' optimizer, private: it would add up what is a sum already.
# tests/backends/distribution/test_sharding.py notices when it moves.
REDUCE = "_all_reduce_sum_gradients"
# Of Keras' layers, private: what they add to the loss.
# tests/engine/training/test_local_devices.py notices when it moves.
LOSSES = "_losses"


class TensorFlowDevices(Group):
    """The replicas of a strategy; with one of several workers those of all processes."""

    def __init__(self, strategy: tf.distribute.Strategy):
        super().__init__(strategy.num_replicas_in_sync)
        self.strategy = strategy

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> Epochs:
        return TensorFlowSpreadEpochs(self.strategy, model, data, batch_size, plan)


class Replicas(Collective):
    """Between the replicas of a strategy, within `strategy.run`."""

    def __init__(self, count: int, model: Any):
        self._count = count
        self._layers = [model, *layers_of(model)]

    def total(self, value: Any) -> Any:
        # Replicas are traced in turns that change here, over the same layers: what they have added to the loss so far
        # would be lost or counted by another.
        held = [list(getattr(layer, LOSSES)) for layer in self._layers]
        found = _all_sum(value)
        for layer, losses in zip(self._layers, held, strict=True):
            getattr(layer, LOSSES).clear()
            getattr(layer, LOSSES).extend(losses)
        return found

    def totals(self, values: Sequence[Any]) -> list[Any]:
        return list(_all_sum([tf.convert_to_tensor(value) for value in values]))

    def factor(self, share: Share) -> float:
        # Keras divides a loss under a strategy by the number of replicas.
        return share.weight * self._count


class TensorFlowSpreadEpochs(TensorFlowEpochs):
    """The loop over the steps and validation are those of one device; only what a step does is divided."""

    def __init__(self, strategy: tf.distribute.Strategy, model: Any, data: Data, batch_size: int, plan: Plan):
        # XLA compiles for one device, and knows nothing of what others send.
        super().__init__(model, data, batch_size, replace(plan, jit=False))
        self._strategy, self._replicas = strategy, strategy.num_replicas_in_sync
        packed, known = pack(model), classes_of(model)
        with strategy.scope():
            self._copy = unpack(packed, known)
            build_metrics(self._copy, *(array[:batch_size] for array in data[:2]))

    def begin(self, order: np.ndarray) -> None:
        super().begin(order)
        with self._strategy.scope():
            put_values(self._copy, values_of(self.model))

    def run(self, start: int, stop: int) -> None:
        with self._as_one():
            super().run(start, stop)

    def loss(self) -> float:
        with self._strategy.scope():
            return float(self._copy.get_metrics_result()["loss"])

    def end(self) -> None:
        with self._strategy.scope():
            values = values_of(self._copy)
        put_values(self.model, values)

    @contextlib.contextmanager
    def _as_one(self) -> Any:
        """While it lasts, and in what is compiled meanwhile, replicas make one step together."""
        optimizer = getattr(self._copy.optimizer, "inner_optimizer", self._copy.optimizer)
        setattr(optimizer, REDUCE, lambda pairs: pairs)
        try:
            with joined(self._copy, Replicas(self._replicas, self._copy)), tuned(self._copy):
                yield
        finally:
            delattr(optimizer, REDUCE)

    def _train_batch(self, first: tf.Tensor, size: int) -> None:
        def train(first: tf.Tensor) -> None:
            share = share_of(size, _replica(), self._replicas)
            chosen = tf.slice(self._order, [first + share.first], [share.size])
            train_share(self._copy, [tf.gather(part, chosen) for part in self._data], share)

        self._strategy.run(train, args=(first,))


def group(count: int) -> Group:
    """So many devices of this process.

    Raises:
        BackendError: there are fewer.
    """
    gpus, cpus = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    if gpus:
        require_accelerators(count, len(gpus), "GPUs")
    else:
        require_cores(count, cores())
    found = gpus or cpus
    if count > len(found):
        raise BackendError(
            f"TensorFlow has started with {len(found)} CPU device{'s' * (len(found) != 1)} in this process and adds "
            f"none: call trivium.use('tensorflow', devices={count}) before it computes, or set {CPU_DEVICES}={count}"
        )
    return TensorFlowDevices(tf.distribute.MirroredStrategy([device.name for device in found[:count]]))


def join(rank: int, addresses: Sequence[str]) -> Group:
    """Make this process one of several; before it computes anything."""
    task = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": rank}}
    os.environ["TF_CONFIG"] = json.dumps(task)
    return TensorFlowDevices(tf.distribute.MultiWorkerMirroredStrategy())


def divide_cpu() -> None:
    """Let there be as many CPU devices as the environment says; before TensorFlow has started."""
    count = os.environ.get(CPU_DEVICES, "")
    (cpu,) = tf.config.list_physical_devices("CPU")
    if count.isdecimal() and int(count) > 1:
        with contextlib.suppress(RuntimeError):  # it has started: `group` says so to whoever asks for them
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(count))


def _replica() -> int:
    """Which replica this is, known while it is traced."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return int(tf.get_static_value(number))


def _all_sum(value: Any) -> Any:
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
