"""Epochs spread over processes: one worker for each rank, led by the process that has the engine.

The processes speak to each other by what their framework has for it; the leader only tells all of them what to do and
hears the first of them. One that dies would leave the others waiting for ever, so they are ended with it, and the
leader gets an error: its model is as it was when the epoch began.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from ...errors import WorkerError
from .. import runtime
from ..device_group import Group
from ..epochs import Data, Epochs, Plan, assign, build_metrics
from ..same_run.crossentropy import owned_losses
from ..same_run.portable_random import Draws, in_force, owned_draws
from ..workers.protocol import AnyWorker
from . import model_copies
from .distributed_epochs import SpreadEpochs, put_values, values_of

_HERE = __name__
# Seconds in which the end of a process is known that another has noticed.
_PATIENCE = 1.0


# --- the side that leads --------------------------------------------------------------------------------------------


class Processes(Group):
    """Workers, each of which becomes one rank.

    Args:
        workers: of one backend, in which nothing has been computed yet. They end with this.
        name: what a plan is called that runs epochs in them.
        places: the number of the GPU that each takes on its machine.

    Raises:
        WorkerError: they do not find each other.
    """

    def __init__(self, workers: Sequence[AnyWorker], *, name: str = "processes", places: Sequence[int] = ()):
        super().__init__(len(workers))
        self.name = name
        self._workers = list(workers)
        self._pool = ThreadPoolExecutor(len(workers))
        addresses = self.tell("offer_address")
        self.tell("join", each=[(rank, addresses, *places[rank : rank + 1]) for rank in range(self.count)])

    def tell(self, function: str, *arguments: Any, each: Sequence[tuple[Any, ...]] | None = None) -> list[Any]:
        """Call one of this module's functions in all of the workers at once; what they return, in their order.

        Args:
            each: further arguments for each of them.

        Raises:
            TriviumError, WorkerError: one of them failed; all of them have ended.
        """
        further = each or [()] * self.count
        calls = [
            self._pool.submit(worker.call, f"{_HERE}:{function}", *arguments, *own)
            for worker, own in zip(self._workers, further, strict=True)
        ]
        try:
            done, _ = wait(calls, return_when=FIRST_EXCEPTION)
            if any(call.exception() for call in done):
                raise _cause(calls)
            return [call.result() for call in calls]
        except BaseException:  # the others would wait for the one that failed
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

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> Epochs:
        return ProcessEpochs(self, model, data, batch_size, plan)


class ProcessEpochs(SpreadEpochs):
    def __init__(self, processes: Processes, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._processes = processes
        words = [plan.name, plan.loop, plan.jit]
        processes.tell("prepare", model_copies.pack(model), list(data), batch_size, words, model_copies.users_files())

    def begin(self, order: np.ndarray) -> None:
        self._processes.tell("begin", order, values_of(self.model), _outside(in_force()))

    def run(self, start: int, stop: int) -> None:
        self._processes.tell("run", start, stop)

    def loss(self) -> float:
        return float(self._processes.tell("loss")[0])

    def end(self) -> None:
        values, outside = self._processes.tell("end")[0]
        put_values(self.model, values)
        _put_outside(in_force(), outside)


def _cause(calls: Sequence[Future[Any]]) -> BaseException:
    """Of several errors the one that says most; that a process has ended may be known after others have lost it."""
    done, _ = wait(calls, timeout=_PATIENCE)
    found = {rank: error for rank, call in enumerate(calls) if call in done and (error := call.exception())}
    ended = (rank for rank, error in found.items() if isinstance(error, WorkerError) and " worker: " not in str(error))
    rank = next(ended, next(iter(found)))
    error = found[rank]
    if not isinstance(error, WorkerError):
        return error
    named = WorkerError(f"rank {rank} of {len(calls)}: {error}")
    for note in getattr(error, "__notes__", ()):
        named.add_note(note)
    return named


def _outside(draws: Draws | None) -> list[np.ndarray]:
    """What is drawn without a seed goes by."""
    return [np.array(variable.numpy()) for variable in draws.variables] if draws else []


def _put_outside(draws: Draws | None, values: Sequence[np.ndarray]) -> None:
    assign(draws.variables if draws else (), values)


# --- the side of a rank: called in workers --------------------------------------------------------------------------

_group: Group | None = None
_rank = 0
_epochs: Epochs | None = None
# What is in force while the model trains, for as long as there is one.
_meanwhile = contextlib.ExitStack()


def offer_address() -> str:
    """A place on this machine, `host:port`, where nobody listens yet."""
    with socket.socket() as free:
        free.bind(("", 0))
        return f"{_host()}:{free.getsockname()[1]}"


def join(rank: int, addresses: list[str], place: int | None = None) -> None:
    """Make this process one of several.

    Args:
        rank: its number, from 0.
        addresses: what `offer_address` gave in each of them.
        place: the number of the GPU that it takes on its machine.
    """
    global _group, _rank
    if place is not None:
        os.environ["TRIVIUM_LOCAL_DEVICE"] = str(place)
    _group, _rank = runtime.current().join(rank, addresses), rank


def prepare(packed: np.ndarray, data: list[np.ndarray], batch_size: int, plan: list[Any], files: list[str]) -> None:
    """Take a model and all of the data; what was taken before is forgotten."""
    global _epochs
    assert _group is not None, "joined before"
    _meanwhile.close()
    model_copies.import_files(files)
    model = model_copies.unpack(packed)
    build_metrics(model, *(array[:batch_size] for array in data[:2]))
    current = runtime.current()
    for context in (current.remembering(model), owned_losses(), current.tuned(model), owned_draws()):
        _meanwhile.enter_context(context)
    _epochs = _group.epochs(model, tuple(data), batch_size, Plan(*plan))


def begin(order: np.ndarray, values: list[np.ndarray], outside: list[np.ndarray]) -> None:
    assert _epochs is not None
    put_values(_epochs.model, values)
    _put_outside(in_force(), outside)
    _epochs.begin(order)


def run(start: int, stop: int) -> None:
    assert _epochs is not None
    _epochs.run(start, stop)


def loss() -> float:
    """All ranks come to the same."""
    assert _epochs is not None
    return _epochs.loss()


def end() -> list[Any]:
    """What the model's variables hold, and what draws without a seed go by; of the first rank only."""
    assert _epochs is not None
    _epochs.end()
    return [[], []] if _rank else [values_of(_epochs.model), _outside(in_force())]


def _host() -> str:
    """The address by which others reach this machine; its own one where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: the system only says by which way it would be
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
