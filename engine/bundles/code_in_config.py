"""What a model's configuration would run when Keras builds the model, found without building it.

Keras' safe mode refuses Python code inside a file, but follows the names in it: classes and functions anywhere in
`keras`, less a list of forbidden ones, and whatever this process has registered. Here it is the other way round: a
name is allowed that Keras publishes as a layer, loss, optimizer and so on, or that it writes for an operation within a
model; anything else is a finding, and is built only for who trusts the file.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...storage.safe_json import nodes

# Where Keras publishes the classes and the functions that models are made of.
_CLASSES = (
    *("keras", "keras.layers", "keras.models", "keras.optimizers", "keras.optimizers.schedules", "keras.losses"),
    *("keras.metrics", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.dtype_policies"),
    *("keras.mixed_precision", "keras.quantizers", "keras.random"),
)
_BUILTINS = ("keras.activations", "keras.losses", "keras.metrics", "keras.initializers")
_FUNCTIONS = (*_BUILTINS, "keras.ops", "keras.ops.nn", "keras.ops.numpy", "keras.ops.linalg", "keras.ops.image")
# Functions published there that make objects out of configurations, so that nothing would look at these.
_MAKERS = frozenset(("get", "deserialize", "serialize"))
# Where the classes are that Keras names by their place in its source: operations, and forms for one backend.
_PRIVATE = re.compile(
    r"keras\.src\.(models|layers|losses|metrics|ops|optimizers|initializers|regularizers|constraints|dtype_policies"
    r"|quantizers|random|trainers\.compile_utils|backend\.[a-z]+\.optimizers?)(\.[a-z0-9_]+)*"
)
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
# Published layers that run what a file, or this process, gives them.
RUNNERS = frozenset(("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"))
# Values that are no objects, as Keras' current and legacy format write them.
_PLAIN = frozenset(
    (
        *("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"),
        *("__tuple__", "TensorShape"),
    )
)


@dataclass(frozen=True)
class Finding:
    """Something that would run, or reach out of the file, if the model were built.

    Attributes:
        kind: `code` that is in the file or that a layer runs, `class` or `function` that is not Keras' own, `path` of
            another file.
        name: of it; may hold anything, so show it by `text`.
        layer: the name of the object that it belongs to, or empty.
    """

    kind: str
    name: str
    layer: str = ""

    @property
    def text(self) -> str:
        whose = f" (layer {_short(self.layer)})" if self.layer else ""
        what = {
            "code": f"the code of a {self.name}" if self.name else "Python code in the file",
            "class": f"the class {_short(self.name)}",
            "function": f"the function {_short(self.name)}",
            "path": f"reading {_short(self.name)}",
        }
        return what[self.kind] + whose


def find_code(config: Any) -> tuple[Finding, ...]:
    """What in a configuration is not Keras' own and would run; empty when building the model runs Keras alone.

    Args:
        config: what `config.json` of a `.keras` file holds, or `model_config` and `training_config` of an `.h5` file.
    """
    found = [finding for node, _ in nodes(config) if isinstance(node, dict) for finding in _findings(node)]
    return tuple(dict.fromkeys(found))


@functools.cache
def public_names(module: str) -> frozenset[str]:
    """The names that a package of Keras publishes, read from its source: importing Keras takes seconds.

    Empty when there is no such package.
    """
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    path = Path(spec.submodule_search_locations[0], *module.split(".")[1:], "__init__.py")
    if not path.is_file():
        return frozenset()
    imports = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)]
    return frozenset(alias.asname or alias.name for node in imports for alias in node.names)


def _findings(node: dict[str, Any]) -> Iterator[Finding]:
    config = node.get("config")
    if isinstance(config, dict) and isinstance(path := config.get("vocabulary"), str):
        yield Finding("path", path, _layer(node))
    if "class_name" in node:
        name = node["class_name"] if isinstance(node["class_name"], str) else repr(node["class_name"])
        if name == "__lambda__":
            yield Finding("code", "")
        elif name in RUNNERS:
            yield Finding("code", name, _layer(node))
        elif name == "function":
            yield from _function(node)
        elif not _is_kerass(node):
            yield Finding("class", str(node.get("registered_name") or name), _layer(node))


def _function(node: dict[str, Any]) -> Iterator[Finding]:
    name, module = node.get("config"), node.get("module")
    modules = _BUILTINS if module in ("builtins", None) else (module,) if module in _FUNCTIONS else ()
    known = isinstance(name, str) and any(name in public_names(each) - _MAKERS for each in modules)
    if not known or node.get("registered_name") not in (None, name, "function"):
        yield Finding("function", str(node.get("registered_name") or name))


def _is_kerass(node: dict[str, Any]) -> bool:
    """Whether a class is Keras' own, or a value that is no object."""
    name, module, registered = node["class_name"], node.get("module"), node.get("registered_name")
    if not isinstance(name, str):
        return False
    if name in _PLAIN:
        return True
    if not _CLASS_NAME.fullmatch(name) or registered not in (None, name):
        return False
    if module is None:  # Keras looks such a name up among its own classes
        return name == "Functional" or any(name in public_names(each) for each in _CLASSES)
    if module in _CLASSES:
        return name in public_names(module)
    return isinstance(module, str) and _PRIVATE.fullmatch(module) is not None


def _layer(node: dict[str, Any]) -> str:
    config = node.get("config")
    return str(config.get("name") or "") if isinstance(config, dict) else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "…")
