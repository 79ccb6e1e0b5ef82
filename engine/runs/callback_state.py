"""The state of a callback between two epochs, as JSON and arrays, so that a resumed run continues with it.

Keras' callbacks have no interface for their state. For those with state, this module lists the attributes that hold it;
tests/engine/training/test_callback_options.py fails when Keras renames one. In a user's own callback, every plain
attribute counts as state: a number, a string, a boolean, None, or a list of those or of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals

if TYPE_CHECKING:
    import keras

# Class name → attributes.
STATE_ATTRIBUTES = {
    "EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "ModelCheckpoint": ("best",),
}


def get_state(callback: keras.callbacks.Callback) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
    """Return the state of a callback.

    Returns:
        Its plain attributes as JSON, and its lists of arrays by attribute name.
    """
    plain: dict[str, Any] = {}
    arrays: dict[str, list[np.ndarray]] = {}
    for name in _attribute_names(callback):
        value: Any = getattr(callback, name, None)
        if _are_arrays(value):
            arrays[name] = [np.asarray(array) for array in value]
        elif _is_plain(value):
            plain[name] = _encode(value)
    return {"class": type(callback).__name__, "plain": plain}, arrays


def set_state(
    callback: keras.callbacks.Callback, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]
) -> None:
    """Restore the state that `get_state` returned; attributes that the callback does not have are ignored."""
    known = set(_attribute_names(callback))
    for name, value in {**{k: _decode(v) for k, v in state["plain"].items()}, **arrays}.items():
        if name in known:
            setattr(callback, name, value)


def _attribute_names(callback: keras.callbacks.Callback) -> list[str]:
    kinds = type(callback).__mro__
    names = [name for kind in kinds for name in STATE_ATTRIBUTES.get(kind.__name__, ())]
    if not type(callback).__module__.startswith("keras."):
        names += [name for name in vars(callback) if name not in keras_internals.CALLBACK_ATTRIBUTES]
    return list(dict.fromkeys(names))


def _are_arrays(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, np.ndarray) for item in value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str | np.number | np.bool_)


def _encode(value: Any) -> Any:
    """Encode a value as JSON, which has no infinity and no NaN."""
    if isinstance(value, list):
        return [_encode(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    return {"float": repr(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _decode(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_decode(item) for item in value]
    return float(value["float"]) if isinstance(value, Mapping) else value
