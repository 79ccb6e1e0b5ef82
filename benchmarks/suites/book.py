"""The book, measured: recipes trained on this machine, their figures beside the published ones.

One run of a recipe gives the times of its epochs, so unlike in other suites nothing is interleaved: these figures say
what to expect, not which of two is faster.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends import catalog
from ...backends.workers import worker
from ...backends.workers.worker import Event, Listener
from ...engine.runs.history import History
from ...errors import RecipeError
from ...functions import suggest
from ...models import measured
from ...models.recipe import FAMILIES, Recipe, book
from ...storage.atomic import write_json
from ..measure import row

SUITE = "book"
EPOCHS = 5
MEASURED = Path(measured.__file__).with_name(measured.FILE)


@dataclass(frozen=True)
class Measurement:
    """One recipe trained on one backend.

    Attributes:
        recipe: with the published figures.
        run: what its `run.json` would hold.
    """

    recipe: Recipe
    run: dict[str, Any]

    @property
    def backend(self) -> str:
        return str(self.run["environment"]["backend"])

    @property
    def steady_epoch(self) -> float | None:
        """Seconds of the median epoch after the first; None when there was no second."""
        return self.run["timings"]["steady_epoch"]  # type: ignore[no-any-return]

    @property
    def metric(self) -> str:
        """The name of what says best how good the model is, such as `val_accuracy`."""
        return self._history.monitor

    @property
    def value(self) -> float | None:
        """The metric after the last epoch; None when it is not finite."""
        return _finite(self._history[self.metric][-1])

    @property
    def best(self) -> float | None:
        """The metric after its best epoch; None when it never was finite."""
        return _finite(self._history[self.metric][self._history.best_epoch - 1])

    @property
    def _history(self) -> History:
        return History.from_json(self.run["history"])

    def describe(self) -> dict[str, Any]:
        """What `measured.json` keeps of it."""
        run, environment = self.run, self.run["environment"]
        packages = ("keras", catalog.find(self.backend).package)
        return {
            "recipe": self.recipe.name,
            "backend": self.backend,
            "dataset": run["dataset"]["name"],
            "samples": run["dataset"]["train"],
            "parameters": run["parameters"],
            "epochs": len(run["history"]),
            "batch_size": run["settings"]["batch_size"],
            "seconds_per_epoch": _rounded(self.steady_epoch),
            "metric": self.metric,
            "value": _rounded(self.value),
            "best": _rounded(self.best),
            "processor": environment["device_name"],
            "cores": environment["cores"],
            "device": environment["device"],
            "versions": {name: environment["versions"].get(name) for name in packages},
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Its figures in the rows that all suites have; what was not measured, or is not finite, has none."""
        where = {
            "recipe": self.recipe.name,
            "backend": self.backend,
            "device": self.run["environment"]["device"],
            "runner": "trivium",
        }
        yield row(SUITE, where, "parameters", "1", [self.run["parameters"]])
        if self.steady_epoch is not None:
            yield row(SUITE, where, "steady_epoch", "s", self.run["timings"]["epochs"][1:])
        for name, value in ((self.metric, self.value), (f"best_{self.metric}", self.best)):
            if value is not None:
                yield row(SUITE, where, name, "1", [value])


@dataclass(frozen=True)
class Result:
    """What the suite found, in the order of measuring."""

    measurements: list[Measurement]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "environment": {each.backend: each.run["environment"] for each in self.measurements},
            "rows": [found for each in self.measurements for found in each.rows()],
            "ratios": [],
            "measured": [each.describe() for each in self.measurements],
            "published": {
                each.recipe.name: {
                    "parameters": each.recipe.reference.parameters,
                    "seconds_per_epoch": each.recipe.reference.seconds_per_epoch,
                    "result": each.recipe.reference.result,
                }
                for each in self.measurements
            },
        }


def choose(names: Sequence[str] = ()) -> list[Recipe]:
    """The recipes of those names and families, in the order of the book; all of it when no name is given.

    Raises:
        RecipeError: there is no such recipe or family in the book.
    """
    known = [*FAMILIES, *book()]
    for name in names:
        if name not in known:
            raise RecipeError(
                f"the book has no recipe or family {name!r}{suggest(name, known)} (`trivium recipes` lists them all)"
            )
    return [recipe for recipe in book().values() if not names or {recipe.name, recipe.family} & set(names)]


