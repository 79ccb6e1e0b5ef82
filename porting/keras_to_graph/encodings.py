"""Readers of the Keras layers that turn values into numbers of categories, and these into codes of zeros and ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.graph import ArrayReference, Spec
from .calls import LayerCall
from .reader import GraphReader, LayerReader, UnreadableError, specs_of
from .shared import Steps, expand_dims, single_input

_STRINGS = "works on strings, which JAX and PyTorch have no arrays of: prepare the data by it, outside of the model"
_HASHES = "hashes as TensorFlow alone does: prepare the data by it, outside of the model"


def _refusal(reason: str) -> LayerReader:
    def refuse(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
        raise UnreadableError(reason)

    return refuse


def _category_encoding(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    if layer.sparse or call.arguments.get("count_weights") is not None:
        raise UnreadableError("weights and sparse results are not covered")
    value = reader.cast(call, single_input(call), "int32")
    return [_encoded(reader, call, value, layer.output_mode, layer.num_tokens)]


def _discretization(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Count the boundaries that a value is not below: the number of its bin."""
    layer = call.operation
    if layer.sparse or not layer.bin_boundaries:
        raise UnreadableError("sparse results, and a layer that was not adapted, are not covered")
    value = reader.cast(call, single_input(call), "float32")
    boundaries = np.asarray(layer.bin_boundaries, "float32")
    reached = _compared(reader, call, "greater_equal", value, boundaries)
    bins = _total(reader, call, reached, "bin")
    return [_encoded(reader, call, bins, layer.output_mode, len(boundaries) + 1)]


def _integer_lookup(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Compare with every number of the vocabulary; where none is equal, the result is that of an unknown number."""
    layer = call.operation
    if layer.num_oov_indices != 1 or layer.invert or layer.sparse or layer.output_mode == "tf_idf":
        raise UnreadableError("num_oov_indices other than 1, invert, tf_idf and sparse results are not covered")
    names = list(layer.get_vocabulary(include_special_tokens=False))
    unknown = 0 if layer.mask_token is None else 1
    places = [unknown + 1 + place for place in range(len(names))]
    if layer.mask_token is not None:
        names, places = [layer.mask_token, *names], [0, *places]
    value = reader.cast(call, single_input(call), "int32")
    equal = _compared(reader, call, "equal", value, np.asarray(names, "int32"))
    distances = reader.constant(call, np.asarray(places, "float32") - unknown, "places")
    moved = Steps(reader, call)("multiply", equal, distances, role="moved")
    total = _total(reader, call, moved, "number", unknown)
    depth = layer.max_tokens if layer.pad_to_max_tokens else layer.vocabulary_size()
    return [_encoded(reader, call, total, layer.output_mode, int(depth))]


def _compared(
    reader: GraphReader, call: LayerCall, kind: str, value: ArrayReference, others: np.ndarray
) -> ArrayReference:
    """Return 1.0 or 0.0 for each value and each of some numbers, along a new last axis."""
    rank = reader.spec(value).rank
    column = expand_dims(reader, call, value, rank, "column")
    numbers = reader.constant(call, others, "numbers")
    shape = (*reader.spec(value).shape, len(others))
    (result,) = reader.add(call, kind, [column, numbers], role=kind, outputs=[Spec(shape, "bool")])
    return reader.cast(call, result, "float32", "counted")


def _total(reader: GraphReader, call: LayerCall, value: ArrayReference, role: str, first: int = 0) -> ArrayReference:
    """Return the sum over the last axis, from a first number on, as integers."""
    step, spec = Steps(reader, call), reader.spec(value)
    total = step("sum", value, shape=spec.shape[:-1], role=f"{role}_total", axis=(spec.rank - 1,), keepdims=False)
    if first:
        total = step("add", total, float(first), role=f"{role}_from")
    return reader.cast(call, total, "int32", role)


def _encoded(reader: GraphReader, call: LayerCall, value: ArrayReference, mode: str, depth: int) -> ArrayReference:
    """Return numbers of categories as a layer with this `output_mode` returns them."""
    (result,) = specs_of(call)
    if mode == "int":
        return reader.cast(call, value, result.dtype, "result")
    step, spec = Steps(reader, call), reader.spec(value)
    if mode == "one_hot" and spec.rank > 1 and spec.shape[-1] == 1:
        value = step.without(value, (spec.rank - 1,))
        spec = reader.spec(value)
    if mode != "one_hot" and spec.rank < 2:
        raise UnreadableError(f"output_mode {mode!r} of single numbers is not covered")
    codes = Spec((*spec.shape, depth), "float32")
    options: dict[str, Any] = {"num_classes": depth, "axis": spec.rank, "dtype": "float32"}
    (code,) = reader.add(call, "one_hot", [value], config=options, outputs=[codes])
    if mode in ("multi_hot", "count"):
        reduction, shape = "max" if mode == "multi_hot" else "sum", (*spec.shape[:-1], depth)
        code = step(reduction, code, shape=shape, role=mode, axis=(spec.rank - 1,), keepdims=False)
    return reader.cast(call, code, result.dtype, "result")


ENCODINGS: dict[str, LayerReader] = {
    "CategoryEncoding": _category_encoding,
    "Discretization": _discretization,
    "IntegerLookup": _integer_lookup,
    **dict.fromkeys(("StringLookup", "TextVectorization"), _refusal(_STRINGS)),
    **dict.fromkeys(("Hashing", "HashedCrossing"), _refusal(_HASHES)),
}
