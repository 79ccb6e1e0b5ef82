"""Small models: one for each layer and option that can be written as native source, and some that combine several.

`MODELS` has a function for each model, so importing this module does not import Keras.
"""

import itertools

MODELS = {}


def case(name):
    def register(build):
        MODELS[name] = build
        return build

    return register


def stack(name, shape, make, dtype=None):
    """Register a Sequential model of the layers that `make(keras.layers)` returns, for one input shape."""

    def build():
        import keras

        layers = make(keras.layers)
        return keras.Sequential([keras.Input(shape, dtype=dtype), *(layers if isinstance(layers, list) else [layers])])

    MODELS[name] = build


IMAGE, SERIES, BOX = (7, 9, 4), (9, 4), (5, 6, 5, 4)

# --- windows: each padding with each size and stride, since odd and even ones take different paths -------------------

WINDOWS = list(itertools.product(("same", "valid"), ((1, 2), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (5, 3))))
for padding, (size, stride) in WINDOWS:
    options = {"strides": stride, "padding": padding}
    label = f"{padding} {size} by {stride}"
    stack(f"conv {label}", IMAGE, lambda layers, s=size, o=options: layers.Conv2D(5, s, **o))
    stack(f"depthwise {label}", IMAGE, lambda layers, s=size, o=options: layers.DepthwiseConv2D(s, **o))
    stack(f"transposed {label}", IMAGE, lambda layers, s=size, o=options: layers.Conv2DTranspose(5, s, **o))
    stack(f"max pooling {label}", IMAGE, lambda layers, s=size, o=options: layers.MaxPooling2D(s, **o))
    stack(f"average pooling {label}", IMAGE, lambda layers, s=size, o=options: layers.AveragePooling2D(s, **o))

# --- every layer with non-default options ----------------------------------------------------------------------------

