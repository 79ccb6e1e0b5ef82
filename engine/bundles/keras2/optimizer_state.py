"""Restore the state of an optimizer that Keras 2 stored.

Both store the number of steps and then, for each weight, what the optimizer remembers of it. Keras 2's older optimizers
(`tf.keras.optimizers.legacy`) store the first memory of all weights before the second. A state that does not fit
the optimizer is left out, which then begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....storage import safe_hdf5, safe_zip

if TYPE_CHECKING:
    import h5py
    import keras

_STEPS, _RATE = ("iteration", "iter"), ("learning_rate", "current_learning_rate")
_WEIGHTS = "model.weights.h5"


def restore(model: keras.Model, content: bytes, config: Mapping[str, Any], what: str) -> None:
    """Restore the state of a compiled model's optimizer.

    Args:
        model: loaded from the file and compiled; its optimizer is built.
        content: of the file, `.keras` or `.h5`.
        config: of the model, translated.
        what: the name of the file in messages.

    Raises:
        FileError: the file is damaged or hostile.
    """
    steps, slots = _read(content, what, len(model.trainable_variables))
    variables = _in_order(model, config)
    optimizer = model.optimizer
    fresh = type(optimizer).from_config(optimizer.get_config())
    if steps is None or variables is None:
        return
    fresh.build(variables)
    own = [variable for variable in fresh.variables if len(variable.shape)]
    if [tuple(variable.shape) for variable in own] != [array.shape for array in slots] or _has_other_scalars(fresh):
        return
    by_path = dict(zip([variable.path for variable in own], slots, strict=True))
    if len(by_path) == len(own):
        for variable in optimizer.variables:
            if variable.path in by_path:
                variable.assign(by_path[variable.path])
        optimizer.iterations.assign(steps)


def _has_other_scalars(optimizer: Any) -> bool:
    """Return whether an optimizer remembers a number beside the steps and the rate, as Nadam does."""
    return sum(not len(variable.shape) for variable in optimizer.variables) > 1 + (not _has_schedule(optimizer))


def _has_schedule(optimizer: Any) -> bool:
    return isinstance(optimizer.get_config().get("learning_rate"), dict)


def _in_order(model: keras.Model, config: Mapping[str, Any]) -> list[Any] | None:
    """Return the trainable weights in the order of the file's layers, or None if they are not all found by name."""
    layers = config["config"].get("layers", []) if isinstance(config.get("config"), dict) else []
    names = [layer["config"].get("name") for layer in layers if isinstance(layer.get("config"), dict)]
    own = {layer.name: layer for layer in model.layers}
    variables = {id(v): v for name in names if name in own for v in own[name].trainable_variables}
    return list(variables.values()) if len(variables) == len(model.trainable_variables) else None


def _read(content: bytes, what: str, weights: int) -> tuple[np.ndarray | None, list[np.ndarray]]:
    """Return the number of steps and the memories, weight by weight; None if there are none."""
    if content.startswith(b"\x89HDF"):
        with safe_hdf5.open_checked(content, what) as (file, _):
            return _read_legacy(file.get("optimizer_weights"), weights)
    with safe_zip.open_checked(content, what) as archive:
        if _WEIGHTS not in archive.namelist():
            return None, []
        stored = safe_zip.read(archive, _WEIGHTS, what)
    with safe_hdf5.open_checked(stored, what) as (file, _):
        group = file.get("optimizer/vars", {})
        arrays = [np.array(group[str(number)]) for number in range(len(group)) if str(number) in group]
    return (arrays[0], [array for array in arrays[1:] if array.shape]) if arrays else (None, [])


def _read_legacy(group: h5py.Group | None, weights: int) -> tuple[np.ndarray | None, list[np.ndarray]]:
    arrays = safe_hdf5.arrays_listed(group, "weight_names") if group is not None else {}
    steps = [array for name, array in arrays.items() if _last_part(name) in _STEPS]
    slots = {name: array for name, array in arrays.items() if array.shape and _last_part(name) not in _RATE}
    return steps[0] if steps else None, _by_weight(slots, weights)


def _by_weight(slots: Mapping[str, np.ndarray], weights: int) -> list[np.ndarray]:
    """Return the memories weight by weight, from an order by weight or by memory."""
    names, arrays = list(slots), list(slots.values())
    count = len(arrays) // weights if weights else 0
    if count < 2 or len(arrays) != count * weights or not _is_by_memory(names, weights):
        return arrays
    return [arrays[memory * weights + weight] for weight in range(weights) for memory in range(count)]


def _is_by_memory(names: Sequence[str], weights: int) -> bool:
    """Return whether names end in the memory, as `Adam/dense/kernel/m:0` in the older order."""
    first, second = ({_last_part(name) for name in part} for part in (names[:weights], names[weights : 2 * weights]))
    return len(first) == len(second) == 1 and first != second


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]
