"""Uses of Keras, drawn at random: a model, how it is compiled, its callbacks, its data, and how it is trained.

Each is trained by `keras.Model.fit` and by trivium: see tests/engine/training/test_fuzzed_uses.py. A use is plain
values, so that hypothesis can shrink it and a failure can be read.
"""

import contextlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

SEED = 3
CLASSES = 3
WORDS = 12

Call = tuple[str, dict[str, Any]]  # the name of a class, and its arguments

# --- layers, by what they read --------------------------------------------------------------------------------------

_ACTIVATIONS = ["relu", "tanh", "elu", "gelu", "softplus", None]


def call(name, **arguments):
    """Draw a call of `name` with drawn arguments."""
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


def one_of(*values):
    return st.sampled_from(values)


def _dense():
    return call(
        "Dense",
        units=one_of(2, 5),
        activation=st.sampled_from(_ACTIVATIONS),
        use_bias=st.booleans(),
        kernel_regularizer=one_of(None, "l2", "l1"),
        kernel_constraint=one_of(None, "max_norm", "non_neg"),
        trainable=one_of(True, True, True, False),
    )


ANY = [
    call("BatchNormalization", momentum=one_of(0.9, 0.5), center=st.booleans()),
    call("LayerNormalization"),
    call("Activation", activation=one_of("relu", "silu", "softmax")),
    call("LeakyReLU", negative_slope=one_of(0.1, 0.3)),
    call("PReLU"),
    call("ActivityRegularization", l2=one_of(0.01, 0.1)),
    call("Rescaling", scale=one_of(0.5, 2.0)),
]
ROWS = [_dense(), _dense(), call("UnitNormalization"), call("RMSNormalization"), *ANY]
PICTURES = [
    call(
        "Conv2D",
        filters=one_of(2, 3),
        kernel_size=one_of(1, 2, 3),
        strides=one_of(1, 2),
        padding=one_of("same", "valid"),
        activation=st.sampled_from(_ACTIVATIONS),
    ),
    call("DepthwiseConv2D", kernel_size=one_of(2, 3), padding=st.just("same")),
    call("SeparableConv2D", filters=st.just(3), kernel_size=st.just(2), padding=st.just("same")),
    call("MaxPooling2D", pool_size=st.just(2), padding=st.just("same")),
    call("AveragePooling2D", pool_size=st.just(2), padding=st.just("same")),
    call("ZeroPadding2D"),
    call("UpSampling2D"),
    call("GroupNormalization", groups=st.just(1)),
    *ANY,
]
SERIES = [
    call("LSTM", units=one_of(2, 3), return_sequences=st.just(True), go_backwards=st.booleans()),
    call("GRU", units=st.just(3), return_sequences=st.just(True), reset_after=st.booleans()),
    call("SimpleRNN", units=st.just(3), return_sequences=st.just(True)),
    call("Conv1D", filters=st.just(3), kernel_size=one_of(1, 2), padding=one_of("same", "causal")),
    call("Dense", units=st.just(3), activation=st.sampled_from(_ACTIVATIONS)),
    *ANY,
]
_TOWARDS_ROWS = {
    "rows": [()],
    "pictures": [("Flatten",), ("GlobalAveragePooling2D",), ("GlobalMaxPooling2D",)],
    "series": [("Flatten",), ("GlobalAveragePooling1D",), ("LSTM",), ("GRU",)],
    "tokens": [("Flatten",), ("GlobalAveragePooling1D",), ("GlobalMaxPooling1D",), ("LSTM",)],
}
_SHAPES = {"rows": (4,), "pictures": (6, 6, 2), "series": (5, 2), "tokens": (5,)}
_LAYERS = {"rows": ROWS, "pictures": PICTURES, "series": SERIES, "tokens": SERIES}

# --- targets, losses, metrics, optimizers, callbacks ----------------------------------------------------------------