ONE_INPUT = {
    "dense": ((4,), lambda layers: [layers.Dense(5, activation="relu"), layers.Dense(3, use_bias=False)]),
    "dense over sequences": (SERIES, lambda layers: layers.Dense(5, activation="tanh")),
    "einsum dense": (SERIES, lambda layers: layers.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d")),
    "conv 1d": (SERIES, lambda layers: layers.Conv1D(5, 3, dilation_rate=2, activation="relu")),
    "conv 1d causal": (SERIES, lambda layers: layers.Conv1D(5, 3, padding="causal", dilation_rate=2)),
    "conv 3d": (BOX, lambda layers: layers.Conv3D(3, (2, 3, 2), strides=(1, 2, 1), padding="same")),
    "conv in groups": (IMAGE, lambda layers: layers.Conv2D(6, 3, groups=2, use_bias=False)),
    "conv 1d transposed": (SERIES, lambda layers: layers.Conv1DTranspose(3, 3, strides=2, padding="same")),
    "conv 3d transposed": (BOX, lambda layers: layers.Conv3DTranspose(3, 3, strides=2, padding="same")),
    "transposed, output padding": (
        IMAGE,
        lambda layers: layers.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1),
    ),
    "transposed, valid output padding": (
        IMAGE,
        lambda layers: layers.Conv2DTranspose(3, 3, strides=3, output_padding=2),
    ),
    "depthwise multiplier": (
        IMAGE,
        lambda layers: layers.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2, activation="relu"),
    ),
    "depthwise 1d": (SERIES, lambda layers: layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same")),
    "separable": (IMAGE, lambda layers: layers.SeparableConv2D(6, 3, depth_multiplier=2, activation="relu")),
    "separable 1d": (SERIES, lambda layers: layers.SeparableConv1D(6, 3, padding="same", strides=2)),
    "max pooling 1d": (SERIES, lambda layers: layers.MaxPooling1D(2, padding="same")),
    "max pooling 3d": (BOX, lambda layers: layers.MaxPooling3D(2, padding="same")),
    "average pooling 1d": (SERIES, lambda layers: layers.AveragePooling1D(2, padding="same")),
    "average pooling 3d": (BOX, lambda layers: layers.AveragePooling3D(2, padding="same")),
    "global pooling": (IMAGE, lambda layers: [layers.Conv2D(5, 2), layers.GlobalMaxPooling2D(keepdims=True)]),
    "global pooling 1d": (SERIES, lambda layers: layers.GlobalAveragePooling1D()),
    "global pooling 3d": (BOX, lambda layers: layers.GlobalAveragePooling3D()),
    "batch normalisation": (IMAGE, lambda layers: [layers.Conv2D(5, 2), layers.BatchNormalization()]),
    "batch normalisation, dense": ((4,), lambda layers: [layers.BatchNormalization(scale=False), layers.Dense(3)]),
    "batch normalisation, sequences": (SERIES, lambda layers: layers.BatchNormalization(center=False, momentum=0.9)),
    "batch normalisation, other axis": (IMAGE, lambda layers: layers.BatchNormalization(axis=1)),
    "layer normalisation": (SERIES, lambda layers: layers.LayerNormalization()),
    "layer normalisation, images": (IMAGE, lambda layers: [layers.Conv2D(5, 2), layers.LayerNormalization()]),
    "layer normalisation, axes": (IMAGE, lambda layers: layers.LayerNormalization(axis=[2, 3], center=False)),
    "rms normalisation": (SERIES, lambda layers: layers.RMSNormalization()),
    "group normalisation": (IMAGE, lambda layers: layers.GroupNormalization(2)),
    "group normalisation, sequences": (SERIES, lambda layers: layers.GroupNormalization(-1, scale=False)),
    "unit normalisation": (SERIES, lambda layers: layers.UnitNormalization()),
    "unit normalisation, axes": (IMAGE, lambda layers: [layers.Conv2D(5, 2), layers.UnitNormalization(axis=[1, 2])]),
    "normalisation": ((4,), lambda layers: layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 2, 3, 0])),
    "normalisation, inverted": ((4,), lambda layers: layers.Normalization(mean=1.0, variance=4.0, invert=True)),
    "rescaling": (IMAGE, lambda layers: layers.Rescaling(1 / 127.5, offset=-1.0)),
    "rescaling, channels": (IMAGE, lambda layers: layers.Rescaling([1.0, 2, 3, 4], offset=0.5)),
    "dropout and noise": (
        IMAGE,
        lambda layers: [
            layers.Dropout(0.3),
            layers.SpatialDropout2D(0.2),
            layers.GaussianNoise(0.1),
            layers.GaussianDropout(0.1),
            layers.Dropout(0.3, noise_shape=(None, 1, None, 4)),
            layers.ActivityRegularization(l1=0.1),
            layers.Flatten(),
            layers.Dense(3),
        ],
    ),
    "relu layers": (IMAGE, lambda layers: [layers.ReLU(6.0), layers.Conv2D(5, 2), layers.ReLU(2.0, 0.1, 0.5)]),
    "leaky relu": (IMAGE, lambda layers: [layers.LeakyReLU(0.3), layers.ELU(0.5), layers.ReLU(negative_slope=0.2)]),
    "prelu": (IMAGE, lambda layers: [layers.Conv2D(5, 2), layers.PReLU(shared_axes=[1, 2]), layers.PReLU()]),
    "softmax": (IMAGE, lambda layers: [layers.Conv2D(5, 2), layers.Softmax(), layers.Softmax(axis=[1, 2])]),
    "flatten after convolution": (
        IMAGE,
        lambda layers: [
            *(layers.Conv2D(5, 2), layers.Flatten(), layers.Activation("relu")),
            *(layers.Dropout(0.2), layers.Dense(6), layers.Dense(3)),
        ],
    ),
    "flatten, then normalised": (
        IMAGE,
        lambda layers: [layers.Conv2D(5, 2), layers.Flatten(), layers.BatchNormalization(), layers.Dense(3)],
    ),
    "flatten at the end": (IMAGE, lambda layers: [layers.Conv2D(5, 2), layers.Flatten()]),
    "reshape": (IMAGE, lambda layers: [layers.Conv2D(4, 2), layers.Reshape((8, -1)), layers.Permute((2, 1))]),
    "permute": (IMAGE, lambda layers: [layers.Conv2D(4, 2), layers.Permute((2, 3, 1)), layers.Conv2D(2, 2)]),
    "repeat vector": ((4,), lambda layers: [layers.RepeatVector(3), layers.LSTM(2)]),
    "zero padding": (IMAGE, lambda layers: [layers.Conv2D(3, 2), layers.ZeroPadding2D(((1, 2), (3, 0)))]),
    "zero padding 1d": (SERIES, lambda layers: [layers.ZeroPadding1D((1, 2)), layers.Cropping1D((1, 1))]),
    "zero padding 3d": (BOX, lambda layers: [layers.ZeroPadding3D(1), layers.Cropping3D(((1, 2), (0, 1), (1, 1)))]),
    "cropping": (IMAGE, lambda layers: [layers.Conv2D(3, 2), layers.Cropping2D(((1, 2), (3, 0)))]),
    "up-sampling": (
        IMAGE,
        lambda layers: [layers.UpSampling2D((2, 3)), layers.UpSampling2D(2, interpolation="bilinear")],
    ),
    "up-sampling 1d": (SERIES, lambda layers: layers.UpSampling1D(3)),
    "up-sampling 3d": (BOX, lambda layers: layers.UpSampling3D(2)),
    "resizing": (IMAGE, lambda layers: layers.Resizing(5, 12)),
    "lstm": (SERIES, lambda layers: [layers.LSTM(5, return_sequences=True), layers.LSTM(3)]),
    "lstm, other activations": (
        SERIES,
        lambda layers: layers.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False),
    ),
    "lstm, dropped and backwards": (
        SERIES,
        lambda layers: layers.LSTM(3, dropout=0.2, recurrent_dropout=0.1, go_backwards=True, return_sequences=True),
    ),
    "gru": (SERIES, lambda layers: [layers.GRU(5, return_sequences=True, dropout=0.1), layers.GRU(3, use_bias=False)]),
    "gru, reset before": (SERIES, lambda layers: layers.GRU(5, reset_after=False)),
    "gru, other activations": (SERIES, lambda layers: layers.GRU(5, activation="relu", go_backwards=True)),
    "simple rnn": (SERIES, lambda layers: [layers.SimpleRNN(5, return_sequences=True), layers.SimpleRNN(3, "relu")]),
    "simple rnn, other activation": (SERIES, lambda layers: layers.SimpleRNN(5, activation="softsign")),
    "bidirectional": (
        SERIES,
        lambda layers: [
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.Bidirectional(layers.GRU(2), merge_mode="sum"),
        ],
    ),
    "bidirectional, averaged": (
        SERIES,
        lambda layers: [
            layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True), merge_mode="ave"),
            layers.Bidirectional(layers.LSTM(2), merge_mode="mul"),
        ],
    ),
    "time distributed": (
        (3, *IMAGE),
        lambda layers: [
            layers.TimeDistributed(layers.Conv2D(2, 3, activation="relu")),
            layers.TimeDistributed(layers.Flatten()),
            layers.TimeDistributed(layers.Dense(3)),
        ],
    ),
}
for name, (shape, make) in ONE_INPUT.items():
    stack(name, shape, make)

