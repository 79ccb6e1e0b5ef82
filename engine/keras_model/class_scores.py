"""What the outputs of a classifier mean: probabilities, logits or margins, by the loss that they were trained by.

The name of a class, a drawing and an estimator follow from here, so that they agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.dataset import Labels, labels_of
from ...data.nests import Nest, is_array
from .loss_names import LOGITS, MARGINS, output_kinds

if TYPE_CHECKING:
    import keras


def class_outputs(model: keras.Model, outputs: Nest, labels: Labels) -> Nest:
    """Return the outputs of a classifier as probabilities.

    Logits are activated. A hinge loss has margins, whose sign is the class: a margin m of a single output becomes
    (1 + m) / 2, cut off at 0 and 1, as in scikit-learn's `modified_huber`; several margins become their softmax.

    Args:
        model: compiled, or not.
        outputs: of the model, by name where there are several.
        labels: the names of the classes; outputs without them stay as they are.
    """
    if is_array(outputs):
        return to_probabilities(outputs, output_kinds(model)[0]) if labels else outputs
    return {
        name: to_probabilities(output, kind) if labels_of(labels, name) else output
        for (name, output), kind in zip(outputs.items(), output_kinds(model), strict=True)
    }


def to_probabilities(outputs: np.ndarray, kind: str) -> np.ndarray:
    """Return (n, …, outputs) values of this kind as probabilities, in the same shape.

    Values are taken for them. Where some of a position are none, a single one is cut off at 0 and 1, and of several
    the softmax is taken.
    """
    from scipy.special import expit, softmax

    if kind not in (LOGITS, MARGINS):
        return _bounded(outputs)
    if outputs.shape[-1] > 1:
        return np.asarray(softmax(outputs, axis=-1))
    return np.asarray(expit(outputs) if kind == LOGITS else (1 + np.clip(outputs, -1, 1)) / 2)


def _bounded(outputs: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    is_outside = ((outputs < 0) | (outputs > 1)).any(-1, keepdims=True)
    if not is_outside.any():
        return outputs
    bounded = np.clip(outputs, 0, 1) if outputs.shape[-1] == 1 else softmax(outputs, axis=-1)
    return np.where(is_outside, bounded, outputs)


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return one probability per class: (n, 1) of "yes" becomes (n, 2) of "no" and "yes"."""
    return np.concatenate([1 - outputs, outputs], axis=-1) if outputs.shape[-1] == 1 else outputs


def class_probabilities(outputs: np.ndarray, classes: int, kind: str) -> np.ndarray:
    """Return a classifier's outputs as one probability per class.

    Args:
        outputs: (n, outputs) values, possibly more than there are classes; or (n, 1) of the second class.
        classes: the number of classes in the data.
        kind: of the outputs: see `loss_names.output_kinds`.

    Returns:
        (n, classes) float.
    """
    values = probabilities(to_probabilities(outputs, kind))
    if values.shape[1] == classes:
        return values
    values = values[:, :classes]  # the model may know classes that the data do not have
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return log p / (1 − p), which stays finite if a probability was rounded to 0 or 1."""
    p = np.clip(np.asarray(probabilities, "float64"), np.finfo("float32").tiny, 1 - np.finfo("float32").epsneg)
    return np.asarray(np.log(p) - np.log1p(-p))


def predicted_classes(outputs: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return the class number of each position, (n, …) integers.

    Args:
        outputs: (n, …, outputs) probabilities.
        threshold: the probability above which the second of two classes is predicted; more classes have none.
    """
    each = probabilities(outputs)
    if threshold is None or each.shape[-1] != 2:
        return np.asarray(each.argmax(-1))
    return np.asarray(each[..., 1] > threshold).astype("int64")
