"""The kinds of layers in a `Graph`: what each computes, its configuration, and its weights.

This is the contract between the reader of a Keras model and the writers of native source. A kind without a comment
computes the same as the function of that name in `keras.ops`, or as the Keras layer of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Weights that training updates without a gradient.
MOVING_STATISTICS = ("moving_mean", "moving_variance")
# Weights that were measured before training, or constants of the model.
MEASURED_CONSTANTS = ("mean", "variance", "value")
NEVER_TRAINED = (*MOVING_STATISTICS, *MEASURED_CONSTANTS)


@dataclass(frozen=True)
class LayerSchema:
    """The configuration and the weights of a kind of layer.

    Attributes:
        config: the names in `GraphNode.config`.
        weights: the names that may be in `GraphLayer.weights`.
    """

    config: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()


_CONVOLUTION = ("rank", "strides", "padding", "dilation")
_RECURRENT = ("units", "activation", "go_backwards", "return_sequences", "return_state", "dropout", "recurrent_dropout")
_KERNELS = ("kernel", "recurrent_kernel", "bias")
_AXIS = LayerSchema(("axis",))
_REDUCTION = LayerSchema(("axis", "keepdims"))
_PLAIN = LayerSchema()

_LAYERS = {
    # (…, in) → (…, units): kernel (in, units), bias (units,).
    "dense": LayerSchema(("units",), ("kernel", "bias")),
    # einsum(equation, x, kernel) + bias, which broadcasts.
    "einsum_dense": LayerSchema(("equation",), ("kernel", "bias")),
    # rank 1, 2 or 3; strides and dilation one number for each axis; padding "valid" or "same". "same" pads as
    # TensorFlow does: ceil(length / stride) outputs, the odd element at the end. kernel (*window, in / groups,
    # filters).
    "conv": LayerSchema((*_CONVOLUTION, "groups"), ("kernel", "bias")),
    # kernel (*window, in, multiplier); channel c gives the channels from c · multiplier on; bias (in · multiplier,).
    "depthwise_conv": LayerSchema(_CONVOLUTION, ("kernel", "bias")),
    # kernel (*window, filters, in); output_padding None or one number for each axis. `GraphNode.outputs` has the output
    # lengths: stride · length for "same"; stride · length + max(dilated window - stride, 0) for "valid" without
    # output_padding.
    "conv_transpose": LayerSchema((*_CONVOLUTION, "output_padding"), ("kernel", "bias")),
    # pool_size and strides one number for each axis; padding as in `conv`; an average leaves the padding out.
    "max_pool": LayerSchema(("rank", "pool_size", "strides", "padding")),
    "average_pool": LayerSchema(("rank", "pool_size", "strides", "padding")),
    # In training by the batch's mean and *biased* variance; moving = momentum · moving + (1 - momentum) · batch, also
    # with the biased variance. gamma and beta are absent where Keras does not scale or centre.
    "batch_normalization": LayerSchema(
        ("axis", "momentum", "epsilon"), ("gamma", "beta", "moving_mean", "moving_variance")
    ),
    # axis an ascending tuple; gamma and beta have the shape of those axes; the variance is biased.
    "layer_normalization": LayerSchema(("axis", "epsilon"), ("gamma", "beta")),
    # x / sqrt(mean(x²) + epsilon) · scale; axis and scale as in layer_normalization.
    "rms_normalization": LayerSchema(("axis", "epsilon"), ("scale",)),
    # Over each group of neighbouring channels (the last axis) and all axes between batch and channels.
    "group_normalization": LayerSchema(("groups", "epsilon"), ("gamma", "beta")),
    # x / sqrt(max(sum of x² over axis, 1e-12)); axis a tuple.
    "unit_normalization": _AXIS,
    # Integers (…) → (…, output_dim): embeddings (input_dim, output_dim).
    "embedding": LayerSchema(("input_dim", "output_dim"), ("embeddings",)),
    # Inputs: (batch, time, in); with masked a mask (batch, time), false at steps that change nothing and repeat the
    # last output; then all initial states (batch, units), or none for zeros. Outputs: (batch, time, units), or the
    # last step (batch, units) without return_sequences; then the final states with return_state.
    # go_backwards reads from the end and returns the sequence in the order of computation. Activations are names of
    # kinds. dropout is one mask per sample for all steps. Gates: input, forget, cell, output; kernel (in, 4 · units).
    "lstm": LayerSchema((*_RECURRENT, "masked", "recurrent_activation"), _KERNELS),
    # Gates: update, reset, new; bias (2, 3 · units) with reset_after, (3 · units,) without.
    "gru": LayerSchema((*_RECURRENT, "masked", "recurrent_activation", "reset_after"), _KERNELS),
    "simple_rnn": LayerSchema((*_RECURRENT, "masked"), _KERNELS),
    # The recurrence of a convolutional LSTM. Inputs: the gates of its inputs (batch, time, …, 4 · filters), and both
    # initial states (batch, …, filters) or none. A step adds to its gates the convolution of the hidden state, padded
    # as "same", and the bias; then it computes as `lstm` does. recurrent_kernel (*window, filters, 4 · filters).
    "conv_lstm": LayerSchema(
        ("activation", "recurrent_activation", "go_backwards", "return_sequences", "return_state"),
        ("recurrent_kernel", "bias"),
    ),
    # Only in training. noise_shape None, or a length for each axis, where None is the input's length; the values that
    # are not dropped are divided by 1 - rate.
    "dropout": LayerSchema(("rate", "noise_shape")),
    # Only in training. x + normal(0, stddev); x · normal(1, sqrt(rate / (1 - rate))).
    "gaussian_noise": LayerSchema(("stddev",)),
    "gaussian_dropout": LayerSchema(("rate",)),
    "alpha_dropout": LayerSchema(("rate",)),
    # x · scale + offset, each a number or a tuple for the last axis; the output is always float32.
    "rescaling": LayerSchema(("scale", "offset")),
    # (x - mean) / max(sqrt(variance), 1e-7), with weights of a shape that broadcasts; with invert the inverse:
    # x · max(sqrt(variance), 1e-7) + mean.
    "normalization": LayerSchema(("invert",), ("mean", "variance")),
    # alpha broadcasts: max(x, 0) + alpha · min(x, 0).
    "prelu": LayerSchema((), ("alpha",)),
    # Inputs: query (batch, T, …), value, key, and with masked a mask (batch, T, S), true where attention is allowed.
    # query_kernel, key_kernel (in, heads, key_dim), value_kernel (in, heads, value_dim), output_kernel (heads,
    # value_dim, out), with biases (heads, key_dim), …, (out,). key and value may have fewer heads (grouped-query
    # attention): head h uses key head h // (num_heads // num_key_value_heads). Scores are divided by sqrt(key_dim);
    # dropout applies to them. Outputs: the result, and with return_scores the scores (batch, heads, T, S) after
    # softmax. See `zeros_where_masked` for a query of which all keys are masked.
    "multi_head_attention": LayerSchema(
        (
            *("num_heads", "num_key_value_heads", "key_dim", "value_dim", "dropout"),
            *("masked", "causal", "return_scores"),
        ),
        tuple(f"{part}_{weight}" for part in ("query", "key", "value", "output") for weight in ("kernel", "bias")),
    ),
    # Inputs: query (batch, T, d), value (batch, S, d), key. score_mode "dot" (scale absent or a scalar) or "concat":
    # the scalar concat_score_weight times the sum over d of tanh(scale · (query + key)), scale a scalar or 1.
    # "additive" is the sum over d of scale · tanh(query + key), scale (d,). Outputs as in multi_head_attention, scores
    # (batch, T, S).
    "attention": LayerSchema(("score_mode", "dropout", "causal", "return_scores"), ("scale", "concat_score_weight")),
    # No inputs: a constant array in the model, and one that is trained.
    "constant": LayerSchema((), ("value",)),
    "parameter": LayerSchema((), ("weight",)),
}

_SHAPES = {
    # shape of all axes: None for the batch, at most one -1 for the remaining elements.
    "reshape": LayerSchema(("shape",)),
    "flatten": _PLAIN,  # (batch, everything)
    "transpose": LayerSchema(("axes",)),  # of all axes, including the batch
    "fold_time": _PLAIN,  # (batch, time, …) → (batch · time, …)
    "unfold_time": _PLAIN,  # the inverse; batch and time are the first two lengths of a second input
    "repeat_vector": LayerSchema(("n",)),  # (batch, d) → (batch, n, d)
    "pad": LayerSchema(("pad_width", "value")),  # (before, after) for each axis, including the batch; value a number
    "crop": LayerSchema(("cropping",)),  # (before, after) for each axis, including the batch
    # size one number for each axis between batch and channels; interpolation "nearest" or "bilinear" (half-pixel
    # centres, edges repeated), only of images.
    "up_sampling": LayerSchema(("rank", "size", "interpolation")),
    "resize": LayerSchema(
        ("height", "width", "interpolation")
    ),  # of images (batch, height, width, channels), as up_sampling
    "concatenate": _AXIS,
    "stack": _AXIS,
    "split": LayerSchema(("sections", "axis")),  # a number of equal parts, or cuts: (3, 5) gives [:3], [3:5], [5:]
    "expand_dims": _AXIS,  # a tuple
    "squeeze": _AXIS,  # a tuple
    "flip": _AXIS,  # a tuple
    "repeat": LayerSchema(("repeats", "axis")),  # every element that many times
    "tile": LayerSchema(("repeats",)),  # one number for each axis
    # shape None for the batch, which is the first length of a second input then.
    "broadcast_to": LayerSchema(("shape",)),
    "take": _AXIS,  # the elements of a first input along the axis (one number) at the places of a second: x[:, places]
    # As in x[…]: ints, None for a new axis, "..." and ("slice", start, stop, step).
    "get_item": LayerSchema(("index",)),
    "cast": LayerSchema(("dtype",)),
    "one_hot": LayerSchema(("num_classes", "axis", "dtype")),
}

# Two inputs, or any number for add, multiply, average, maximum and minimum; each may be a number.
_ELEMENTWISE = dict.fromkeys(
    (
        *("add", "subtract", "multiply", "divide", "average", "maximum", "minimum", "power", "floor_divide", "mod"),
        *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
        *("logical_and", "logical_or", "logical_not", "isnan", "where"),  # where: condition, then, otherwise
        *("abs", "negative", "sign", "square", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "reciprocal"),
        *("sin", "cos", "tan", "floor", "ceil", "round", "erf", "stop_gradient"),
        *("matmul", "zeros_like", "ones_like"),
    ),
    _PLAIN,
)

_REDUCTIONS = dict.fromkeys(
    ("mean", "sum", "max", "min", "prod", "var", "std", "any", "all"), _REDUCTION
)  # axis a tuple, ascending

_FUNCTIONS = {
    "argmax": _REDUCTION,  # axis one number; int32
    "argmin": _REDUCTION,
    "clip": LayerSchema(("minimum", "maximum")),
    "einsum": LayerSchema(("equation",)),
    "cumsum": _AXIS,
    # As the layers `conv` in one group, `depthwise_conv` and `conv_transpose`, of two inputs: an array and its kernel.
    "convolve": LayerSchema(_CONVOLUTION),
    "convolve_depthwise": LayerSchema(_CONVOLUTION),
    "convolve_transposed": LayerSchema((*_CONVOLUTION, "output_padding")),
    # Batched dot product over one axis of each input (axes: two numbers); normalize: L2-normalises both inputs first.
    "dot": LayerSchema(("axes", "normalize")),
}

_ACTIVATIONS = {
    # slope · (x - threshold) below threshold, x from there on, at most max_value (None or a number).
    "relu": LayerSchema(("negative_slope", "max_value", "threshold")),
    "leaky_relu": LayerSchema(("negative_slope",)),
    "elu": LayerSchema(("alpha",)),
    "celu": LayerSchema(("alpha",)),
    "gelu": LayerSchema(("approximate",)),
    "softmax": _AXIS,  # one number, or a tuple of axes that are normalised together
    "log_softmax": _AXIS,
    "glu": _AXIS,
    "threshold": LayerSchema(("threshold", "default_value")),  # x above the threshold, else default_value
    "hard_shrink": LayerSchema(("threshold",)),
    "soft_shrink": LayerSchema(("threshold",)),
    "squareplus": LayerSchema(("b",)),
    # hard_sigmoid is relu6(x + 3) / 6; hard_silu x · hard_sigmoid(x).
    **dict.fromkeys(
        (
            *("relu6", "selu", "sigmoid", "tanh", "silu", "mish", "softplus", "softsign", "log_sigmoid"),
            *("hard_sigmoid", "hard_silu", "hard_tanh", "tanh_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax"),
        ),
        _PLAIN,
    ),
}

KINDS: Mapping[str, LayerSchema] = {**_LAYERS, **_SHAPES, **_ELEMENTWISE, **_REDUCTIONS, **_FUNCTIONS, **_ACTIVATIONS}


def zeros_where_masked(config: Mapping[str, Any]) -> bool:
    """Return whether a query of which all keys are masked gets zeros, and not the mean of the values.

    Keras' `MultiHeadAttention` computes in two ways: by a softmax that knows the mask where it needs the scores, for
    dropout or for its caller; else by the fused attention of the backend.
    """
    return bool(config["masked"] and (config["dropout"] or config["return_scores"]))
