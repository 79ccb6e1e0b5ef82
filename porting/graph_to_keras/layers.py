"""Nodes with weights as Keras layers: products, convolutions, embeddings; and attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import (
    ALONE,
    Builder,
    Handler,
    OrderedTensor,
    UnsupportedNodeError,
    channels_last,
    identity_order,
    move_to_end,
)
from .constant_folding import UniformArray
from .foreign_graph import ForeignNode, Weight
from .normalizations import NORMALIZATIONS
from .pooling import zero_padded
from .stuffing import with_zeros_between
from .windows import Pairs, is_same, padding_pairs

_CONV = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
_DEPTHWISE = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}
_TRANSPOSED = {1: keras.layers.Conv1DTranspose, 2: keras.layers.Conv2DTranspose, 3: keras.layers.Conv3DTranspose}
_CROPPING = {1: keras.layers.Cropping1D, 2: keras.layers.Cropping2D, 3: keras.layers.Cropping3D}


# --- products -------------------------------------------------------------------------------------------------------


def _linear(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    return [_dense(builder, node, transpose=True)]


def _affine(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    return [_dense(builder, node, transpose=False)]


def _dense(builder: Builder, node: ForeignNode, *, transpose: bool) -> OrderedTensor:
    """Return the output of a Dense layer. For a flattened array, the kernel's rows follow the order of its features.

    Args:
        transpose: whether the weight is (out, in) and must be transposed.
    """
    x = builder.model_tensor(node.inputs[0])
    weight, bias = builder.array(node.inputs[1]), builder.array(node.inputs[2]) if len(node.inputs) > 2 else None
    assert weight is not None
    kernel = weight.T if transpose else weight
    order = move_to_end(x.order, [x.rank - 1])
    if x.features is not None:
        kernel, tensor = kernel[x.features], x.tensor
    else:
        tensor = builder.in_order(x, order)
    weights = [(node.inputs[1], kernel)]
    if bias is not None:
        weights.append((node.inputs[2], bias.reshape(-1)))
    dense = builder.layer(keras.layers.Dense, tensor, weights, units=int(kernel.shape[1]), use_bias=bias is not None)
    return OrderedTensor(dense, order)


def _einsum_dense(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """A product with a weight of any number of axes; the axes of the input stay in their order."""
    x, (letters, kernel_letters, output_letters) = builder.with_file_features(node), node.attributes["terms"]
    weight = builder.array(node.inputs[1])
    assert weight is not None
    term = "".join(letters[axis] for axis in x.order)
    if term[0] not in output_letters:
        raise UnsupportedNodeError("it sums over the samples of a batch")
    output = term[0] + output_letters.replace(term[0], "")
    lengths = {**dict(zip(term, x.tensor.shape, strict=True)), **dict(zip(kernel_letters, weight.shape, strict=True))}
    bias = builder.array(node.inputs[2])
    dense = builder.layer(
        keras.layers.EinsumDense,
        x.tensor,
        builder.arrays(node.inputs[1:]),
        equation=f"{term},{kernel_letters}->{output}",
        output_shape=tuple(lengths[letter] for letter in output[1:]),
        bias_axes=None if bias is None else output_letters[-bias.ndim :],
    )
    return [OrderedTensor(dense, tuple(output_letters.index(letter) for letter in output))]


def _matmul(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """A product with a matrix of weights becomes a Dense layer; a product of two tensors remains one."""
    other = builder.operand(node.inputs[1])
    alone = builder.weights_alone(node)
    if alone and getattr(builder.array(node.inputs[1]), "ndim", 0) == 1:
        raise UnsupportedNodeError(f"it {ALONE.format(', '.join(alone))}")
    if isinstance(other, Weight) and other.trainable and other.value.ndim == 2:
        return _affine(builder, node)
    one, two = (_factor(builder, each) for each in node.inputs)
    rank = max(each.rank if isinstance(each, OrderedTensor) else each.ndim for each in (one, two))
    arrays = [builder.in_file_order(each) if isinstance(each, OrderedTensor) else each for each in (one, two)]
    return [OrderedTensor(keras.ops.matmul(*arrays), identity_order(rank))]


def _factor(builder: Builder, value: Any) -> OrderedTensor | np.ndarray:
    operand = builder.operand(value)
    if isinstance(operand, Weight) and operand.trains_standalone:
        return builder.parameter(operand, max(operand.value.ndim, 3))
    return (
        operand
        if isinstance(operand, OrderedTensor)
        else np.asarray(operand.value if isinstance(operand, Weight) else operand)
    )


# --- convolutions ---------------------------------------------------------------------------------------------------


def _conv(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, attributes = builder.model_tensor(node.inputs[0]), node.attributes
    weight, bias = builder.array(node.inputs[1]), builder.array(node.inputs[2])
    assert weight is not None
    rank = weight.ndim - 2
    if x.rank != rank + 2:
        raise UnsupportedNodeError(f"its input has {x.rank} axes: add one for the batch")
    spans = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], attributes["dilation"], strict=True)]
    tensor, padding = _pad(builder, x, attributes["padding"], spans, attributes["strides"])
    config = {
        "strides": _ints(attributes["strides"]),
        "dilation_rate": _ints(attributes["dilation"]),
        "padding": padding,
        "use_bias": bias is not None,
    }
    biases = [] if bias is None else [(node.inputs[2], bias)]
    convolved = _convolve(builder, tensor, node, weight, biases, config)
    return [OrderedTensor(convolved, channels_last(x.rank))]


def _convolve(
    builder: Builder, tensor: Any, node: ForeignNode, weight: np.ndarray, biases: list[Any], config: dict[str, Any]
) -> Any:
    """Return the output of the convolution: depthwise if each channel is a group and Keras has a layer for it."""
    groups, rank, channels = int(node.attributes["groups"]), weight.ndim - 2, tensor.shape[-1]
    kernel_size = tuple(int(size) for size in weight.shape[2:])
    kernel = np.moveaxis(weight, (0, 1), (-1, -2))
    same_strides = len(set(config["strides"])) == 1
    if groups == channels and groups > 1 and rank in _DEPTHWISE and same_strides:
        multiplier = weight.shape[0] // groups
        kernel = kernel[..., 0, :].reshape(*kernel_size, groups, multiplier)
        config = {**config, "depth_multiplier": multiplier, "kernel_size": kernel_size}
        return builder.layer(_DEPTHWISE[rank], tensor, [(node.inputs[1], kernel), *biases], **config)
    return builder.layer(
        _CONV[rank],
        tensor,
        [(node.inputs[1], kernel), *biases],
        filters=int(weight.shape[0]),
        kernel_size=kernel_size,
        groups=groups,
        **config,
    )


def _pad(
    builder: Builder, x: OrderedTensor, padding: Any, spans: Sequence[int], strides: Sequence[int]
) -> tuple[Any, str]:
    """Return the tensor with channels last, padded if Keras cannot pad so itself, and the layer's `padding`."""
    tensor = builder.with_channels_last(x)
    lengths = tensor.shape[1:-1]
    pairs = padding_pairs(padding, lengths, spans, strides)
    if pairs is None or is_same(pairs, lengths, spans, strides):
        return tensor, "same"
    if any(before or after for before, after in pairs):
        tensor = zero_padded(tensor, pairs)
    return tensor, "valid"


