"""Several devices under JAX, of one process or of several: see `sharded_epochs.py` for what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import keras
import numpy as np

from ...errors import BackendError
from .. import keras_internals
from ..device_group import DeviceGroup, require_accelerators, require_cores
from ..distribution.distributed_epochs import DistributedEpochs
from ..epochs import Data, EpochRunner, Plan
from ..runtime import cores
from .sharded_epochs import JaxShardedEpochs, Placement


class JaxDeviceGroup(DeviceGroup):
    """The devices of this process; after `init_process_group` those of all processes."""

    def __init__(self, devices: Sequence[jax.Device]):
        super().__init__(len(devices))
        self._placement = Placement.over(devices)

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return JaxDistributedEpochs(model, data, batch_size, plan, self._placement)


class JaxDistributedEpochs(JaxShardedEpochs, DistributedEpochs):
    """Sharded epochs on the devices of one process or of several, each of which runs the same program."""

    def evaluate(self) -> None:
        DistributedEpochs.evaluate(self)

    def _replicate(self, arrays: Any) -> Any:
        """Return copies on each device; every process passes the same arrays."""
        return jax.tree.map(self._replicate_array, arrays)

    def _replicate_array(self, array: Any) -> jax.Array:
        values = np.asarray(array)
        return jax.make_array_from_callback(values.shape, self._placement.replicated, lambda index: values[index])


def device_group(count: int) -> DeviceGroup:
    """Return a group of `count` devices of this process.

    Raises:
        BackendError: the process has fewer devices.
    """
    devices = jax.local_devices()
    if devices[0].platform != "cpu":
        require_accelerators(count, len(devices), "accelerator")
    else:
        require_cores(count, cores())
    if count > len(devices):
        raise BackendError(
            f"JAX has started with {len(devices)} CPU device{'s' * (len(devices) != 1)} in this process and adds none: "
            f"call trivium.use('jax', devices={count}) before it computes, or set JAX_NUM_CPU_DEVICES={count}"
        )
    return JaxDeviceGroup(devices[:count])


def init_process_group(rank: int, addresses: Sequence[str]) -> DeviceGroup:
    """Make this process one of several. Call it before the process computes anything."""
    jax.config.update("jax_num_cpu_devices", 1)  # the environment may set more for single processes
    keras_internals.set_random_seed(0)  # else Keras would synchronise the seed between processes
    keras.distribution.initialize(addresses[0], len(addresses), rank)
    return JaxDeviceGroup(jax.devices())
