"""Draw the pictures of a run: its learning curves, and its predictions for the test split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.dataset import Split
from ..keras_model.inference import outputs_of, probabilities
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
    split = run.dataset.test
    x, _ = run.preprocessing.pairs(split.x, split.y)
    outputs = outputs_of(run.model, x)
    predicted = to_data_terms(run.preprocessing, outputs, bool(run.dataset.labels))
    if run.dataset.labels:
        return written + _draw_classes(split, outputs, predicted, run.dataset.labels, folder, title)
    if split.y.shape == split.x.shape and split.x.ndim == 3:
        written.append(folder / "pictures.png")
        shown = [("given", split.x[:_SHOWN]), ("returned", predicted[:_SHOWN])]
        plots.beside(shown, written[-1], title=f"{title}, test data")
    elif split.y.ndim == 1 and predicted.ndim <= 2:
        written.append(folder / "predictions.png")
        plots.series(split.y, predicted.reshape(len(predicted)), written[-1], title=f"{title}, test data")
    return written


def _draw_classes(
    split: Split, outputs: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...], folder: Path, title: str
) -> list[Path]:
    written = [folder / "confusion.png"]
    plots.confusion(split.y, predicted, labels, written[0], title=title)
    if split.x.ndim == 3:
        written.append(folder / "mistakes.png")
        certainty = probabilities(outputs).max(-1)
        plots.mistakes(split.x, split.y, predicted, certainty, labels, written[1], title=title)
    return written