def _conv_transpose(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Compute a transposed convolution of full length, and crop it by the file's padding."""
    x, attributes = builder.model_tensor(node.inputs[0]), node.attributes
    weight, bias = builder.array(node.inputs[1]), builder.array(node.inputs[2])
    assert weight is not None
    rank, strides, dilation = weight.ndim - 2, attributes["strides"], _ints(attributes["dilation"])
    if attributes["groups"] != 1:
        return [_grouped_conv_transpose(builder, node, x, weight, bias)]
    if max(dilation) > 1 and max(strides) > 1:
        raise UnsupportedNodeError("a transposed convolution with both dilation and strides is not covered")
    weights = [(node.inputs[1], np.moveaxis(weight, (0, 1), (-1, -2)))]
    weights += [] if bias is None else [(node.inputs[2], bias)]
    convolved = builder.layer(
        _TRANSPOSED[rank],
        builder.with_channels_last(x),
        weights,
        filters=int(weight.shape[1]),
        kernel_size=tuple(int(size) for size in weight.shape[2:]),
        strides=_ints(strides),
        dilation_rate=dilation,
        padding="valid",
        use_bias=bias is not None,
    )
    spans = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation, strict=True)]
    crop = _cropping(attributes, spans, strides)
    if any(before or after for before, after in crop):
        convolved = _CROPPING[rank](crop if rank > 1 else crop[0])(convolved)
    return [OrderedTensor(convolved, channels_last(x.rank))]


