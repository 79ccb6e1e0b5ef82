"""The inputs and outputs of a model: their names, and the nest of arrays that the model takes and returns.

Arrays are matched to inputs and outputs by name, else by order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends.epochs import has_written_losses
from ...data.axes import shape_matches
from ...data.deferred_array import DeferredArray
from ...data.nests import Nest, arrays_of, is_array, map_arrays, map_rows
from ...errors import DataError
from ...functions import suggest

if TYPE_CHECKING:
    import keras

# The bytes of the widest numbers that frameworks have.
_WIDEST = 8


def require_inputs(model: keras.Model, name: str) -> None:
    """Raise a DataError unless the model declares its inputs."""
    if not getattr(model, "inputs", None):
        raise DataError(f"{name}: the model declares no inputs: begin it with keras.Input")


def takes_grey(model: keras.Model, size: tuple[int, ...]) -> bool:
    """Return whether a model of one input takes grey pictures of this height and width, rather than coloured ones."""
    if len(getattr(model, "inputs", None) or ()) != 1:
        return False
    shape = tuple(model.inputs[0].shape)[1:]
    if None in shape:
        return len(shape) == 2 or 1 in (shape[0], shape[-1])
    return bool(math.prod(shape) == math.prod(size))


def input_names(model: keras.Model) -> list[str]:
    """Return the names of the inputs, in the order of `model.inputs`: keys where the model takes a dictionary."""
    return _names(_structure(model, "input"), [str(tensor.name) for tensor in model.inputs])


def output_names(model: keras.Model) -> list[str]:
    """Return the names of the outputs, in the order of `model.outputs`: keys, else the names of the output layers."""
    # A Sequential model has no `output_names`.
    layers = [str(name) for name in getattr(model, "output_names", [model.layers[-1].name])]
    return _names(_structure(model, "output"), layers)


def match_inputs(model: keras.Model, x: Nest) -> Nest:
    """Return the arrays in the nest that the model takes; where there are several, integers in their input's dtype.

    A last axis of 1 is added or left out where the input wants it, as in Keras' own `fit`: grey pictures (n, 28, 28)
    fit an input (28, 28, 1), and one number for each sample, (n,), fits an input (1,).

    Args:
        model: with declared inputs.
        x: an array, or a nest of arrays.

    Raises:
        DataError: there is no array for an input, or one too many; an input of integers gets fractions.
    """
    arrays = [_for_frameworks(array) for array in _in_order(x, input_names(model), "input")]
    if len(arrays) > 1:
        pairs = zip(arrays, model.inputs, strict=True)
        arrays = [_as_declared(array, str(tensor.name), str(tensor.dtype)) for array, tensor in pairs]
    arrays = [_fit_last_axis(array, tensor) for array, tensor in zip(arrays, model.inputs, strict=True)]
    return _with_tuples(pack(model, "input", arrays))


def match_targets(model: keras.Model, y: Nest) -> Nest:
    """Return the targets in the nest of the model's outputs; (n,) for an output (n, 1) becomes (n, 1).

    Keras' losses do the latter by themselves. Some of its metrics, and a user's function, would compare each target
    with every output.

    Raises:
        DataError: there is no array for an output, or one too many.
    """
    if has_written_losses(model) and len(arrays_of(y)) != len(model.outputs):
        return _with_tuples(map_arrays(_for_frameworks, y))  # the losses alone say what is compared with what
    arrays = zip(targets_in_order(model, y), model.outputs, strict=True)
    return _with_tuples(pack(model, "output", [_as_column(_for_frameworks(array), output) for array, output in arrays]))


def _fit_last_axis(array: Any, tensor: Any) -> Any:
    """Return an array of numbers; with, or without, a last axis of 1 if only then it fits the input."""
    received, expected = tuple(array.shape)[1:], tuple(tensor.shape)[1:]
    if array.dtype.kind not in "biuf" or shape_matches(expected, received):
        return array
    if shape_matches(expected, (*received, 1)):
        return _append_axis(array)
    if received[-1:] == (1,) and shape_matches(expected, received[:-1]):
        return map_rows(lambda rows: rows[..., 0], array)
    return array


def _as_column(targets: Any, output: Any) -> Any:
    """Return the targets with a last axis of 1 where the output has one beyond theirs."""
    if output.shape[-1] != 1 or targets.ndim != len(output.shape) - 1:
        return targets
    return _append_axis(targets)


def _append_axis(array: Any) -> Any:
    return map_rows(lambda rows: rows[..., None], array)


def targets_in_order(model: keras.Model, y: Nest) -> list[np.ndarray]:
    """Return the targets in the order of `model.outputs`.

    Raises:
        DataError: there is no array for an output, or one too many.
    """
    return _in_order(y, output_names(model), "output")


def pack(model: keras.Model, side: str, arrays: Sequence[Any]) -> Nest:
    """Pack one array per input (`side` "input") or per output ("output") into the nest of the model."""
    import keras

    structure = _structure(model, side)
    return arrays[0] if structure is None else keras.tree.pack_sequence_as(structure, list(arrays))


def tensors_of(batch: Nest) -> Any:
    """Return the nest with each array of numbers as a tensor of the backend.

    `fit` gives tensors to a model; under PyTorch `train_on_batch` gives what it gets, and a metric such as
    `lambda y, p: mean(y - p)` cannot subtract a tensor from an array.
    """
    import keras

    def tensor_of(array: Any) -> Any:
        return keras.ops.convert_to_tensor(array) if array.dtype.kind not in "OSU" else array

    return map_arrays(tensor_of, batch)


def by_name(names: Sequence[str], nest: Nest) -> Nest:
    """Return matched inputs, matched targets or outputs as a dictionary by name; a single array stays an array."""
    arrays = arrays_of(nest)
    return arrays[0] if len(names) == 1 else dict(zip(names, arrays, strict=True))


def _structure(model: keras.Model, side: str) -> Any:
    """Return the nest of symbolic inputs or outputs; None where there is one, which Keras takes as an array."""
    tensors = model.inputs if side == "input" else model.outputs
    return None if len(tensors) == 1 else getattr(model, side)


def _with_tuples(nest: Nest) -> Nest:
    """Return the nest with tuples for lists, which batches for TensorFlow must not hold."""
    if isinstance(nest, Mapping):
        return {key: _with_tuples(part) for key, part in nest.items()}
    return tuple(_with_tuples(part) for part in nest) if isinstance(nest, (tuple, list)) else nest


def _names(structure: Any, names: list[str]) -> list[str]:
    is_flat = isinstance(structure, Mapping) and not any(
        isinstance(part, (Mapping, tuple, list)) for part in structure.values()
    )
    return sorted(map(str, structure)) if is_flat else names


def _in_order(nest: Nest, names: Sequence[str], kind: str) -> list[np.ndarray]:
    """Return one array for each name."""
    plural = f"{len(names)} {kind}{'s' * (len(names) != 1)}"
    if isinstance(nest, Mapping) and set(names) <= set(nest):
        return [nest[name] for name in names]
    arrays = arrays_of(nest)
    if len(arrays) == 1 and len(names) == 1:
        return arrays
    if isinstance(nest, Mapping):
        missing = [name for name in names if name not in nest]
        raise DataError(
            f"the model has {plural} ({', '.join(names)}), the data have {', '.join(nest) or 'none'}: name an array "
            f"{missing[0]}{suggest(missing[0], list(nest))}"
        )
    if len(arrays) != len(names):
        received = "one array" if is_array(nest) else f"{len(arrays)} arrays"
        raise DataError(f"the model has {plural} ({', '.join(names)}) but {received} for them: give each one an array")
    return arrays


def _for_frameworks(array: Any) -> Any:
    """Return numbers in a dtype that every framework has: float64 for longer floats and for integers beyond 32 bits.

    PyTorch has no uint64, and JAX would wrap an integer of more than 32 bits without a word.
    """
    if isinstance(array, DeferredArray):
        is_narrow = array.dtype.itemsize < _WIDEST or array.dtype == np.float64
        return array if is_narrow else array.mapped(_for_frameworks)
    if array.dtype.kind == "f":
        return array.astype("float64") if array.dtype.itemsize > _WIDEST else array
    if array.dtype.kind not in "iu" or array.dtype.itemsize < _WIDEST or not array.size:
        return array
    limits = np.iinfo("int32")
    if limits.min <= array.min() and array.max() <= limits.max:
        return array.astype("int64", copy=False)
    return array.astype("float64")


def _as_declared(array: Any, name: str, dtype: str) -> Any:
    """Return integers in the dtype that an input declares, so that no backend casts them in its own way."""
    if isinstance(array, DeferredArray):
        return array.mapped(functools.partial(_as_declared, name=name, dtype=dtype))
    takes_integers = not dtype.startswith(("float", "bfloat", "complex"))
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and not takes_integers):
        return array
    cast = array.astype(dtype)
    if takes_integers and not np.array_equal(cast, array):
        raise DataError(f"the input {name} takes {dtype}, but its array holds values that are none ({array.dtype})")
    return cast
