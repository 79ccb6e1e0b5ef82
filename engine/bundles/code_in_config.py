"""Find the code that a model's configuration would run when Keras builds the model, without building it.

Keras' safe mode refuses Python code inside a file, but resolves the names in it: classes and functions anywhere in
`keras`, except for a deny list, and everything that this process has registered. This module uses an allow list
instead. Allowed are the names that Keras publishes as layers, losses, optimizers and so on, and those that it writes
for operations within a model. Anything else is a finding, and such a model is built only if the user trusts the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...storage.safe_json import objects_in
from ..keras_model.public_names import public_names

# Where Keras publishes the classes and the functions that models are made of.
_CLASSES = (
    *("keras", "keras.layers", "keras.models", "keras.optimizers", "keras.optimizers.schedules", "keras.losses"),
    *("keras.metrics", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.dtype_policies"),
    *("keras.mixed_precision", "keras.quantizers", "keras.random"),
)
_BUILTINS = ("keras.activations", "keras.losses", "keras.metrics", "keras.initializers")
_FUNCTIONS = (*_BUILTINS, "keras.ops", "keras.ops.nn", "keras.ops.numpy", "keras.ops.linalg", "keras.ops.image")
# Published functions that build objects from configurations, which would then bypass this check.
_FACTORIES = frozenset(("get", "deserialize", "serialize"))
# Modules of classes that Keras names by their place in its source: operations, and backend-specific classes.
_PRIVATE = re.compile(
    r"keras\.src\.(models|layers|losses|metrics|ops|optimizers|initializers|regularizers|constraints|dtype_policies"
    r"|quantizers|random|trainers\.compile_utils|backend\.[a-z]+\.optimizers?)(\.[a-z0-9_]+)*"
)
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
# Published layers that run code from a file or from this process.
CODE_RUNNING_LAYERS = frozenset(("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"))
# Layers that Keras defines for its applications and does not publish: their modules, and the settings that they have.
APPLICATION_LAYERS = {
    "LayerScale": ("keras.src.applications.convnext", frozenset(("init_values", "projection_dim"))),
    "StochasticDepth": ("keras.src.applications.convnext", frozenset(("drop_path_rate",))),
    "CustomScaleLayer": ("keras.src.applications.inception_resnet_v2", frozenset(("scale",))),
}
_SETTINGS_OF_ALL_LAYERS = frozenset(("name", "trainable", "dtype", "batch_input_shape"))
# Class names that stand for plain values, in Keras' current and legacy formats.
_VALUE_TYPES = frozenset(
    (
        *("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"),
        *("__tuple__", "TensorShape"),
    )
)


@dataclass(frozen=True)
class Finding:
    """Something that would run, or that refers to another file, if the model were built.

    Attributes:
        kind: `code` in the file or run by a layer; `class` or `function` that is not Keras' own; `path` of another
            file.
        name: of the class, function or path. It comes from the file and may contain anything: show `text` instead.
        layer: the name of the object that it belongs to, or empty.
    """

    kind: str
    name: str
    layer: str = ""

    @property
    def text(self) -> str:
        owner = f" (layer {_shorten(self.layer)})" if self.layer else ""
        texts = {
            "code": f"the code of a {self.name}" if self.name else "Python code in the file",
            "class": f"the class {_shorten(self.name)}",
            "function": f"the function {_shorten(self.name)}",
            "path": f"reading {_shorten(self.name)}",
        }
        return texts[self.kind] + owner


def find_code(config: Any) -> tuple[Finding, ...]:
    """Return the findings in a configuration; empty if building the model runs only Keras' own code.

    Args:
        config: the content of `config.json` in a `.keras` file, or of `model_config` and `training_config` in an `.h5`
            file.
    """
    findings = [finding for node in objects_in(config) for finding in _find_in_node(node)]
    return tuple(dict.fromkeys(findings))


def is_application_layer(node: Any) -> bool:
    """Return whether a node is a layer of Keras' applications, by its module, or in an `.h5` file by its settings."""
    if not isinstance(node, dict) or not isinstance(name := node.get("class_name"), str):
        return False
    module, settings = APPLICATION_LAYERS.get(name, (None, frozenset()))
    if module is None or node.get("registered_name") not in (None, name):
        return False
    config = node.get("config")
    has_settings = isinstance(config, dict) and frozenset(config) - _SETTINGS_OF_ALL_LAYERS == settings
    return node.get("module") == module or (node.get("module") is None and has_settings)


def _find_in_node(node: dict[str, Any]) -> Iterator[Finding]:
    config = node.get("config")
    if isinstance(config, dict) and isinstance(path := config.get("vocabulary"), str):
        yield Finding("path", path, _layer_name(node))
    if "class_name" in node:
        name = node["class_name"] if isinstance(node["class_name"], str) else repr(node["class_name"])
        if name == "__lambda__":
            yield Finding("code", "")
        elif name in CODE_RUNNING_LAYERS:
            yield Finding("code", name, _layer_name(node))
        elif name == "function":
            yield from _find_function(node)
        elif not _is_keras_own(node):
            yield Finding("class", str(node.get("registered_name") or name), _layer_name(node))


def _find_function(node: dict[str, Any]) -> Iterator[Finding]:
    name, module = node.get("config"), node.get("module")
    modules = _BUILTINS if module in ("builtins", None) else (module,) if module in _FUNCTIONS else ()
    known = isinstance(name, str) and any(name in public_names(package) - _FACTORIES for package in modules)
    if not known or node.get("registered_name") not in (None, name, "function"):
        registered = node.get("registered_name")  # "function", where the user has not registered it
        yield Finding("function", str(name if registered in (None, "function") else registered))


def _is_keras_own(node: dict[str, Any]) -> bool:
    """Return whether a node is an object of a Keras class, or a plain value."""
    name, module, registered = node["class_name"], node.get("module"), node.get("registered_name")
    if not isinstance(name, str):
        return False
    if name in _VALUE_TYPES:
        return True
    if not _CLASS_NAME.fullmatch(name) or registered not in (None, name):
        return False
    if is_application_layer(node):
        return True
    if module is None:  # Keras looks such a name up among its own classes
        return name == "Functional" or any(name in public_names(package) for package in _CLASSES)
    if module in _CLASSES:
        return name in public_names(module)
    return isinstance(module, str) and _PRIVATE.fullmatch(module) is not None


def _layer_name(node: dict[str, Any]) -> str:
    config = node.get("config")
    return str(config.get("name") or "") if isinstance(config, dict) else ""


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "…")
