"""What a model is compiled with: the optimizer, loss and metrics that the user gave, as names or as Keras' objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...backends import keras_internals
from ...errors import OptionError, first_line
from ...functions import suggest

if TYPE_CHECKING:
    import keras

_COMMON = ("adam", "sgd", "rmsprop")
_SHORT_NAMES = ("mse", "mae", "mape", "msle")
# Names of metrics whose meaning depends on the loss.
_BY_LOSS = ("accuracy", "acc", "crossentropy", "ce")


def fresh_optimizer(optimizer: Any) -> keras.optimizers.Optimizer:
    """Return a new optimizer of this name, or like this one: one that has trained a model cannot train another.

    Raises:
        OptionError: Keras has no optimizer of this name.
    """
    import keras

    if isinstance(optimizer, keras.optimizers.Optimizer):
        return type(optimizer).from_config(optimizer.get_config())
    try:
        return keras.optimizers.get(optimizer)
    except (TypeError, ValueError, KeyError) as error:  # KeyError: the optimizer needs arguments
        raise OptionError(f"Keras knows no optimizer {optimizer!r} (try {', '.join(_COMMON)})") from error


def fresh_metrics(metrics: Any) -> Any:
    """Return the metrics, with a new one for each metric object, which keeps a state; nests of them too."""
    import keras

    if isinstance(metrics, Mapping):
        return {name: fresh_metrics(metric) for name, metric in metrics.items()}
    if isinstance(metrics, (list, tuple)):
        return [fresh_metrics(metric) for metric in metrics]
    return type(metrics).from_config(_config(metrics)) if isinstance(metrics, keras.Metric) else metrics


def require_known(loss: Any, metrics: Any) -> None:
    """Raise an OptionError, with the nearest names, for the name of a loss or a metric that Keras does not know."""
    import keras

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
    """Return an optimizer, loss or metric, or a nest of them, as JSON: a name, or the configuration of an object."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(name): describe(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(part) for part in value]
    if hasattr(value, "get_config"):
        config = {key: part for key, part in _config(value).items() if part is not None}
        return {"class": type(value).__name__, "config": describe(config)}
    return getattr(value, "__name__", type(value).__name__)


def compile_with(model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: Any, metrics: Any) -> None:
    """Compile a model.

    Raises:
        OptionError: Keras refuses the loss or the metrics.
    """
    try:
        model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"Keras cannot compile {model.name} with this `loss` and `metrics`: {first_line(error)}"
        ) from error


def _names(value: Any) -> list[str]:
    """Return the names in a nest of losses or metrics."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [name for part in parts for name in _names(part)]


def _config(value: Any) -> dict[str, Any]:
    with keras_internals.complete_configs():
        return dict(value.get_config())
