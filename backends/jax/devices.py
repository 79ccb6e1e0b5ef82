"""Several devices under JAX: the batch lies divided over them, everything else on each of them.

What is compiled says what a whole batch goes through; XLA divides it between the devices, pads a batch that does not
divide, and adds what they must tell each other. So dropout masks, the statistics of batch normalisation and metrics
are those of the whole batch by themselves. Across processes it is the same program in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from ...errors import BackendError
from ..device_group import Group, require_accelerators, require_cores
from ..distribution.distributed_epochs import SpreadEpochs
from ..epochs import Data, Epochs, Plan, assign
from ..runtime import cores
from .epochs import JaxEpochs, Metrics, State


class JaxDevices(Group):
    """The devices of this process; after `join` those of all processes."""

    def __init__(self, names: Sequence[str]):
        super().__init__(len(names))
        parallel = keras.distribution.DataParallel(devices=list(names), auto_shard_dataset=False)
        mesh = parallel.device_mesh.backend_mesh
        self.everywhere = NamedSharding(mesh, PartitionSpec())
        self.by_rows = NamedSharding(mesh, PartitionSpec(parallel.batch_dim_name))

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> Epochs:
        return JaxSpreadEpochs(self, model, data, batch_size, plan)


class JaxSpreadEpochs(JaxEpochs, SpreadEpochs):
    def __init__(self, group: JaxDevices, model: Any, data: Data, batch_size: int, plan: Plan):
        self._group = group
        super().__init__(model, data, batch_size, plan)

    def begin(self, order: np.ndarray) -> None:
        super().begin(order)
        self._order = self._on_all(self._order)

    def loss(self) -> float:
        assign(self._groups[3], [_here(value) for value in self._state[3]])
        return self.results()["loss"]

    def evaluate(self) -> None:
        SpreadEpochs.evaluate(self)

    def _place(self, data: Data) -> Any:
        return tuple(self._on_all(array) for array in data)

    def _take_state(self) -> State:
        return tuple([self._on_all(value) for value in group] for group in super()._take_state())

    def _put_state(self, state: State) -> None:
        super()._put_state(tuple([_here(value) for value in group] for group in state))

    def _batch(self, data: Any, chosen: jax.Array) -> tuple[jax.Array, ...]:
        rows = super()._batch(data, chosen)
        return tuple(jax.lax.with_sharding_constraint(part, self._group.by_rows) for part in rows)

    def _train_step(self, kept: State, metrics: Metrics, data: Any, order: jax.Array, number: Any, size: int) -> State:
        trained: State = jax.lax.with_sharding_constraint(
            super()._train_step(kept, metrics, data, order, number, size), self._group.everywhere
        )
        return trained

    def _on_all(self, array: Any) -> jax.Array:
        """A copy on each device; every process gives the same."""
        values = np.asarray(array)
        return jax.make_array_from_callback(values.shape, self._group.everywhere, lambda index: values[index])


def group(count: int) -> Group:
    """So many devices of this process.

    Raises:
        BackendError: there are fewer.
    """
    found = jax.local_devices()
    if found[0].platform != "cpu":
        require_accelerators(count, len(found), "accelerators")
    else:
        require_cores(count, cores())
    if count > len(found):
        raise BackendError(
            f"JAX has started with {len(found)} CPU device{'s' * (len(found) != 1)} in this process and adds none: "
            f"call trivium.use('jax', devices={count}) before it computes, or set JAX_NUM_CPU_DEVICES={count}"
        )
    return JaxDevices([_name(device) for device in found[:count]])


def join(rank: int, addresses: Sequence[str]) -> Group:
    """Make this process one of several; before it computes anything."""
    jax.config.update("jax_num_cpu_devices", 1)  # whatever the environment says of processes that are alone
    keras.utils.set_random_seed(0)  # else Keras would let the processes agree on one
    keras.distribution.initialize(addresses[0], len(addresses), rank)
    return JaxDevices([_name(device) for device in jax.devices()])


def _name(device: jax.Device) -> str:
    return f"{device.platform}:{device.id}"


def _here(value: jax.Array) -> jax.Array:
    """What lies on every device, as it lies on this process' first."""
    return value.addressable_data(0)
