"""The losses of a compiled model, by output, and what they say of the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .interface import output_names

if TYPE_CHECKING:
    import keras

# What an output holds; the sign of a margin is the class.
LOGITS, MARGINS, PROBABILITIES, VALUES = "logits", "margins", "probabilities", "values"


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
    pairs = zip(loss_of_each_output(model), loss_names(model), strict=True)
    return [_output_kind(loss, name) for loss, name in pairs]


def _output_kind(loss: Any, name: str) -> str:
    if _takes_logits(loss):
        return LOGITS
    if "hinge" in name:
        return MARGINS
    return PROBABILITIES if "crossentropy" in name else VALUES


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
