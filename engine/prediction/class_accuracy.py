"""The share of samples whose class is predicted right, where the metrics of a model do not already say it.

Keras' `accuracy` of an output of one value asks whether it is above 0.5. That is the predicted class only for
probabilities without a threshold of the user's: logits and margins are decided at 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ...data.dataset import Labels, labels_of
from ...data.nests import named_arrays
from ...data.split import Split
from ..keras_model.class_scores import class_outputs, predicted_classes
from ..keras_model.inference import outputs_of
from ..keras_model.interface import by_name, output_names
from ..keras_model.loss_names import LOGITS, MARGINS, output_kinds

if TYPE_CHECKING:
    import keras


def class_accuracies(
    model: keras.Model, parts: Iterable[Split], labels: Labels, threshold: float | None
) -> dict[str, float]:
    """Return `class_accuracy`, or `kind_class_accuracy` for the output `kind`: only where a metric would mislead.

    Args:
        model: compiled.
        parts: of a prepared split, in the nests of the model.
        labels: the names of the classes.
        threshold: the probability above which the second of two classes is predicted.
    """
    names = _misleading_outputs(model, labels, threshold)
    if not names:
        return {}
    right: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for part in parts:
        outputs = named_arrays(class_outputs(model, outputs_of(model, part.x), labels), "")
        y = named_arrays(by_name(output_names(model), part.y), "")
        for name in names:
            key = f"/{name}" if name else ""
            right[name].append(_are_right(outputs[key], y[key], threshold))
    return {
        f"{name}_class_accuracy".removeprefix("_"): float(np.concatenate(each).mean()) for name, each in right.items()
    }


def _are_right(scores: np.ndarray, y: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return for each position, flat, whether its predicted class is the true one of two; the first is 0 or −1."""
    predicted = predicted_classes(scores, threshold)
    is_one_hot = y.ndim == scores.ndim and y.shape[-1] > 1
    true = y.argmax(-1) if is_one_hot else (y > 0).reshape(predicted.shape)
    return np.asarray(predicted == true).reshape(-1)


def _misleading_outputs(model: keras.Model, labels: Labels, threshold: float | None) -> list[str]:
    """Return the names of such outputs; an empty name for a single one."""
    several = len(model.outputs) > 1
    has_zero = any(getattr(metric, "threshold", None) == 0 for metric in model.metrics)
    names = []
    for name, output, kind in zip(output_names(model), model.outputs, output_kinds(model), strict=True):
        classes = labels_of(labels, name) if several else labels
        is_decided_at_zero = output.shape[-1] == 1 and kind in (LOGITS, MARGINS) and not has_zero
        if len(classes) == 2 and (threshold is not None or is_decided_at_zero):
            names.append(name if several else "")
    return names
