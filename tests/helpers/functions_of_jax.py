"""Networks in JAX, as functions of parameters and inputs."""

import jax
import jax.numpy as jnp
import numpy as np

GENERATOR = np.random.default_rng(0)
IMAGES = ("NHWC", "HWIO", "NHWC")


def array(*shape):
    return jnp.asarray(GENERATOR.normal(size=shape).astype("float32") * 0.4)


def dense(inputs, outputs):
    return {"kernel": array(inputs, outputs), "bias": array(outputs)}


def apply_dense(params, x):
    return x @ params["kernel"] + params["bias"]


def convolve(x, kernel, strides=(1, 1)):
    return jax.lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=IMAGES)


def pool(x, function, initial):
    return jax.lax.reduce_window(x, initial, function, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def mlp():
    def net(params, x):
        for layer in params["layers"]:
            x = jax.nn.relu(apply_dense(layer, x))
        return apply_dense(params["head"], x)

    return net, {"layers": [dense(6, 5), dense(5, 5)], "head": dense(5, 3)}, (array(4, 6),)


def cnn():
    def net(params, image):
        x = jax.nn.relu(convolve(image, params["one"]["kernel"]) + params["one"]["bias"])
        x = pool(x, jax.lax.max, -jnp.inf)
        x = jax.nn.gelu(convolve(x, params["two"]["kernel"], (2, 2)) + params["two"]["bias"])
        up = jax.lax.conv_transpose(x, params["up"], (2, 2), "SAME", dimension_numbers=IMAGES)
        small = pool(up, jax.lax.add, 0.0) / 4
        return jax.nn.softmax(apply_dense(params["head"], small.reshape(small.shape[0], -1))), up.mean((1, 2))

    params = {
        "one": {"kernel": array(3, 3, 3, 4), "bias": array(4)},
        "two": {"kernel": array(3, 3, 4, 6), "bias": array(6)},
    }
    return net, {**params, "up": array(3, 3, 6, 2), "head": dense(8, 3)}, (array(4, 8, 8, 3),)


def normalize(params, x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * params["scale"] + params["bias"]


def transformer():
    """A table of embeddings that is the output layer too, positions, and a block with causal attention."""

    def net(params, tokens):
        x = params["table"][tokens] + params["positions"][: tokens.shape[1]]
        hidden = normalize(params["norm"], x)
        query, key, value = (
            jnp.einsum("btd,dhk->bthk", hidden, params[name]["kernel"]) + params[name]["bias"]
            for name in ("query", "key", "value")
        )
        scores = jnp.einsum("bthk,bshk->bhts", query, key) / np.sqrt(query.shape[-1])
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[2:], bool)), scores, -1e9)
        mixed = jnp.einsum("bhts,bshk->bthk", jax.nn.softmax(scores), value)
        x = x + jnp.einsum("bthk,hkd->btd", mixed, params["out"]["kernel"]) + params["out"]["bias"]
        return jnp.tanh(apply_dense(params["last"], x)) @ params["table"].T

    heads = {name: {"kernel": array(8, 2, 4), "bias": array(2, 4)} for name in ("query", "key", "value")}
    params = {"table": array(11, 8), "positions": array(7, 8), "norm": {"scale": 1 + array(8), "bias": array(8)}}
    params = {**params, **heads, "out": {"kernel": array(2, 4, 8), "bias": array(8)}, "last": dense(8, 8)}
    return net, params, (jnp.asarray(GENERATOR.integers(0, 11, (4, 5))),)


def resnet():
    """A residual block whose statistics the function closes over."""
    statistics = {name: (array(4), jnp.abs(array(4)) + 0.5) for name in ("bn1", "bn2")}

    def batch_norm(params, name, x):
        mean, variance = statistics[name]
        return (x - mean) * jax.lax.rsqrt(variance + 1e-3) * params[name]["scale"] + params[name]["bias"]

    def net(params, image):
        x = convolve(image, params["stem"]["kernel"])
        y = jax.nn.relu(batch_norm(params, "bn1", x))
        y = batch_norm(params, "bn2", convolve(y, params["conv"]["kernel"]))
        return apply_dense(params["head"], jax.nn.relu(x + y).mean((1, 2)))

    norms = {name: {"scale": 1 + array(4), "bias": array(4)} for name in statistics}
    params = {"stem": {"kernel": array(3, 3, 3, 4)}, "conv": {"kernel": array(3, 3, 4, 4)}, **norms}
    return net, {**params, "head": dense(4, 3)}, (array(4, 8, 8, 3),)


