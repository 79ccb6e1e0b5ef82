"""Whether the parts of a bundle fit together, checked when it is read: its steps, its labels and its recorded samples.

A bundle from a stranger may hold any of them. What is wrong with it is said at once, and not by an error of NumPy or of
a framework while it is used.
"""

from __future__ import annotations

import numpy as np

from ...data.dataset import Labels, labels_of
from ...data.nests import Nest, is_array
from ...data.preprocessing.pipeline import Preprocessing
from ...errors import BundleError
from ...storage.safe_fields import require_field_types

_NUMBERS = "biuf"  # the kinds of dtypes that a model takes and returns


def require_consistent(preprocessing: Preprocessing, labels: Labels, inputs: Nest, outputs: Nest) -> None:
    """Raise an error unless the parts of a bundle fit together.

    Args:
        preprocessing: with the steps for inputs and targets.
        labels: the names of the classes, by the name of the output where there are several.
        inputs, outputs: the recorded samples, (n, …), by name where there are several.

    Raises:
        TypeError: a setting of a step has another type than it should.
        DataError: there are too many steps, or one is not fitted or has a setting that cannot be applied.
        BundleError: the recorded samples are no numbers, inputs and outputs differ in their number, or an output does
            not have a value for each of its classes.
    """
    for chain in (preprocessing.inputs, preprocessing.targets):
        for step in chain.steps:
            require_field_types(step)
        chain.require_usable()
    arrays = [*_by_name(inputs).values(), *_by_name(outputs).values()]
    if any(array.dtype.kind not in _NUMBERS or not array.ndim for array in arrays):
        raise BundleError("its recorded samples are no numbers")
    if len({len(array) for array in arrays}) > 1:
        raise BundleError(f"its recorded inputs and outputs have {' and '.join(str(len(a)) for a in arrays)} samples")
    for name, output in _by_name(outputs).items():
        names = labels_of(labels, name) if isinstance(labels, dict) else labels
        require_class_count(name, output.shape, len(names))


def require_class_count(output: str, shape: tuple[int | None, ...], classes: int) -> None:
    """Raise a BundleError unless an output has a value for each of its classes, or one for two of them.

    Args:
        output: its name.
        shape: (samples, …, values); a length that is not known is None.
        classes: how many it tells apart; 0 if it holds values.
    """
    count = shape[-1] if len(shape) > 1 else None
    if classes and count is not None and max(2, count) != classes:
        raise BundleError(
            f"the bundle names {classes} classes for the output {output}, which has {count}: train it again"
        )


def _by_name(nest: Nest) -> dict[str, np.ndarray]:
    return {"of the model": nest} if is_array(nest) else dict(nest)
