"""Functions that go into a written module, each beside those that it needs."""

from __future__ import annotations

# What a helper calls.
NEEDS = {
    "group_norm": ("affine",),
    "layer_norm": ("affine",),
    "kept_states": ("dropout",),
    "multi_head_attention": ("dropout",),
    "attention": ("dropout",),
}

HELPERS = {
    "frozen": '''
def frozen(p: dict[str, Array]) -> dict[str, Array]:
    """Weights that training leaves as they are."""
    return {name: lax.stop_gradient(value) for name, value in p.items()}
''',
    "dense": '''
def dense(p: dict[str, Array], x: Array) -> Array:
    """(…, in) to (…, units)."""
    y = x @ p["kernel"]
    return y + p["bias"] if "bias" in p else y
''',
    "einsum_dense": '''
def einsum_dense(p: dict[str, Array], x: Array, equation: str) -> Array:
    """A product with a kernel by an equation, plus a bias."""
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
    """A convolution over the axes between batch and channels."""
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
    """A convolution of each channel by itself."""
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
    """A transposed convolution; its kernel is (…, filters, in)."""
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
    """The largest value of each window."""
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, *window, 1), (1, *strides, 1), padding
    )
''',
    "average_pool": '''
def average_pool(
    x: Array, window: tuple[int, ...], strides: tuple[int, ...], padding: str = "VALID"
) -> Array:
    """The mean of each window, without what was padded."""
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
    """Batch normalisation; in training by the batch, moving the statistics."""
    shape = [-1 if each == axis else 1 for each in range(x.ndim)]
    mean, variance = s["moving_mean"], s["moving_variance"]
    if training:
        axes = tuple(each for each in range(x.ndim) if each != axis)
        mean, variance = x.mean(axes), x.var(axes)
        found = {"moving_mean": mean, "moving_variance": variance}
        s = {
            name: momentum * s[name] + (1 - momentum) * lax.stop_gradient(value)
            for name, value in found.items()
        }
    scale = lax.rsqrt(variance + epsilon) * p.get("gamma", 1.0)
    y = (x - mean.reshape(shape)) * scale.reshape(shape)
    return y + p["beta"].reshape(shape) if "beta" in p else y, s
''',
    "affine": '''
def affine(p: dict[str, Array], x: Array, axes: tuple[int, ...]) -> Array:
    """Scaled and moved along some axes."""
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    x = x * p["gamma"].reshape(shape) if "gamma" in p else x
    return x + p["beta"].reshape(shape) if "beta" in p else x
''',
    "layer_norm": '''
def layer_norm(
    p: dict[str, Array], x: Array, *, axes: tuple[int, ...], epsilon: float
) -> Array:
    """Each sample to mean 0 and variance 1 over some axes."""
    centred = x - x.mean(axes, keepdims=True)
    y = centred * lax.rsqrt(x.var(axes, keepdims=True) + epsilon)
    return affine(p, y, axes)
''',
    "rms_norm": '''
def rms_norm(
    p: dict[str, Array], x: Array, *, axes: tuple[int, ...], epsilon: float
) -> Array:
    """Each sample to a mean square of 1 over some axes."""
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    y = x * lax.rsqrt(jnp.square(x).mean(axes, keepdims=True) + epsilon)
    return y * p["scale"].reshape(shape)
''',
    "group_norm": '''
def group_norm(p: dict[str, Array], x: Array, *, groups: int, epsilon: float) -> Array:
    """Each group of channels of a sample to mean 0 and variance 1."""
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
    """Some values set to zero, the others divided by the share that is kept.

    Args:
        shared: axes along which one decision holds for all.
    """
    shape = [1 if axis in shared else x.shape[axis] for axis in range(x.ndim)]
    return jnp.where(jax.random.bernoulli(key, 1 - rate, shape), x / (1 - rate), 0.0)
''',
    "kept_states": '''
def kept_states(x: Array, units: int, rate: float, key: Array) -> Array:
    """What multiplies a recurrent layer's states in training, the same at each step."""
    return dropout(jnp.ones((x.shape[0], units), x.dtype), rate, key)
''',
    "gaussian_noise": '''
def gaussian_noise(x: Array, stddev: float, key: Array) -> Array:
    """Normal noise, added."""
    return x + stddev * jax.random.normal(key, x.shape)
''',
    "gaussian_dropout": '''
def gaussian_dropout(x: Array, rate: float, key: Array) -> Array:
    """Normal noise around 1, multiplied."""
    return x * (1 + (rate / (1 - rate)) ** 0.5 * jax.random.normal(key, x.shape))
''',
    "embedding": '''
def embedding(p: dict[str, Array], x: Array) -> Array:
    """A row of the table for each integer."""
    return p["embeddings"][x]
''',
    "prelu": '''
def prelu(p: dict[str, Array], x: Array) -> Array:
    """Values below zero times a slope that is learnt."""
    return jnp.maximum(x, 0.0) + p["alpha"] * jnp.minimum(x, 0.0)
''',
    "normalization": '''
def normalization(p: dict[str, Array], x: Array) -> Array:
    """Standardised by a mean and a variance that were measured beforehand."""
    return (x - p["mean"]) / jnp.maximum(jnp.sqrt(p["variance"]), 1e-7)
''',
    "denormalization": '''
def denormalization(p: dict[str, Array], x: Array) -> Array:
    """Standardised values put back by what was measured beforehand."""
    return x * jnp.maximum(jnp.sqrt(p["variance"]), 1e-7) + p["mean"]
''',
    "lstm": '''
def lstm(
    p: dict[str, Array],
    x: Array,
    states: tuple[Array, Array] | None = None,
    *,
    activation: Callable[[Array], Array] = jnp.tanh,
    gate: Callable[[Array], Array] = jax.nn.sigmoid,
    kept: Array | float = 1.0,
) -> tuple[Array, Array, Array]:
    """An LSTM over (batch, time, features): its outputs, and the states after them."""
    recurrent = p["recurrent_kernel"]

    def step(carry: tuple[Array, Array], gates: Array) -> tuple[Any, Array]:
        hidden, memory = carry
        gates = gates + (hidden * kept) @ recurrent
        i, f, c, o = jnp.split(gates, 4, axis=-1)
        memory = gate(f) * memory + gate(i) * activation(c)
        hidden = gate(o) * activation(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    gates = (x @ p["kernel"] + p.get("bias", 0.0)).swapaxes(0, 1)
    states, outputs = lax.scan(step, states or (zeros, zeros), gates)
    return outputs.swapaxes(0, 1), *states
''',
    "gru": '''
def gru(
    p: dict[str, Array],
    x: Array,
    states: tuple[Array] | None = None,
    *,
    activation: Callable[[Array], Array] = jnp.tanh,
    gate: Callable[[Array], Array] = jax.nn.sigmoid,
    kept: Array | float = 1.0,
    reset_after: bool = True,
) -> tuple[Array, Array]:
    """A GRU over (batch, time, features): its outputs, and the state after them."""
    recurrent = p["recurrent_kernel"]
    units = recurrent.shape[0]
    both = "bias" in p and reset_after
    bias, inner = p["bias"] if both else (p.get("bias", 0.0), 0.0)

    def step(hidden: Array, gates: Array) -> tuple[Array, Array]:
        z, r, n = jnp.split(gates, 3, axis=-1)
        inside = (hidden * kept) @ recurrent + inner
        hidden_z, hidden_r, hidden_n = jnp.split(inside, 3, axis=-1)
        z, r = gate(z + hidden_z), gate(r + hidden_r)
        if reset_after:
            hidden_n = r * hidden_n
        else:
            hidden_n = (r * hidden * kept) @ recurrent[:, 2 * units :]
        hidden = z * hidden + (1 - z) * activation(n + hidden_n)
        return hidden, hidden

    zeros = jnp.zeros((x.shape[0], units), x.dtype)
    gates = (x @ p["kernel"] + bias).swapaxes(0, 1)
    state, outputs = lax.scan(step, zeros if states is None else states[0], gates)
    return outputs.swapaxes(0, 1), state
''',
    "simple_rnn": '''
def simple_rnn(
    p: dict[str, Array],
    x: Array,
    states: tuple[Array] | None = None,
    *,
    activation: Callable[[Array], Array] = jnp.tanh,
    kept: Array | float = 1.0,
) -> tuple[Array, Array]:
    """A recurrent layer over (batch, time, features): its outputs, and its last."""
    recurrent = p["recurrent_kernel"]

    def step(hidden: Array, given: Array) -> tuple[Array, Array]:
        hidden = activation(given + (hidden * kept) @ recurrent)
        return hidden, hidden

    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    given = (x @ p["kernel"] + p.get("bias", 0.0)).swapaxes(0, 1)
    state, outputs = lax.scan(step, zeros if states is None else states[0], given)
    return outputs.swapaxes(0, 1), state
''',
    "multi_head_attention": '''
def multi_head_attention(
    p: dict[str, Array],
    query: Array,
    value: Array,
    key: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    rate: float = 0.0,
    draw: Array | None = None,
) -> tuple[Array, Array]:
    """Attention in several heads, whose keys and values some of them may share.

    Takes query (batch, T, in), value and key (batch, S, in), and a mask (batch, T, S)
    that is true where to look. Gives (batch, T, out) and the scores (batch, heads, T, S).
    """

    def projected(x: Array, part: str) -> Array:
        y = jnp.einsum("btd,dhk->bthk", x, p[f"{part}_kernel"])
        return y + p[f"{part}_bias"] if f"{part}_bias" in p else y

    q, k, v = projected(query, "query"), projected(key, "key"), projected(value, "value")
    k, v = (jnp.repeat(each, q.shape[2] // each.shape[2], axis=2) for each in (k, v))
    scores = jnp.einsum("bthk,bshk->bhts", q * q.shape[-1] ** -0.5, k)
    if causal:
        seen = jnp.tril(jnp.ones(scores.shape[-2:], bool))
        scores = jnp.where(seen, scores, -1e9)
    if mask is not None:
        scores = jnp.where(mask.astype(bool)[:, None], scores, -1e9)
    scores = jax.nn.softmax(scores)
    weights = dropout(scores, rate, draw) if rate else scores
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
    draw: Array | None = None,
) -> tuple[Array, Array]:
    """Attention by dot products, or by sums when it is additive.

    Takes query (batch, T, d), value and key (batch, S, d). Gives (batch, T, d) and the
    scores (batch, T, S).
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
    scores = dropout(scores, rate, draw) if rate else scores
    return scores @ value, scores
''',
}
