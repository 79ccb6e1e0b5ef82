"""What a reader wants to know of a layer beside its kind: units, filters, kernel, stride, padding, activation, rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Attributes of Keras' layers, in the order in which they are told.
_NUMBERS = ("units", "filters", "depth_multiplier", "input_dim", "output_dim", "num_heads", "key_dim", "groups", "n")
_SIZES = ("kernel_size", "pool_size", "strides", "dilation_rate", "target_shape", "size", "dims")
_SHARES = ("rate", "stddev", "dropout", "recurrent_dropout")
_RECURRENT = ("return_sequences", "stateful")
_INNER = "layer"  # of a wrapper, such as TimeDistributed

Settings = dict[str, Any]


def settings_of(operation: Any) -> Settings:
    """Return the settings of a layer by Keras' names, as JSON; those of the wrapped layer under `layer`.

    They are read from its attributes, because `get_config` of a custom layer may raise anything.
    """
    settings: Settings = {}
    for name in (*_NUMBERS, *_SIZES, *_SHARES, "padding", *_RECURRENT):
        value = _plain(_attribute(operation, name))
        if value is not None:
            settings[name] = value
    activation = _attribute(operation, "activation")
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)
    if activation is not None and name != "linear":
        settings["activation"] = name
    inner = _attribute(operation, _INNER) or _attribute(operation, "forward_layer")
    if inner is not None and hasattr(inner, "get_config"):
        settings[_INNER] = {"kind": type(inner).__name__, **settings_of(inner)}
    return settings


def _attribute(operation: Any, name: str) -> Any:
    try:
        return getattr(operation, name, None)
    except Exception:  # of a property of a custom layer
        return None


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings in a few words, such as `32 filters of 5×5, stride 2, same, relu`."""
    words = [_amounts(settings), *_sizes(settings)]
    words += [settings["padding"]] if isinstance(settings.get("padding"), str) else []
    words += [settings["activation"]] if "activation" in settings else []
    words += [_share(name, settings[name]) for name in _SHARES if settings.get(name) or name == "rate" in settings]
    if "return_sequences" in settings and "units" in settings:
        words.append("returns each step" if settings["return_sequences"] else "returns last step")
    words += ["stateful"] if settings.get("stateful") else []
    if inner := settings.get(_INNER):
        text = settings_text(inner)
        words = [inner["kind"] + (f": {text}" if text else "")]
    return ", ".join(word for word in words if word)


def _amounts(settings: Mapping[str, Any]) -> str:
    kernel = _times(settings["kernel_size"]) if "kernel_size" in settings else ""
    if "filters" in settings:
        return _count(settings["filters"], "filter") + (f" of {kernel}" if kernel else "")
    if "units" in settings:
        return _count(settings["units"], "unit")
    if "input_dim" in settings and "output_dim" in settings:
        return f"{settings['input_dim']:,} to {settings['output_dim']:,}"
    if "num_heads" in settings and "key_dim" in settings:
        return f"{_count(settings['num_heads'], 'head')} of {settings['key_dim']}"
    return kernel or ("×" + str(settings["n"]) if "n" in settings else "")


def _count(number: Any, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}" if isinstance(number, int) else f"{number} {what}s"


def _sizes(settings: Mapping[str, Any]) -> list[str]:
    words = []
    if "pool_size" in settings:
        words.append(_times(settings["pool_size"]))
    if "size" in settings:
        words.append("by " + _times(settings["size"]))
    for name, word in (("strides", "stride"), ("dilation_rate", "dilation")):
        sizes = settings.get(name)
        if sizes is not None and set(_tuple(sizes)) != {1}:
            words.append(f"{word} {_one_or_all(sizes)}")
    return words


def _share(name: str, value: float) -> str:
    word = {"rate": "rate", "stddev": "deviation"}.get(name, name.replace("_", " "))
    return f"{word} {value:g}"


def _one_or_all(sizes: Any) -> str:
    values = _tuple(sizes)
    return str(values[0]) if len(set(values)) == 1 else _times(values)


def _times(sizes: Any) -> str:
    return "×".join(map(str, _tuple(sizes)))


def _tuple(sizes: Any) -> tuple[Any, ...]:
    return tuple(sizes) if isinstance(sizes, (list, tuple)) else (sizes,)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it if it is a number, a text or a few of them; else None."""
    if isinstance(value, (list, tuple)):
        parts = [_plain(part) for part in value]
        return None if None in parts else parts
    return value if isinstance(value, (bool, int, float, str)) else None
