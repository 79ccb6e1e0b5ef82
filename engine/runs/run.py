"""The result of a training: the trained model and the complete record of its training."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.dataset import Dataset
from ...data.preprocessing.pipeline import Preprocessing
from ...models.recipe import Recipe
from ...notebook.curves import curves
from ...notebook.elements import to_html
from ...notebook.parts import heading, metrics_table, sentences
from .history import History

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Timings:
    """The seconds of the parts of a run.

    Attributes:
        build: building and compiling the Keras model, before any data is seen.
        epochs: the training part of each epoch; the first includes the framework's compilation.
        validation: the validation part of each epoch.
    """

    build: float
    epochs: list[float]
    validation: list[float]

    @property
    def steady_epoch(self) -> float | None:
        """The median epoch without the first, or None if there is only one."""
        return statistics.median(self.epochs[1:]) if len(self.epochs) > 1 else None

    @property
    def compile(self) -> float | None:
        """The first epoch's excess over a steady epoch, or None if there is only one epoch."""
        return None if self.steady_epoch is None else max(0.0, self.epochs[0] - self.steady_epoch)

    def to_json(self) -> dict[str, Any]:
        return {
            "build": self.build,
            "compile": self.compile,
            "steady_epoch": self.steady_epoch,
            "epochs": self.epochs,
            "validation": self.validation,
        }


@dataclass(repr=False)
class Run:
    """The trained model, and the complete record of its training.

    Attributes:
        recipe: the recipe that was trained.
        settings: options, epochs, batch size, seed, … of the training.
        model: the trained, compiled Keras model.
        preprocessing: fitted on the training split.
        dataset: the data, with their provenance.
        history, timings: of each epoch.
        environment: machine, backend, versions.
        evaluation: the metrics on the test split, None if there is none.
        training_evaluation: of a series `rms_error` on the part that was trained on, or that of each target.
        training_part: the predictions behind it, for pictures; None for other data.
        networks: further networks by name, which written losses have trained beside the model.
        interrupted: whether it was stopped before its last epoch.
        terminated: whether SIGTERM stopped it.
        stopped: when and why a callback ended it before its last epoch; empty where none did.
        compiled: the optimizer, the loss and the metrics of the model, and its frozen layers.
        asked: the options given on the command line, by name, for when the run is resumed.
        id: tells this run from all others; empty where it was not recorded.
        on_end: called with this run, its state and its files once it is saved, or has ended without a folder.
        resumed: for each time that it was resumed: after which epoch, and under which backend.
        notes: a sentence for each thing that was done to the data without being asked for.
        warnings: a sentence for each probable mistake in the data.

    Example:
        >>> run = trivium.train("dense/points", "iris", epochs=3)
        >>> len(run.history), run.dataset.name, run.to_json()["state"]
        (3, 'iris', 'finished')
    """

    recipe: Recipe
    settings: dict[str, Any]
    model: keras.Model
    preprocessing: Preprocessing
    dataset: Dataset
    history: History
    timings: Timings
    environment: dict[str, Any]
    evaluation: dict[str, float] | None = None
    training_evaluation: dict[str, float] = field(default_factory=dict)
    training_part: Any = None
    networks: dict[str, keras.Model] = field(default_factory=dict)
    interrupted: bool = False
    terminated: bool = False
    stopped: str = ""
    compiled: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    id: str = ""
    on_end: Callable[[Run, str, Sequence[Path]], None] | None = None

    @property
    def state(self) -> str:
        """How the run has ended: `interrupted` or `finished`."""
        return "interrupted" if self.interrupted else "finished"

    def end(self, files: Sequence[Path] = (), state: str | None = None) -> None:
        """Tell whoever watches the run that it has ended.

        Args:
            files: that were written.
            state: another than the run's own, such as `failed`.
        """
        if self.on_end:
            self.on_end(self, state or self.state, files)

    def __repr__(self) -> str:
        """Return what one wants to know of a run, in a few lines."""
        last = self.history.epochs[-1] if len(self.history) else {}
        plan = self.settings.get("plan", {})
        lines = [
            f"Run of {self.recipe.name} on {self.environment.get('backend')}, by {plan.get('name', 'fit')}",
            f"data: {self.dataset.name}, {self.dataset.size}",
            f"epochs: {len(self.history)} of {self.settings['epochs']}" + (", interrupted" * self.interrupted),
            f"last epoch: {_metrics(last)}",
            f"test: {_metrics(self.evaluation or {})}",
            *([f"training part: {_metrics(self.training_evaluation)}"] if self.training_evaluation else []),
            *(f"warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        epochs, plan = self.history.epochs, self.settings.get("plan", {})
        count = f"{len(epochs)} of {self.settings['epochs']} epochs" + ", interrupted" * self.interrupted
        backend = f"on {self.environment.get('backend')}, by {plan.get('name', 'fit')}"
        data = f"{self.dataset.name}, {self.dataset.size}"
        best = self.history.best_epoch if len(self.history.metrics) else None
        last = {"last epoch": epochs[-1]} if epochs else {}
        parts = {**last, "test": self.evaluation or {}, "training part": self.training_evaluation}
        return to_html(
            heading(f"Run of {self.recipe.name}", backend, data, count),
            *curves(dict(enumerate(epochs, 1)), best=best),
            metrics_table(parts),
            *sentences(filter(None, [self.stopped])),
            *sentences(self.notes, "note"),
            *sentences(self.warnings, "warning"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays."""
        return {
            "schema": 1,
            **({"id": self.id} if self.id else {}),
            "recipe": self.recipe.name,
            "settings": self.settings,
            **({"compiled": self.compiled} if self.compiled else {}),
            "parameters": self.model.count_params(),
            "dataset": self.dataset.describe(),
            "history": self.history.to_json(),
            "best_epoch": self.history.best_epoch if len(self.history) else None,
            "evaluation": self.evaluation and _finite_values(self.evaluation),
            **({"training_evaluation": _finite_values(errors)} if (errors := self.training_evaluation) else {}),
            "timings": self.timings.to_json(),
            "interrupted": self.interrupted,
            **({"stopped": self.stopped} if self.stopped else {}),
            "state": self.state,
            "environment": self.environment,
            "asked": self.asked,
            **({"resumed": self.resumed} if self.resumed else {}),
            **({"notes": self.notes} if self.notes else {}),
            **({"warnings": self.warnings} if self.warnings else {}),
        }


def _metrics(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items()) or "none"


def _finite_values(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers as JSON has them; None for one that is infinite or NaN."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
