"""Several devices under PyTorch: one process per device, which trains on its shard and all-reduces the gradients.

Keras' optimizer makes the same update in each process. PyTorch's own optimizers, which DistributedDataParallel would
need, round differently. The processes communicate by gloo between CPUs and by NCCL between GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
import torch.distributed as distributed

from ..device_group import DeviceGroup, require_accelerators, require_cores
from ..distribution.distributed_epochs import DistributedEpochs
from ..distribution.processes import ProcessGroup
from ..distribution.sharding import Collective, synchronized, train_on_shard
from ..epochs import Data, EpochRunner, Plan, assign
from ..runtime import cores
from ..shard import shard_of
from ..workers.worker import Worker

# The environment variable with the index of the GPU that a process uses.
LOCAL_DEVICE = "TRIVIUM_LOCAL_DEVICE"


class TorchCollective(Collective):
    """Collective operations between the processes of PyTorch's process group."""

    def all_reduce_sum(self, value: Any) -> Any:
        return _AllReduceSum.apply(value)

    def all_reduce_sums(self, values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Sum all values in one message for each dtype: latency costs more than the data."""
        sums: dict[int, torch.Tensor] = {}
        numbers = sorted(range(len(values)), key=lambda number: str(values[number].dtype))
        for _, numbers_of_dtype in groupby(numbers, key=lambda number: values[number].dtype):
            members = list(numbers_of_dtype)
            flat = torch.cat([values[number].detach().reshape(-1) for number in members])
            distributed.all_reduce(flat)
            parts = flat.split([values[number].numel() for number in members])
            sums |= {n: part.reshape(values[n].shape) for n, part in zip(members, parts, strict=True)}
        return [sums[number] for number in range(len(values))]


class _AllReduceSum(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


class TorchDeviceGroup(DeviceGroup):
    """This process as one of several processes with one device each."""

    def __init__(self, rank: int, count: int):
        super().__init__(count)
        self.rank = rank

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return TorchDistributedEpochs(self.rank, self.count, model, data, batch_size, plan)


class TorchDistributedEpochs(DistributedEpochs):
    """This process' part of epochs that all processes train, each on its own copy of the model."""

    def __init__(self, rank: int, count: int, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        import keras

        self._rank, self._count = rank, count
        self._collective = TorchCollective()
        self._data = tuple(keras.ops.convert_to_tensor(array) for array in data)

    def begin(self, order: np.ndarray) -> None:
        self._order = torch.as_tensor(order, device=self._data[0].device)
        if self._rank:  # only the first process keeps the counts from before, so that the sum has them once
            for variable in self.model.metrics_variables:
                variable.assign(variable.value * 0)

    def run(self, start: int, stop: int) -> None:
        with synchronized(self.model, self._collective):
            for step in range(start, stop):
                first = step * self.batch_size
                shard = shard_of(min(self.batch_size, self.samples - first), self._rank, self._count)
                indices = self._order[first + shard.first : first + shard.first + shard.size]
                train_on_shard(self.model, [part[indices] for part in self._data], shard)

    def loss(self) -> float:
        local_values = [variable.value.clone() for variable in self.model.metrics_variables]
        self._merge_metrics()
        loss = super().loss()
        assign(self.model.metrics_variables, local_values)
        return loss

    def end(self) -> None:
        self._merge_metrics()

    def _merge_metrics(self) -> None:
        """Sum the metrics of all processes into the model; the variables of Keras' metrics are sums over samples."""
        variables = self.model.metrics_variables
        if variables:
            assign(variables, self._collective.all_reduce_sums([variable.value for variable in variables]))


def device_group(count: int) -> DeviceGroup:
    """Return a group of `count` processes on this machine, each with its own GPU if there are GPUs.

    Raises:
        BackendError: the machine has fewer devices.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus:
        require_accelerators(count, gpus, "GPU")
    else:
        require_cores(count, cores())
    threads = None if gpus else max(1, torch.get_num_threads() // count)
    workers = [Worker("torch", threads=threads) for _ in range(count)]
    return ProcessGroup(workers, name="devices", gpu_indices=list(range(count)))


def init_process_group(rank: int, addresses: Sequence[str]) -> DeviceGroup:
    """Make this process one of several. Call it before the process computes anything."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get(LOCAL_DEVICE, "0")))
    kind = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(kind, init_method=f"tcp://{addresses[0]}", rank=rank, world_size=len(addresses))
    return TorchDeviceGroup(rank, len(addresses))