# By the kind of the targets: the output layers, losses and metrics that people write, fitting or not. `TruePositives`
# and its like are left out: under PyTorch, `fit` logs their value after the validation as that of the training.
_CLASSES = {
    "heads": [(CLASSES, "softmax"), (CLASSES, None), (CLASSES, "sigmoid")],
    "losses": [
        call("SparseCategoricalCrossentropy", from_logits=st.booleans()),
        call("SparseCategoricalCrossentropy", from_logits=st.booleans()),
        call("CategoricalCrossentropy", label_smoothing=one_of(0.0, 0.1)),
        call("sparse_categorical_crossentropy"),
        call("MeanSquaredError"),
    ],
    "metrics": [
        call("accuracy"),
        call("SparseTopKCategoricalAccuracy", k=st.just(2)),
        call("sparse_categorical_crossentropy"),
    ],
}
_ONE_HOT = {
    "heads": [(CLASSES, "softmax"), (CLASSES, None)],
    "losses": [
        call("CategoricalCrossentropy", from_logits=st.booleans(), label_smoothing=one_of(0.0, 0.1)),
        call("CategoricalFocalCrossentropy"),
        call("KLDivergence"),
        call("BinaryCrossentropy"),
        call("CategoricalHinge"),
        call("sparse_categorical_crossentropy"),
    ],
    "metrics": [
        call("accuracy"),
        call("F1Score", average=one_of("micro", "macro")),
        call("TopKCategoricalAccuracy", k=st.just(2)),
        call("AUC", num_thresholds=st.just(20)),
        call("CategoricalCrossentropy"),
    ],
}
_BINARY = {
    "heads": [(1, "sigmoid"), (1, None), (2, "softmax")],
    "losses": [
        call("BinaryCrossentropy", from_logits=st.booleans()),
        call("BinaryFocalCrossentropy"),
        call("binary_crossentropy"),
        call("Hinge"),
        call("SquaredHinge"),
        call("mse"),
    ],
    "metrics": [
        call("accuracy"),
        call("AUC", num_thresholds=st.just(20)),
        call("Precision"),
        call("Recall"),
        call("BinaryAccuracy", threshold=one_of(0.3, 0.5)),
    ],
}
_SIGNS = {
    "heads": [(1, "tanh"), (1, None)],
    "losses": [call("Hinge"), call("SquaredHinge"), call("mse")],
    "metrics": [call("accuracy"), call("mae"), call("Hinge")],
}
_VALUES = {
    "heads": [(1, None), (2, None), (1, "relu")],
    "losses": [
        call("MeanSquaredError"),
        call("mae"),
        call("Huber", delta=one_of(0.5, 1.0)),
        call("LogCosh"),
        call("MeanSquaredLogarithmicError"),
        call("CosineSimilarity"),
        call("Poisson"),
        call("MeanAbsolutePercentageError"),
    ],
    "metrics": [
        call("mae"),
        call("RootMeanSquaredError"),
        call("R2Score"),
        call("CosineSimilarity"),
        call("MeanSquaredLogarithmicError"),
    ],
}
_TARGETS = {"classes": _CLASSES, "one-hot": _ONE_HOT, "binary": _BINARY, "signs": _SIGNS, "values": _VALUES}

_RATE = one_of(0.01, 0.001, ("ExponentialDecay", 0.02, 5, 0.5), ("CosineDecay", 0.02, 10))
OPTIMIZERS = [
    call("SGD", learning_rate=_RATE, momentum=one_of(0.0, 0.9), nesterov=st.booleans()),
    call("Adam", learning_rate=_RATE, amsgrad=st.booleans(), clipnorm=one_of(None, 0.1)),
    call("AdamW", learning_rate=_RATE, weight_decay=one_of(0.004, 0.1)),
    call("RMSprop", learning_rate=_RATE, centered=st.booleans(), momentum=one_of(0.0, 0.9)),
    call("Adagrad", learning_rate=_RATE),
    call("Adadelta", learning_rate=_RATE),
    call("Nadam", learning_rate=_RATE),
    call("Lion", learning_rate=st.just(0.001)),
    call("Adamax", learning_rate=_RATE, clipvalue=one_of(None, 0.05)),
    call("Ftrl", learning_rate=_RATE),
    call("Adam", learning_rate=_RATE, use_ema=st.just(True), ema_overwrite_frequency=one_of(None, 3)),
    call("SGD", learning_rate=_RATE, global_clipnorm=st.just(0.1), gradient_accumulation_steps=one_of(None, 2)),
]
CALLBACKS = [
    call("EarlyStopping", monitor=st.just("loss"), patience=one_of(0, 1), restore_best_weights=st.booleans()),
    call(
        "ReduceLROnPlateau", monitor=st.just("loss"), patience=st.just(0), factor=st.just(0.3), min_delta=st.just(9.0)
    ),
    call("LearningRateScheduler", schedule=one_of("by epoch", "by epoch and rate")),
    call("TerminateOnNaN"),
]


_VALUE_DTYPES, _CLASS_DTYPES = ("float32", "float64"), ("int64", "int32", "float32", "uint8")


