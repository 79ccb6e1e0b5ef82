"""Epochs distributed over processes: one worker per rank, led by the process that runs the engine.

The workers communicate with each other by means of their framework. The leader only calls all of them, and reads the
result of rank 0. If one dies, the others would wait for it forever; so all are ended, and the leader raises an error.
The leader's model then still has the values from the beginning of the epoch.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from ...errors import WorkerError
from .. import runtime
from ..device_group import DeviceGroup
from ..epochs import Data, EpochRunner, Plan, assign, build_metrics
from ..same_run.operations import portable_operations
from ..same_run.portable_random import PortableRandom, active_random, portable_draws
from ..workers.protocol import WorkerProtocol
from . import model_copies
from .distributed_epochs import DistributedEpochs, set_variable_values, variable_values

# Seconds to wait for further errors after the first: a rank often reports a lost connection before the leader sees
# that the other rank has died.
_FAILURE_GRACE = 1.0


# --- the leader -----------------------------------------------------------------------------------------------------


class ProcessGroup(DeviceGroup):
    """Workers that each become one rank.

    Args:
        workers: fresh workers of one backend, which have computed nothing yet. `close` ends them.
        name: the name of the plan that runs epochs in them.
        gpu_indices: for each worker, the index of its GPU on its machine.

    Raises:
        WorkerError: the workers cannot connect to each other.
    """

    def __init__(self, workers: Sequence[WorkerProtocol], *, name: str = "processes", gpu_indices: Sequence[int] = ()):
        super().__init__(len(workers))
        self.name = name
        self._workers = list(workers)
        self._pool = ThreadPoolExecutor(len(workers))
        addresses = self.call_all(free_address)
        per_rank = [(rank, addresses, *gpu_indices[rank : rank + 1]) for rank in range(self.count)]
        self.call_all(join_group, per_rank=per_rank)

    def call_all(
        self, function: Callable[..., Any], *arguments: Any, per_rank: Sequence[tuple[Any, ...]] | None = None
    ) -> list[Any]:
        """Call a function of this module in all workers at once; return the results in the order of the workers.

        Args:
            per_rank: further arguments for each rank.

        Raises:
            TriviumError, WorkerError: one worker failed; all workers have been ended.
        """
        own_arguments = per_rank or [()] * self.count
        calls = [
            self._pool.submit(worker.call, function, *arguments, *own_argument)
            for worker, own_argument in zip(self._workers, own_arguments, strict=True)
        ]
        try:
            done, _ = wait(calls, return_when=FIRST_EXCEPTION)
            if any(call.exception() for call in done):
                raise _root_cause(calls)
            return [call.result() for call in calls]
        except BaseException:  # the others would wait for the failed worker
            self.kill()
            raise

    def kill(self) -> None:
        """End the workers at once."""
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self._pool.shutdown(wait=False)

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return ProcessEpochs(self, model, data, batch_size, plan)


class ProcessEpochs(DistributedEpochs):
    def __init__(self, processes: ProcessGroup, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._processes = processes
        plan_fields = [plan.name, plan.loop, plan.jit]
        processes.call_all(
            prepare, model_copies.pack(model), list(data), batch_size, plan_fields, model_copies.user_files()
        )

    def begin(self, order: np.ndarray) -> None:
        self._processes.call_all(begin, order, variable_values(self.model), _rng_values(active_random()))

    def run(self, start: int, stop: int) -> None:
        self._processes.call_all(run, start, stop)

    def loss(self) -> float:
        return float(self._processes.call_all(loss)[0])

    def end(self) -> None:
        values, rng_values = self._processes.call_all(end)[0]
        set_variable_values(self.model, values)
        _set_rng_values(active_random(), rng_values)


def _root_cause(calls: Sequence[Future[Any]]) -> BaseException:
    """Return the most informative error: the death of a rank, rather than the lost connections of the others."""
    done, _ = wait(calls, timeout=_FAILURE_GRACE)
    errors = {rank: error for rank, call in enumerate(calls) if call in done and (error := call.exception())}
    deaths = (
        rank for rank, error in errors.items() if isinstance(error, WorkerError) and " worker: " not in str(error)
    )
    rank = next(deaths, next(iter(errors)))
    error = errors[rank]
    if not isinstance(error, WorkerError):
        return error
    ranked = WorkerError(f"rank {rank} of {len(calls)}: {error}")
    for note in getattr(error, "__notes__", ()):
        ranked.add_note(note)
    return ranked


def _rng_values(generator: PortableRandom | None) -> list[np.ndarray]:
    """Return the state of the random generator that unseeded draws use; empty without portable random numbers."""
    return [np.array(variable.numpy()) for variable in generator.rng_variables] if generator else []


def _set_rng_values(generator: PortableRandom | None, values: Sequence[np.ndarray]) -> None:
    assign(generator.rng_variables if generator else (), values)


# --- the side of a rank: called in workers --------------------------------------------------------------------------

_group: DeviceGroup | None = None
_rank = 0
_epochs: EpochRunner | None = None
# The contexts in which the current model trains; closed when the next model arrives.
_active_contexts = contextlib.ExitStack()


def free_address() -> str:
    """Return an address of this machine, `host:port`, at which nothing listens yet."""
    with socket.socket() as free:
        free.bind(("", 0))
        return f"{_host()}:{free.getsockname()[1]}"


def join_group(rank: int, addresses: list[str], gpu_index: int | None = None) -> None:
    """Join the process group.

    Args:
        rank: rank of this process, from 0.
        addresses: the result of `free_address` in each process.
        gpu_index: index of this process' GPU on its machine.
    """
    global _group, _rank
    if gpu_index is not None:
        os.environ["TRIVIUM_LOCAL_DEVICE"] = str(gpu_index)
    _group, _rank = runtime.current().init_process_group(rank, addresses), rank


def prepare(packed: np.ndarray, data: list[np.ndarray], batch_size: int, plan: list[Any], files: list[str]) -> None:
    """Receive a model and all data, in place of the previous ones."""
    global _epochs
    assert _group is not None, "joined before"
    _active_contexts.close()
    model_copies.import_files(files)
    model = model_copies.unpack(packed)
    build_metrics(model, *(array[:batch_size] for array in data[:2]))
    current_runtime = runtime.current()
    for context in (
        current_runtime.carry_rnn_states(model),
        portable_operations(),
        current_runtime.tuned(model),
        portable_draws(),
        current_runtime.dense_gradients(model),
    ):
        _active_contexts.enter_context(context)
    _epochs = _group.epochs(model, tuple(data), batch_size, Plan(*plan))


def begin(order: np.ndarray, values: list[np.ndarray], rng_values: list[np.ndarray]) -> None:
    assert _epochs is not None
    set_variable_values(_epochs.model, values)
    _set_rng_values(active_random(), rng_values)
    _epochs.begin(order)


def run(start: int, stop: int) -> None:
    assert _epochs is not None
    _epochs.run(start, stop)


def loss() -> float:
    """Return the loss, which is the same in all ranks."""
    assert _epochs is not None
    return _epochs.loss()


def end() -> list[Any]:
    """End the epoch. Rank 0 returns the values of the model's variables and the state of its random generator."""
    assert _epochs is not None
    _epochs.end()
    return [[], []] if _rank else [variable_values(_epochs.model), _rng_values(active_random())]


def _host() -> str:
    """Return the address at which other machines reach this one, or the loopback address without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # UDP: nothing is sent, the system only chooses a route
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
