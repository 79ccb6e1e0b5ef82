"""What a callback remembers from one epoch to the next, as JSON and arrays, so that a resumed run goes on with it.

Keras' callbacks have no word for it. Of those that remember something it is written here which attributes hold it;
tests/engine/test_callback_state.py notices when Keras renames one. Of a user's own callback every attribute counts that
is plain: a number, a word, a truth value, None, or a list of those or of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

# By the name of the Keras class.
REMEMBERED = {
    "EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "ModelCheckpoint": ("best",),
}
_NEVER = ("params", "_model", "_in_multi_worker_mode")


def state_of(callback: keras.callbacks.Callback) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
    """What a callback remembers.

    Returns:
        The JSON of its plain attributes, and its lists of arrays, each by the attribute's name.
    """
    plain: dict[str, Any] = {}
    arrays: dict[str, list[np.ndarray]] = {}
    for name in _names(callback):
        value: Any = getattr(callback, name, None)
        if _are_arrays(value):
            arrays[name] = [np.asarray(each) for each in value]
        elif _is_plain(value):
            plain[name] = _encoded(value)
    return {"class": type(callback).__name__, "plain": plain}, arrays


def put_back(
    callback: keras.callbacks.Callback, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]
) -> None:
    """Let a callback remember what `state_of` gave; attributes that are not its own are passed over."""
    known = set(_names(callback))
    for name, value in {**{k: _decoded(v) for k, v in state["plain"].items()}, **arrays}.items():
        if name in known:
            setattr(callback, name, value)


def _names(callback: keras.callbacks.Callback) -> list[str]:
    kinds = type(callback).__mro__
    names = [name for kind in kinds for name in REMEMBERED.get(kind.__name__, ())]
    if not type(callback).__module__.startswith("keras."):
        names += [name for name in vars(callback) if name not in _NEVER]
    return list(dict.fromkeys(names))


def _are_arrays(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, np.ndarray) for each in value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, bool | int | float | str | np.number | np.bool_)


def _encoded(value: Any) -> Any:
    """As JSON, which has no infinity and no NaN."""
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    value = value.item() if isinstance(value, np.generic) else value
    return {"float": repr(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_decoded(each) for each in value]
    return float(value["float"]) if isinstance(value, Mapping) else value
