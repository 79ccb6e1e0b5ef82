"""Draws what a model of pictures saw of its files, and what it answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data.dataset import DIGITS, PICTURES
from ...data.nests import Nest, is_array
from ...data.pictures.picture_file import SUFFIXES, read_reduced
from ...errors import OptionError
from ..bundles.bundle import Bundle
from ..plots.predicted_pictures import PredictedPicture, predicted_pictures
from ..plots.style import require_plot_file
from .evaluation import predict
from .inputs import kind_of, raw_shape, read_named

_MOST_ROWS = 12
_PHOTOGRAPH_SIDE = 900  # pixels
_NARROWEST_PICTURE = 8  # of an array without a kind


@dataclass(frozen=True)
class Answer:
    """The samples of a file with their predictions.

    Attributes:
        file: what was read.
        x: (n, …) raw samples.
        names: what names each sample, such as its `box` on a picture; empty where nothing does.
        predictions: (n,) as in the JSON of `trivium predict`.
    """

    file: Path
    x: Nest
    names: Sequence[dict[str, Any]]
    predictions: Sequence[Any]


def require_pictures(bundle: Bundle) -> None:
    """Raise an OptionError unless the model takes one picture."""
    kind, shape = kind_of(bundle), raw_shape(bundle)
    is_picture = len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3, 4))
    if kind is None or kind == "":
        is_picture = is_picture and min(shape[:2]) >= _NARROWEST_PICTURE
    elif kind not in (DIGITS, PICTURES):
        is_picture = False
    if not is_picture:
        taken = f"rows of a {kind}" if kind else f"samples of shape {shape}" if shape else "several inputs"
        raise OptionError(
            f"`preview` draws pictures, and the model of {bundle.run['recipe']} takes {taken}: leave it out"
        )


def require_preview(bundle: Bundle, path: Path) -> None:
    """Raise an error unless the model takes one picture, and the file can be written.

    Raises:
        OptionError, OutputError: as `draw`.
    """
    require_pictures(bundle)
    require_plot_file(path)


def draw(bundle: Bundle, answers: Sequence[Answer], path: Path) -> int:
    """Draw the first samples of the files with their predictions, and return how many there are.

    Raises:
        OptionError: the model takes no picture.
        OutputError: the file cannot be written.
    """
    require_pictures(bundle)
    rows: list[PredictedPicture] = []
    for answer in answers:
        rows += _rows_of(answer, _MOST_ROWS - len(rows))
    predicted_pictures(rows, path, title=f"{bundle.run['recipe']}: what the model saw")
    return len(rows)


def preview(bundle: Bundle, files: Sequence[str | Path], path: str | Path, threshold: float | None = None) -> None:
    """Predict the samples in picture files, and draw what the model saw of them; see `trivium predict --preview`.

    Raises:
        DataError: a file cannot be read, or no digit can be seen in it.
        OptionError: the model takes no picture.
        OutputError: the file cannot be written.
    """
    require_preview(bundle, Path(path))
    answers = []
    for file in map(Path, files):
        x, names = read_named(bundle, file)
        answers.append(Answer(file, x, names, predict(bundle, x, threshold).to_json()))
    draw(bundle, answers, Path(path))


def _rows_of(answer: Answer, most: int) -> list[PredictedPicture]:
    """Return the rows of a file; its photograph is small, and its boxes are on that scale."""
    if most <= 0 or not is_array(answer.x):
        return []
    photograph, scale = None, 1.0
    if answer.file.suffix.lower() in SUFFIXES:
        photograph, scale = read_reduced(answer.file, _PHOTOGRAPH_SIDE)
    boxes = [tuple(side * scale for side in name["box"]) for name in answer.names if "box" in name]
    return [
        PredictedPicture(
            answer.file.name,
            photograph,
            (boxes[number], *boxes[:number], *boxes[number + 1 :]) if boxes else (),
            np.asarray(answer.x[number]),
            answer.predictions[number],
        )
        for number in range(min(most, len(answer.predictions)))
    ]