stack("embedding", (6,), lambda layers: [layers.Embedding(9, 4), layers.LSTM(3), layers.Dense(9, "softmax")], "int32")
stack(
    "pixels as bytes", (28, 28), lambda layers: [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)], "uint8"
)
stack("open lengths", (None, None, 3), lambda layers: [layers.Conv2D(4, 3, strides=2, padding="same"), layers.ReLU()])

stack("classes one by one", (6,), lambda layers: [layers.CategoryEncoding(5, "one_hot"), layers.LSTM(3)], "int32")

ACTIVATIONS = (
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu"),
    *("linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink"),
    *("softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "tanh", "tanh_shrink"),
)
for activation in ACTIVATIONS:
    stack(f"activation {activation}", (40,), lambda layers, a=activation: layers.Activation(a))

# --- graphs ----------------------------------------------------------------------------------------------------------


def graph(name, *shapes, dtype=None):
    """Register a functional model: the decorated function returns its outputs for its inputs."""

    def register(make):
        def build():
            import keras

            inputs = [keras.Input(shape, name=f"given_{i}", dtype=dtype) for i, shape in enumerate(shapes)]
            return keras.Model(inputs if len(inputs) > 1 else inputs[0], make(keras, *inputs), name=make.__name__)

        MODELS[name] = build
        return make

    return register


@graph("merging layers", SERIES, SERIES)
def merging(keras, a, b):
    layers = keras.layers
    merged = [kind()([a, b]) for kind in (layers.Add, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)]
    return layers.Concatenate()([*merged, layers.Subtract()([a, b])])


@graph("dot products", SERIES, (3, 4), (5,), (5,))
def dotted(keras, a, b, c, d):
    return [keras.layers.Dot(axes=(2, 2), normalize=True)([a, b]), keras.layers.Dot(axes=1)([c, d])]


@graph("a residual block with squeeze and excitation", IMAGE)
def residual(keras, x):
    layers = keras.layers
    y = layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.Activation("swish")(y)
    squeezed = layers.Reshape((1, 1, 6))(layers.GlobalAveragePooling2D()(y))
    squeezed = layers.Conv2D(6, 1, activation="sigmoid")(layers.Conv2D(2, 1, activation="relu")(squeezed))
    y = layers.Multiply()([y, squeezed])
    y = layers.Add()([y, layers.Conv2D(6, 1)(x)])
    y = layers.Concatenate()([y, x])
    return layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(layers.ReLU()(y)))