@dataclass(frozen=True)
class Use:
    """One training, as plain values."""

    kind: str
    layers: tuple[Call, ...]
    towards_rows: tuple[str, ...]
    targets: str
    head: tuple[int, str | None]
    loss: Call
    metrics: tuple[Call, ...]
    weighted_metrics: bool
    optimizer: Call
    callbacks: tuple[Call, ...]
    x_dtype: str
    y_dtype: str
    y_column: bool
    samples: int
    weights: str
    validation_split: float
    batch_size: int
    epochs: int
    plan: str = field(default="auto")


@st.composite
def uses(draw):
    kind = draw(st.sampled_from(sorted(_SHAPES)))
    targets = draw(st.sampled_from(sorted(_TARGETS)))
    known = _TARGETS[targets]
    layers = tuple(draw(st.lists(st.one_of(_LAYERS[kind]), max_size=3)))
    return Use(
        kind=kind,
        layers=layers,
        towards_rows=draw(st.sampled_from(_TOWARDS_ROWS[kind])),
        targets=targets,
        head=draw(st.sampled_from(known["heads"])),
        loss=draw(st.one_of(known["losses"])),
        metrics=tuple(draw(st.lists(st.one_of(known["metrics"]), max_size=2, unique_by=lambda metric: metric[0]))),
        weighted_metrics=draw(one_of(False, False, True)),
        optimizer=draw(st.one_of(OPTIMIZERS).filter(lambda one: _is_stable(one, layers))),
        callbacks=tuple(draw(st.lists(st.one_of(CALLBACKS), max_size=2, unique_by=lambda one: one[0]))),
        x_dtype="int32" if kind == "tokens" else draw(one_of("float32", "float32", "float64", "uint8", "int64")),
        y_dtype=draw(
            one_of("float32", "float64") if targets == "values" else one_of("int64", "int32", "float32", "uint8")
        ),
        y_column=draw(st.booleans()),
        samples=draw(one_of(24, 41)),
        weights=draw(one_of("", "", "random", "with zeros")),
        validation_split=draw(one_of(0.0, 0.25)),
        batch_size=draw(one_of(8, 16, 64)),
        epochs=draw(one_of(1, 3)),
    )


def _is_stable(optimizer, layers):
    """Return whether rounding is no step of an optimizer.

    The gradient of a bias before a batch normalisation is rounding alone, and Lion steps by the sign of it.
    """
    return optimizer[0] != "Lion" or "BatchNormalization" not in dict(layers)


# --- a use, made of Keras' objects ----------------------------------------------------------------------------------


def build(use):
    """Return the model of a use, compiled."""
    import keras

    layers = [_layer(index, *one) for index, one in enumerate(use.layers)]
    first = [keras.layers.Embedding(WORDS, 3, name="embedding")] if use.kind == "tokens" else []
    towards = [_towards_rows(name) for name in use.towards_rows]
    units, activation = use.head
    dtype = "int32" if use.kind == "tokens" else None
    model = keras.Sequential(
        [
            keras.Input(_SHAPES[use.kind], dtype=dtype),
            *first,
            *layers,
            *towards,
            keras.layers.Dense(units, activation, name="head"),
        ],
        name="use",
    )
    metrics = [_metric(index, *metric) for index, metric in enumerate(use.metrics)]
    model.compile(
        optimizer=_optimizer(*use.optimizer),
        loss=_object(keras.losses, *use.loss),
        **({"weighted_metrics": metrics} if use.weighted_metrics else {"metrics": metrics}),
    )
    return model


def callbacks(use):
    """Return fresh callbacks of a use."""
    import keras

    schedules = {"by epoch": lambda epoch: 0.01 / (epoch + 1), "by epoch and rate": lambda epoch, rate: rate * 0.5}
    return [
        keras.callbacks.LearningRateScheduler(schedules[arguments["schedule"]])
        if name == "LearningRateScheduler"
        else getattr(keras.callbacks, name)(**arguments)
        for name, arguments in use.callbacks
    ]


def data(use):
    """Return the samples, targets and weights of a use; the weights are None where it has none."""
    generator = np.random.default_rng(SEED)
    shape = (use.samples, *_SHAPES[use.kind])
    if use.kind == "tokens":
        x = generator.integers(0, WORDS, shape)
    else:
        x = generator.normal(size=shape) if use.x_dtype.startswith("float") else generator.integers(0, 9, shape)
    y = _targets(use, generator).astype("int8" if use.targets == "signs" and use.y_dtype == "uint8" else use.y_dtype)
    weights = {
        "": None,
        "random": generator.uniform(0.5, 2, use.samples),
        "with zeros": generator.integers(0, 2, use.samples).astype("float64"),
    }[use.weights]
    return x.astype(use.x_dtype), y, weights


