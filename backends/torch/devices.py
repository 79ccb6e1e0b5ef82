"""Several devices under PyTorch: a process for each, which trains on its share and puts gradients together.

Keras' optimizer does the update, in each process the same: PyTorch's own, and its DistributedDataParallel with it,
rounds otherwise. By gloo between CPUs, by NCCL between GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
import torch.distributed as distributed

from ..device_group import Group, require_accelerators, require_cores
from ..distribution.distributed_epochs import SpreadEpochs
from ..distribution.processes import Processes
from ..distribution.sharding import Collective, joined, train_share
from ..epochs import Data, Epochs, Plan, assign
from ..runtime import cores
from ..shard import share_of
from ..workers.worker import Worker

# Which of its machine's GPUs a process takes.
LOCAL_DEVICE = "TRIVIUM_LOCAL_DEVICE"


class Ranks(Collective):
    """Between the processes of PyTorch's process group."""

    def total(self, value: Any) -> Any:
        return _AllSum.apply(value)

    def totals(self, values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """In one message for each dtype: a message costs more than what is in it."""
        found: dict[int, torch.Tensor] = {}
        numbers = sorted(range(len(values)), key=lambda number: str(values[number].dtype))
        for _, same in groupby(numbers, key=lambda number: values[number].dtype):
            members = list(same)
            flat = torch.cat([values[number].detach().reshape(-1) for number in members])
            distributed.all_reduce(flat)
            parts = flat.split([values[number].numel() for number in members])
            found |= {n: part.reshape(values[n].shape) for n, part in zip(members, parts, strict=True)}
        return [found[number] for number in range(len(values))]


class _AllSum(torch.autograd.Function):  # type: ignore[misc]
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


class TorchRank(Group):
    """This process as one of several, each with one device."""

    def __init__(self, rank: int, count: int):
        super().__init__(count)
        self.rank = rank

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> Epochs:
        return TorchSpreadEpochs(self.rank, self.count, model, data, batch_size, plan)


class TorchSpreadEpochs(SpreadEpochs):
    """This process' part of epochs that all of them train, on a model of its own."""

    def __init__(self, rank: int, count: int, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        import keras

        self._rank, self._count = rank, count
        self._collective = Ranks()
        self._data = tuple(keras.ops.convert_to_tensor(array) for array in data)

    def begin(self, order: np.ndarray) -> None:
        self._order = torch.as_tensor(order, device=self._data[0].device)
        if self._rank:  # what was counted before is counted once, by the first
            for variable in self.model.metrics_variables:
                variable.assign(variable.value * 0)

    def run(self, start: int, stop: int) -> None:
        with joined(self.model, self._collective):
            for step in range(start, stop):
                first = step * self.batch_size
                share = share_of(min(self.batch_size, self.samples - first), self._rank, self._count)
                chosen = self._order[first + share.first : first + share.first + share.size]
                train_share(self.model, [part[chosen] for part in self._data], share)

    def loss(self) -> float:
        held = [variable.value.clone() for variable in self.model.metrics_variables]
        self._merge_metrics()
        found = super().loss()
        assign(self.model.metrics_variables, held)
        return found

    def end(self) -> None:
        self._merge_metrics()

    def _merge_metrics(self) -> None:
        """Let the model hold the metrics of all processes; a metric's variables are sums over samples, as in Keras."""
        variables = self.model.metrics_variables
        if variables:
            assign(variables, self._collective.totals([variable.value for variable in variables]))


def group(count: int) -> Group:
    """So many processes on this machine, each with a GPU where there are some.

    Raises:
        BackendError: there are fewer devices.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus:
        require_accelerators(count, gpus, "GPUs")
    else:
        require_cores(count, cores())
    threads = None if gpus else max(1, torch.get_num_threads() // count)
    workers = [Worker("torch", threads=threads) for _ in range(count)]
    return Processes(workers, name="devices", places=list(range(count)))


def join(rank: int, addresses: Sequence[str]) -> Group:
    """Make this process one of several; before it computes anything."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get(LOCAL_DEVICE, "0")))
    kind = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(kind, init_method=f"tcp://{addresses[0]}", rank=rank, world_size=len(addresses))
    return TorchRank(rank, len(addresses))
