"""What the outputs of a classifier mean: probabilities, logits or margins, by the loss that they were trained by.

The name of a class, a drawing and an estimator follow from here, so that they agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.dataset import Labels, labels_of
from ...data.nests import Nest, is_array
from .loss_names import loss_names, loss_of_each_output

if TYPE_CHECKING:
    import keras

PROBABILITIES, LOGITS, MARGINS = "probabilities", "logits", "margins"
# The second of two classes is predicted above this probability, unless the user says otherwise.
DEFAULT_THRESHOLD = 0.5


def meanings(model: keras.Model) -> list[str]:
    """Return for each output what its values are; probabilities where no loss says otherwise."""
    if not getattr(model, "compiled", False):
        return [PROBABILITIES] * len(model.outputs)
    pairs = zip(loss_of_each_output(model), loss_names(model), strict=True)
    return [LOGITS if _takes_logits(loss) else MARGINS if "hinge" in name else PROBABILITIES for loss, name in pairs]


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
        return to_probabilities(outputs, meanings(model)[0]) if labels else outputs
    return {
        name: to_probabilities(output, meaning) if labels_of(labels, name) else output
        for (name, output), meaning in zip(outputs.items(), meanings(model), strict=True)
    }


def to_probabilities(outputs: np.ndarray, meaning: str) -> np.ndarray:
    """Return (n, …, outputs) values of this meaning as probabilities, in the same shape."""
    from scipy.special import expit, softmax

    if meaning == PROBABILITIES:
        return outputs
    if outputs.shape[-1] > 1:
        return np.asarray(softmax(outputs, axis=-1))
    return np.asarray(expit(outputs) if meaning == LOGITS else (1 + np.clip(outputs, -1, 1)) / 2)


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return one probability per class: (n, 1) of "yes" becomes (n, 2) of "no" and "yes"."""
    return np.concatenate([1 - outputs, outputs], axis=-1) if outputs.shape[-1] == 1 else outputs


def class_probabilities(outputs: np.ndarray, classes: int, meaning: str) -> np.ndarray:
    """Return a classifier's outputs as one probability per class.

    Args:
        outputs: (n, outputs) values, possibly more than there are classes; or (n, 1) of the second class.
        classes: the number of classes in the data.
        meaning: of the outputs: see `class_scores`.

    Returns:
        (n, classes) float.
    """
    values = probabilities(to_probabilities(outputs, meaning))
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


def _takes_logits(loss: Any) -> bool:
    """Return whether a loss takes logits: by its own flag, or by the argument of the function that it wraps."""
    arguments = getattr(loss, "_fn_kwargs", None) or getattr(loss, "keywords", None) or {}
    return bool(getattr(loss, "from_logits", False) or arguments.get("from_logits", False))
