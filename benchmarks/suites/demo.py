"""A small demonstration: train on every installed backend, compare, and port; everything is written to one folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends import catalog
from ...backends.workers import worker
from ...backends.workers.worker import Event, Listener
from ...porting.port import PortReport, port
from ..statistics import Ratio
from ..suite import BenchmarkOptions
from . import pooling_vs_striding

# Few epochs: enough for meaningful curves, within five minutes on two cores.
EPOCHS: Mapping[str, int] = {"dense/one-hidden": 3, "cnn/pooling": 4, "cnn/striding": 4, "rnn/lstm": 20}
PORTED = "cnn/striding"
ORIGIN = "jax"


@dataclass(frozen=True)
class DemoResult:
    """The results of the demonstration.

    Attributes:
        runs: the content of `run.json` for each (backend, recipe).
        costs: the time of pooling relative to striding on each backend, interleaved.
        ports: the reports of the port from one backend to each other.
    """

    runs: dict[tuple[str, str], dict[str, Any]]
    costs: dict[str, Ratio]
    ports: list[PortReport]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "runs": list(self.runs.values()),
            "costs": {backend: vars(cost) for backend, cost in self.costs.items()},
            "ports": [report.to_json() for report in self.ports],
        }


def run(out: Path, listener: Listener, *, digits: str = "mnist:sample") -> DemoResult:
    """Train every recipe on every installed backend, compare pooling with striding, port between backends.

    Args:
        out: the folder for the runs, one per backend and recipe.
        listener: called with progress events.
        digits: the dataset for the recipes for digits.

    Raises:
        BackendError: no backend is installed.
        OutputError: the folder cannot be used.
    """
    names = [backend.name for backend in catalog.resolve(())]
    runs = dict(_train_all(names, out, listener, digits))
    options = BenchmarkOptions(budget=30, precision=0.1, ceilings=False, listener=listener)
    results = pooling_vs_striding.measure(names, data=digits, why=False, options=options)
    costs = {row["backend"]: Ratio(row["ratio"], row["low"], row["high"]) for row in results.ratios}
    origin = ORIGIN if ORIGIN in names else names[0]
    ports = []
    for target in names:
        if target != origin:
            title = f"port {PORTED} from {origin} to {target}"
            listener({"kind": "port", "title": title, "stage": "starting"})
            ports.append(port(_folder(out, origin, PORTED), target, listener=_with_title(listener, title)))
            listener({"kind": "port", "title": title, "stage": "done", "done": 1, "total": 1})
    return DemoResult(runs, costs, ports)


def _train_all(
    names: list[str], out: Path, listener: Listener, digits: str
) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for backend in names:
        for recipe, epochs in EPOCHS.items():
            title = f"{recipe} on {backend}"
            listener({"kind": "stage", "title": title, "stage": "starting"})
            yield (
                (backend, recipe),
                worker.get(backend).call(
                    train_and_save,
                    recipe,
                    "waves:0" if recipe.startswith("rnn/") else digits,
                    epochs,
                    str(_folder(out, backend, recipe)),
                    listener=_with_title(listener, title),
                ),
            )


def _folder(out: Path, backend: str, recipe: str) -> Path:
    return out / f"{recipe.replace('/', '-')}-{backend}"


def _with_title(listener: Listener, title: str) -> Listener:
    def titled(event: Event) -> None:
        listener({**event, "title": title})

    return titled


def train_and_save(recipe: str, data: str, epochs: int, out: str) -> dict[str, Any]:
    """Run in a worker: train, write the run folder, and return the content of its `run.json`."""
    from ...data import datasets
    from ...engine.runs import run_folder
    from ...engine.training.saving import save
    from ...engine.training.trainer import Trainer

    trainer = Trainer(recipe, epochs=epochs, listener=lambda event: worker.report(**event))
    with run_folder.reserve(Path(out)):
        run = trainer.fit(datasets.load(data))
        save(run, Path(out))
    return run.to_json()
