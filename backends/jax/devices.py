"""Several devices under JAX: the batch is sharded over them, everything else is replicated.

The compiled step is written for a whole batch. XLA divides it between the devices, pads a batch that does not divide
evenly, and adds the communication. So dropout masks, metrics and the statistics of batch normalisation are those of the
whole batch. Across processes, each runs the same program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from ...errors import BackendError
from ..device_group import DeviceGroup, require_accelerators, require_cores
from ..distribution.distributed_epochs import DistributedEpochs
from ..epochs import Data, EpochRunner, Plan, assign
from ..nests import map_arrays
from ..runtime import cores
from .epochs import JaxEpochs, Logs, Metrics, State


class JaxDeviceGroup(DeviceGroup):
    """The devices of this process; after `init_process_group` those of all processes."""

    def __init__(self, names: Sequence[str]):
        super().__init__(len(names))
        parallel = keras.distribution.DataParallel(devices=list(names), auto_shard_dataset=False)
        mesh = parallel.device_mesh.backend_mesh
        self.replicated = NamedSharding(mesh, PartitionSpec())
        self.batch_sharded = NamedSharding(mesh, PartitionSpec(parallel.batch_dim_name))

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return JaxDistributedEpochs(self, model, data, batch_size, plan)


class JaxDistributedEpochs(JaxEpochs, DistributedEpochs):
    def __init__(self, group: JaxDeviceGroup, model: Any, data: Data, batch_size: int, plan: Plan):
        self._group = group
        super().__init__(model, data, batch_size, plan)

    def begin(self, order: np.ndarray) -> None:
        super().begin(order)
        self._order = self._replicate(self._order)

    def loss(self) -> float:
        assign(self._groups[3], [_local_copy(value) for value in self._state[3]])
        return self.results()["loss"]

    def evaluate(self) -> None:
        DistributedEpochs.evaluate(self)

    def _to_device(self, data: Data) -> Any:
        return map_arrays(self._replicate, data)

    def _take_state(self) -> State:
        return tuple([self._replicate(value) for value in group] for group in super()._take_state())

    def _put_state(self, state: State) -> None:
        super()._put_state(tuple([_local_copy(value) for value in group] for group in state))

    def _batch(self, data: Any, indices: jax.Array) -> Any:
        return jax.lax.with_sharding_constraint(super()._batch(data, indices), self._group.batch_sharded)

    def _train_step(
        self, variables: State, metrics: Metrics, data: Any, order: jax.Array, number: Any, size: int
    ) -> tuple[Logs, State]:
        logs, state = super()._train_step(variables, metrics, data, order, number, size)
        return logs, jax.lax.with_sharding_constraint(state, self._group.replicated)

    def _replicate(self, array: Any) -> jax.Array:
        """Return a copy on each device; every process passes the same array."""
        values = np.asarray(array)
        return jax.make_array_from_callback(values.shape, self._group.replicated, lambda index: values[index])


def device_group(count: int) -> DeviceGroup:
    """Return a group of `count` devices of this process.

    Raises:
        BackendError: the process has fewer devices.
    """
    devices = jax.local_devices()
    if devices[0].platform != "cpu":
        require_accelerators(count, len(devices), "accelerators")
    else:
        require_cores(count, cores())
    if count > len(devices):
        raise BackendError(
            f"JAX has started with {len(devices)} CPU device{'s' * (len(devices) != 1)} in this process and adds none: "
            f"call trivium.use('jax', devices={count}) before it computes, or set JAX_NUM_CPU_DEVICES={count}"
        )
    return JaxDeviceGroup([_name(device) for device in devices[:count]])


def init_process_group(rank: int, addresses: Sequence[str]) -> DeviceGroup:
    """Make this process one of several. Call it before the process computes anything."""
    jax.config.update("jax_num_cpu_devices", 1)  # the environment may set more for single processes
    keras.utils.set_random_seed(0)  # else Keras would synchronise the seed between processes
    keras.distribution.initialize(addresses[0], len(addresses), rank)
    return JaxDeviceGroup([_name(device) for device in jax.devices()])


def _name(device: jax.Device) -> str:
    return f"{device.platform}:{device.id}"


def _local_copy(value: jax.Array) -> jax.Array:
    """Return this process' first copy of a replicated array."""
    return value.addressable_data(0)