def _grouped_conv_transpose(
    builder: Builder, node: ForeignNode, x: OrderedTensor, weight: np.ndarray, bias: np.ndarray | None
) -> OrderedTensor:
    """Compute a transposed convolution in groups as the convolution of the input with zeros between its values."""
    attributes, groups = node.attributes, int(node.attributes["groups"])
    strides, dilation = _ints(attributes["strides"]), _ints(attributes["dilation"])
    tensor, widths = builder.with_channels_last(x), []
    for size, step, spread, (before, after), more in zip(
        *(weight.shape[2:], strides, dilation, attributes["padding"], attributes["output_padding"]), strict=True
    ):
        reach = (size - 1) * spread
        # The zeros after the last value of the input, which `with_zeros_between` adds, are a part of the padding.
        widths.append((reach - int(before), reach - int(after) + int(more) - (step - 1)))
    tensor = with_zeros_between(tensor, strides, widths)
    parts = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    outputs, within, *sizes = parts.shape[1:]
    kernel = np.flip(parts, tuple(range(3, parts.ndim))).reshape(groups * outputs, within, *sizes)
    biases = [] if bias is None else [(node.inputs[2], bias)]
    config = {"strides": (1,) * len(strides), "dilation_rate": dilation, "padding": "valid", "use_bias": bool(biases)}
    return OrderedTensor(_convolve(builder, tensor, node, kernel, biases, config), channels_last(x.rank))


def _cropping(attributes: Any, spans: Sequence[int], strides: Sequence[int]) -> Pairs:
    """Return how much to crop at either end of each axis."""
    crop = []
    for (before, after), more, span, step in zip(
        attributes["padding"], attributes["output_padding"], spans, strides, strict=True
    ):
        # Keras' output always covers the strides: it ends with zeros where the window is shorter.
        end = max(step - span, 0) + after - more
        if end < 0:
            raise UnsupportedNodeError("its output padding is larger than its padding")
        crop.append((int(before), int(end)))
    return tuple(crop)