def data_for(recipes: Sequence[Recipe], data: str | None) -> dict[str, str | None]:
    """The dataset of each recipe: the one given for those whose own is of its kind, else their own.

    So `mnist:sample` goes to the recipes of digits, and those of waves and text keep what they have. Data of a kind
    that no recipe has, such as a file, go to all.
    """
    own = {recipe.name: recipe.dataset for recipe in recipes}
    alike = [name for name, dataset in own.items() if data and dataset and _kind(dataset) == _kind(data)]
    return {**own, **dict.fromkeys(alike or own, data)} if data else own


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    data: str | None = None,
    epochs: int = EPOCHS,
    listener: Listener | None = None,
    after_each: Callable[[Result], None] | None = None,
) -> Result:
    """Train recipes, each on every backend, one after the other.

    Args:
        recipes: names of recipes and families; the whole book by default.
        backends: names; all that are installed by default.
        data: see `data_for`.
        epochs: 1 or more; the time of a steady epoch needs 2.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.
        after_each: called with what there is so far, so that hours of measuring are not lost with their last minute.

    Raises:
        BackendError, RecipeError: a backend or a recipe that cannot be.
        DataError: the data cannot be read or do not go with a recipe.
        OptionError: no epochs.
    """
    names = [backend.name for backend in catalog.resolve(backends)]
    chosen = choose(recipes)
    given = data_for(chosen, data)
    cells = [(recipe, backend) for recipe in chosen for backend in names]
    tell = listener or (lambda event: None)
    result = Result([])
    for done, (recipe, backend) in enumerate(cells):
        place = _Place(tell, f"{recipe.name} on {backend}", done, len(cells))
        place({"kind": "stage", "stage": "starting"})
        run = worker.get(backend).call(f"{__name__}:train", recipe.name, given[recipe.name], epochs, listener=place)
        result.measurements.append(Measurement(recipe, run))
        if after_each:
            after_each(result)
    tell({"kind": "stage", "title": SUITE, "stage": "done", "done": len(cells), "total": len(cells)})
    return result


def train(recipe: str, data: str, epochs: int) -> dict[str, Any]:
    """Run in a worker: train one recipe; what its `run.json` would hold."""
    from ...engine.data import datasets
    from ...engine.training.trainer import Trainer

    trainer = Trainer(recipe, epochs=epochs, listener=lambda event: worker.report(**event))
    return trainer.fit(datasets.load(data)).to_json()


def keep(result: Result, path: Path | None = None) -> None:
    """Merge the figures into the file that `trivium recipes NAME` shows: of each recipe those of its fastest backend.

    Args:
        path: the file, that of the package by default.

    Raises:
        OutputError: the file cannot be written.
    """
    path = path or MEASURED
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    fastest: dict[str, Measurement] = {}
    for each in result.measurements:
        before = fastest.get(each.recipe.name)
        if before is None or (each.steady_epoch or math.inf) < (before.steady_epoch or math.inf):
            fastest[each.recipe.name] = each
    kept |= {name: each.describe() for name, each in fastest.items()}
    write_json(path, dict(sorted(kept.items())))


@dataclass(frozen=True)
class _Place:
    """Turns a run's events into the place of the whole suite: run `done` of `total`, and how far that one is."""

    tell: Listener
    title: str
    done: int
    total: int

    def __call__(self, event: Event) -> None:
        stage, share = event.get("stage", ""), 0.0
        if event["kind"] == "train":
            stage = f"epoch {event['epoch']}/{event['epochs']}"
            share = ((event["epoch"] - 1) * event["steps"] + event["step"]) / (event["epochs"] * event["steps"])
        self.tell(
            {
                "kind": "stage",
                "title": SUITE,
                "stage": f"{self.title}, {stage}",
                "done": self.done + share,
                "total": self.total,
            }
        )


def _kind(dataset: str) -> str:
    return dataset.partition(":")[0]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rounded(value: float | None) -> float | None:
    """Four significant digits: more would only be noise in the file."""
    return None if value is None else float(f"{value:.4g}")
