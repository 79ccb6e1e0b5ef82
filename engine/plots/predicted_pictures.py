"""Plot what a model saw of pictures, and what it answered: a row for each sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from .images import brightness_range, draw_image, mask_colours
from .style import DATA, TRAINING, VALIDATION, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_CLASSES = 10
_MASK_OPACITY = 0.55
_ROW_HEIGHT = 2.3  # inches
_LONGEST_NAME = 40


@dataclass(frozen=True)
class PredictedPicture:
    """A sample of a picture model with its prediction.

    Attributes:
        name: of its file.
        photograph: (height, width) or (height, width, 3) uint8, what the sample was read from; None for an array.
        boxes: on the photograph, left, top, right and bottom: first that of the sample, then those of others.
        sample: (height, width) or (height, width, channels), as it goes into the model's preparation.
        prediction: as in the JSON of `trivium predict`.
    """

    name: str
    photograph: np.ndarray | None
    boxes: tuple[tuple[float, ...], ...]
    sample: np.ndarray
    prediction: Any


def predicted_pictures(rows: list[PredictedPicture], path: Path, *, title: str) -> None:
    """Plot one or more samples: the photograph with the box of what was taken, the sample, and the prediction."""
    with style(grid=False):
        widths = (1.2, 1, 1.4) if any(row.photograph is not None for row in rows) else (1, 1.4)
        fig = Figure(figsize=(2.36 * sum(widths), _ROW_HEIGHT * len(rows) + 0.6), layout="constrained")
        grid = fig.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
        for row, (*left, middle, right) in zip(rows, grid, strict=True):
            for axes in left:
                _draw_photograph(axes, row)
            _draw_image(middle, row.sample)
            size = "x".join(map(str, row.sample.shape[:2]))
            middle.set_title(f"the model saw ({size})", fontsize=9)
            _draw_prediction(right, row)
        fig.suptitle(title)
        save(fig, path)


def _draw_photograph(axes: Axes, row: PredictedPicture) -> None:
    if row.photograph is None:
        axes.set_axis_off()
        return
    _draw_image(axes, row.photograph)
    axes.set_title(row.name[-_LONGEST_NAME:], fontsize=9)
    for number, (left, top, right, bottom) in enumerate(row.boxes):
        colour, width = (VALIDATION, 2.0) if number == 0 else (DATA, 0.8)
        frame = Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=width)
        axes.add_patch(frame)


def _draw_image(axes: Axes, picture: np.ndarray) -> None:
    ends = (0.0, 255.0) if picture.dtype == np.uint8 else brightness_range(picture)
    draw_image(axes, picture, ends)
    axes.set(xticks=[], yticks=[], frame_on=False)


def _draw_prediction(axes: Axes, row: PredictedPicture) -> None:
    prediction = row.prediction
    if isinstance(prediction, dict) and "probabilities" in prediction:
        _draw_bars(axes, prediction)
    elif isinstance(prediction, dict) and "classes" in prediction and np.ndim(prediction["classes"]) == 2:
        _draw_mask(axes, row.sample, prediction)
    elif np.shape(prediction)[:2] == row.sample.shape[:2]:
        _draw_image(axes, np.asarray(prediction, "float64"))
        axes.set_title("it answered", fontsize=9)
    else:
        axes.set_axis_off()
        axes.text(0, 0.5, _as_text(prediction), va="center", wrap=True, transform=axes.transAxes)


def _draw_bars(axes: Axes, prediction: dict[str, Any]) -> None:
    """Draw the probabilities of all classes, or of the most probable ones where there are many."""
    entries = [(label, value) for label, value in prediction["probabilities"].items() if value is not None]
    if len(entries) > _MOST_CLASSES:
        entries = sorted(entries, key=lambda entry: -entry[1])[:_MOST_CLASSES]
    labels, values = [label for label, _ in entries], [value for _, value in entries]
    colours = [VALIDATION if label == prediction["label"] else TRAINING for label in labels]
    axes.barh(range(len(entries)), values, color=colours)
    axes.set(xlim=(0, 1), ylim=(len(entries) - 0.5, -0.5), yticks=range(len(entries)))
    axes.set_yticklabels([label[:_LONGEST_NAME] for label in labels], fontsize=7)
    said = "no answer" if prediction["label"] is None else f"{prediction['label']}: {prediction['probability']:.1%}"
    axes.set_title(said, fontsize=9)


def _draw_mask(axes: Axes, sample: np.ndarray, prediction: dict[str, Any]) -> None:
    """Draw the class of each pixel over the picture, and name the classes that occur."""
    classes, labels = np.asarray(prediction["classes"]), prediction["labels"]
    colours = mask_colours(len(labels))
    picture = np.squeeze(sample).astype("float64")
    low, high = (0.0, 255.0) if sample.dtype == np.uint8 else (picture.min(), picture.max())
    picture = (picture - low) / max(high - low, 1e-9)
    grey = picture if picture.ndim == 2 else picture[..., :3].mean(-1)
    if grey.shape != classes.shape:  # a mask of another size than its picture
        grey = np.zeros(classes.shape)
    shown = (1 - _MASK_OPACITY) * grey[..., None] + _MASK_OPACITY * colours[classes] / 255
    axes.imshow(shown, interpolation="nearest")
    axes.set(xticks=[], yticks=[], frame_on=False)
    shares = sorted(prediction["shares"].items(), key=lambda share: -share[1])
    named = [(label, share) for label, share in shares if share][:_MOST_CLASSES]
    handles = [Patch(color=colours[labels.index(label)] / 255, label=f"{label} {share:.1%}") for label, share in named]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    axes.set_title("it answered", fontsize=9)


def _as_text(prediction: Any) -> str:
    if isinstance(prediction, dict) and "label" in prediction:
        return f"{prediction['label']}: {prediction['probability']:.1%}"
    if isinstance(prediction, dict) and "shares" not in prediction:
        return "\n".join(f"{name}: {_as_text(part)}" for name, part in prediction.items())
    values = np.ravel(np.asarray(prediction if not isinstance(prediction, dict) else "a map", object))[:6]
    return ", ".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in values)
