"""Epochs whose batches are sharded over several devices, and whose other arrays are copied to each of them.

The compiled step is written for a whole batch. XLA divides it between the devices, pads a batch that does not divide
evenly, and adds the communication. So dropout masks, metrics and the statistics of batch normalisation are those of the
whole batch.

On a CPU the devices are parts of one processor. XLA computes most convolutions on one thread of a device; sharded, each
thread computes its own samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..epochs import Data, Plan
from .epochs import JaxEpochs, Logs, Metrics, State

_BATCH_AXIS = "batch"


@dataclass(frozen=True)
class Placement:
    """Where the arrays of a step are: a batch has its samples on several devices, another array is on each of them."""

    batch: NamedSharding
    replicated: NamedSharding

    @property
    def on_cpu(self) -> bool:
        return all(device.platform == "cpu" for device in self.batch.device_set)

    @classmethod
    def over(cls, devices: Sequence[jax.Device]) -> Placement:
        mesh = Mesh(np.array(devices), (_BATCH_AXIS,))
        return cls(NamedSharding(mesh, PartitionSpec(_BATCH_AXIS)), NamedSharding(mesh, PartitionSpec()))


class JaxShardedEpochs(JaxEpochs):
    """Epochs on several devices of this process.

    Args:
        placement: of the arrays on the devices.
    """

    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan, placement: Placement):
        self._placement = placement
        super().__init__(model, data, batch_size, plan)

    def _compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Compile a function; on a CPU its calls wait for what they compute.

        The devices of a CPU share one pool of threads. A step of one device waits in it for the other devices' part of
        a sum. Later steps that are queued there can hold the threads which those parts need: then no device goes on,
        and XLA ends the process after 40 seconds.
        """
        compiled = super()._compile(function, **options)
        if not self._placement.on_cpu:
            return compiled
        return lambda *arguments: jax.block_until_ready(compiled(*arguments))

    def begin(self, order: np.ndarray) -> None:
        super().begin(order)
        self._order = self._replicate(self._order)

    def _to_device(self, data: Data) -> Any:
        return self._replicate(data)

    def _take_state(self) -> State:
        state: State = self._replicate(super()._take_state())
        return state

    def _assign(self, group: int, values: Sequence[jax.Array]) -> None:
        # Through NumPy: a device's own copy would bind what is computed with it to that device, for which JAX would
        # compile the other plans anew.
        super()._assign(group, jax.device_put([np.array(value.addressable_data(0)) for value in values]))

    def _batch(self, data: Any, indices: jax.Array) -> Any:
        return self._shard(super()._batch(data, indices))

    def _train_step(
        self, variables: State, metrics: Metrics, data: Any, order: jax.Array, number: Any, size: int
    ) -> tuple[Logs, State]:
        logs, state = super()._train_step(variables, metrics, data, order, number, size)
        return logs, self._everywhere(state)

    def _slice(self, data: Any, first: Any, size: int) -> Any:
        return self._shard(super()._slice(data, first, size))

    def _test_step(
        self, state: State, trainable: list[jax.Array], data: Any, first: Any, size: int
    ) -> tuple[Logs, State]:
        logs, state = super()._test_step(state, trainable, data, first, size)
        return logs, self._everywhere(state)

    def _shard(self, batch: Any) -> Any:
        return jax.lax.with_sharding_constraint(batch, self._placement.batch)

    def _everywhere(self, state: State) -> State:
        constrained: State = jax.lax.with_sharding_constraint(state, self._placement.replicated)
        return constrained

    def _replicate(self, arrays: Any) -> Any:
        """Return copies of a nest of arrays on each device."""
        return jax.device_put(arrays, self._placement.replicated)
