"""Every Keras layer, loss and metric, computed on one backend in float64; tests compare the backends."""

from __future__ import annotations

from typing import Any

import numpy as np

SEQUENCE, SERIES, IMAGE, VOLUME = (6,), (6, 4), (6, 6, 4), (4, 4, 4, 2)
_POOL: dict[str, Any] = {"pool_size": 2}
_KERNEL: dict[str, Any] = {"filters": 3, "kernel_size": 2, "activation": "silu"}
_SAMPLING: dict[str, Any] = {"size": 2}

# The arguments of each layer, and the shapes of its inputs without the batch; integers for `Embedding`.
LAYERS: dict[str, tuple[dict[str, Any], tuple[tuple[int, ...], ...]]] = {
    "Activation": ({"activation": "gelu"}, (SERIES,)),
    "ActivityRegularization": ({"l1": 0.1, "l2": 0.1}, (SERIES,)),
    "Dense": ({"units": 3, "kernel_regularizer": "l1l2", "bias_regularizer": "l1"}, (SERIES,)),
    "EinsumDense": ({"equation": "abc,cd->abd", "output_shape": (6, 3), "bias_axes": "d"}, (SERIES,)),
    "Embedding": ({"input_dim": 5, "output_dim": 3}, (SEQUENCE,)),
    "ReversibleEmbedding": ({"input_dim": 5, "output_dim": 3}, (SEQUENCE,)),
    "Identity": ({}, (SERIES,)),
    "Masking": ({}, (SERIES,)),
    "Flatten": ({}, (SERIES,)),
    "Permute": ({"dims": (2, 1)}, (SERIES,)),
    "RepeatVector": ({"n": 3}, (SEQUENCE,)),
    "Reshape": ({"target_shape": (4, 6)}, (SERIES,)),
    "Rescaling": ({"scale": 0.5, "offset": 1.0}, (SERIES,)),
    **{name: ({}, (SERIES,)) for name in ("ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax")},
    **{name: ({}, (SERIES, SERIES)) for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
    "Concatenate": ({}, (SERIES, SERIES)),
    "Dot": ({"axes": 2, "normalize": True}, (SERIES, SERIES)),
    **{name: ({"use_scale": True}, (SERIES, SERIES)) for name in ("Attention", "AdditiveAttention")},
    "MultiHeadAttention": ({"num_heads": 2, "key_dim": 3}, (SERIES, SERIES)),
    "GroupQueryAttention": ({"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, (SERIES, SERIES)),
    "BatchNormalization": ({}, (SERIES,)),
    "LayerNormalization": ({}, (SERIES,)),
    "RMSNormalization": ({}, (SERIES,)),
    "UnitNormalization": ({}, (SERIES,)),
    "GroupNormalization": ({"groups": 2}, (SERIES,)),
    "Normalization": ({"mean": 0.5, "variance": 2.0}, (SERIES,)),
    "Dropout": ({"rate": 0.3, "seed": 1}, (SERIES,)),
    "AlphaDropout": ({"rate": 0.3, "seed": 1}, (SERIES,)),
    "GaussianDropout": ({"rate": 0.3, "seed": 1}, (SERIES,)),
    "GaussianNoise": ({"stddev": 0.3, "seed": 1}, (SERIES,)),
    "SimpleRNN": ({"units": 3}, (SERIES,)),
    "LSTM": ({"units": 3, "return_sequences": True}, (SERIES,)),
    "GRU": ({"units": 3, "go_backwards": True}, (SERIES,)),
    "ConvLSTM1D": ({"filters": 2, "kernel_size": 2}, (IMAGE,)),
    "ConvLSTM2D": ({"filters": 2, "kernel_size": 2}, (VOLUME,)),
    "UpSampling1D": (_SAMPLING, (SERIES,)),
    "UpSampling2D": (_SAMPLING, (IMAGE,)),
    "UpSampling3D": (_SAMPLING, (VOLUME,)),
    "Resizing": (
        {"height": 4, "width": 5, "interpolation": "nearest"},
        (IMAGE,),
    ),  # TensorFlow rounds others to float32
    "CenterCrop": ({"height": 4, "width": 4}, (IMAGE,)),
    **{
        f"{kind}{rank}D": (arguments, (shape,))
        for kind, arguments in {
            "AveragePooling": {**_POOL, "padding": "same"},
            "MaxPooling": _POOL,
            "AdaptiveAveragePooling": {"output_size": 2},
            "AdaptiveMaxPooling": {"output_size": 2},
            "GlobalAveragePooling": {},
            "GlobalMaxPooling": {},
            "Cropping": {"cropping": 1},
            "ZeroPadding": {"padding": 1},
            "Conv": {**_KERNEL, "padding": "same"},
            "ConvTranspose": {**_KERNEL, "strides": 2},
            "SpatialDropout": {"rate": 0.3, "seed": 1},
        }.items()
        for rank, shape in ((1, SERIES), (2, IMAGE), (3, VOLUME))
        # TensorFlow pools no volumes in float64.
        if not (rank == 3 and "Pooling" in kind and "Global" not in kind)
    },
    **{f"DepthwiseConv{rank}D": ({"kernel_size": 2}, (shape,)) for rank, shape in ((1, SERIES), (2, IMAGE))},
    **{f"SeparableConv{rank}D": (_KERNEL, (shape,)) for rank, shape in ((1, SERIES), (2, IMAGE))},
    **{name: ({"layer": {"class_name": "Dense", "config": {"units": 3}}}, (SERIES,)) for name in ("TimeDistributed",)},
    "Bidirectional": ({"layer": {"class_name": "GRU", "config": {"units": 3}}}, (SERIES,)),
}
LAYERS = {
    name.replace("ConvTranspose", "Conv") + ("Transpose" if "ConvTranspose" in name else ""): made
    for name, made in LAYERS.items()
}

# Losses of each kind of target, and the arguments of those that have no defaults.
LOSSES: dict[str, tuple[str, ...]] = {
    "values": (
        "MeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredLogarithmicError",
        "Huber",
        "LogCosh",
        "Poisson",
        "CosineSimilarity",
        "Tversky",
        "Dice",
    ),
    "signs": ("Hinge", "SquaredHinge", "CategoricalHinge"),
    "yes or no": ("BinaryCrossentropy", "BinaryFocalCrossentropy"),
    "classes": (
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "KLDivergence",
    ),
    "indices": ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy", "Circle"),
}
METRICS: dict[str, dict[str, tuple[dict[str, Any], ...]]] = {
    "values": {
        name: ({},)
        for name in (
            "MeanSquaredError",
            "RootMeanSquaredError",
            "MeanAbsoluteError",
            "MeanAbsolutePercentageError",
            "MeanSquaredLogarithmicError",
            "LogCoshError",
            "Poisson",
            "CosineSimilarity",
            "R2Score",
            "PearsonCorrelation",
            "ConcordanceCorrelation",
        )
    },
    "signs": {name: ({},) for name in ("Hinge", "SquaredHinge", "CategoricalHinge")},
    "yes or no": {
        "AUC": ({}, {"curve": "PR"}, {"num_thresholds": 7, "summation_method": "minoring"}),
        "BinaryAccuracy": ({}, {"threshold": 0.3}),
        "BinaryCrossentropy": ({},),
        "F1Score": ({}, {"average": "macro", "threshold": 0.4}),
        "FBetaScore": ({"beta": 2.0},),
        "BinaryIoU": ({},),
        **{name: ({}, {"thresholds": [0.2, 0.6]}) for name in ("Precision", "Recall")},
        **{name: ({},) for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")},
        "PrecisionAtRecall": ({"recall": 0.5},),
        "RecallAtPrecision": ({"precision": 0.5},),
        "SensitivityAtSpecificity": ({"specificity": 0.5},),
        "SpecificityAtSensitivity": ({"sensitivity": 0.5},),
    },
    "classes": {
        "CategoricalAccuracy": ({},),
        "CategoricalCrossentropy": ({},),
        "KLDivergence": ({},),
        "TopKCategoricalAccuracy": ({"k": 2},),
        "OneHotIoU": ({"num_classes": 4, "target_class_ids": [0, 2]},),
        "OneHotMeanIoU": ({"num_classes": 4},),
    },
    "indices": {
        "SparseCategoricalAccuracy": ({},),
        "SparseCategoricalCrossentropy": ({"from_logits": True},),  # as a run has it
        "SparseTopKCategoricalAccuracy": ({"k": 2},),
        "MeanIoU": ({"num_classes": 4, "sparse_y_pred": False},),
        "IoU": ({"num_classes": 4, "target_class_ids": [1], "sparse_y_pred": False},),
    },
}


def drawn_outputs(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and predictions, (12, 4) each. Some are equal, and some lie at the edges of their range."""
    generator = np.random.default_rng(5)
    y = np.eye(4)[generator.integers(0, 4, 12)]
    probabilities = generator.uniform(0, 1, (12, 4))
    probabilities[:3] = [[0.0, 0.5, 0.5, 1.0], [0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0]]
    shares = probabilities / probabilities.sum(-1, keepdims=True)
    values = np.abs(generator.normal(size=(12, 4))) + 0.1
    return {
        "values": (np.round(values[::-1], 1), values),
        "signs": (2 * y - 1, np.where(probabilities == 0.5, 1.0, 2 * probabilities - 1)),
        "yes or no": (y, probabilities),
        "classes": (y, shares),
        "indices": (y.argmax(-1), shares),
    }[kind]


def gradients(names: list[str]) -> dict[str, list[np.ndarray]]:
    """Return by layer its loss and the gradients of its weights, and of a dense layer before it, in training mode."""
    return {name: _gradients(name) for name in names}


def _gradients(name: str) -> list[np.ndarray]:
    import keras

    from trivium.backends import runtime
    from trivium.backends.same_run.operations import portable_operations
    from trivium.backends.same_run.portable_random import portable_draws
    from trivium.backends.same_run.randomness import portable_initial_weights
    from trivium.engine.verification.model_under_test import fresh_keras

    arguments, shapes = LAYERS[name]
    takes_tokens = "Embedding" in name
    generator = np.random.default_rng(1)
    with fresh_keras(float64=True), portable_initial_weights(3), portable_draws(), portable_operations():
        inputs = [keras.Input(shape, dtype="int32" if takes_tokens else None) for shape in shapes]
        before = (
            inputs
            if takes_tokens
            else [keras.layers.Dense(shape[-1])(x) for x, shape in zip(inputs, shapes, strict=True)]
        )
        layer = getattr(keras.layers, name).from_config(_config(arguments))
        takes_several = name in ("MultiHeadAttention", "GroupQueryAttention")
        outputs = layer(*before) if takes_several or len(before) == 1 else layer(before)
        model = keras.Model(inputs, outputs)
        model.compile("sgd", "mean_squared_error")
        x = [
            generator.integers(0, 5, (3, *shape)) if takes_tokens else generator.normal(size=(3, *shape))
            for shape in shapes
        ]
        y = generator.normal(size=(3, *outputs.shape[1:]))
        loss, values = runtime.current().gradients(model, x if len(x) > 1 else x[0], y)
        return [np.array(loss), *values]


def _config(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with a wrapped layer as its serialised form."""
    import keras

    if "layer" not in arguments:
        return dict(arguments)
    inner = arguments["layer"]
    layer = getattr(keras.layers, inner["class_name"])(**inner["config"])
    return {**arguments, "layer": keras.saving.serialize_keras_object(layer)}


def losses() -> dict[str, list[np.ndarray]]:
    """Return by loss its value for each sample, for crossentropies also from logits."""
    import keras

    from trivium.backends.same_run.operations import portable_operations
    from trivium.engine.verification.model_under_test import fresh_keras

    values = {}
    with fresh_keras(float64=True), portable_operations():
        for kind, names in LOSSES.items():
            y, outputs = drawn_outputs(kind)
            for name in names:
                values[name] = []
                if name != "SparseCategoricalCrossentropy":  # of clipped probabilities it differs by 1e-7
                    loss = getattr(keras.losses, name)(reduction=None)
                    values[name].append(keras.ops.convert_to_numpy(loss(y, outputs)))
                if "rossentropy" in name and "Focal" not in name:
                    loss = getattr(keras.losses, name)(reduction=None, from_logits=True)
                    values[name].append(keras.ops.convert_to_numpy(loss(y, outputs * 40 - 20)))
    return {name: [np.array(array) for array in arrays] for name, arrays in values.items()}


def metrics() -> dict[str, list[np.ndarray]]:
    """Return by metric its value after two batches, for each of its arguments."""
    import keras

    from trivium.backends.same_run.operations import portable_operations
    from trivium.engine.verification.model_under_test import fresh_keras

    values = {}
    with fresh_keras(float64=True), portable_operations():
        for kind, by_name in METRICS.items():
            y, outputs = drawn_outputs(kind)
            for name, listed in by_name.items():
                values[f"{name} of {kind}"] = [
                    _value_after_two_batches(getattr(keras.metrics, name)(**arguments), y, outputs)
                    for arguments in listed
                ]
    return values


def _value_after_two_batches(metric: Any, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    import keras

    metric.update_state(y[:5], outputs[:5])
    metric.update_state(y[5:], outputs[5:])
    return np.array(keras.ops.convert_to_numpy(metric.result()))