@graph("shared layers and nested models", (6,), (6,))
def twins(keras, a, b):
    layers = keras.layers
    inner_input = keras.Input((6,))
    inner = keras.Model(inner_input, layers.Dense(4, "relu", name="deep")(inner_input), name="encoder")
    shared = layers.Dense(3, name="class")
    left, right = shared(inner(a)), shared(inner(b))
    nested = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="for")(left)
    return {"distance": keras.ops.abs(left - right), "left": left, "nested": nested, "same": left}


@graph("a convolution of two sizes", (8, 8, 3), (5, 5, 3))
def two_sizes(keras, a, b):
    convolution = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="type")
    return [convolution(a), keras.layers.Flatten()(convolution(b))]


@graph("a flattening that is read twice", IMAGE)
def read_twice(keras, x):
    flat = keras.layers.Flatten()(keras.layers.Conv2D(4, 2)(x))
    return [keras.layers.Dense(3)(flat), keras.layers.Dense(2)(keras.ops.relu(flat))]


@graph("states", SERIES)
def states(keras, x):
    layers = keras.layers
    sequence, hidden, memory = layers.LSTM(3, return_sequences=True, return_state=True)(x)
    again = layers.LSTM(3)(sequence, initial_state=[hidden, memory])
    last, state = layers.GRU(3, return_state=True)(x, initial_state=hidden)
    both = layers.Bidirectional(layers.LSTM(2, return_state=True))(x)
    return [again, last, state, memory, *both]


@graph("attention", (6, 8), (5, 8))
def attended(keras, a, b):
    layers = keras.layers
    x, scores = layers.MultiHeadAttention(2, 3, value_dim=5, name="heads")(a, b, return_attention_scores=True)
    y = layers.MultiHeadAttention(2, 4, dropout=0.1, use_bias=False)(a, a, use_causal_mask=True)
    z = layers.GroupQueryAttention(4, 4, 2)(a, b)
    u = layers.Attention(use_scale=True)([a, b])
    v = layers.AdditiveAttention()([a, b])
    w = layers.Attention(score_mode="concat", dropout=0.2)([a, a], use_causal_mask=True)
    return [layers.LayerNormalization()(layers.Add()([a, x, y, z])), scores, u, v, w]


@graph("arithmetic", SERIES, SERIES)
def arithmetic(keras, a, b):
    ops = keras.ops
    x = (a * 2.0 - b) / (ops.abs(b) + 1.5) + ops.square(a) - (-0.5)
    y = ops.maximum(ops.minimum(x, 1.0), ops.sin(b)) ** 2 + ops.exp(-ops.abs(x))
    z = ops.where(a > b, ops.sqrt(ops.abs(a)), ops.log1p(ops.abs(b))) + 1.0 / (1.0 + ops.sigmoid(a))
    return [x, y, z, ops.clip(a, -0.5, 0.5), ops.logical_and(a > 0.0, b > 0.0)]


@graph("reductions", IMAGE)
def reductions(keras, x):
    ops = keras.ops
    y = keras.layers.Conv2D(5, 2)(x)
    reduced = [getattr(ops, name)(y, axis=(1, 3)) for name in ("mean", "sum", "max", "min", "var", "std", "prod")]
    return [*reduced, ops.mean(y, axis=-1, keepdims=True), ops.argmax(y, axis=-1), ops.mean(x, axis=[1, 2])]


@graph("shapes", SERIES)
def shapes(keras, x):
    ops = keras.ops
    first, second = ops.split(x, 2, axis=-1)
    y = ops.stack([first, second], axis=1)
    z = ops.transpose(ops.reshape(x, (-1, 3, 3, 4)), (0, 2, 3, 1))
    u = ops.squeeze(ops.expand_dims(x[:, -1], 1), 1)
    v = ops.concatenate([x[:, ::2, 1:], x[..., 0:3][:, :5]], axis=1)
    w = ops.flip(ops.repeat(ops.pad(x, [[0, 0], [1, 2], [0, 0]]), 2, axis=1), axis=2)
    return [y, z, u, v, w, ops.swapaxes(x, 1, 2) @ x, ops.einsum("abc,adc->abd", x, x), ops.cast(x, "int32")]


