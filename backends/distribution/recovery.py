"""Epochs over processes that may die: others take their place, and the epoch begins again as it began.

What the model was at the beginning of an epoch is with the process that leads, as everything else that the run goes on
from. So what is lost with a rank is the time since then; the numbers are those of a run in which nothing died.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ...errors import WorkerError
from ..device_group import Group
from ..epochs import Data, Epochs, Plan
from ..workers.protocol import AnyWorker
from ..workers.worker import Listener
from .processes import Processes

# As many deaths in a row, without an epoch that came to its end, are no accident.
_MOST_IN_VAIN = 3

Result = TypeVar("Result")


class Recovering(Group):
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

    def __init__(self, count: int, workers: Callable[[], Sequence[AnyWorker]]):
        super().__init__(count)
        self.deaths: list[str] = []
        self.workers: Sequence[AnyWorker] = ()
        self.listener: Listener | None = None
        self._make = workers
        self._in_vain = 0
        self._processes: Processes | None = None

    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> Epochs:
        return _RecoveringEpochs(self, model, data, batch_size, plan)

    def close(self) -> None:
        if self._processes:
            self._processes.close()
            self._processes = None

    @property
    def processes(self) -> Processes:
        """Those that are alive, as far as is known."""
        if self._processes is None:
            self.workers = self._make()
            self._processes = Processes(self.workers)
        return self._processes

    def make_way(self, error: WorkerError) -> None:
        """A rank has died: let the next who asks make others.

        Raises:
            WorkerError: the same, when it has happened too often.
        """
        self.close()
        self.deaths.append(str(error))
        self._in_vain += 1
        if self._in_vain > _MOST_IN_VAIN:
            raise error
        if self.listener:
            self.listener({"kind": "stage", "stage": f"{error}; the epoch begins again"})

    def came_to_an_end(self) -> None:
        """An epoch has: what dies later dies anew."""
        self._in_vain = 0


class _RecoveringEpochs(Epochs):
    """Epochs by the group's processes; after a death compiled anew, and brought to where they were."""

    def __init__(self, group: Recovering, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._group = group
        self._given = model, data, batch_size, plan
        self._held: tuple[Processes, Epochs] | None = None
        self._order: np.ndarray | None = None  # of the epoch under way
        self._done = 0  # steps of it
        self._insist(lambda inner: None)

    def begin(self, order: np.ndarray) -> None:
        self._order = None
        self._insist(lambda inner: inner.begin(order))
        self._order, self._done = order, 0

    def run(self, start: int, stop: int) -> None:
        self._insist(lambda inner: inner.run(start, stop))
        self._done = stop

    def loss(self) -> float:
        return self._insist(lambda inner: inner.loss())

    def end(self) -> None:
        self._insist(lambda inner: inner.end())
        self._order = None
        self._group.came_to_an_end()

    def evaluate(self) -> None:
        self._insist(lambda inner: inner.evaluate())

    def _insist(self, act: Callable[[Epochs], Result]) -> Result:
        while True:
            try:
                return act(self._inner())
            except WorkerError as error:
                self._held = None
                self._group.make_way(error)

    def _inner(self) -> Epochs:
        """The epochs of the processes that are alive, brought to where those of an earlier set were."""
        processes = self._group.processes
        if self._held is None or self._held[0] is not processes:
            inner = processes.epochs(*self._given)
            if self._order is not None:
                inner.begin(self._order)
                if self._done:
                    inner.run(0, self._done)
            self._held = processes, inner
        return self._held[1]
