"""What a model is compiled with: the optimizer, loss and metrics that the user gave, as names or as Keras' objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals
from ...backends.epochs import has_written_losses
from ...errors import OptionError, first_line
from ...functions import suggest
from ...storage.safe_json import finite
from ..bundles.written_losses import WRITTEN_LOSSES

if TYPE_CHECKING:
    import keras

_COMMON = ("adam", "sgd", "rmsprop")
_SHORT_NAMES = ("mse", "mae", "mape", "msle")
# Names of metrics whose meaning depends on the loss.
_BY_LOSS = ("accuracy", "acc", "crossentropy", "ce")


def fresh_optimizer(optimizer: Any) -> keras.optimizers.Optimizer:
    """Return a new optimizer of this name, or like this one: one that has trained a model cannot train another.

    Args:
        optimizer: a name, an optimizer, or a mapping of its `name` and its arguments.

    Raises:
        OptionError: Keras has no optimizer of this name, or it does not take these arguments.
    """
    import keras

    if isinstance(optimizer, keras.optimizers.Optimizer):
        return type(optimizer).from_config(optimizer.get_config())
    if isinstance(optimizer, Mapping):
        return _optimizer_with(**optimizer)
    try:
        return keras.optimizers.get(optimizer)
    except (TypeError, ValueError, KeyError) as error:  # KeyError: the optimizer needs arguments
        raise OptionError(f"Keras knows no optimizer {optimizer!r} (try {', '.join(_COMMON)})") from error


def _optimizer_with(name: str, **arguments: Any) -> keras.optimizers.Optimizer:
    kind = type(fresh_optimizer(name))
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise OptionError(f"`optimizer` {name}: Keras refuses {arguments}: {first_line(error)}") from error


def set_learning_rate(optimizer: keras.optimizers.Optimizer, rate: float) -> None:
    """Set the learning rate of an optimizer.

    Raises:
        OptionError: the optimizer has a schedule.
    """
    require_settable_rate("learning_rate", optimizer)
    optimizer.learning_rate = rate


def require_settable_rate(option: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Raise an OptionError if an option sets the learning rate of an optimizer that follows a schedule."""
    if isinstance(optimizer.get_config().get("learning_rate"), dict):
        raise OptionError(
            f"`{option}`: the {type(optimizer).__name__} of this model follows a schedule of its own: leave it out, or "
            "give another `optimizer`"
        )


def fresh_metrics(metrics: Any) -> Any:
    """Return the metrics, with a new one for each metric object, which keeps a state; nests of them too."""
    import keras

    if isinstance(metrics, Mapping):
        return {name: fresh_metrics(metric) for name, metric in metrics.items()}
    if isinstance(metrics, (list, tuple)):
        return [fresh_metrics(metric) for metric in metrics]
    return type(metrics).from_config(_config(metrics)) if isinstance(metrics, keras.Metric) else metrics


def require_known(loss: Any, metrics: Any, outputs: Sequence[str]) -> None:
    """Raise an OptionError, with the nearest names, for a loss or metric that Keras does not know, or an output.

    Args:
        outputs: the names of the model's outputs.
    """
    import keras

    for name in loss if isinstance(loss, Mapping) else ():
        if name not in outputs:
            listed = ", ".join(outputs)
            raise OptionError(f"`loss`: the model has no output {name!r} (it has: {listed}){suggest(name, [*outputs])}")

    for option, names, get, module in (
        ("loss", loss, keras.losses.get, keras.losses),
        ("metrics", metrics, keras.metrics.get, keras.metrics),
    ):
        for name in _names(names):
            try:
                if name not in _BY_LOSS:
                    get(name)
            except ValueError as error:
                known = [*_SHORT_NAMES, *(key for key in dir(module) if key.islower() and not key.startswith("_"))]
                raise OptionError(f"`{option}`: Keras knows no {name!r}{suggest(name, known)}") from error


def describe(value: Any) -> Any:
    """Return an optimizer, loss, metric or another argument, or a nest of them, for a record: an object by its name."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(name): describe(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(part) for part in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return describe(value.tolist())
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "get_config") and not isinstance(value, type):
        config = {key: part for key, part in _config(value).items() if part is not None}
        return {"class": type(value).__name__, "config": describe(config)}
    return getattr(value, "__name__", type(value).__name__)


def compile_with(model: keras.Model, **arguments: Any) -> None:
    """Compile a model.

    Raises:
        OptionError: Keras refuses the loss or the metrics.
    """
    try:
        model.compile(**arguments)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"Keras cannot compile {model.name} with this `loss` and `metrics`: {first_line(error)}"
        ) from error


def describe_compiled(model: keras.Model) -> dict[str, Any]:
    """Return what a model trains by, as JSON: its optimizer, loss and metrics."""
    arguments = keras_internals.compile_arguments(model)
    names = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics")
    described = {name: finite(describe(arguments[name])) for name in names if arguments[name] is not None}
    return {**described, WRITTEN_LOSSES: model.trained_by_turn} if has_written_losses(model) else described


def _names(value: Any) -> list[str]:
    """Return the names in a nest of losses or metrics."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [name for part in parts for name in _names(part)]


def _config(value: Any) -> dict[str, Any]:
    with keras_internals.serialization():
        return dict(value.get_config())
