"""The things that a suite times, each with a session in a worker: opened, measured interleaved, and always closed.

When a worker dies, only the cell that was being measured is lost. It is marked as failed, with the reason; the other
cells of that worker are reopened in a new one, and the rounds continue.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..backends.workers.executors import LOCAL, Executor
from ..backends.workers.protocol import WorkerProtocol
from ..backends.workers.worker import Listener
from ..errors import WorkerError
from . import epoch_session, machine
from .measure import InterleavedRounds, interleave


@dataclass(frozen=True)
class TimedCell:
    """One thing to time: a recipe on a backend. Cells are the keys of their measurements.

    Attributes:
        recipe: the name of the recipe.
        backend: the name of the backend.
        name: its name in a ratio, such as `fit` or `cnn/pooling`.
        runner: one of `epoch_session.RUNNERS`.
        device: `cpu` or `gpu`; None for the backend's default.
        suffix: appended to its metrics' names, for a difference that has no column of its own.
        metric: the name of its samples.
        sweep_point: the values that a sweep varies, such as `(("batch_size", 64),)`; each is a column of its rows.
        threads: at most this many CPU threads for one operation; None for the same as all cells.
        settings: further arguments of its `EpochSession`.
    """

    recipe: str
    backend: str
    name: str
    runner: str = "trivium"
    device: str | None = None
    suffix: str = ""
    metric: str = "steady_epoch"
    sweep_point: tuple[tuple[str, Any], ...] = ()
    threads: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def title(self) -> str:
        """The cell's name in messages and reports."""
        of = f" by {self.runner}" if self.runner != "trivium" else f" {self.suffix.strip('_')}" if self.suffix else ""
        point = "".join(f", {name.replace('_', ' ')} {value}" for name, value in self.sweep_point)
        return f"{self.recipe}{of}{point} on {self.backend}{f' ({self.device})' if self.device else ''}"

    @property
    def location(self) -> str:
        """The backend, and the device where one is set: the key of its environment."""
        return f"{self.backend} on {self.device}" if self.device else self.backend

    @property
    def session_key(self) -> str:
        """The key of its session in the worker."""
        return f"{self.recipe}/{self.runner}{self.suffix}/{self.sweep_point}"


@dataclass(frozen=True)
class CellGroup:
    """Cells that are measured in the same rounds, and the pairs (of, over) that are compared."""

    title: str
    cells: Sequence[TimedCell]
    pairs: Sequence[tuple[TimedCell, TimedCell]]