def _ints(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


# --- embedding, dropout -----------------------------------------------------------------------------------------------


def _embedding(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    table, places = builder.array(node.inputs[0]), builder.model_tensor(node.inputs[1])
    assert table is not None
    tensor = builder.in_file_order(places)
    if int(node.attributes.get("padding", -1)) >= 0 and builder.trains(node.inputs[0]):
        builder.note_training(f"{node.outputs[0]}: Keras trains the row of `padding_idx` too")
    layer = builder.layer(
        keras.layers.Embedding,
        tensor,
        [(node.inputs[0], table)],
        input_dim=int(table.shape[0]),
        output_dim=int(table.shape[1]),
    )
    return [OrderedTensor(layer, identity_order(places.rank + 1))]


def _parameter(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """A weight that several operations share, as an array of the model."""
    weight = builder.operand(node.inputs[0])
    assert isinstance(weight, Weight)
    return [builder.free_parameter(weight)]


def _lookup(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Rows of an array without a batch axis, whose numbers the model computes."""
    table, places = (builder.in_file_order(builder.model_tensor(each)) for each in node.inputs)
    rows = keras.ops.take(table, places, axis=0)
    return [OrderedTensor(rows, identity_order(len(rows.shape)))]


def _dropout(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, rate = builder.model_tensor(node.inputs[0]), float(node.attributes["rate"])
    if not rate:
        return [x]
    kind = keras.layers.AlphaDropout if node.attributes.get("alpha") else keras.layers.Dropout
    # PyTorch draws once for each feature of a sample, the file's first two axes.
    drawn = [None if axis < 2 else 1 for axis in x.order] if node.attributes.get("by_feature") else None
    return [OrderedTensor(kind(rate, noise_shape=drawn)(x.tensor), x.order, x.features)]


# --- attention ------------------------------------------------------------------------------------------------------


def _attention(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Compute softmax(query · keyᵀ · scale + mask) · value over the last two axes."""
    query, key, value = (builder.model_tensor(each) for each in node.inputs[:3])
    if node.attributes.get("grouped"):
        key, value = (_repeated_heads(builder, each, query) for each in (key, value))
    mask = builder.operand(node.inputs[3]) if len(node.inputs) > 3 else None
    rank, scale = query.rank, node.attributes["scale"]
    width = query.shape[-1]
    if scale is None and width is None:
        raise UnsupportedNodeError("its width is not known in advance")
    factor = float(scale) if scale is not None else 1 / math.sqrt(int(width or 1))
    transposed_key = builder.in_order(key, (*range(rank - 2), rank - 1, rank - 2))
    scores = keras.ops.matmul(keras.ops.multiply(builder.in_file_order(query), factor), transposed_key)
    if node.attributes["causal"]:
        mask = _causal(query.shape[-2], key.shape[-2])
    if mask is not None:
        scores = _apply_mask(builder, scores, mask)
    weights = keras.ops.softmax(scores, axis=-1)
    return [OrderedTensor(keras.ops.matmul(weights, builder.in_file_order(value)), identity_order(rank))]


def _repeated_heads(builder: Builder, x: OrderedTensor, query: OrderedTensor) -> OrderedTensor:
    """Repeat the heads of keys or values, each of which several heads of the query share."""
    axis = x.rank - 3
    heads, wanted = x.shape[axis], query.shape[axis]
    if heads is None or wanted is None or wanted % heads:
        raise UnsupportedNodeError("its numbers of heads are not known in advance, or do not divide")
    repeated = keras.ops.repeat(builder.in_file_order(x), wanted // heads, axis=axis)
    return OrderedTensor(repeated, identity_order(x.rank))


def _causal(queries: int | None, keys: int | None) -> np.ndarray:
    if queries is None or keys is None:
        raise UnsupportedNodeError("its causal mask needs a length that is not known in advance")
    return np.tril(np.ones((queries, keys), bool))


def _apply_mask(builder: Builder, scores: Any, mask: Any) -> Any:
    """Apply a mask to the scores: a boolean mask, true where to attend, or numbers to add.

    The same number everywhere changes nothing, except a mask that forbids everything.
    """
    if isinstance(mask, UniformArray):
        if mask.value is False or not np.isfinite(mask.value):
            raise UnsupportedNodeError("its mask is false everywhere")
        return scores
    mask_value = (
        builder.in_file_order(mask)
        if isinstance(mask, OrderedTensor)
        else np.asarray(mask.value if isinstance(mask, Weight) else mask)
    )
    if str(mask_value.dtype) == "bool":
        return keras.ops.where(mask_value, scores, float(np.finfo("float32").min))
    return keras.ops.add(scores, mask_value)


LAYERS: dict[str, Handler] = {
    **NORMALIZATIONS,
    "linear": _linear,
    "affine": _affine,
    "einsum_dense": _einsum_dense,
    "matmul": _matmul,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "embedding": _embedding,
    "parameter": _parameter,
    "lookup": _lookup,
    "dropout": _dropout,
    "attention": _attention,
}
