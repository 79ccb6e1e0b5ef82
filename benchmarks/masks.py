"""What do owned masks cost? An epoch with trivium's dropout against one with the backend's own, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..backends import catalog, worker
from ..backends.worker import Listener
from ..functions import is_file_function
from ..models.recipe import find
from .measure import Ratio, Rounds, interleave, ratio, row

SUITE = "masks"
RECIPE = "cnn/pooling"
OWNED, NATIVE = "owned", "native"
GENERATORS = (OWNED, NATIVE)

_SESSION = f"{__package__}.session"


@dataclass(frozen=True)
class Result:
    """What the suite found.

    Attributes:
        recipe: the one that was trained.
        opened: for each (backend, generator) what building and compiling it took, its plan and its environment.
        rounds: seconds of steady epochs, one a round, for each (backend, generator).
    """

    recipe: str
    opened: dict[tuple[str, str], dict[str, Any]]
    rounds: Rounds[tuple[str, str]]

    @property
    def backends(self) -> list[str]:
        return list(dict.fromkeys(backend for backend, _ in self.opened))

    def cost(self, backend: str) -> Ratio:
        """The epoch with owned masks over the one with the backend's own."""
        samples = self.rounds.samples
        return ratio(samples[backend, OWNED], samples[backend, NATIVE])

    def to_json(self) -> dict[str, Any]:
        """In the schema of all suites; whose masks they were stands in the metric: `steady_epoch_owned`, `…_native`."""
        rows = []
        for (backend, generator), opened in self.opened.items():
            where = {**self._place(backend), "runner": "trivium"}
            rows.append(row(SUITE, where, f"steady_epoch_{generator}", "s", self.rounds.samples[backend, generator]))
            rows.append(row(SUITE, where, f"compile_{generator}", "s", [opened["compile"]]))
        return {
            "schema": 1,
            "environment": {backend: self.opened[backend, OWNED]["environment"] for backend in self.backends},
            "plans": {backend: self.opened[backend, OWNED]["plan"]["name"] for backend in self.backends},
            "rounds": self.rounds.count,
            "stopped_by": self.rounds.stopped_by,
            "rows": rows,
            "ratios": [self._ratio(backend) for backend in self.backends],
        }

    def _ratio(self, backend: str) -> dict[str, Any]:
        found = self.cost(backend)
        interval = {"ratio": found.ratio, "low": found.low, "high": found.high}
        return {
            "suite": SUITE,
            **self._place(backend),
            "of": OWNED,
            "over": NATIVE,
            "metric": "steady_epoch",
            **interval,
        }

    def _place(self, backend: str) -> dict[str, Any]:
        device = self.opened[backend, OWNED]["environment"]["device"]
        return {"recipe": self.recipe, "backend": backend, "device": device}


def measure(
    recipe: str = RECIPE,
    backends: Sequence[str] = (),
    *,
    data: str | None = None,
    budget: float = 120.0,
    precision: float = 0.02,
    listener: Listener | None = None,
) -> Result:
    """Time steady epochs with owned masks and with the backend's own, by the same plan.

    Args:
        recipe: a name; one without dropout or noise shows that nothing else differs.
        backends: names; all that are installed by default.
        data: a dataset's name; the recipe's own by default, of MNIST the sample.
        budget: seconds of measuring, after everything is compiled.
        precision: half-width of the ratio's interval at which to stop earlier.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.

    Raises:
        RecipeError: there is no such recipe.
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    names = [backend.name for backend in catalog.resolve(backends)]
    cells = [(backend, generator) for backend in names for generator in GENERATORS]
    tell = listener or (lambda event: None)
    opened = _open(recipe, cells, data or _own_data(recipe), tell)
    rounds = interleave(
        {cell: lambda cell=cell: _time(*cell) for cell in cells},  # type: ignore[misc]
        [((backend, OWNED), (backend, NATIVE)) for backend in names],
        budget=budget,
        precision=precision,
        after_round=lambda count, share: tell(_stage("measure", f"{count} rounds", share, 1.0)),
    )
    tell(_stage("measure", f"{rounds.count} rounds, stopped by {rounds.stopped_by}", 1.0, 1.0))
    for backend, generator in cells:
        worker.get(backend).call(f"{_SESSION}:close_session", f"{SUITE}/{generator}")
    return Result(recipe, opened, rounds)


def _open(
    recipe: str, cells: Sequence[tuple[str, str]], data: str | None, tell: Listener
) -> dict[tuple[str, str], dict[str, Any]]:
    """Compile each; the native one by the plan that the owned one before it chose."""
    opened: dict[tuple[str, str], dict[str, Any]] = {}
    for done, (backend, generator) in enumerate(cells):
        tell(_stage("compile", f"{generator} masks on {backend}", done, len(cells)))
        plan = opened[backend, OWNED]["plan"]["name"] if generator == NATIVE else "auto"
        opened[backend, generator] = worker.get(backend).call(
            f"{_SESSION}:open_session", f"{SUITE}/{generator}", recipe, data=data, rng=generator, plan=plan
        )
    tell(_stage("compile", "done", len(cells), len(cells)))
    return opened


def _own_data(recipe: str) -> str | None:
    """The sample where the recipe takes MNIST, else None; a user's file is loaded in the workers only."""
    return "mnist:sample" if not is_file_function(recipe) and find(recipe).dataset == "mnist" else None


def _time(backend: str, generator: str) -> float:
    return float(worker.get(backend).call(f"{_SESSION}:time_epoch", f"{SUITE}/{generator}"))


def _stage(title: str, stage: str, done: float, total: float) -> dict[str, Any]:
    return {"kind": "stage", "title": title, "stage": stage, "done": done, "total": total}
