"""Functions that a written module contains when it uses them, and the functions that they call."""

from __future__ import annotations

from .recurrent_helpers import RECURRENT_HELPERS

# The helpers that a helper calls.
NEEDS = {
    "group_norm": ("affine",),
    "layer_norm": ("affine",),
    "recurrent_dropout_mask": ("dropout",),
    "conv_lstm": ("conv",),
    "multi_head_attention": ("dropout",),
    "attention": ("dropout",),
}

HELPERS = {
    "frozen": '''
def frozen(p: dict[str, Array]) -> dict[str, Array]:
    """Return weights that gradients do not reach."""
    return {name: lax.stop_gradient(value) for name, value in p.items()}
''',
    "dense": '''
def dense(p: dict[str, Array], x: Array) -> Array:
    """Apply a dense layer: (…, in) to (…, units)."""
    y = x @ p["kernel"]
    return y + p["bias"] if "bias" in p else y
''',
    "einsum_dense": '''
def einsum_dense(p: dict[str, Array], x: Array, equation: str) -> Array:
    """Multiply by a kernel as the einsum equation says, and add the bias."""
    y = jnp.einsum(equation, x, p["kernel"])
    return y + p["bias"] if "bias" in p else y
''',
    "conv": '''
def conv(
    p: dict[str, Array],
    x: Array,
    *,
    padding: str | Sequence[tuple[int, int]],
    strides: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
    groups: int = 1,
) -> Array:
    """Convolve over the axes between batch and channels."""
    rank = x.ndim - 2
    axes = "DHW"[3 - rank :]
    y = lax.conv_general_dilated(
        x,
        p["kernel"],
        strides or (1,) * rank,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=groups,
    )
    return y + p["bias"] if "bias" in p else y
''',
    "depthwise_conv": '''
def depthwise_conv(
    p: dict[str, Array],
    x: Array,
    *,
    padding: str | Sequence[tuple[int, int]],
    strides: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> Array:
    """Convolve each channel by itself."""
    *window, channels, multiplier = p["kernel"].shape
    rank = len(window)
    axes = "DHW"[3 - rank :]
    y = lax.conv_general_dilated(
        x,
        p["kernel"].reshape(*window, 1, channels * multiplier),
        strides or (1,) * rank,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=channels,
    )
    return y + p["bias"] if "bias" in p else y
''',
    "conv_transpose": '''
def conv_transpose(
    p: dict[str, Array],
    x: Array,
    *,
    padding: Sequence[tuple[int, int]],
    strides: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> Array:
    """Apply a transposed convolution; its kernel is (…, filters, in)."""
    rank = x.ndim - 2
    axes = "DHW"[3 - rank :]
    y = lax.conv_general_dilated(
        x,
        jnp.flip(p["kernel"], range(rank)).swapaxes(-1, -2),
        (1,) * rank,
        padding,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )
    return y + p["bias"] if "bias" in p else y
''',
    "max_pool": '''
def max_pool(
    x: Array, window: tuple[int, ...], strides: tuple[int, ...], padding: str = "VALID"
) -> Array:
    """Return the maximum of each window."""
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, *window, 1), (1, *strides, 1), padding
    )
''',
    "average_pool": '''
def average_pool(
    x: Array, window: tuple[int, ...], strides: tuple[int, ...], padding: str = "VALID"
) -> Array:
    """Return the mean of each window, without the padding."""
    sizes = (1, *window, 1), (1, *strides, 1), padding
    sums = lax.reduce_window(x, 0.0, lax.add, *sizes)
    return sums / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, *sizes)
''',
    "batch_norm": '''
def batch_norm(
    p: dict[str, Array],
    s: dict[str, Array],
    x: Array,
    training: bool,
    *,
    axis: int,
    momentum: float,
    epsilon: float,
) -> tuple[Array, dict[str, Array]]:
    """Normalise by moving statistics; in training by the batch's, updating them."""
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    mean, variance = s["moving_mean"], s["moving_variance"]
    if training:
        axes = tuple(i for i in range(x.ndim) if i != axis)
        mean, variance = x.mean(axes), x.var(axes)
        batch = {"moving_mean": mean, "moving_variance": variance}
        s = {
            name: momentum * s[name] + (1 - momentum) * lax.stop_gradient(value)
            for name, value in batch.items()
        }
    scale = lax.rsqrt(variance + epsilon) * p.get("gamma", 1.0)
    y = (x - mean.reshape(shape)) * scale.reshape(shape)
    return y + p["beta"].reshape(shape) if "beta" in p else y, s
''',
    "affine": '''
def affine(p: dict[str, Array], x: Array, axes: tuple[int, ...]) -> Array:
    """Multiply by gamma and add beta along the given axes."""
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    x = x * p["gamma"].reshape(shape) if "gamma" in p else x
    return x + p["beta"].reshape(shape) if "beta" in p else x
''',
    "layer_norm": '''
def layer_norm(
    p: dict[str, Array], x: Array, *, axes: tuple[int, ...], epsilon: float
) -> Array:
    """Normalise each sample to mean 0 and variance 1 over the given axes."""
    centred = x - x.mean(axes, keepdims=True)
    y = centred * lax.rsqrt(x.var(axes, keepdims=True) + epsilon)
    return affine(p, y, axes)
''',
    "rms_norm": '''
def rms_norm(
    p: dict[str, Array], x: Array, *, axes: tuple[int, ...], epsilon: float
) -> Array:
    """Normalise each sample to mean square 1 over the given axes."""
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    y = x * lax.rsqrt(jnp.square(x).mean(axes, keepdims=True) + epsilon)
    return y * p["scale"].reshape(shape)
''',
    "group_norm": '''
def group_norm(p: dict[str, Array], x: Array, *, groups: int, epsilon: float) -> Array:
    """Normalise each group of a sample's channels to mean 0 and variance 1."""
    grouped = x.reshape(*x.shape[:-1], groups, -1)
    axes = (*range(1, x.ndim - 1), x.ndim)
    centred = grouped - grouped.mean(axes, keepdims=True)
    y = centred * lax.rsqrt(grouped.var(axes, keepdims=True) + epsilon)
    return affine(p, y.reshape(x.shape), (x.ndim - 1,))
''',
    "dropout": '''
def dropout(
    x: Array, rate: float, key: Array, *, shared: tuple[int, ...] = ()
) -> Array:
    """Set values to zero with probability `rate`, and divide the others by 1 - rate.

    Args:
        shared: axes along which all values are dropped or kept together.
    """
    shape = [1 if axis in shared else x.shape[axis] for axis in range(x.ndim)]
    return jnp.where(jax.random.bernoulli(key, 1 - rate, shape), x / (1 - rate), 0.0)
''',
    "recurrent_dropout_mask": '''
def recurrent_dropout_mask(x: Array, units: int, rate: float, key: Array) -> Array:
    """Return a dropout mask for recurrent states, the same at all steps."""
    return dropout(jnp.ones((x.shape[0], units), x.dtype), rate, key)
''',
    "gaussian_noise": '''
def gaussian_noise(x: Array, stddev: float, key: Array) -> Array:
    """Add normal noise."""
    return x + stddev * jax.random.normal(key, x.shape)
''',
    "gaussian_dropout": '''
def gaussian_dropout(x: Array, rate: float, key: Array) -> Array:
    """Multiply by normal noise of mean 1."""
    return x * (1 + (rate / (1 - rate)) ** 0.5 * jax.random.normal(key, x.shape))
''',
    "alpha_dropout": '''
def alpha_dropout(x: Array, rate: float, key: Array) -> Array:
    """Drop to the least value of selu; keep mean and variance (arXiv:1706.02515)."""
    least = -1.7580993408473766
    y = jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x, least)
    return (y - rate * least) / ((1 - rate) * (1 + rate * least**2)) ** 0.5
''',
    "embedding": '''
def embedding(p: dict[str, Array], x: Array) -> Array:
    """Look up a row of the table for each integer."""
    return p["embeddings"][x]
''',
    "prelu": '''
def prelu(p: dict[str, Array], x: Array) -> Array:
    """Multiply negative values by a learnt slope."""
    return jnp.maximum(x, 0.0) + p["alpha"] * jnp.minimum(x, 0.0)
''',
    "normalization": '''
def normalization(p: dict[str, Array], x: Array) -> Array:
    """Standardise by a mean and a variance that were measured before training."""
    return (x - p["mean"]) / jnp.maximum(jnp.sqrt(p["variance"]), 1e-7)
''',
    "denormalization": '''
def denormalization(p: dict[str, Array], x: Array) -> Array:
    """Undo `normalization`: multiply by the deviation and add the mean."""
    return x * jnp.maximum(jnp.sqrt(p["variance"]), 1e-7) + p["mean"]
''',
    **RECURRENT_HELPERS,
    "multi_head_attention": '''
def multi_head_attention(
    p: dict[str, Array],
    query: Array,
    value: Array,
    key: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    zeros: bool = False,
    rate: float = 0.0,
    dropout_key: Array | None = None,
) -> tuple[Array, Array]:
    """Multi-head attention, also with fewer heads of keys and values than of queries.

    Takes query (batch, T, in), value and key (batch, S, in), and a mask (batch, T, S)
    that is true where attention is allowed; a query of which all keys are masked gets
    the mean of the values, or `zeros`. Returns (batch, T, out) and the scores
    (batch, heads, T, S).
    """

    def project(x: Array, part: str) -> Array:
        y = jnp.einsum("btd,dhk->bthk", x, p[f"{part}_kernel"])
        return y + p[f"{part}_bias"] if f"{part}_bias" in p else y

    q, k, v = project(query, "query"), project(key, "key"), project(value, "value")
    k, v = (jnp.repeat(heads, q.shape[2] // heads.shape[2], axis=2) for heads in (k, v))
    scores = jnp.einsum("bthk,bshk->bhts", q * q.shape[-1] ** -0.5, k)
    above = 0 if causal else scores.shape[-1]
    allowed = jnp.tril(jnp.ones(scores.shape[-2:], bool), above)
    if mask is not None:
        allowed = allowed & mask.astype(bool)[:, None]
    scores = jax.nn.softmax(jnp.where(allowed, scores, -1e9))
    scores = jnp.where(allowed, scores, 0.0) if zeros else scores
    weights = scores if dropout_key is None else dropout(scores, rate, dropout_key)
    y = jnp.einsum("bhts,bshv->bthv", weights, v)
    y = jnp.einsum("bthv,hvo->bto", y, p["output_kernel"])
    return y + p["output_bias"] if "output_bias" in p else y, scores
''',
    "attention": '''
def attention(
    p: dict[str, Array],
    query: Array,
    value: Array,
    key: Array,
    *,
    mode: str,
    causal: bool = False,
    rate: float = 0.0,
    dropout_key: Array | None = None,
) -> tuple[Array, Array]:
    """Dot-product or additive attention.

    Takes query (batch, T, d), value and key (batch, S, d). Returns (batch, T, d) and
    the scores (batch, T, S).
    """
    scale = p.get("scale", 1.0)
    if mode == "dot":
        scores = scale * (query @ key.swapaxes(-1, -2))
    else:
        pairs = query[:, :, None] + key[:, None]
        if mode == "concat":
            scores = p["concat_score_weight"] * jnp.tanh(scale * pairs).sum(-1)
        else:
            scores = (scale * jnp.tanh(pairs)).sum(-1)
    if causal:
        scores = scores - 1e9 * ~jnp.tril(jnp.ones(scores.shape[-2:], bool))
    scores = jax.nn.softmax(scores)
    scores = scores if dropout_key is None else dropout(scores, rate, dropout_key)
    return scores @ value, scores
''',
}
