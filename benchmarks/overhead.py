"""What does Keras cost? The same training by `keras.Model.fit`, by trivium and by hand, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..backends import catalog, worker
from ..backends.worker import Listener
from ..errors import OptionError
from ..models.recipe import find
from .measure import Ratio, Rounds, interleave, ratio, row
from .native import RECIPES

SUITE = "overhead"
TRIVIUM, OTHERS = "trivium", ("fit", "native")
RUNNERS = (*OTHERS, TRIVIUM)

# (recipe, backend, runner)
Cell = tuple[str, str, str]


@dataclass(frozen=True)
class Result:
    """What the suite found.

    Attributes:
        opened: for each cell what building and compiling it took, its plan, and its environment.
        rounds: for each recipe on a backend, seconds of steady epochs of each runner, one a round.
    """

    opened: dict[Cell, dict[str, Any]]
    rounds: dict[tuple[str, str], Rounds[str]]

    @property
    def backends(self) -> list[str]:
        return list(dict.fromkeys(backend for _, backend in self.rounds))

    @property
    def recipes(self) -> list[str]:
        return list(dict.fromkeys(recipe for recipe, _ in self.rounds))

    def cost(self, recipe: str, backend: str, of: str) -> Ratio:
        """A runner's epoch over trivium's."""
        samples = self.rounds[recipe, backend].samples
        return ratio(samples[of], samples[TRIVIUM])

    def to_json(self) -> dict[str, Any]:
        rows, ratios = [], []
        for (recipe, backend, runner), opened in self.opened.items():
            where = {"recipe": recipe, "backend": backend, "device": opened["environment"]["device"], "runner": runner}
            rows.append(row(SUITE, where, "steady_epoch", "s", self.rounds[recipe, backend].samples[runner]))
            rows += [row(SUITE, where, metric, "s", [opened[metric]]) for metric in ("build", "compile", "first_epoch")]
        for recipe, backend in self.rounds:
            ratios += [self._ratio(recipe, backend, of) for of in OTHERS]
        return {
            "schema": 1,
            "environment": {backend: opened["environment"] for (_, backend, _), opened in self.opened.items()},
            "rounds": {f"{recipe} on {backend}": found.count for (recipe, backend), found in self.rounds.items()},
            "plans": {f"{recipe} on {backend}": self._plan(recipe, backend) for recipe, backend in self.rounds},
            "rows": rows,
            "ratios": ratios,
        }

    def _plan(self, recipe: str, backend: str) -> str:
        return str(self.opened[recipe, backend, TRIVIUM]["plan"]["name"])

    def _ratio(self, recipe: str, backend: str, of: str) -> dict[str, Any]:
        found = self.cost(recipe, backend, of)
        return {
            "suite": SUITE,
            "recipe": recipe,
            "backend": backend,
            "device": self.opened[recipe, backend, of]["environment"]["device"],
            "of": of,
            "over": TRIVIUM,
            "metric": "steady_epoch",
            "ratio": found.ratio,
            "low": found.low,
            "high": found.high,
        }


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    data: str | None = None,
    budget: float = 300.0,
    precision: float = 0.05,
    listener: Listener | None = None,
) -> Result:
    """Time steady epochs of each recipe on each backend by each runner.

    The three runners of a recipe on a backend are interleaved, one such cell after the other: what is compared is
    measured in the same rounds, and no more models are held than that.

    Args:
        recipes: names of recipes that have a native loop; all of those by default.
        backends: names; all that are installed by default.
        data: a dataset's name; by default the shipped digits, or the recipe's own.
        budget: seconds of measuring in all, shared alike among the cells, after what each compiles.
        precision: half-width of both ratios' intervals at which to leave a cell earlier.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.

    Raises:
        OptionError: a recipe has no native loop.
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    chosen = list(recipes) or list(RECIPES)
    if unknown := [recipe for recipe in chosen if recipe not in RECIPES]:
        raise OptionError(f"{unknown[0]} has no native loop to be compared with (there are: {', '.join(RECIPES)})")
    cells = [(recipe, backend.name) for recipe in chosen for backend in catalog.resolve(backends)]
    tell = listener or (lambda event: None)
    result = Result({}, {})
    for done, (recipe, backend) in enumerate(cells):
        tell(_stage(f"{recipe} on {backend}", done, len(cells)))
        opened, result.rounds[recipe, backend] = _compare(recipe, backend, data, budget / len(cells), precision)
        result.opened.update({(recipe, backend, runner): found for runner, found in opened.items()})
    tell(_stage("done", len(cells), len(cells)))
    return result


def _compare(
    recipe: str, backend: str, data: str | None, budget: float, precision: float
) -> tuple[dict[str, dict[str, Any]], Rounds[str]]:
    """What opening each runner told, and the rounds over the three."""
    process = worker.get(backend)
    data = data or find(recipe).dataset
    data = "mnist:sample" if data == "mnist" else data  # the full set lies on some machines and not on others

    def time_epoch(runner: str) -> float:
        return float(process.call("trivium.benchmarks.session:time_epoch", f"{SUITE}/{runner}"))

    opened = {}
    try:
        for runner in RUNNERS:
            opened[runner] = process.call(
                "trivium.benchmarks.session:open_session", f"{SUITE}/{runner}", recipe, data=data, runner=runner
            )
        rounds = interleave(
            {runner: lambda runner=runner: time_epoch(runner) for runner in RUNNERS},  # type: ignore[misc]
            [(of, TRIVIUM) for of in OTHERS],
            budget=budget,
            precision=precision,
        )
    finally:
        for runner in opened:
            process.call("trivium.benchmarks.session:close_session", f"{SUITE}/{runner}")
    return opened, rounds


def _stage(stage: str, done: float, total: float) -> dict[str, Any]:
    return {"kind": "stage", "title": "measure", "stage": stage, "done": done, "total": total}
