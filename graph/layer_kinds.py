"""The kinds of layers that a `Graph` is made of: what each computes, is configured by, and weighs.

This is the agreement between who reads a model and who writes one. A kind that stands here without a comment computes
what the function of that name in `keras.ops` or the layer of that name in Keras does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What belongs to a kind of layer.

    Attributes:
        config: names in `Node.config`.
        weights: names that may be in `Layer.weights`.
    """

    config: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()


_CONVOLUTION = ("rank", "strides", "padding", "dilation")
_RECURRENT = ("units", "activation", "go_backwards", "return_sequences", "return_state", "dropout", "recurrent_dropout")
_KERNELS = ("kernel", "recurrent_kernel", "bias")
_AXIS = Kind(("axis",))
_REDUCTION = Kind(("axis", "keepdims"))
_PLAIN = Kind()

_LAYERS = {
    # (…, in) → (…, units): kernel (in, units), bias (units,).
    "dense": Kind(("units",), ("kernel", "bias")),
    # einsum(equation, x, kernel) + bias, which broadcasts.
    "einsum_dense": Kind(("equation",), ("kernel", "bias")),
    # rank 1, 2 or 3; strides and dilation one number an axis; padding "valid" or "same", which pads as TensorFlow does:
    # so that ceil(length / stride) come out, the odd one at the end. kernel (*window, in / groups, filters).
    "conv": Kind((*_CONVOLUTION, "groups"), ("kernel", "bias")),
    # kernel (*window, in, multiplier); channel c becomes multiplier channels from c · multiplier on; bias (all,).
    "depthwise_conv": Kind(_CONVOLUTION, ("kernel", "bias")),
    # kernel (*window, filters, in); output_padding None or one number an axis. `Node.outputs` has the lengths that come
    # out: stride · length for "same", stride · length + max(dilated window - stride, 0) for "valid" without
    # output_padding.
    "conv_transpose": Kind((*_CONVOLUTION, "output_padding"), ("kernel", "bias")),
    # pool_size and strides one number an axis; padding as in `conv`; an average is over what is no padding.
    "max_pool": Kind(("rank", "pool_size", "strides", "padding")),
    "average_pool": Kind(("rank", "pool_size", "strides", "padding")),
    # In training over the batch's mean and *biased* variance, and moving = momentum · moving + (1 - momentum) · batch's
    # (the variance that is moved is biased too). gamma, beta absent where Keras does not scale or centre.
    "batch_normalization": Kind(("axis", "momentum", "epsilon"), ("gamma", "beta", "moving_mean", "moving_variance")),
    # axis a tuple, ascending; gamma and beta have the shape of those axes; variance biased.
    "layer_normalization": Kind(("axis", "epsilon"), ("gamma", "beta")),
    # x / sqrt(mean(x²) + epsilon) · scale; axis and scale as in layer_normalization.
    "rms_normalization": Kind(("axis", "epsilon"), ("scale",)),
    # Over each group of neighbouring channels (the last axis), and all axes between the batch and them.
    "group_normalization": Kind(("groups", "epsilon"), ("gamma", "beta")),
    # x / sqrt(max(sum of x² over axis, 1e-12)); axis a tuple.
    "unit_normalization": _AXIS,
    # Integers (…) → (…, output_dim): embeddings (input_dim, output_dim).
    "embedding": Kind(("input_dim", "output_dim"), ("embeddings",)),
    # Inputs (batch, time, in), then as many initial states (batch, units) as the layer has, or none for zeros. Outputs:
    # (batch, time, units) or, without return_sequences, the last (batch, units); with return_state the states after it.
    # go_backwards reads from the end, and gives the sequence in the order it was computed. Activations are kinds.
    # dropout is one mask a sample for all steps. Gates: input, forget, cell, output; kernel (in, 4 · units).
    "lstm": Kind((*_RECURRENT, "recurrent_activation"), _KERNELS),
    # Gates: update, reset, new; bias (2, 3 · units) with reset_after, (3 · units,) without.
    "gru": Kind((*_RECURRENT, "recurrent_activation", "reset_after"), _KERNELS),
    "simple_rnn": Kind(_RECURRENT, _KERNELS),
    # Only in training. noise_shape None, or a length for each axis, None meaning that of the input; kept values are
    # divided by 1 - rate.
    "dropout": Kind(("rate", "noise_shape")),
    # Only in training. x + normal(0, stddev); x · normal(1, sqrt(rate / (1 - rate))).
    "gaussian_noise": Kind(("stddev",)),
    "gaussian_dropout": Kind(("rate",)),
    # x · scale + offset, both a number or a tuple for the last axis; the output is float32 whatever comes in.
    "rescaling": Kind(("scale", "offset")),
    # (x - mean) / max(sqrt(variance), 1e-7), weights already in a shape that broadcasts; inverted the other way round:
    # x · max(sqrt(variance), 1e-7) + mean.
    "normalization": Kind(("invert",), ("mean", "variance")),
    # alpha broadcasts: max(x, 0) + alpha · min(x, 0).
    "prelu": Kind((), ("alpha",)),
    # Inputs query (batch, T, …), value, key, and a mask (batch, T, S), true where to look, when masked is true. Each of
    # query_kernel, key_kernel (in, heads, key_dim), value_kernel (in, heads, value_dim), output_kernel (heads,
    # value_dim, out), with biases (heads, key_dim), …, (out,). key and value may have fewer heads (grouped queries):
    # head h then looks with key head h // (num_heads // num_key_value_heads). scores / sqrt(key_dim); dropout on them.
    # Outputs: the result, and with return_scores the scores (batch, heads, T, S) after softmax.
    "multi_head_attention": Kind(
        (
            *("num_heads", "num_key_value_heads", "key_dim", "value_dim", "dropout"),
            *("masked", "causal", "return_scores"),
        ),
        tuple(f"{part}_{weight}" for part in ("query", "key", "value", "output") for weight in ("kernel", "bias")),
    ),
    # Inputs query (batch, T, d), value (batch, S, d), key. score_mode "dot" (scale absent or a number ()) or "concat"
    # (concat_score_weight (), scale or 1): sum over d of tanh(scale · (query + key)). Additive attention is "additive":
    # the same with scale (d,). Outputs as in multi_head_attention, the scores (batch, T, S).
    "attention": Kind(("score_mode", "dropout", "causal", "return_scores"), ("scale", "concat_score_weight")),
    # No inputs: an array that somebody wrote into the model.
    "constant": Kind((), ("value",)),
}

