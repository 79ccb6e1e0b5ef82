"""Draw the pictures of a run: its learning curves, and its predictions for the test split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.dataset import Split, labels_of
from ...data.nests import is_array
from ..keras_model.inference import class_outputs, outputs_of, probabilities
from ..keras_model.interface import match_inputs, targets_in_order
from ..plots import plots
from ..prediction.evaluation import to_data_terms
from ..runs.run import Run

_SHOWN = 12


def draw(run: Run, folder: Path) -> list[Path]:
    """Draw the learning curves, and the predictions for the test split; return the files."""
    backend = run.environment["backend"]
    title = f"{run.recipe.name} on {backend}"
    written = [folder / "curves.png"]
    plots.curves(run.history, written[0], title=title)
    if run.dataset.test is None:
        return written
    test = run.dataset.test
    prepared = match_inputs(run.model, run.preprocessing.pairs(test.x, test.y)[0])
    outputs = class_outputs(run.model, outputs_of(run.model, prepared), run.dataset.labels)
    predicted = to_data_terms(run.preprocessing, outputs, run.dataset.labels)
    if is_array(outputs):
        assert isinstance(run.dataset.labels, tuple)
        return written + _Output(test, outputs, predicted, run.dataset.labels, folder, title).draw()
    for (name, output), y in zip(outputs.items(), targets_in_order(run.model, test.y), strict=True):
        split, labels = Split(test.x, y), labels_of(run.dataset.labels, name)
        suffix = "-" + re.sub(r"[^\w.-]+", "-", name)
        written += _Output(split, output, predicted[name], labels, folder, f"{title}: {name}", suffix).draw()
    return written


@dataclass(frozen=True)
class _Output:
    """The predictions of one output for the test split, and where they are drawn.

    Attributes:
        split: the raw samples, and the targets of this output.
        outputs: of the model.
        predicted: class numbers, or values on the scale of the raw data.
        labels: the names of the classes; empty for values.
        suffix: of the names of the files, where there are several outputs.
    """

    split: Split
    outputs: np.ndarray
    predicted: np.ndarray
    labels: tuple[str, ...]
    folder: Path
    title: str
    suffix: str = ""

    def draw(self) -> list[Path]:
        """Draw the predictions; return the files."""
        if self.labels:
            return self._draw_classes()
        x, y = self.split.x, self.split.y
        if is_array(x) and y.shape == x.shape and x.ndim == 3:
            path = self._file("pictures")
            shown = [("given", x[:_SHOWN]), ("returned", self.predicted[:_SHOWN])]
            plots.beside(shown, path, title=f"{self.title}, test data")
            return [path]
        if y.ndim == 1 and self.predicted.size == len(self.predicted):
            path = self._file("predictions")
            plots.series(y, self.predicted.reshape(-1), path, title=f"{self.title}, test data")
            return [path]
        return []

    def _draw_classes(self) -> list[Path]:
        x, y = self.split.x, self.split.y
        written = [self._file("confusion")]
        plots.confusion(y, self.predicted, self.labels, written[0], title=self.title)
        if is_array(x) and x.ndim == 3:
            written.append(self._file("mistakes"))
            certainty = probabilities(self.outputs).max(-1)
            plots.mistakes(x, y, self.predicted, certainty, self.labels, written[1], title=self.title)
        return written

    def _file(self, kind: str) -> Path:
        return self.folder / f"{kind}{self.suffix}.png"