@graph("pooling operations", IMAGE)
def pooling_operations(keras, x):
    ops = keras.ops
    y = keras.layers.Conv2D(4, 2)(x)
    return [ops.max_pool(y, 2, 2), ops.average_pool(y, (2, 3), 1), ops.max_pool(y[:, 0], 3, 2)]


@graph("numbers and arrays", (5,))
def constants(keras, x):
    import numpy as np

    return x * np.arange(5, dtype="float32") + keras.ops.zeros_like(x)


@graph("classes", (6,), dtype="int32")
def classes(keras, x):
    hot = keras.ops.one_hot(x, 5)
    return [hot, keras.ops.mean(x, axis=1), x + 1, keras.ops.cast(x, "float32") / 2]


@graph("passes through", (3,))
def passes(keras, x):
    return [x, keras.layers.Activation("linear")(x), keras.layers.Dense(2)(x)]


# --- masks ------------------------------------------------------------------------------------------------------------


@graph("masked recurrent", (7,), dtype="int32")
def masked_recurrent(keras, tokens):
    layers = keras.layers
    x = layers.Embedding(5, 4, mask_zero=True)(tokens)
    both = [
        layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x),
        layers.Bidirectional(layers.GRU(3), merge_mode="sum")(x),
    ]
    stacked = layers.SimpleRNN(3)(layers.GRU(4, return_sequences=True)(layers.Dropout(0.1)(x)))
    lstm, memory, state = layers.LSTM(3, return_state=True, go_backwards=True)(x)
    relu = layers.LSTM(3, activation="relu", return_sequences=True)(x)
    started = layers.GRU(3)(x, initial_state=layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))
    return [*both, stacked, lstm, memory, state, relu, started]


@graph("masked by a value", (7, 4))
def masked_by_a_value(keras, x):
    layers = keras.layers
    x = layers.Masking(0.0)(keras.ops.relu(x - 0.7))
    y = layers.TimeDistributed(layers.Dense(4))(x)
    return [layers.LSTM(3)(x), layers.LSTM(3, return_sequences=True)(y), layers.GlobalAveragePooling1D()(x)]


@graph("cells", (7, 4))
def cells(keras, x):
    layers = keras.layers
    stacked = layers.RNN([layers.GRUCell(4), layers.LSTMCell(3)], return_sequences=True, return_state=True)(x)
    backward = layers.RNN([layers.SimpleRNNCell(4), layers.GRUCell(3)], go_backwards=True)(x)
    both = layers.Bidirectional(layers.RNN(layers.LSTMCell(2)))(x)
    start = layers.Dense(3)(layers.GlobalAveragePooling1D()(x))
    started = layers.RNN(layers.StackedRNNCells([layers.GRUCell(3), layers.SimpleRNNCell(3)]))
    return [*stacked, backward, both, started(x, initial_state=[start, start * 2])]


@graph("bins", (3,))
def bins(keras, x):
    layers = keras.layers
    edges = [-0.5, 0.25, 1.0]
    modes = [layers.Discretization(edges, output_mode=mode)(x) for mode in ("multi_hot", "count")]
    counts = layers.CategoryEncoding(4, output_mode="count")(layers.Discretization(edges)(x))
    return [layers.Embedding(4, 2)(layers.Discretization(edges)(x)), counts, *map(layers.Dense(2), modes)]


@graph("convolutional LSTMs", (3, *IMAGE))
def convolutional_lstms(keras, x):
    layers = keras.layers
    steps, hidden, memory = layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True, return_state=True)(x)
    backward = layers.ConvLSTM2D(3, (2, 3), strides=2, go_backwards=True, activation="relu", use_bias=False)(x)
    dilated = layers.ConvLSTM2D(2, 2, dilation_rate=2, recurrent_activation="hard_sigmoid")(x)
    started = layers.ConvLSTM2D(2, (3, 2), padding="same")(steps, initial_state=[hidden, memory])
    lines = layers.ConvLSTM1D(2, 2, return_sequences=True)(layers.TimeDistributed(layers.Reshape((-1, 6)))(x))
    cubes = layers.ConvLSTM3D(2, 2, padding="same")(keras.ops.expand_dims(x, -1))
    return [steps, memory, backward, dilated, started, lines, cubes]