class OpenCells:
    """Cells with open sessions. A context manager: all sessions are closed at its end.

    Args:
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.
        threads: at most this many CPU threads for one operation, the same for all.
        executor: provides the workers that hold the sessions.

    Attributes:
        session_info: the report of `epoch_session.open_session` for each cell.
        failed: the reason for each cell that was lost.
        ceilings: the peak rates of each kind of device, by the library that measured them; see `machine.py`.
    """

    def __init__(self, listener: Listener, threads: int | None = None, executor: Executor = LOCAL):
        self.session_info: dict[TimedCell, dict[str, Any]] = {}
        self.failed: dict[TimedCell, str] = {}
        self.ceilings: dict[str, dict[str, machine.Ceilings]] = {}
        self._listener = listener
        self._threads = threads
        self._executor = executor
        self._processes: dict[TimedCell, int] = {}

    def __enter__(self) -> OpenCells:
        return self

    def __exit__(self, *_: object) -> None:
        for cell, process in self._processes.items():
            worker = self.worker_of(cell)
            if worker.pid == process:
                with contextlib.suppress(WorkerError):
                    worker.call(epoch_session.close_session, cell.session_key)

    def worker_of(self, cell: TimedCell) -> WorkerProtocol:
        """Return the worker of the cell's backend and device."""
        return self._executor.dedicated_worker(cell.backend, threads=cell.threads or self._threads, device=cell.device)

    def open(self, cells: Sequence[TimedCell]) -> None:
        """Build and compile the cells; a cell whose worker dies is marked as failed."""
        for done, cell in enumerate(cells):
            self._listener(progress_event("compile", cell.title, done, len(cells)))
            try:
                self._open(cell)
            except WorkerError as error:
                self.failed[cell] = str(error)
        self._listener(progress_event("compile", "done", len(cells), len(cells)))

    def measure_ceilings(self) -> None:
        """Measure the machine's peak rates by each backend, and by NumPy where a backend computes on the CPU."""
        devices = {(cell.backend, cell.device): cell for cell in self.session_info}
        for done, cell in enumerate(devices.values()):
            self._listener(progress_event("machine", f"matrix product and copy by {cell.backend}", done, len(devices)))
            by_library = self.ceilings.setdefault(self.session_info[cell]["environment"]["device"], {})
            with contextlib.suppress(WorkerError):  # its cells then fail later
                by_library[cell.backend] = self.worker_of(cell).call(machine.framework_ceilings)
        if "cpu" in self.ceilings:
            self.ceilings["cpu"]["numpy"] = self._executor.call_on_host(machine.numpy_ceilings, self._threads)
        self._listener(progress_event("machine", "done", len(devices), len(devices)))
        for info in self.session_info.values():
            if by_library := self.ceilings[info["environment"]["device"]]:
                info["ceilings"] = machine.highest(by_library)

    def measure(
        self,
        pairs: Sequence[tuple[TimedCell, TimedCell]],
        *,
        budget: float,
        precision: float,
        min_rounds: int,
        after_round: Callable[[InterleavedRounds[TimedCell]], None] | None = None,
    ) -> InterleavedRounds[TimedCell]:
        """Measure all open cells in rounds; see `interleave`."""

        def report(rounds: InterleavedRounds[TimedCell], share: float) -> None:
            self.failed.update(rounds.failed)
            self._listener(progress_event("measure", f"{rounds.count} rounds", share, 1.0))
            if after_round:
                after_round(rounds)

        ready = [cell for cell in self.session_info if cell not in self.failed]
        rounds = interleave(
            {cell: lambda cell=cell: self.time_epoch(cell) for cell in ready},  # type: ignore[misc]
            [pair for pair in pairs if set(pair) <= set(ready)],
            budget=budget,
            precision=precision,
            min_rounds=min_rounds,
            after_round=report,
        )
        self._listener(progress_event("measure", f"{rounds.count} rounds, stopped by {rounds.stopped_by}", 1.0, 1.0))
        return rounds

    def collect(self, calls: Mapping[TimedCell, Sequence[Callable[..., Any]]]) -> None:
        """Call functions of `epoch_session.py` for the remaining cells; keep each answer by name in `session_info`."""
        for cell, functions in calls.items():
            for function in functions if cell in self.session_info and cell not in self.failed else ():
                name = function.__name__
                self._listener(progress_event("ask", f"{name.replace('_', ' ')} of {cell.title}", 0, 1))
                with contextlib.suppress(WorkerError):  # its times are measured already
                    self.session_info[cell][name] = self.call(cell, function)
        self._listener(progress_event("ask", "done", 1, 1))

    def time_epoch(self, cell: TimedCell) -> float:
        """Return the seconds of one more epoch; first reopen a session that was lost with another cell's worker."""
        if self.worker_of(cell).pid != self._processes[cell]:
            self._open(cell)
        return float(self.call(cell, epoch_session.time_epoch))

    def call(self, cell: TimedCell, function: Callable[..., Any], **keywords: Any) -> Any:
        """Call a function of `epoch_session.py` for an open cell, in its worker."""
        return self.worker_of(cell).call(function, cell.session_key, **keywords)

    def _open(self, cell: TimedCell) -> None:
        worker = self.worker_of(cell)
        settings = {"runner": cell.runner, **cell.settings}
        info = worker.call(epoch_session.open_session, cell.session_key, cell.recipe, device=cell.device, **settings)
        self._processes[cell] = worker.pid
        self.session_info.setdefault(cell, info)


def progress_event(title: str, stage: str, done: float, total: float) -> dict[str, Any]:
    """Return a progress event, `done` of `total`."""
    return {"kind": "stage", "title": title, "stage": stage, "done": done, "total": total}
