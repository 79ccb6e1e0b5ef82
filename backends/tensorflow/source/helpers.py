"""Functions that a written module contains when it uses them, and the functions that they call."""

from __future__ import annotations

from .recurrent_helpers import RECURRENT_HELPERS

# The helpers that a helper calls.
NEEDS = {
    "group_norm": ("affine",),
    "layer_norm": ("affine",),
    "recurrent_dropout_mask": ("dropout",),
    "conv_lstm": ("conv", "with_bias"),
    "multi_head_attention": ("dropout",),
    "attention": ("dropout",),
    "conv": ("with_bias",),
    "depthwise_conv": ("with_bias",),
    "conv_transpose": ("with_bias",),
    "dense": ("with_bias",),
    "einsum_dense": ("with_bias",),
}

HELPERS = {
    "frozen": '''
def frozen(p: Weights) -> Weights:
    """Return weights that gradients do not reach."""
    return {name: tf.stop_gradient(value) for name, value in p.items()}
''',
    "with_bias": '''
def with_bias(p: Weights, x: tf.Tensor) -> tf.Tensor:
    """Add the bias, if there is one."""
    return x + p["bias"] if "bias" in p else x
''',
    "dense": '''
def dense(p: Weights, x: tf.Tensor) -> tf.Tensor:
    """Apply a dense layer: (…, in) to (…, units)."""
    return with_bias(p, tf.tensordot(x, p["kernel"], 1))
''',
    "einsum_dense": '''
def einsum_dense(p: Weights, x: tf.Tensor, equation: str) -> tf.Tensor:
    """Multiply by a kernel as the einsum equation says, and add the bias."""
    return with_bias(p, tf.einsum(equation, x, p["kernel"]))
''',
    "conv": '''
def conv(
    p: Weights,
    x: tf.Tensor,
    *,
    padding: str,
    strides: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
    groups: int = 1,
) -> tf.Tensor:
    """Convolve over the axes between batch and channels."""
    # Group by group, because TensorFlow has no grouped convolution on a CPU.
    parts = zip(
        tf.split(x, groups, axis=-1),
        tf.split(p["kernel"], groups, axis=-1),
        strict=True,
    )
    results = [
        tf.nn.convolution(part, kernel, strides, padding, dilations=dilation)
        for part, kernel in parts
    ]
    return with_bias(p, results[0] if groups == 1 else tf.concat(results, axis=-1))
''',
    "depthwise_conv": '''
def depthwise_conv(
    p: Weights,
    x: tf.Tensor,
    *,
    padding: str,
    strides: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> tf.Tensor:
    """Convolve each channel by itself."""
    kernel, rank = p["kernel"], p["kernel"].shape.rank - 2
    strides, dilation = strides or (1,) * rank, dilation or (1,) * rank
    if rank == 1:
        x, kernel = x[:, None], kernel[None]
        strides, dilation = strides * 2, (1, *dilation)
    y = tf.nn.depthwise_conv2d(x, kernel, (1, *strides, 1), padding, dilations=dilation)
    return with_bias(p, y[:, 0] if rank == 1 else y)
''',
    "conv_transpose": '''
def conv_transpose(
    p: Weights,
    x: tf.Tensor,
    *,
    padding: tuple[tuple[int, int], ...],
    strides: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> tf.Tensor:
    """Apply a transposed convolution; its kernel is (…, filters, in).

    Args:
        padding: before and after each axis, for the equivalent convolution of the
            dilated input; the window's span - 1 keeps the full result.
    """
    kernel, rank = p["kernel"], len(padding)
    strides, dilation = strides or (1,) * rank, dilation or (1,) * rank
    spans = [
        (size - 1) * step + 1
        for size, step in zip(kernel.shape[:rank], dilation, strict=True)
    ]
    lengths = (tf.shape(x)[1:-1] - 1) * strides + spans
    shape = tf.concat([tf.shape(x)[:1], lengths, kernel.shape[-2:-1]], 0)
    y = tf.nn.conv_transpose(x, kernel, shape, strides, "VALID", dilations=dilation)
    cuts, sides = [slice(None)], [(0, 0)]
    for span, (before, after) in zip(spans, padding, strict=True):
        before, after = before - span + 1, after - span + 1
        cuts.append(slice(max(-before, 0), min(after, 0) or None))
        sides.append((max(before, 0), max(after, 0)))
    return with_bias(p, tf.pad(y[tuple(cuts)], [*sides, (0, 0)]))
''',
    "max_pool": '''
def max_pool(
    x: tf.Tensor,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str = "VALID",
) -> tf.Tensor:
    """Return the maximum of each window."""
    return tf.nn.max_pool(x, window, strides, padding)
''',
    "average_pool": '''
def average_pool(
    x: tf.Tensor,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str = "VALID",
) -> tf.Tensor:
    """Return the mean of each window, without the padding."""
    return tf.nn.avg_pool(x, window, strides, padding)
''',
    "batch_norm": '''
def batch_norm(
    p: Weights,
    x: tf.Tensor,
    training: bool,
    *,
    axis: int,
    momentum: float,
    epsilon: float,
) -> tf.Tensor:
    """Normalise by moving statistics; in training by the batch's, updating them."""
    shape = [-1 if i == axis else 1 for i in range(x.shape.rank)]
    mean, variance = p["moving_mean"], p["moving_variance"]
    if training:
        batch_mean, batch_variance = tf.nn.moments(
            x, [i for i in range(x.shape.rank) if i != axis]
        )
        mean.assign(momentum * mean + (1 - momentum) * batch_mean)
        variance.assign(momentum * variance + (1 - momentum) * batch_variance)
        mean, variance = batch_mean, batch_variance
    scale = tf.math.rsqrt(variance + epsilon) * p.get("gamma", 1.0)
    y = (x - tf.reshape(mean, shape)) * tf.reshape(scale, shape)
    return y + tf.reshape(p["beta"], shape) if "beta" in p else y
''',
    "affine": '''
def affine(p: Weights, x: tf.Tensor, axes: tuple[int, ...]) -> tf.Tensor:
    """Multiply by gamma and add beta along the given axes."""
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.shape.rank)]
    x = x * tf.reshape(p["gamma"], shape) if "gamma" in p else x
    return x + tf.reshape(p["beta"], shape) if "beta" in p else x
''',
    "layer_norm": '''
def layer_norm(
    p: Weights, x: tf.Tensor, *, axes: tuple[int, ...], epsilon: float
) -> tf.Tensor:
    """Normalise each sample to mean 0 and variance 1 over the given axes."""
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return affine(p, (x - mean) * tf.math.rsqrt(variance + epsilon), axes)
''',
    "rms_norm": '''
def rms_norm(
    p: Weights, x: tf.Tensor, *, axes: tuple[int, ...], epsilon: float
) -> tf.Tensor:
    """Normalise each sample to mean square 1 over the given axes."""
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.shape.rank)]
    squares = tf.reduce_mean(tf.square(x), axes, keepdims=True)
    return x * tf.math.rsqrt(squares + epsilon) * tf.reshape(p["scale"], shape)
''',
    "group_norm": '''
def group_norm(p: Weights, x: tf.Tensor, *, groups: int, epsilon: float) -> tf.Tensor:
    """Normalise each group of a sample's channels to mean 0 and variance 1."""
    rank, channels = x.shape.rank, x.shape[-1]
    apart = tf.concat([tf.shape(x)[:-1], [groups, channels // groups]], 0)
    grouped = tf.reshape(x, apart)
    axes = [*range(1, rank - 1), rank]
    mean, variance = tf.nn.moments(grouped, axes, keepdims=True)
    y = (grouped - mean) * tf.math.rsqrt(variance + epsilon)
    y = tf.ensure_shape(tf.reshape(y, tf.shape(x)), x.shape)
    return affine(p, y, (rank - 1,))
''',
    "dropout": '''
def dropout(x: tf.Tensor, rate: float, *, shared: tuple[int, ...] = ()) -> tf.Tensor:
    """Set values to zero with probability `rate`, and divide the others by 1 - rate.

    Args:
        shared: axes along which all values are dropped or kept together.
    """
    rank = x.shape.rank
    shape = [1 if axis in shared else tf.shape(x)[axis] for axis in range(rank)]
    return tf.nn.dropout(x, rate, noise_shape=shape)
''',
    "recurrent_dropout_mask": '''
def recurrent_dropout_mask(x: tf.Tensor, units: int, rate: float) -> tf.Tensor:
    """Return a dropout mask for recurrent states, the same at all steps."""
    return dropout(tf.ones((tf.shape(x)[0], units)), rate)
''',
    "gaussian_noise": '''
def gaussian_noise(x: tf.Tensor, stddev: float) -> tf.Tensor:
    """Add normal noise."""
    return x + tf.random.normal(tf.shape(x), 0.0, stddev)
''',
    "gaussian_dropout": '''
def gaussian_dropout(x: tf.Tensor, rate: float) -> tf.Tensor:
    """Multiply by normal noise of mean 1."""
    return x * tf.random.normal(tf.shape(x), 1.0, (rate / (1 - rate)) ** 0.5)
''',
    "alpha_dropout": '''
def alpha_dropout(x: tf.Tensor, rate: float) -> tf.Tensor:
    """Drop to the least value of selu; keep mean and variance (arXiv:1706.02515)."""
    least = -1.7580993408473766
    y = tf.where(tf.random.uniform(tf.shape(x)) < 1 - rate, x, least)
    return (y - rate * least) / ((1 - rate) * (1 + rate * least**2)) ** 0.5
''',
    "embedding": '''
def embedding(p: Weights, x: tf.Tensor) -> tf.Tensor:
    """Look up a row of the table for each integer."""
    return tf.gather(p["embeddings"], x)
''',
    "prelu": '''
def prelu(p: Weights, x: tf.Tensor) -> tf.Tensor:
    """Multiply negative values by a learnt slope."""
    return tf.maximum(x, 0.0) + p["alpha"] * tf.minimum(x, 0.0)
''',
    "glu": '''
def glu(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Gate the first half of an axis by the sigmoid of the second half."""
    passed, gate = tf.split(x, 2, axis=axis)
    return passed * tf.sigmoid(gate)
''',
    "normalization": '''
def normalization(p: Weights, x: tf.Tensor) -> tf.Tensor:
    """Standardise by a mean and a variance that were measured before training."""
    return (x - p["mean"]) / tf.maximum(tf.sqrt(p["variance"]), 1e-7)
''',
    "denormalization": '''
def denormalization(p: Weights, x: tf.Tensor) -> tf.Tensor:
    """Undo `normalization`: multiply by the deviation and add the mean."""
    return x * tf.maximum(tf.sqrt(p["variance"]), 1e-7) + p["mean"]
''',
    **RECURRENT_HELPERS,
    "multi_head_attention": '''
def multi_head_attention(
    p: Weights,
    query: tf.Tensor,
    value: tf.Tensor,
    key: tf.Tensor,
    mask: tf.Tensor | None = None,
    *,
    causal: bool = False,
    zeros: bool = False,
    rate: float = 0.0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Multi-head attention, also with fewer heads of keys and values than of queries.

    Takes query (batch, T, in), value and key (batch, S, in), and a mask (batch, T, S)
    that is true where attention is allowed; a query of which all keys are masked gets
    the mean of the values, or `zeros`. Returns (batch, T, out) and the scores.
    """

    def project(x: tf.Tensor, part: str) -> tf.Tensor:
        y = tf.einsum("btd,dhk->bthk", x, p[f"{part}_kernel"])
        return y + p[f"{part}_bias"] if f"{part}_bias" in p else y

    q, k, v = project(query, "query"), project(key, "key"), project(value, "value")
    k, v = (tf.repeat(heads, q.shape[2] // heads.shape[2], axis=2) for heads in (k, v))
    scores = tf.einsum("bthk,bshk->bhts", q * q.shape[-1] ** -0.5, k)
    above = 0 if causal else -1
    allowed = tf.linalg.band_part(tf.ones_like(scores, tf.bool), -1, above)
    if mask is not None:
        allowed &= tf.cast(mask, tf.bool)[:, None]
    scores = tf.nn.softmax(tf.where(allowed, scores, -1e9))
    scores = tf.where(allowed, scores, 0.0) if zeros else scores
    weights = dropout(scores, rate) if rate else scores
    y = tf.einsum("bhts,bshv->bthv", weights, v)
    y = tf.einsum("bthv,hvo->bto", y, p["output_kernel"])
    return y + p["output_bias"] if "output_bias" in p else y, scores
''',
    "attention": '''
def attention(
    p: Weights,
    query: tf.Tensor,
    value: tf.Tensor,
    key: tf.Tensor,
    *,
    mode: str,
    causal: bool = False,
    rate: float = 0.0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Dot-product or additive attention.

    Takes query (batch, T, d), value and key (batch, S, d). Returns (batch, T, d) and
    the scores (batch, T, S).
    """
    scale = p.get("scale", 1.0)
    if mode == "dot":
        scores = scale * tf.matmul(query, key, transpose_b=True)
    else:
        pairs = query[:, :, None] + key[:, None]
        if mode == "concat":
            scores = tf.reduce_sum(tf.tanh(scale * pairs), -1) * p["concat_score_weight"]
        else:
            scores = tf.reduce_sum(scale * tf.tanh(pairs), -1)
    if causal:
        visible = tf.linalg.band_part(tf.ones_like(scores, tf.bool), -1, 0)
        scores = tf.where(visible, scores, scores - 1e9)
    scores = tf.nn.softmax(scores)
    scores = dropout(scores, rate) if rate else scores
    return scores @ value, scores
''',
}
