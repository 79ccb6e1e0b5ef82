"""Translate the configuration of a model from Keras 2's form to Keras 3's: JSON to JSON, without a framework.

Keras 3 refuses arguments that it no longer has, names nested models otherwise, and counts their calls otherwise. An
argument that Keras 3 has not is dropped only where its value says nothing; any other value stays in, and Keras refuses
it by name. Classes that are not Keras' own are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...keras_model.public_names import public_names
from .functions import CONSTANT, FUNCTION_LAYERS, operand, translate_function
from .own_objects import own_object

_MODELS = ("Sequential", "Functional", "Model")
_RECURRENT = ("RNN", "SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional")
# Keras' own packages under the names that Keras 2 had for them; `tf_keras` is Keras 2 beside Keras 3.
_PACKAGE = re.compile(r"(tf_)?keras(\.src)?\b")
# Arguments that Keras 3 has not, with what they may be for being dropped; None stands for any value.
_DROPPED: dict[str, tuple[Any, ...] | None] = {
    "time_major": (False,),
    "ragged": (False, None),
    "softmax_robust_masking": (False,),
    "noise_shape": (None,),
    "implementation": None,
    "input_length": None,
    "rng_type": None,
    "vocabulary_size": None,
    "query_shape": None,
    "key_shape": None,
    "value_shape": None,
}
# Both convolutions of a separable one have initializers, regularizers and constraints under names of their own.
_OF_A_KERNEL = {"kernel_initializer": None, "kernel_regularizer": (None,), "kernel_constraint": (None,)}
_WITHOUT_GROUPS = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D")
_DROPPED_BY_CLASS: dict[str, dict[str, tuple[Any, ...] | None]] = {
    **{name: {"groups": (1,)} for name in _WITHOUT_GROUPS},
    **{name: {"groups": (1,), **_OF_A_KERNEL} for name in ("SeparableConv1D", "SeparableConv2D")},
    "BatchNormalization": {"fused": None, "renorm": (False,), "virtual_batch_size": (None,), "adjustment": (None,)},
}
# Arguments that Keras 3 has under another name.
_RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}, "InputLayer": {"batch_input_shape": "batch_shape"}}
_RENAMED_CLASSES = {"ThresholdedReLU": "ReLU", "SyncBatchNormalization": "BatchNormalization"}
# The layers within a layer.
_INNER = ("layer", "backward_layer", "cell")


def is_keras2(version: str | None) -> bool:
    """Return whether a version is one of Keras 2; a file without a version is none of it."""
    return version is not None and version.startswith("2.")


def translate_model(node: Any) -> Any:
    """Return the configuration of a model, or of a layer, as Keras 3 writes it.

    Args:
        node: `{"class_name": …, "config": …}`; anything else is returned as it is.
    """
    if not isinstance(node, dict) or not isinstance(node.get("class_name"), str):
        return node
    name, config = node["class_name"], node.get("config")
    if name in _MODELS and _is_own(node):
        return _translate_nested_model(node)
    if not isinstance(config, dict) or not _is_own(node):
        return node
    if name.rpartition(">")[2] not in {*public_names("keras.layers"), *_RENAMED_CLASSES}:
        return _in_own_module(node)
    config = {key: translate_model(value) if key in _INNER else value for key, value in config.items()}
    if isinstance(cells := config.get("cells"), list):
        config["cells"] = [translate_model(cell) for cell in cells]
    name, config = _translate_layer(name, config)
    return {**_without_build(node), **own_object("keras.layers", name, config)}


def _without_build(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node without the shapes that Keras 2 built a layer for: Keras 3 builds it when it is called."""
    return {key: value for key, value in node.items() if key != "build_config"}


def _is_own(node: Mapping[str, Any]) -> bool:
    """Return whether a node names a class of Keras' own packages; without a module, whether it is not registered."""
    module, name = node.get("module"), node["class_name"]
    if module is None:
        return ">" not in name
    registered = node.get("registered_name")
    return isinstance(module, str) and bool(_PACKAGE.match(module)) and registered in (None, name)


