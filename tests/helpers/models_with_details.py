"""Keras models that differ in one detail of how they are trained; imported by tests only.

`MODELS` has a function for each that builds it.
"""

from late_module import LateModule

keras, layers, ops = LateModule("keras"), LateModule("keras.layers"), LateModule("keras.ops")
ROWS, PICTURES, STEPS, TOKENS = (6,), (8, 8, 3), (5, 4), (5,)


def tied():
    class Tied(layers.Layer):
        """Answers with the table that it reads with."""

        def build(self, shape):
            self.table = self.add_weight(shape=(9, 4))

        def call(self, tokens):
            return ops.matmul(ops.take(self.table, tokens, axis=0), ops.transpose(self.table))

    return Tied()


def scaled(function=None, trained=True):
    class Scaled(layers.Layer):
        """Scales by a weight of its own, by what `function` makes of it."""

        def build(self, shape):
            self.sizes = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=trained)

        def call(self, x):
            return x * (function(self.sizes) if function else self.sizes)

    return Scaled()


def detached():
    class Detached(layers.Layer):
        def call(self, x):
            return ops.stop_gradient(x)

    return Detached()


def chain(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


def frozen(layer):
    layer.trainable = False
    return layer


def rows(*parts):
    return chain(ROWS, layers.Dense(5, "tanh"), *parts, layers.Dense(2))


def pictures(*parts):
    return chain(PICTURES, layers.Conv2D(4, 3), *parts, layers.Flatten(), layers.Dense(2))


def steps(layer):
    return chain(STEPS, layer, layers.Flatten(), layers.Dense(2))


def branches(join):
    """Return a model of two Dense layers side by side, whose results `join` takes."""
    x = keras.Input(ROWS)
    return keras.Model(x, layers.Dense(2)(join(layers.Dense(5, "tanh")(x), layers.Dense(5)(x))))


def shared(layer, shape=ROWS, units=6):
    x = keras.Input(shape)
    once = layer(x)
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layer(ops.tanh(once)))))


def a_frozen_bias():
    model = rows()
    model.layers[0].bias.trainable = False
    return model


def two_answers():
    x = keras.Input(ROWS)
    hidden = layers.Dense(5, "tanh")(x)
    return keras.Model(x, [layers.Dense(2)(hidden), layers.Dense(3)(ops.stop_gradient(hidden))])


def two_norms(same):
    x = keras.Input(PICTURES)
    one = layers.BatchNormalization()
    other = one if same else layers.BatchNormalization()
    joined = one(layers.Conv2D(4, 3)(x)) + other(layers.Conv2D(4, 3)(x))
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(joined)))


def inner_model(trained):
    inner = chain(ROWS, layers.Dense(6, "tanh"), layers.Dense(6))
    inner.trainable = trained
    return chain(ROWS, inner, layers.Dense(2))


def attention():
    x = keras.Input(STEPS)
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.MultiHeadAttention(2, 3)(x, x))))


MODELS = {
    "nothing special": rows,
    "a frozen layer": lambda: rows(frozen(layers.Dense(5, "tanh"))),
    "a frozen bias": a_frozen_bias,
    "all but the head frozen": lambda: chain(ROWS, frozen(layers.Dense(5, "tanh")), layers.Dense(2)),
    "a frozen inner model": lambda: inner_model(trained=False),
    "an inner model": lambda: inner_model(trained=True),
    "detached": lambda: rows(detached()),
    "one branch detached": lambda: branches(lambda one, other: one + ops.stop_gradient(other)),
    "one of two answers detached": two_answers,
    "a layer called twice": lambda: shared(layers.Dense(6)),
    "a convolution called twice": lambda: shared(layers.Conv2D(3, 3, padding="same"), PICTURES),
    "a tied table": lambda: tied_table(),
    "a masked table": lambda: tokens(layers.Embedding(9, 4, mask_zero=True), layers.LSTM(5)),
    "a frozen table": lambda: tokens(frozen(layers.Embedding(9, 4)), layers.Flatten()),
    "a weight that scales": lambda: rows(scaled()),
    "a weight through softplus": lambda: rows(scaled(ops.softplus)),
    "a weight that is not trained": lambda: rows(scaled(trained=False)),
    "a frozen layer of one's own": lambda: rows(frozen(scaled())),
    "batch norm": lambda: pictures(layers.BatchNormalization(), layers.ReLU()),
    "batch norm of rows": lambda: rows(layers.BatchNormalization()),
    "a slow batch norm": lambda: pictures(layers.BatchNormalization(momentum=0.999, epsilon=1e-2)),
    "a frozen batch norm": lambda: pictures(frozen(layers.BatchNormalization()), layers.ReLU()),
    "a batch norm without a scale": lambda: pictures(layers.BatchNormalization(scale=False)),
    "a batch norm without weights": lambda: pictures(layers.BatchNormalization(scale=False, center=False)),
    "a batch norm called twice": lambda: two_norms(same=True),
    "two batch norms": lambda: two_norms(same=False),
    "group norm": lambda: pictures(layers.GroupNormalization(2)),
    "layer norm without a shift": lambda: rows(layers.LayerNormalization(center=False)),
    "layer norm of two axes": lambda: steps(layers.LayerNormalization(axis=[1, 2])),
    "rms norm": lambda: rows(layers.RMSNormalization()),
    "unit norm": lambda: rows(layers.UnitNormalization()),
    "a prelu": lambda: rows(layers.PReLU()),
    "a prelu of each map": lambda: pictures(layers.PReLU(shared_axes=[1, 2])),
    "dropout of whole maps": lambda: pictures(layers.SpatialDropout2D(0.3)),
    "alpha dropout": lambda: rows(layers.AlphaDropout(0.3)),
    "dropout of whole rows": lambda: steps(layers.Dropout(0.3, noise_shape=(None, 1, 4))),
    "noise": lambda: rows(layers.GaussianNoise(0.2)),
    "a kernel in parts": lambda: chain(PICTURES, layers.SeparableConv2D(4, 3), layers.Flatten(), layers.Dense(2)),
    "a depthwise kernel": lambda: chain(PICTURES, layers.DepthwiseConv2D(3), layers.Flatten(), layers.Dense(2)),
    "lstm": lambda: chain(STEPS, layers.LSTM(5), layers.Dense(2)),
    "lstm without biases": lambda: chain(STEPS, layers.LSTM(5, use_bias=False), layers.Dense(2)),
    "gru": lambda: chain(STEPS, layers.GRU(5), layers.Dense(2)),
    "gru that resets before": lambda: chain(STEPS, layers.GRU(5, reset_after=False), layers.Dense(2)),
    "both directions": lambda: chain(STEPS, layers.Bidirectional(layers.LSTM(5)), layers.Dense(2)),
    "a frozen lstm": lambda: chain(STEPS, frozen(layers.LSTM(5)), layers.Dense(2)),
    "attention": attention,
    "a clipped activation": lambda: rows(layers.ReLU(max_value=0.5, negative_slope=0.1)),
}


def tokens(table, *parts):
    return keras.Sequential([keras.Input(TOKENS, dtype="int32"), table, *parts, layers.Dense(2)])


def tied_table():
    return keras.Sequential([keras.Input(TOKENS, dtype="int32"), tied()])