def recurrent():
    """A cell over time, as a scan, from zeros."""

    def net(params, x):
        def cell(state, row):
            state = jnp.tanh(row @ params["kernel"] + state @ params["recurrent"] + params["bias"])
            return state, state

        state, rows = jax.lax.scan(cell, jnp.zeros((x.shape[0], 4)), jnp.swapaxes(x, 0, 1))
        return state, jnp.swapaxes(rows, 0, 1)

    return net, {"kernel": array(3, 4), "recurrent": array(4, 4), "bias": array(4)}, (array(4, 5, 3),)


def stacked():
    """Three layers in one array, as a scan."""

    def net(params, x):
        return jax.lax.scan(lambda x, layer: (jnp.tanh(apply_dense(layer, x)), None), x, params)[0]

    return net, {"kernel": array(3, 4, 4), "bias": array(3, 4)}, (array(4, 4),)


def own_arithmetic():
    """A kernel with weight normalization, numbers as parameters, integers among them, and rows read twice."""

    def net(params, x):
        kernel = params["direction"] / jnp.linalg.norm(params["direction"], axis=0) * params["length"]
        y = x @ kernel * jnp.exp(params["log"]) + (1 + params["shift"])
        rows = params["rows"][jnp.array([1, 0, 1])]
        first = jnp.zeros((x.shape[0], 1))
        return jnp.clip(y, -1, params["most"]) % 2 + rows.sum(0), jnp.concatenate([first, y[:, ::-1]], 1)

    params = {"direction": array(5, 3), "length": array(3), "log": array(), "shift": array(3), "rows": array(2, 3)}
    return net, {**params, "most": jnp.int32(2)}, (array(4, 5),)


def several_norms():
    """Layer normalization by the fast variance, and RMS normalization."""

    def net(params, x):
        x = apply_dense(params["first"], x)
        mean = x.mean(-1, keepdims=True)
        variance = jnp.maximum(0, (x * x).mean(-1, keepdims=True) - mean * mean)
        scale = jax.lax.rsqrt(variance + 1e-6) * params["layer"]["scale"]
        y = (x - mean) * scale + params["layer"]["bias"]
        return y * jax.lax.rsqrt(jnp.mean(y**2, -1, keepdims=True) + 1e-6) * params["rms"]["scale"]

    norms = {"layer": {"scale": 1 + array(6), "bias": array(6)}, "rms": {"scale": array(6)}}
    return net, {"first": dense(3, 6), **norms}, (array(4, 3),)


# --- refused --------------------------------------------------------------------------------------------------------


def draws(params, x):
    return x @ params * jax.random.bernoulli(jax.random.key(0), 0.5, x.shape)


def repeats(params, x):
    return jax.lax.while_loop(lambda state: state.sum() < 10, lambda state: state + 1, x @ params)


def loops_long(params, x):
    return jax.lax.scan(lambda state, _: (jnp.tanh(state @ params), None), x, None, length=1000)[0]


def branches(params, x):
    return jax.lax.cond(x.sum() > 0, lambda y: y, lambda y: -y, x @ params)


def transforms(params, x):
    return jnp.fft.fft(x @ params).real


def compares_samples(params, x):
    return x @ params - x.mean(0)


def counts_samples(params, x):
    return x @ params / x.shape[0]


def numbers_samples(params, x):
    return x @ params + jnp.arange(x.shape[0])[:, None]


def returns_one(params, x):
    return params


def asks_python(params, x):
    return x @ params if x.sum() > 0 else x
