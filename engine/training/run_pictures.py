"""Draw the pictures of a run: its learning curves, and its predictions for the test split."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..data.dataset import Split, labels_of
from ..data.nests import is_array
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
        return written + _draw_output(test, outputs, predicted, run.dataset.labels, folder, title)
    for (name, output), y in zip(outputs.items(), targets_in_order(run.model, test.y), strict=True):
        split, labels = Split(test.x, y), labels_of(run.dataset.labels, name)
        written += _draw_output(
            split, output, predicted[name], labels, folder, f"{title}: {name}", f"-{_file_name(name)}"
        )
    return written


def _file_name(output: str) -> str:
    """Return the name of an output as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", output)


def _draw_output(
    split: Split,
    outputs: np.ndarray,
    predicted: np.ndarray,
    labels: tuple[str, ...],
    folder: Path,
    title: str,
    suffix: str = "",
) -> list[Path]:
    """Draw the predictions of one output; return the files.

    Args:
        suffix: of the names of the files, where there are several outputs.
    """
    if labels:
        return _draw_classes(split, outputs, predicted, labels, folder, title, suffix)
    is_picture = is_array(split.x) and split.y.shape == split.x.shape and split.x.ndim == 3
    if is_picture:
        path = folder / f"pictures{suffix}.png"
        shown = [("given", split.x[:_SHOWN]), ("returned", predicted[:_SHOWN])]
        plots.beside(shown, path, title=f"{title}, test data")
        return [path]
    if split.y.ndim == 1 and predicted.size == len(predicted):
        path = folder / f"predictions{suffix}.png"
        plots.series(split.y, predicted.reshape(len(predicted)), path, title=f"{title}, test data")
        return [path]
    return []


def _draw_classes(
    split: Split,
    outputs: np.ndarray,
    predicted: np.ndarray,
    labels: tuple[str, ...],
    folder: Path,
    title: str,
    suffix: str,
) -> list[Path]:
    written = [folder / f"confusion{suffix}.png"]
    plots.confusion(split.y, predicted, labels, written[0], title=title)
    if is_array(split.x) and split.x.ndim == 3:
        written.append(folder / f"mistakes{suffix}.png")
        certainty = probabilities(outputs).max(-1)
        plots.mistakes(split.x, split.y, predicted, certainty, labels, written[1], title=title)
    return written
