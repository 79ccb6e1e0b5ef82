"""Epochs over processes that may die: others take their place, and the epoch begins again as it began.

What the model was at the beginning of an epoch is with the process that leads, as everything else that the run goes on
from. So what is lost with a rank is the time since then; the numbers are those of a run in which nothing died.
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

# As many deaths in a row, without an epoch that came to its end, are no accident.
_MAX_FAILURES_IN_A_ROW = 3

Result = TypeVar("Result")


class FaultTolerantGroup(DeviceGroup):
    """Ranks in processes, made anew whenever one of them dies.

    Args:
        count: of ranks.
        workers: makes so many fresh ones.

    Attributes:
        deaths: what was said of each.
        workers: those that there are now, a rank each.
        listener: called with a progress event when there was one.
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
        """Those that are alive, as far as is known."""
        if self._processes is None:
            self.workers = self._start_workers()
            self._processes = ProcessGroup(self.workers)
        return self._processes

    def drop_dead(self, error: WorkerError) -> None:
        """A rank has died: let the next who asks make others.

        Raises:
            WorkerError: the same, when it has happened too often.
        """
        self.close()
        self.deaths.append(str(error))
        self._failures_in_a_row += 1
        if self._failures_in_a_row > _MAX_FAILURES_IN_A_ROW:
            raise error
        if self.listener:
            self.listener({"kind": "stage", "stage": f"{error}; the epoch begins again"})

    def epoch_finished(self) -> None:
        """An epoch has: what dies later dies anew."""
        self._failures_in_a_row = 0


class _FaultTolerantEpochs(EpochRunner):
    """Epochs by the group's processes; after a death compiled anew, and brought to where they were."""

    def __init__(self, group: FaultTolerantGroup, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._group = group
        self._arguments = model, data, batch_size, plan
        self._active: tuple[ProcessGroup, EpochRunner] | None = None
        self._order: np.ndarray | None = None  # of the epoch under way
        self._done = 0  # steps of it
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
        """The epochs of the processes that are alive, brought to where those of an earlier set were."""
        processes = self._group.processes
        if self._active is None or self._active[0] is not processes:
            runner = processes.epochs(*self._arguments)
            if self._order is not None:
                runner.begin(self._order)
                if self._done:
                    runner.run(0, self._done)
            self._active = processes, runner
        return self._active[1]
