"""What scikit-learn hands to an estimator, brought into the form that a training takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from ...errors import OptionError, SampleError

if TYPE_CHECKING:
    import keras


def sample_weights(weights: Any, x: np.ndarray) -> np.ndarray | None:
    """Return sample weights as (n,) float32, none of them negative."""
    if weights is None:
        return None
    return np.asarray(_check_sample_weight(weights, x, dtype="float32", ensure_non_negative=True))


def classes_of(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted labels, and the number of the label of each sample."""
    try:
        return np.unique(y, return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in y.tolist()})
        raise SampleError(f"labels must be of one kind, received {' and '.join(kinds)}: give all as text") from error


def class_weights(weights: Any, classes: np.ndarray) -> Any:
    """Return class weights keyed by label text, as the dataset names its classes. Unknown labels are left out.

    Raises:
        OptionError: all labels are unknown.
    """
    if weights is None or isinstance(weights, str):
        return weights
    names = {label: str(label) for label in classes.tolist()}
    by_name = {names.get(key, str(key)): value for key, value in weights.items()}
    if by_name and not by_name.keys() & names.values():
        raise OptionError(
            f"`class_weight`: none of {', '.join(by_name)} is a label (there are: {', '.join(names.values())})"
        )
    return {name: value for name, value in by_name.items() if name in names.values()}


def to_python_number(value: Any) -> Any:
    """Return a NumPy scalar, as grids contain them, as a Python number."""
    return value.item() if isinstance(value, np.generic) else value


def clone_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return copies of the parameters, made by scikit-learn's `clone`."""
    from sklearn.base import clone

    return {name: value if callable(value) else clone(value, safe=False) for name, value in params.items()}


def epoch_lines(verbose: int) -> list[keras.callbacks.Callback]:
    """Return the callback that prints a line after each epoch; none where nothing is to be said."""
    if not verbose:
        return []
    import keras

    def say(epoch: int, logs: Mapping[str, float]) -> None:
        print(f"Epoch {epoch + 1}", *(f"{name}: {value:.4f}" for name, value in logs.items()), sep=" - ")

    return [keras.callbacks.LambdaCallback(on_epoch_end=say)]
