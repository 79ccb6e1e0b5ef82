"""Draw the pictures of a run: its learning curves, and its predictions for the test split."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...data.dataset import VOLUMES, Labels, Split, labels_of
from ...data.nests import is_array, take
from ...data.pictures.channels import is_colour
from ...data.preprocessing.transforms import Window
from ..keras_model.class_scores import class_outputs, probabilities
from ..keras_model.inference import outputs_of
from ..keras_model.interface import match_inputs, targets_in_order
from ..plots import plots, series_plots
from ..plots.images import to_images
from ..plots.masks import masks
from ..plots.mistake_pairs import mistake_pairs
from ..prediction.evaluation import to_data_terms
from ..runs.run import Run
from .training_part import TrainingPart

_SHOWN = 12
# Probabilities of the pixels of pictures with masks.
_MOST_VALUES = 20_000_000
# Samples of a test split that is read from its files.
_MOST_READ = 10_000


def draw(run: Run, folder: Path) -> list[Path]:
    """Draw the learning curves, and the predictions for the test split; return the files."""
    backend = run.environment["backend"]
    title = f"{run.recipe.name} on {backend}"
    written = [folder / "curves.png"]
    plots.curves(run.history, written[0], title=title)
    if run.dataset.test is None:
        return written
    test = run.dataset.test
    if test.is_deferred:
        test, title = test.select(slice(0, _MOST_READ)), f"{title}, first {min(_MOST_READ, len(test)):,} samples"
    test = _drawn_part(test, run.dataset.labels)
    prepared = match_inputs(run.model, run.preprocessing.pairs(test.x, test.y)[0])
    outputs = class_outputs(run.model, outputs_of(run.model, prepared), run.dataset.labels)
    predicted = to_data_terms(run.preprocessing, outputs, run.dataset.labels, run.settings.get("threshold"))
    if run.dataset.series:
        path = folder / "predictions.png"
        parts = _parts_of_series(run, predicted)
        series_plots.forecasts(run.dataset.series, parts, path, title=title)
        return [*written, path]
    if is_array(outputs):
        assert isinstance(run.dataset.labels, tuple)
        output = _Output(test, outputs, predicted, run.dataset.labels, folder, title, run.dataset.kind)
        ordered = replace(output, is_ordered=_is_wave(run), training_part=run.training_part)
        return written + ordered.draw()
    suffixes: set[str] = set()
    for (name, output), y in zip(outputs.items(), targets_in_order(run.model, test.y), strict=True):
        split, labels = Split(test.x, y), labels_of(run.dataset.labels, name)
        suffix = _unused_suffix(name, suffixes)
        kind = run.dataset.kind
        written += _Output(split, output, predicted[name], labels, folder, f"{title}: {name}", kind, suffix).draw()
    return written


def _parts_of_series(run: Run, predicted: np.ndarray) -> list[series_plots.ForecastPart]:
    """Return the forecasts of the training part, if there are any, and of the test part."""
    series, part = run.dataset.series, run.training_part
    assert series
    test = series_plots.ForecastPart("test part", series.test_starts, predicted, series.test_begins)
    if not part:
        return [test]
    begins = series.rows.bounds[:-1]
    return [series_plots.ForecastPart(part.title, series.train_starts[part.samples], part.predicted, begins), test]


def _is_wave(run: Run) -> bool:
    """Return whether the samples are single values that follow each other: the model sees windows of them."""
    assert run.dataset.test
    x = run.dataset.test.x
    return is_array(x) and x.ndim == 1 and any(isinstance(step, Window) for step in run.preprocessing.inputs.steps)


def _unused_suffix(name: str, suffixes: set[str]) -> str:
    """Return the suffix of the files of an output, and add it to those in use: `a b` and `a-b` would share one."""
    plain = "-" + re.sub(r"[^\w.-]+", "-", name)
    numbered = (f"{plain}-{number}" if number > 1 else plain for number in itertools.count(1))
    suffix = next(each for each in numbered if each.lower() not in suffixes)  # some disks ignore the case
    suffixes.add(suffix.lower())
    return suffix


def _drawn_part(test: Split, labels: Labels) -> Split:
    """Return the samples whose predictions are drawn: all, or as many as have some million classes of pixels.

    Of deferred samples the targets are read.
    """
    if labels and is_array(test.y) and test.y.ndim > 1:
        values = math.prod(test.y.shape[1:]) * len(labels)
        test = test.select(slice(0, max(_SHOWN, _MOST_VALUES // values)))
    return replace(test, y=take(test.y, slice(None)))


# Plots of values side by side.
_MOST_TARGETS = 4


@dataclass(frozen=True)
class _Output:
    """The predictions of one output for the test split, and where they are drawn.

    Attributes:
        split: the raw samples, and the targets of this output.
        outputs: of the model.
        predicted: class numbers, or values on the scale of the raw data.
        labels: the names of the classes; empty for values.
        kind: of the dataset.
        suffix: of the names of the files, where there are several outputs.
        is_ordered: whether the samples are the values of a wave, one after the other.
        training_part: the predictions of the part of a series that was trained on.
    """

    split: Split
    outputs: np.ndarray
    predicted: np.ndarray
    labels: tuple[str, ...]
    folder: Path
    title: str
    kind: str = ""
    suffix: str = ""
    is_ordered: bool = False
    training_part: TrainingPart | None = None

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
        if y.ndim == 1 and self.is_ordered and self.predicted.size == len(self.predicted):
            path = self._file("predictions")
            plots.series(self._parts(), path, title=self.title)
            return [path]
        if y.ndim <= 2 and y.size == self.predicted.size and y.size <= _MOST_TARGETS * len(y):
            path = self._file("predictions")
            by_target = y.reshape(len(y), -1), self.predicted.reshape(len(y), -1)
            plots.agreement(*by_target, path, title=f"{self.title}, test data")
            return [path]
        return []

    def _parts(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Return the name, the data and the predictions of the training part, if there are any, and the test part."""
        test = ("test part", self.split.y, self.predicted.reshape(-1))
        part = self.training_part
        if not part or part.predicted.size != len(part.predicted):
            return [test]
        return [(part.title, part.y, part.predicted.reshape(-1)), test]

    def _draw_classes(self) -> list[Path]:
        x, y = self.split.x, self.split.y
        written = [self._file("confusion")]
        title = self.title if y.ndim == 1 else f"{self.title}: positions of {len(y)} samples"
        plots.confusion(y.reshape(-1), self.predicted.reshape(-1), self.labels, written[0], title=title)
        if not is_array(x) or not (x.ndim == 3 or is_colour(x) or self.kind == VOLUMES):
            return written
        if y.ndim == 1:
            written += [self._file("mistakes"), self._file("mistakes-by-pair")]
            shown = (self._images, y, self.predicted, probabilities(self.outputs).max(-1), self.labels)
            plots.mistakes(*shown, written[1], title=self.title)
            mistake_pairs(*shown, written[2], title=self.title)
        elif y.shape == x.shape[:3]:
            written.append(self._file("masks"))
            rows = [("mask", y[:_SHOWN]), ("predicted", self.predicted[:_SHOWN])]
            masks(to_images(x[:_SHOWN], self.kind), rows, self.labels, written[1], title=f"{self.title}, test data")
        return written

    def _images(self, samples: np.ndarray) -> np.ndarray:
        """Return these samples as images."""
        return to_images(self.split.x[samples], self.kind)

    def _file(self, kind: str) -> Path:
        return self.folder / f"{kind}{self.suffix}.png"