_SHAPES = {
    # shape of all axes: None for the batch's own length, at most one -1 for what is left.
    "reshape": Kind(("shape",)),
    "flatten": _PLAIN,  # (batch, everything)
    "transpose": Kind(("axes",)),  # all axes, the batch among them
    "fold_time": _PLAIN,  # (batch, time, …) → (batch · time, …)
    "unfold_time": _PLAIN,  # back; a second input is the array whose first two axes are the lengths
    "repeat_vector": Kind(("n",)),  # (batch, d) → (batch, n, d)
    "pad": Kind(("pad_width", "value")),  # (before, after) an axis, the batch among them; value a number
    "crop": Kind(("cropping",)),  # (before, after) an axis, the batch among them
    # size one number for each axis between batch and channels; interpolation "nearest" or "bilinear" (half-pixel
    # centres, edges repeated), only of images.
    "up_sampling": Kind(("rank", "size", "interpolation")),
    "resize": Kind(("height", "width", "interpolation")),  # of images (batch, height, width, channels), as up_sampling
    "concatenate": _AXIS,
    "stack": _AXIS,
    "split": Kind(("sections", "axis")),  # a number of equal parts, or where to cut: (3, 5) gives [:3], [3:5], [5:]
    "expand_dims": _AXIS,  # a tuple
    "squeeze": _AXIS,  # a tuple
    "flip": _AXIS,  # a tuple
    "repeat": Kind(("repeats", "axis")),  # each element so many times
    "tile": Kind(("repeats",)),  # a number an axis
    "broadcast_to": Kind(("shape",)),
    # An entry an axis, as in x[…]: an int, None for a new axis, "..." or ("slice", start, stop, step).
    "get_item": Kind(("index",)),
    "cast": Kind(("dtype",)),
    "one_hot": Kind(("num_classes", "axis", "dtype")),
}

# Of two inputs, or of as many as there are for add, multiply, average, maximum and minimum; any may be a number.
_ELEMENTWISE = dict.fromkeys(
    (
        *("add", "subtract", "multiply", "divide", "average", "maximum", "minimum", "power", "floor_divide", "mod"),
        *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
        *("logical_and", "logical_or", "logical_not", "where"),  # where: condition, then, otherwise
        *("abs", "negative", "sign", "square", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "reciprocal"),
        *("sin", "cos", "tan", "floor", "ceil", "round", "erf", "stop_gradient"),
        *("matmul", "zeros_like", "ones_like"),
    ),
    _PLAIN,
)

_REDUCTIONS = dict.fromkeys(("mean", "sum", "max", "min", "prod", "var", "std"), _REDUCTION)  # axis a tuple, ascending

_FUNCTIONS = {
    "argmax": _REDUCTION,  # axis one number; int32
    "argmin": _REDUCTION,
    "clip": Kind(("minimum", "maximum")),
    "einsum": Kind(("equation",)),
    "cumsum": _AXIS,
    # Sum of products over one axis of each (axes: two numbers), batch by batch; normalize: each of length 1 before.
    "dot": Kind(("axes", "normalize")),
}

_ACTIVATIONS = {
    # max_value None or a number: slope · (x - threshold) below threshold, x from there on, never above max_value.
    "relu": Kind(("negative_slope", "max_value", "threshold")),
    "leaky_relu": Kind(("negative_slope",)),
    "elu": Kind(("alpha",)),
    "celu": Kind(("alpha",)),
    "gelu": Kind(("approximate",)),
    "softmax": _AXIS,  # one number, or a tuple for over all of these together
    "log_softmax": _AXIS,
    "glu": _AXIS,
    "threshold": Kind(("threshold", "default_value")),  # x where above threshold, else default_value
    "hard_shrink": Kind(("threshold",)),
    "soft_shrink": Kind(("threshold",)),
    "squareplus": Kind(("b",)),
    # hard_sigmoid is relu6(x + 3) / 6; hard_silu x · hard_sigmoid(x).
    **dict.fromkeys(
        (
            *("relu6", "selu", "sigmoid", "tanh", "silu", "mish", "softplus", "softsign", "log_sigmoid"),
            *("hard_sigmoid", "hard_silu", "hard_tanh", "tanh_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax"),
        ),
        _PLAIN,
    ),
}

KINDS: Mapping[str, Kind] = {**_LAYERS, **_SHAPES, **_ELEMENTWISE, **_REDUCTIONS, **_FUNCTIONS, **_ACTIVATIONS}
