"""What is timed, and how it is kept apart: sessions opened in workers, measured interleaved, closed whatever happens.

A worker that dies takes its cell with it and nothing else: that cell is marked as failed, with the reason, the others
of the same worker are opened again in a new one, and the rounds go on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..backends.workers.executors import LOCAL, Executor
from ..backends.workers.protocol import AnyWorker
from ..backends.workers.worker import Listener
from ..errors import WorkerError
from . import machine
from .measure import Rounds, interleave

_SESSION, _MACHINE = f"{__package__}.session", f"{__package__}.machine"


@dataclass(frozen=True)
class Cell:
    """One thing to be timed. Equal cells are the same one: it is the key of what is found.

    Attributes:
        recipe: a name.
        backend: a name.
        name: what it is called in a ratio, such as `fit` or `cnn/pooling`.
        runner: one of `session.RUNNERS`.
        device: `cpu` or `gpu`; None for the backend's own choice.
        suffix: of the metrics' names, for what has no column of its own.
        metric: what its samples are called.
        at: what is varied, such as `(("batch_size", 64),)`; each becomes a column of its rows.
        threads: at most this many CPU threads for one operation; None for what holds for all cells.
        settings: further ones of its `Session`.
    """

    recipe: str
    backend: str
    name: str
    runner: str = "trivium"
    device: str | None = None
    suffix: str = ""
    metric: str = "steady_epoch"
    at: tuple[tuple[str, Any], ...] = ()
    threads: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def title(self) -> str:
        """What a person calls it."""
        of = f" by {self.runner}" if self.runner != "trivium" else f" {self.suffix.strip('_')}" if self.suffix else ""
        varied = "".join(f", {name.replace('_', ' ')} {value}" for name, value in self.at)
        return f"{self.recipe}{of}{varied} on {self.backend}{f' ({self.device})' if self.device else ''}"

    @property
    def place(self) -> str:
        """The backend, and the device where one was asked for: where its environment is kept."""
        return f"{self.backend} on {self.device}" if self.device else self.backend

    @property
    def key(self) -> str:
        """Its session's name in the worker."""
        return f"{self.recipe}/{self.runner}{self.suffix}/{self.at}"


@dataclass(frozen=True)
class Group:
    """Cells that are measured in the same rounds, and the pairs (of, over) of them that are compared."""

    title: str
    cells: Sequence[Cell]
    pairs: Sequence[tuple[Cell, Cell]]


class Cells:
    """Opened cells. A context: all sessions are closed at its end.

    Args:
        tell: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.
        threads: at most this many CPU threads for one operation, the same for all.
        executor: whose workers hold the sessions.

    Attributes:
        opened: for each cell what opening it told: see `session.open_session`.
        failed: for each cell that was lost, why.
        ceilings: for each kind of device what it can do at most, by who measured it: see `machine.py`.
    """

    def __init__(self, tell: Listener, threads: int | None = None, executor: Executor = LOCAL):
        self.opened: dict[Cell, dict[str, Any]] = {}
        self.failed: dict[Cell, str] = {}
        self.ceilings: dict[str, dict[str, machine.Ceilings]] = {}
        self._tell = tell
        self._threads = threads
        self._executor = executor
        self._processes: dict[Cell, int] = {}

    def __enter__(self) -> Cells:
        return self

    def __exit__(self, *_: object) -> None:
        for cell, process in self._processes.items():
            found = self.worker_of(cell)
            if found.pid == process:
                with contextlib.suppress(WorkerError):
                    found.call(f"{_SESSION}:close_session", cell.key)

    def worker_of(self, cell: Cell) -> AnyWorker:
        """The process of its backend."""
        return self._executor.alone(cell.backend, threads=cell.threads or self._threads, device=cell.device)

    def open(self, cells: Sequence[Cell]) -> None:
        """Build and compile each; one whose worker dies is marked as failed."""
        for done, cell in enumerate(cells):
            self._tell(stage("compile", cell.title, done, len(cells)))
            try:
                self._open(cell)
            except WorkerError as error:
                self.failed[cell] = str(error)
        self._tell(stage("compile", "done", len(cells), len(cells)))

    def measure_ceilings(self) -> None:
        """Let each backend, and NumPy where one computes on the CPU, say what the machine can do at most."""
        places = {(cell.backend, cell.device): cell for cell in self.opened}
        for done, cell in enumerate(places.values()):
            self._tell(stage("machine", f"matrix product and copy by {cell.backend}", done, len(places)))
            found = self.ceilings.setdefault(self.opened[cell]["environment"]["device"], {})
            with contextlib.suppress(WorkerError):  # its cells then fail by themselves
                found[cell.backend] = self.worker_of(cell).call(f"{_MACHINE}:by_framework")
        if "cpu" in self.ceilings:
            self.ceilings["cpu"]["numpy"] = self._executor.ask(f"{_MACHINE}:by_numpy", self._threads)
        self._tell(stage("machine", "done", len(places), len(places)))
        for told in self.opened.values():
            if found := self.ceilings[told["environment"]["device"]]:
                told["ceilings"] = machine.highest(found)

    def measure(
        self,
        pairs: Sequence[tuple[Cell, Cell]],
        *,
        budget: float,
        precision: float,
        least: int,
        after_round: Callable[[Rounds[Cell]], None] | None = None,
    ) -> Rounds[Cell]:
        """Rounds over all that are open: see `interleave`."""

        def tell(rounds: Rounds[Cell], share: float) -> None:
            self.failed.update(rounds.failed)
            self._tell(stage("measure", f"{rounds.count} rounds", share, 1.0))
            if after_round:
                after_round(rounds)

        ready = [cell for cell in self.opened if cell not in self.failed]
        rounds = interleave(
            {cell: lambda cell=cell: self.time(cell) for cell in ready},  # type: ignore[misc]
            [pair for pair in pairs if set(pair) <= set(ready)],
            budget=budget,
            precision=precision,
            least=least,
            after_round=tell,
        )
        self._tell(stage("measure", f"{rounds.count} rounds, stopped by {rounds.stopped_by}", 1.0, 1.0))
        return rounds

    def ask_all(self, questions: Mapping[Cell, Sequence[str]]) -> None:
        """Ask the cells that are left; what a function of `session.py` answers is kept by its name in `opened`."""
        for cell, functions in questions.items():
            for function in functions if cell in self.opened and cell not in self.failed else ():
                self._tell(stage("ask", f"{function.replace('_', ' ')} of {cell.title}", 0, 1))
                with contextlib.suppress(WorkerError):  # its times are known all the same
                    self.opened[cell][function] = self.ask(cell, function)
        self._tell(stage("ask", "done", 1, 1))

    def time(self, cell: Cell) -> float:
        """Seconds of one more epoch; a session that another cell's death has taken is opened again before."""
        if self.worker_of(cell).pid != self._processes[cell]:
            self._open(cell)
        return float(self.ask(cell, "time_epoch"))

    def ask(self, cell: Cell, function: str, **keywords: Any) -> Any:
        """What a function of `session.py` says of an open cell."""
        return self.worker_of(cell).call(f"{_SESSION}:{function}", cell.key, **keywords)

    def _open(self, cell: Cell) -> None:
        process = self.worker_of(cell)
        settings = {"runner": cell.runner, **cell.settings}
        found = process.call(f"{_SESSION}:open_session", cell.key, cell.recipe, device=cell.device, **settings)
        self._processes[cell] = process.pid
        self.opened.setdefault(cell, found)


def stage(title: str, what: str, done: float, total: float) -> dict[str, Any]:
    """A progress event."""
    return {"kind": "stage", "title": title, "stage": what, "done": done, "total": total}
