"""Trains the recipes of the book on this machine, and compares their figures with the published ones.

The epoch times come from one run of each recipe. Unlike in other suites, nothing is interleaved: the figures say what
to expect, not which of two recipes is faster.
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
from ...models.recipe import FAMILIES, Recipe, registry
from ...storage.atomic import write_json
from ..measure import make_row

SUITE = "book"
EPOCHS = 5
MEASURED = Path(measured.__file__).with_name(measured.FILE)


@dataclass(frozen=True)
class Measurement:
    """One recipe trained on one backend.

    Attributes:
        recipe: the recipe, with its published figures.
        run: the content of its `run.json`.
    """

    recipe: Recipe
    run: dict[str, Any]

    @property
    def backend(self) -> str:
        return str(self.run["environment"]["backend"])

    @property
    def steady_epoch(self) -> float | None:
        """The median seconds of the epochs after the first; None when there was only one."""
        return self.run["timings"]["steady_epoch"]  # type: ignore[no-any-return]

    @property
    def metric(self) -> str:
        """The metric that is monitored, such as `val_accuracy`."""
        return self._history.monitor

    @property
    def value(self) -> float | None:
        """The monitored metric after the last epoch; None when it is not finite."""
        return _finite(self._history[self.metric][-1])

    @property
    def best(self) -> float | None:
        """The monitored metric after its best epoch; None when it was never finite."""
        return _finite(self._history[self.metric][self._history.best_epoch - 1])

    @property
    def _history(self) -> History:
        return History.from_json(self.run["history"])

    def describe(self) -> dict[str, Any]:
        """Return its entry in `measured.json`."""
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
        """Yield its figures as rows; a figure that was not measured, or is not finite, has no row."""
        where = {
            "recipe": self.recipe.name,
            "backend": self.backend,
            "device": self.run["environment"]["device"],
            "runner": "trivium",
        }
        yield make_row(SUITE, where, "parameters", "1", [self.run["parameters"]])
        if self.steady_epoch is not None:
            yield make_row(SUITE, where, "steady_epoch", "s", self.run["timings"]["epochs"][1:])
        for name, value in ((self.metric, self.value), (f"best_{self.metric}", self.best)):
            if value is not None:
                yield make_row(SUITE, where, name, "1", [value])


@dataclass(frozen=True)
class BookResult:
    """The measurements of the suite, in order."""

    measurements: list[Measurement]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "environment": {measurement.backend: measurement.run["environment"] for measurement in self.measurements},
            "rows": [row for measurement in self.measurements for row in measurement.rows()],
            "ratios": [],
            "measured": [measurement.describe() for measurement in self.measurements],
            "published": {
                measurement.recipe.name: {
                    "seconds_per_epoch": measurement.recipe.reference.seconds_per_epoch,
                    "result": measurement.recipe.reference.result,
                }
                for measurement in self.measurements
            },
        }


def select_recipes(names: Sequence[str] = ()) -> list[Recipe]:
    """Return the recipes with these names or families, in the order of the book; without names, the whole book.

    Raises:
        RecipeError: there is no such recipe or family in the book.
    """
    known = [*FAMILIES, *registry()]
    for name in names:
        if name not in known:
            raise RecipeError(
                f"the book has no recipe or family {name!r}{suggest(name, known)} (`trivium recipes` lists them all)"
            )
    return [recipe for recipe in registry().values() if not names or {recipe.name, recipe.family} & set(names)]


def data_for(recipes: Sequence[Recipe], data: str | None) -> dict[str, str | None]:
    """Return the dataset of each recipe: `data` for recipes whose own dataset is of the same kind, else their own.

    So `mnist:sample` goes to the recipes for digits; those for waves and text keep their own. Data of a kind that no
    recipe has, such as a file, go to all recipes.
    """
    own = {recipe.name: recipe.dataset for recipe in recipes}
    alike = [name for name, dataset in own.items() if data and dataset and kind_of(dataset) == kind_of(data)]
    return {**own, **dict.fromkeys(alike or own, data)} if data else own


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    data: str | None = None,
    epochs: int = EPOCHS,
    listener: Listener | None = None,
    after_each: Callable[[BookResult], None] | None = None,
) -> BookResult:
    """Train each recipe on every backend, one after the other.

    Args:
        recipes: names of recipes and families; the whole book by default.
        backends: names of backends; by default all that are installed.
        data: see `data_for`.
        epochs: 1 or more; the time of a steady epoch needs 2.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.
        after_each: called with the result so far after each training, so that an interrupted run is not lost.

    Raises:
        BackendError, RecipeError: a backend or a recipe that cannot be used.
        DataError: the data cannot be read or do not go with a recipe.
        OptionError: no epochs.
    """
    names = [backend.name for backend in catalog.resolve(backends)]
    selected = select_recipes(recipes)
    datasets = data_for(selected, data)
    cells = [(recipe, backend) for recipe in selected for backend in names]
    tell = listener or (lambda event: None)
    result = BookResult([])
    for done, (recipe, backend) in enumerate(cells):
        progress = SuiteProgress(tell, f"{recipe.name} on {backend}", done, len(cells))
        progress({"kind": "stage", "stage": "starting"})
        run = worker.get(backend).call(train, recipe.name, datasets[recipe.name], epochs, listener=progress)
        result.measurements.append(Measurement(recipe, run))
        if after_each:
            after_each(result)
    tell({"kind": "stage", "title": SUITE, "stage": "done", "done": len(cells), "total": len(cells)})
    return result


def train(recipe: str, data: str, epochs: int) -> dict[str, Any]:
    """Run in a worker: train one recipe, and return the content of its `run.json`."""
    from ...engine.training.trainer import Trainer

    trainer = Trainer(recipe, epochs=epochs, listener=lambda event: worker.report(**event))
    return trainer.fit(trainer.load(data)).to_json()


def update_figures(result: BookResult, path: Path | None = None) -> None:
    """Merge the figures of each recipe's fastest backend into the file that `trivium recipes NAME` shows.

    Args:
        path: the file; by default the one in the package.

    Raises:
        OutputError: the file cannot be written.
    """
    path = path or MEASURED
    figures = json.loads(path.read_text("utf-8")) if path.exists() else {}
    fastest: dict[str, Measurement] = {}
    for measurement in result.measurements:
        before = fastest.get(measurement.recipe.name)
        if before is None or (measurement.steady_epoch or math.inf) < (before.steady_epoch or math.inf):
            fastest[measurement.recipe.name] = measurement
    figures |= {name: measurement.describe() for name, measurement in fastest.items()}
    write_json(path, dict(sorted(figures.items())))


@dataclass(frozen=True)
class SuiteProgress:
    """Turns the events of one run into the progress of a suite: run `done` of `total`, and the share of that run."""

    tell: Listener
    title: str
    done: int
    total: int
    suite: str = SUITE

    def __call__(self, event: Event) -> None:
        stage, share = event.get("stage", ""), 0.0
        if event["kind"] == "train":
            stage = f"epoch {event['epoch']}/{event['epochs']}"
            share = ((event["epoch"] - 1) * event["steps"] + event["step"]) / (event["epochs"] * event["steps"])
        elif event.get("total"):  # of a cross-validation
            share = min(event["done"] / event["total"], 1.0)
        self.tell(
            {
                "kind": "stage",
                "title": self.suite,
                "stage": f"{self.title}, {stage}",
                "done": self.done + share,
                "total": self.total,
            }
        )


def kind_of(dataset: str) -> str:
    """Return the kind of a dataset, such as `mnist` for `mnist:sample`."""
    return dataset.partition(":")[0]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rounded(value: float | None) -> float | None:
    """Round to four significant digits; further digits would be noise."""
    return None if value is None else float(f"{value:.4g}")
