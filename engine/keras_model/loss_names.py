"""The losses of a compiled model, by output, and what they say of the output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...backends import keras_internals
from ...backends.epochs import has_own_step
from .interface import output_names
from .last_activation import last_activation

if TYPE_CHECKING:
    import keras

# What an output holds; the sign of a margin is the class.
LOGITS, MARGINS, PROBABILITIES, VALUES = "logits", "margins", "probabilities", "values"
# Losses that differ less are equal but for rounding.
_EQUAL = 1e-4


def has_loss(model: keras.Model) -> bool:
    """Return whether a compiled model has a loss to tell, its own or one that its layers add."""
    import keras

    own = type(model).compute_loss is not keras.Model.compute_loss or has_own_step(model)
    return model.loss is not None or own or bool(model.losses)


def loss_of_each_output(model: keras.Model) -> list[Any]:
    """Return the loss of each output as it was compiled: an object, a function, a name, or None."""
    return losses_in_order(model.loss, output_names(model))


def losses_in_order(loss: Any, names: Sequence[str]) -> list[Any]:
    """Return what `keras.Model.compile` takes as a loss as one loss for each named output."""
    if isinstance(loss, Mapping):
        return [loss.get(name) for name in names]
    if isinstance(loss, (list, tuple)):
        return [*loss, *[None] * len(names)][: len(names)]
    return [loss] * len(names)


def loss_names(model: keras.Model) -> list[str]:
    """Return for each output the names of its loss and of its classes, lower-case and without underscores."""
    return [_name(loss) for loss in loss_of_each_output(model)]


def output_kinds(model: keras.Model) -> list[str]:
    """Return for each output what it holds according to its loss: `VALUES` where a loss says nothing else."""
    if not getattr(model, "compiled", False):
        return [VALUES] * len(model.outputs)
    pairs = zip(loss_of_each_output(model), loss_names(model), model.outputs, strict=True)
    return [_output_kind(loss, name, output) for loss, name, output in pairs]


def _output_kind(loss: Any, name: str, output: keras.KerasTensor) -> str:
    import keras

    if _takes_logits(loss) or last_activation(output) is keras.activations.log_softmax:
        return LOGITS
    if "hinge" in name:
        return MARGINS
    if "crossentropy" in name:
        return PROBABILITIES
    is_own = callable(loss) and not keras_internals.is_keras_own(loss)
    return LOGITS if is_own and _takes_logits_by_values(loss, output.shape[-1]) else VALUES


def _takes_logits_by_values(loss: Any, units: int | None) -> bool:
    """Return whether a user's own loss of classes takes logits, by its values.

    A loss of a single output is indifferent between the classes 0 and 1 at a logit of 0, and at a probability of a
    half. A loss of several logits does not change when all of them change by a constant.
    """
    import numpy as np

    def compute(y: Any, scores: Any) -> float:
        import keras

        value = loss(keras.ops.convert_to_tensor(y), keras.ops.convert_to_tensor(np.array(scores, "float32")))
        return float(np.mean(keras.ops.convert_to_numpy(value)))

    def difference(score: float) -> float:
        return compute(np.ones((1, 1), "float32"), [[score]]) - compute(np.zeros((1, 1), "float32"), [[score]])

    try:
        if units == 1:
            return bool(abs(difference(0.0)) < _EQUAL and difference(0.5) < -_EQUAL)
        rows = np.linspace(0.1, 0.9, units or 2, dtype="float32")[None]
        targets = (np.zeros((1,), "int32"), np.eye(1, units or 2, dtype="float32"))
        return any(_is_unmoved(compute, y, rows) for y in targets)
    except Exception:  # it takes other targets than classes
        return False


def _is_unmoved(compute: Callable[[Any, Any], float], y: Any, rows: Any) -> bool:
    try:
        return abs(compute(y, rows) - compute(y, rows + 3)) < _EQUAL < abs(compute(y, rows) - compute(y, rows * 3))
    except Exception:  # it takes the other form of classes
        return False


def _takes_logits(loss: Any) -> bool:
    """Return whether a loss takes logits: by its own flag, or by the argument of the function that it wraps."""
    arguments = getattr(loss, "_fn_kwargs", None) or getattr(loss, "keywords", None) or {}
    return bool(getattr(loss, "from_logits", False) or arguments.get("from_logits", False))


def names_of_losses(loss: Any, outputs: Sequence[str]) -> list[str]:
    """Return the names, as in `loss_names`, of the losses that a model will be compiled with."""
    return [_name(each) for each in losses_in_order(loss, outputs)]


def _name(loss: Any) -> str:
    if isinstance(loss, str):
        names = [loss]
    else:
        own = getattr(loss, "name", None) or getattr(loss, "__name__", "")
        names = [str(own), *(kind.__name__ for kind in type(loss).__mro__)]
    return " ".join(name.replace("_", "").lower() for name in names)