def _targets(use, generator):
    classes = np.resize(np.arange(CLASSES), use.samples)  # so that none is missing
    if use.targets == "one-hot":
        return np.eye(CLASSES)[classes]
    if use.targets == "values":
        columns = max(1, use.head[0])
        y = generator.uniform(0.1, 2, (use.samples, columns))
    else:
        y = {"classes": classes, "binary": classes % 2, "signs": 2 * (classes % 2) - 1}[use.targets][:, None]
    return y if use.y_column or y.shape[1] > 1 else y[:, 0]


def _layer(index, name, arguments):
    import keras

    return getattr(keras.layers, name)(name=f"layer_{index}", **arguments)


def _towards_rows(name):
    import keras

    return getattr(keras.layers, name)(*([3] if name in ("LSTM", "GRU") else []), name="towards_rows")


def _object(module, name, arguments):
    return getattr(module, name)(**arguments) if name[0].isupper() else name


def _metric(index, name, arguments):
    """Return a metric with a name: Keras counts those without one in the whole process."""
    import keras

    return getattr(keras.metrics, name)(name=f"metric_{index}", **arguments) if name[0].isupper() else name


def _optimizer(name, arguments):
    import keras

    rate = arguments["learning_rate"]
    if isinstance(rate, tuple):
        rate = getattr(keras.optimizers.schedules, rate[0])(*rate[1:])
    settings = {key: value for key, value in arguments.items() if value is not None}
    return getattr(keras.optimizers, name)(**{**settings, "learning_rate": rate})


# --- the two runs ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def computed_in(dtype):
    """Build models in a dtype, float32 or float64."""
    import keras

    from trivium.backends import runtime

    before = keras.config.dtype_policy()
    floats = keras.config.floatx()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        with runtime.current().double_precision() if dtype == "float64" else contextlib.nullcontext():
            yield
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(before)


def by_fit(use):
    """Train by `keras.Model.fit`; return the history, and the weights by path.

    What makes a run the same on every backend is trivium's here too: the order of the samples, the initial weights, and
    the operations that Keras' backends define otherwise.
    """
    import keras

    from trivium.backends import runtime
    from trivium.backends.same_run.operations import portable_operations
    from trivium.backends.same_run.randomness import portable_initial_weights, portable_permutation

    with portable_initial_weights(SEED):
        model = build(use)
    x, y, weights = data(use)
    y = y[:, None] if y.ndim == 1 and use.head[0] == 1 else y  # else some of Keras' metrics compare each with all
    count = int(use.samples * (1 - use.validation_split))  # as Keras divides them
    parts = [part for part in (x, y, weights) if part is not None]

    class Batches(keras.utils.PyDataset):
        """The batches of an epoch; Keras asks for some before the first epoch too."""

        epoch = 0

        def __len__(self):
            return -(-count // use.batch_size)

        def __getitem__(self, batch):
            rows = portable_permutation(SEED, self.epoch, count)
            rows = rows[batch * use.batch_size : (batch + 1) * use.batch_size]
            return tuple(part[rows] for part in parts)

    batches = Batches()
    order = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(batches, "epoch", epoch))
    validation = tuple(part[count:] for part in parts) if count < use.samples else None
    with portable_operations(), runtime.current().dense_gradients(model):
        history = model.fit(
            batches,
            epochs=use.epochs,
            validation_data=validation,
            validation_batch_size=use.batch_size,
            callbacks=[order, *callbacks(use)],
            shuffle=False,
            verbose=0,
        )
    return history.history, {variable.path: np.asarray(variable) for variable in model.weights}


def by_trivium(use):
    """Train by trivium; return the history, and the weights by path.

    Raises:
        TriviumError: trivium refuses the use.
    """
    import trivium

    x, y, weights = data(use)
    run = trivium.train(
        lambda: build(use),
        (x, y) if weights is None else (x, y, weights),
        epochs=use.epochs,
        batch_size=use.batch_size,
        seed=SEED,
        validation_split=use.validation_split,
        validation="last",
        plan=use.plan,
        callbacks=callbacks(use),
    )
    history = {name: run.history[name] for name in run.history.metrics}
    return history, {variable.path: np.asarray(variable) for variable in run.model.weights}