def _in_own_module(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer of Keras' applications with its place in Keras 3, and anything else as it is."""
    module = str(node.get("module") or "")
    if not module.startswith("tf_keras.src.applications."):
        return dict(node)
    return {**_without_build(node), "module": module.removeprefix("tf_")}


# --- layers ---------------------------------------------------------------------------------------------------------


def _translate_layer(name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    renamed = _RENAMED.get(name, {})
    result = {renamed.get(key, key): value for key, value in config.items()}
    for key, neutral in {**_DROPPED, **_DROPPED_BY_CLASS.get(name, {})}.items():
        if key in result and (neutral is None or result[key] in neutral) and not _takes(name, key):
            del result[key]
    if name != "InputLayer":
        result.pop("batch_input_shape", None)
    if "name" in result:
        result["name"] = _plain(result["name"])
    if isinstance(axis := result.get("axis"), list) and len(axis) == 1:
        result["axis"] = axis[0]
    if isinstance(policy := result.get("dtype"), dict) and isinstance(policy.get("config"), dict):
        result["dtype"] = policy["config"].get("name", policy)
    if name == "ThresholdedReLU":
        result["threshold"] = result.pop("theta", 1.0)
    if name == "SyncBatchNormalization":
        result["synchronized"] = True
    return _RENAMED_CLASSES.get(name, name), result


def _plain(name: Any) -> Any:
    """Return a layer's name without slashes, which Keras 3 refuses."""
    return name.replace("/", "_") if isinstance(name, str) else name


def _takes(name: str, key: str) -> bool:
    """Return whether Keras 3's layer has the argument after all."""
    return key == "noise_shape" and name == "Dropout"


# --- models ---------------------------------------------------------------------------------------------------------


def _translate_nested_model(node: Mapping[str, Any]) -> dict[str, Any]:
    name, config = node["class_name"], node.get("config")
    if isinstance(config, list):  # a Sequential model before Keras 2.2.3
        config = {"name": "sequential", "layers": config}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return dict(node)  # a model of its author's own class
    is_sequential = name == "Sequential"
    layers = [translate_model(layer) for layer in config["layers"]]
    translated = (
        {**config, "layers": _with_input(config["layers"], layers)} if is_sequential else _graph(config, layers)
    )
    return {
        **_without_build(node),
        "module": "keras" if is_sequential else "keras.src.models.functional",
        "class_name": "Sequential" if is_sequential else "Functional",
        "registered_name": None if is_sequential else "Functional",
        "config": translated,
    }


def _with_input(before: Sequence[Any], layers: list[Any]) -> list[Any]:
    """Return the layers of a Sequential model, with an input layer where its first layer declared the shape."""
    first = before[0] if before and isinstance(before[0], dict) else {}
    config = first.get("config")
    if first.get("class_name") == "InputLayer" or not isinstance(config, dict) or "batch_input_shape" not in config:
        return layers
    settings = {"batch_shape": config["batch_input_shape"], "dtype": "float32", "name": "input_layer"}
    return [own_object("keras.layers", "InputLayer", settings), *layers]


def _graph(config: Mapping[str, Any], layers: list[Any]) -> dict[str, Any]:
    """Return the configuration of a functional model, with its calls as Keras 3 writes them."""
    sources = {layer.get("name"): layer for layer in config["layers"] if isinstance(layer, dict)}
    first_call = {name: _first_call(source) for name, source in sources.items()}
    functional = {_plain(layer.get("name")) for layer in layers if _class_name(layer) == "Functional"}

    def of_call(place: Sequence[Any]) -> list[Any]:
        return [_plain(place[0]), place[1] - first_call.get(place[0], 0), place[2]]

    def of_end(place: Sequence[Any]) -> list[Any]:  # Keras 3 subtracts the first call of a functional model itself
        return [_plain(place[0]), *place[1:3]] if _plain(place[0]) in functional else of_call(place)

    ends = {key: _unpack_single(_map_places(config.get(key), of_end)) for key in ("input_layers", "output_layers")}
    return {**config, "layers": [_with_calls(layer, of_call) for layer in layers], **ends}


def _unpack_single(ends: Any) -> Any:
    """Return the place of a single input or output without the list that Keras 2 always writes."""
    return ends[0] if isinstance(ends, list) and len(ends) == 1 and _is_place(ends[0]) else ends


def _first_call(layer: Any) -> int:
    """Return the number that Keras 2 gives to the first call of a layer: 1 for a model that begins with an input."""
    config = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(config, dict) or layer.get("class_name") not in _MODELS:
        return 0
    layers = config.get("layers")
    first = layers[0] if isinstance(layers, list) and layers and isinstance(layers[0], dict) else {}
    declares_shape = "batch_input_shape" in (first.get("config") or {})
    return 1 if _class_name(first) == "InputLayer" or declares_shape or "input_layers" in config else 0


def _class_name(node: Any) -> Any:
    return node.get("class_name") if isinstance(node, dict) else None


def _with_calls(layer: Any, of_call: Callable[[Sequence[Any]], list[Any]]) -> Any:
    """Return a layer of a functional model with its calls as Keras 3 writes them."""
    nodes = layer.get("inbound_nodes") if isinstance(layer, dict) else None
    if not isinstance(nodes, list):
        return layer
    layer = {**layer, "name": _plain(layer.get("name"))}
    if _class_name(layer) in FUNCTION_LAYERS and len(nodes) == 1 and (entries := _entries(nodes[0])):
        operands, named = _arguments(entries, of_call)
        return translate_function(layer, operands, named, is_list=entries is nodes[0]) or layer
    return {**layer, "inbound_nodes": [_call(node, of_call, _class_name(layer) in _RECURRENT) for node in nodes]}


def _entries(node: Any) -> list[Any]:
    """Return what a layer is called with, each as layer, call, output and named arguments; nothing if it is no call."""
    if not isinstance(node, list) or not node:
        return []
    entries = [node] if isinstance(node[0], str) else node
    return entries if all(_is_place(entry) or _is_constant(entry) for entry in entries) else []


def _is_constant(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and value[0] == CONSTANT


def _arguments(
    entries: Sequence[Any], of_call: Callable[[Sequence[Any]], list[Any]]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the named arguments of a call, with tensors by their history."""

    def tensor(place: Sequence[Any]) -> dict[str, Any]:
        return _tensor(of_call(place))

    named: dict[str, Any] = {}
    for entry in entries:
        named |= entry[3] if len(entry) == 4 and isinstance(entry[3], dict) else {}
    named = {key: _map_places(value, tensor) for key, value in named.items()}
    return [operand(entry, tensor) for entry in entries], named


def _call(node: Any, of_call: Callable[[Sequence[Any]], list[Any]], is_recurrent: bool) -> Any:
    """Return a call of a layer as Keras 3 writes it: positional and named arguments, with tensors by their history."""
    if not (entries := _entries(node)):
        return node
    tensors, named = _arguments(entries, of_call)
    if is_recurrent and len(tensors) > 1:  # Keras 2 joins the initial states to the sequence
        named["initial_state"] = tensors[1:]
        tensors = tensors[:1]
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": named}


def _is_place(value: Any) -> bool:
    """Return whether a value names an output of a layer's call: layer, call, output, and perhaps arguments."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) and not isinstance(number, bool) for number in value[1:3])
    )


def _map_places(value: Any, function: Callable[[Sequence[Any]], Any]) -> Any:
    if _is_place(value):
        return function(value)
    if isinstance(value, list):
        return [_map_places(entry, function) for entry in value]
    if isinstance(value, dict):
        return {key: _map_places(entry, function) for key, entry in value.items()}
    return value


def _tensor(place: list[Any]) -> dict[str, Any]:
    """Return how Keras 3 writes a tensor; it finds it by its history and ignores the shape."""
    return {"class_name": "__keras_tensor__", "config": {"shape": [], "dtype": "float32", "keras_history": place}}
