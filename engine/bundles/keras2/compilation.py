"""Translate what a model was compiled with from Keras 2's form to Keras 3's: JSON to JSON, without a framework.

An `.h5` file of Keras 2 calls Keras' own optimizers `Custom>Adam`, as it would a class that a user has registered
without naming a package; they are told apart by a setting that Keras' own optimizers alone have. Metrics come as a
class that Keras 3 does not publish, around the name of a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...keras_model.public_names import public_names
from .own_objects import own_object

_SCHEDULES = "keras.optimizers.schedules"
_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")
_OWN_OPTIMIZER = "is_legacy_optimizer"
_ABSENT = ("jit_compile", _OWN_OPTIMIZER, "schedule_decay")
# Names that Keras takes for losses and metrics and does not publish: of metrics that it chooses by the loss, and short.
_SHORT = ("accuracy", "acc", "crossentropy", "ce", "mse", "mae", "mape", "msle", "bce", "kld")


def translate_compilation(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `compile` as Keras 3 writes them in a `.keras` file.

    Args:
        config: `compile_config` of a `.keras` file, or `training_config` of an `.h5` file, of Keras 2.
    """
    arguments = {name: _translate(config[name], name) for name in _ARGUMENTS if config.get(name) is not None}
    optimizer = config.get("optimizer") or config.get("optimizer_config")
    return {"optimizer": _translate_optimizer(optimizer), **arguments} if optimizer is not None else {}


def published_compilation(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments of `compile` in an `.h5` file if all are Keras' own by name, or else None.

    Keras 3.15 writes `loss="mse"` into an `.h5` file, and refuses it when it reads the file: it takes the name for that
    of a class.
    """
    translated = translate_compilation(config)
    optimizer = translated.get("optimizer")
    is_own = isinstance(optimizer, str) or (isinstance(optimizer, dict) and "module" in optimizer)
    parts = [(translated[name], _package(name)) for name in _ARGUMENTS if name in translated]
    return translated if is_own and all(_is_published(part, package) for part, package in parts) else None


def _package(argument: str) -> str:
    return "keras.losses" if argument == "loss" else "keras.metrics"


def _is_published(value: Any, package: str) -> bool:
    if isinstance(value, str):
        return value in _SHORT or value in public_names(package)
    if isinstance(value, dict) and "class_name" in value:
        return value.get("module") == package
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_published(entry, package) for entry in values)


def _translate_optimizer(node: Any) -> Any:
    name = _own_optimizer(node)
    if name is None:
        return node
    settings = {key: value for key, value in node["config"].items() if key not in _ABSENT}
    if "lr" in settings:
        settings["learning_rate"] = settings.pop("lr")
    decay = settings.pop("decay", 0.0)
    if decay and name != "Nadam" and isinstance(settings.get("learning_rate"), (int, float)):
        settings["learning_rate"] = _decaying(settings["learning_rate"], decay)
    elif isinstance(rate := settings.get("learning_rate"), dict) and "module" not in rate:
        settings["learning_rate"] = {**rate, "module": _SCHEDULES, "registered_name": None}
    if "inner_optimizer" in settings:  # that of LossScaleOptimizer
        settings["inner_optimizer"] = _translate_optimizer(settings["inner_optimizer"])
        settings.pop("dynamic", None)
    return own_object("keras.optimizers", name, settings)


def _own_optimizer(node: Any) -> str | None:
    """Return the name under which Keras 3 publishes an optimizer, or None for one that is not Keras' own."""
    if not isinstance(node, dict) or not isinstance(node.get("config"), dict):
        return None
    package, _, name = str(node.get("class_name")).rpartition(">")
    name = name.removesuffix("V3") if name.startswith("LossScaleOptimizer") else name
    module, registered = node.get("module"), node.get("registered_name")
    is_own = _OWN_OPTIMIZER in node["config"] if package == "Custom" else not package and registered in (None, name)
    in_keras = module is None or str(module).startswith(("keras.", "tf_keras."))
    return name if is_own and in_keras and name in public_names("keras.optimizers") else None


def _decaying(rate: float, decay: float) -> dict[str, Any]:
    """Return the schedule of Keras 2's `decay`, which divides the learning rate by 1 + decay × step."""
    settings = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay, "staircase": False}
    return own_object(_SCHEDULES, "InverseTimeDecay", settings)


def _translate(value: Any, argument: str) -> Any:
    """Return losses or metrics, single or in lists and dictionaries, in Keras 3's form."""
    if isinstance(value, list):
        return [_translate(entry, argument) for entry in value]
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("class_name"), str):
        return {key: _translate(entry, argument) for key, entry in value.items()}
    return _translate_object(value, _package(argument))


def _translate_object(node: Mapping[str, Any], package: str) -> Any:
    name, config = node["class_name"], node.get("config")
    if not isinstance(config, dict):
        return dict(node)
    function = config.get("fn")
    if name in ("MeanMetricWrapper", "LossFunctionWrapper") and isinstance(function, str):
        shown = config.get("name")
        is_alias = shown in _SHORT or shown in public_names(package)
        return shown if is_alias else function
    if name not in public_names(package) or node.get("module") not in (None, package):
        return dict(node)
    settings = {key: value for key, value in config.items() if key != "fn"}
    if settings.get("reduction") == "auto":
        settings["reduction"] = "sum_over_batch_size"
    return own_object(package, name, settings)
