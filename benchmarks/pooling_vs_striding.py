"""What does pooling cost against striding? The same two convolutions on every installed backend, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..backends import catalog, worker
from ..backends.worker import Listener
from .measure import Ratio, Rounds, interleave, ratio, row

SUITE = "pooling-vs-striding"
POOLING, STRIDING = "cnn/pooling", "cnn/striding"
RECIPES = (POOLING, STRIDING)


@dataclass(frozen=True)
class Result:
    """What the suite found.

    Attributes:
        opened: for each (backend, recipe) what building and compiling it took, and its environment.
        rounds: seconds of steady epochs, one a round, for each (backend, recipe).
    """

    opened: dict[tuple[str, str], dict[str, Any]]
    rounds: Rounds[tuple[str, str]]

    @property
    def backends(self) -> list[str]:
        return list(dict.fromkeys(backend for backend, _ in self.opened))

    def cost(self, backend: str) -> Ratio:
        """Pooling's epoch over striding's."""
        samples = self.rounds.samples
        return ratio(samples[backend, POOLING], samples[backend, STRIDING])

    def to_json(self) -> dict[str, Any]:
        rows, ratios = [], []
        for (backend, recipe), opened in self.opened.items():
            where = {
                "recipe": recipe,
                "backend": backend,
                "device": opened["environment"]["device"],
                "runner": "trivium",
            }
            rows.append(row(SUITE, where, "steady_epoch", "s", self.rounds.samples[backend, recipe]))
            rows += [row(SUITE, where, metric, "s", [opened[metric]]) for metric in ("build", "compile", "first_epoch")]
        for backend in self.backends:
            found = self.cost(backend)
            ratios.append(
                {
                    "suite": SUITE,
                    "recipe": f"{POOLING} ÷ {STRIDING}",
                    "backend": backend,
                    "device": self.opened[backend, POOLING]["environment"]["device"],
                    "of": POOLING,
                    "over": STRIDING,
                    "metric": "steady_epoch",
                    "ratio": found.ratio,
                    "low": found.low,
                    "high": found.high,
                }
            )
        environments = {backend: self.opened[backend, POOLING]["environment"] for backend in self.backends}
        return {
            "schema": 1,
            "environment": environments,
            "rounds": self.rounds.count,
            "stopped_by": self.rounds.stopped_by,
            "rows": rows,
            "ratios": ratios,
        }


def measure(
    backends: Sequence[str] = (),
    *,
    data: str = "mnist:sample",
    budget: float = 120.0,
    precision: float = 0.05,
    listener: Listener | None = None,
) -> Result:
    """Time steady epochs of both recipes on each backend.

    Args:
        backends: names; all that are installed by default.
        data: a dataset's name.
        budget: seconds of measuring, after everything is compiled.
        precision: half-width of the cost ratio's interval at which to stop earlier.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.

    Raises:
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    names = [backend.name for backend in catalog.resolve(backends)]
    cells = [(backend, recipe) for backend in names for recipe in RECIPES]
    tell = listener or (lambda event: None)
    opened = {}
    for done, (backend, recipe) in enumerate(cells):
        tell(_stage("compile", f"{recipe} on {backend}", done, len(cells)))
        opened[backend, recipe] = worker.get(backend).call(
            "trivium.benchmarks.session:open_session", f"{SUITE}/{recipe}", recipe, data=data
        )
    tell(_stage("compile", "done", len(cells), len(cells)))
    rounds = interleave(
        {cell: lambda cell=cell: _time(*cell) for cell in cells},  # type: ignore[misc]
        [((backend, POOLING), (backend, STRIDING)) for backend in names],
        budget=budget,
        precision=precision,
        after_round=lambda count, share: tell(_stage("measure", f"{count} rounds", share, 1.0)),
    )
    tell(_stage("measure", f"{rounds.count} rounds, stopped by {rounds.stopped_by}", 1.0, 1.0))
    for backend, recipe in cells:
        worker.get(backend).call("trivium.benchmarks.session:close_session", f"{SUITE}/{recipe}")
    return Result(opened, rounds)


def _time(backend: str, recipe: str) -> float:
    return float(worker.get(backend).call("trivium.benchmarks.session:time_epoch", f"{SUITE}/{recipe}"))


def _stage(title: str, stage: str, done: float, total: float) -> dict[str, Any]:
    return {"kind": "stage", "title": title, "stage": stage, "done": done, "total": total}
