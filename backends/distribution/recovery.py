"""Fault tolerance: when a rank dies, new processes are started and the epoch is repeated from its beginning.

The leader holds the model as it was at the beginning of the epoch, and all other state of the run. So a death costs
only the time since then; the results are those of a run without failures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ...errors import WorkerError
from ..device_group import DeviceGroup
from ..epochs import Data, EpochRunner, Plan
from ..workers.protocol import WorkerProtocol
from ..workers.worker import Listener
from .processes import ProcessGroup

# Failures in a row, without a finished epoch between them, before the error is raised.
_MAX_FAILURES_IN_A_ROW = 3

Result = TypeVar("Result")


class FaultTolerantGroup(DeviceGroup):
    """Ranks in processes, all of which are restarted when one of them dies.

    Args:
        count: number of ranks.
        workers: starts `count` fresh workers and returns them.

    Attributes:
        deaths: the error message of each death so far.
        workers: the current workers, one per rank.
        listener: called with a progress event after a death.
    """

    name = "processes"

    def __init__(self, count: int, workers: Callable[[], Sequence[WorkerProtocol]]):
        super().__init__(count)
        self.deaths: list[str] = []
        self.workers: Sequence[WorkerProtocol] = ()
        self.listener: Listener | None = None
        self._start_workers = workers
        self._failures_in_a_row = 0
        self._processes: ProcessGroup | None = None

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        return _FaultTolerantEpochs(self, model, data, batch_size, plan)

    def close(self) -> None:
        if self._processes:
            self._processes.close()
            self._processes = None

    @property
    def processes(self) -> ProcessGroup:
        """The current process group, started on first use and again after a death."""
        if self._processes is None:
            self.workers = self._start_workers()
            self._processes = ProcessGroup(self.workers)
        return self._processes

    def drop_dead(self, error: WorkerError) -> None:
        """Close the process group after the death of a rank; the next use of `processes` starts another.

        Raises:
            WorkerError: `error` itself, after too many failures in a row.
        """
        self.close()
        self.deaths.append(str(error))
        self._failures_in_a_row += 1
        if self._failures_in_a_row > _MAX_FAILURES_IN_A_ROW:
            raise error
        if self.listener:
            self.listener({"kind": "stage", "stage": f"{error}; the epoch begins again"})

    def epoch_finished(self) -> None:
        """Reset the count of failures in a row."""
        self._failures_in_a_row = 0


class _FaultTolerantEpochs(EpochRunner):
    """Epochs in the group's processes; after a death they are compiled again and brought to the same step."""

    def __init__(self, group: FaultTolerantGroup, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._group = group
        self._arguments = model, data, batch_size, plan
        self._active: tuple[ProcessGroup, EpochRunner] | None = None
        self._order: np.ndarray | None = None  # sample order of the current epoch, or None between epochs
        self._done = 0  # steps of the current epoch that are done
        self._retry(lambda runner: None)

    def begin(self, order: np.ndarray) -> None:
        self._order = None
        self._retry(lambda runner: runner.begin(order))
        self._order, self._done = order, 0

    def run(self, start: int, stop: int) -> None:
        self._retry(lambda runner: runner.run(start, stop))
        self._done = stop

    def loss(self) -> float:
        return self._retry(lambda runner: runner.loss())

    def end(self) -> None:
        self._retry(lambda runner: runner.end())
        self._order = None
        self._group.epoch_finished()

    def evaluate(self) -> None:
        self._retry(lambda runner: runner.evaluate())

    def _retry(self, operation: Callable[[EpochRunner], Result]) -> Result:
        while True:
            try:
                return operation(self._runner())
            except WorkerError as error:
                self._active = None
                self._group.drop_dead(error)

    def _runner(self) -> EpochRunner:
        """Return the runner of the current processes, after repeating the steps that earlier processes had done."""
        processes = self._group.processes
        if self._active is None or self._active[0] is not processes:
            runner = processes.epochs(*self._arguments)
            if self._order is not None:
                runner.begin(self._order)
                if self._done:
                    runner.run(0, self._done)
            self._active = processes, runner
        return self._active[1]
