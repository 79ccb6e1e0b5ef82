"""Digits by convolutions, and drawings, waves and solids by convolutions over two, one and three axes.

The recipes for digits compare two ways to halve a feature map: max-pooling and strides.
"""

from __future__ import annotations  # an annotation must not import Keras

from typing import Any

from .recipe import Option, PublishedResult, keras, recipe, step

__all__ = [
    "bigger",
    "blocks_pooling",
    "blocks_striding",
    "pooling",
    "series",
    "shapes",
    "simple",
    "striding",
    "striding_batchnorm",
    "volumes",
]

CLASSES = 10
SHAPES = 5
FORMS, SOLIDS = 4, 4

DIGITS: dict[str, Any] = {
    "dataset": "mnist",
    "inputs": (step("scale", low=-1.0, high=1.0), step("channel-axis")),
    "targets": (step("one-hot", classes=CLASSES),),
    "loss": "categorical_crossentropy",
    "metrics": ("accuracy",),
    "batch_size": 256,
    "epochs": 100,
}

DRAWN: dict[str, Any] = {
    "targets": (step("one-hot", classes=Option("classes")),),
    "loss": "categorical_crossentropy",
    "metrics": ("accuracy",),
    "epochs": 20,
    "validation": "auto",
}


def image_shape(*lengths: int, channels: int = 1) -> tuple[int, ...]:
    """Return the shape of one image, such as height and width, in Keras' image data format."""
    return (channels, *lengths) if keras.config.image_data_format() == "channels_first" else (*lengths, channels)


def convolution(filters: int, kernel_size: int, strides: int = 1) -> keras.layers.Layer:
    """Return a convolution whose kernels are limited to norm 3, as usual with dropout."""
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        activation="relu",
        kernel_constraint=keras.constraints.MaxNorm(3),
    )


@recipe(
    "cnn/simple",
    "a single convolution",
    **DIGITS,
    parameters=251_722,
    reference=PublishedResult("66", "val. accuracy 0.9862 after 100 epochs"),
)
def simple(filters: int = 32) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(image_shape(28, 28)),
            keras.layers.Conv2D(filters, 5, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "cnn/bigger",
    "three convolutions at full size",
    **DIGITS,
    parameters=64_890,
    reference=PublishedResult("127", "val. accuracy 0.9879 after 100 epochs"),
)
def bigger(filters: tuple[int, int, int] = (16, 8, 8), dropout: float = 0.2) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(image_shape(28, 28)),
            convolution(filters[0], 5),
            keras.layers.Dropout(dropout),
            convolution(filters[1], 3),
            keras.layers.Dropout(dropout),
            convolution(filters[2], 3),
            keras.layers.Dropout(dropout),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "cnn/pooling",
    "two convolutions, each halved by max-pooling",
    **DIGITS,
    parameters=114_502,
    reference=PublishedResult("147", "val. accuracy 0.9939 after 100 epochs"),
)
def pooling(filters: tuple[int, int] = (30, 16), dropout: float = 0.2) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(image_shape(28, 28)),
            convolution(filters[0], 5),
            keras.layers.Dropout(dropout),
            keras.layers.MaxPooling2D(2),
            convolution(filters[1], 3),
            keras.layers.Dropout(dropout),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "cnn/striding",
    "the same two convolutions, each taking every second pixel instead",
    **DIGITS,
    parameters=114_502,
    reference=PublishedResult("36", "val. accuracy 0.9912 after 100 epochs"),
)
def striding(filters: tuple[int, int] = (30, 16), dropout: float = 0.2) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(image_shape(28, 28)),
            convolution(filters[0], 5, strides=2),
            keras.layers.Dropout(dropout),
            convolution(filters[1], 3, strides=2),
            keras.layers.Dropout(dropout),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "cnn/striding-batchnorm",
    "striding, with batch normalisation between convolution and relu instead of dropout",
    **DIGITS,
    parameters=114_686,
    reference=PublishedResult("45", "val. accuracy 0.9911 after 100 epochs"),
)
def striding_batchnorm(filters: tuple[int, int] = (30, 16)) -> keras.Model:
    channels = -1 if keras.config.image_data_format() == "channels_last" else 1
    return keras.Sequential(
        [
            keras.Input(image_shape(28, 28)),
            keras.layers.Conv2D(filters[0], 5, strides=2, padding="same"),
            keras.layers.BatchNormalization(axis=channels),
            keras.layers.Activation("relu"),
            keras.layers.Conv2D(filters[1], 3, strides=2, padding="same"),
            keras.layers.BatchNormalization(axis=channels),
            keras.layers.Activation("relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "cnn/blocks-pooling",
    "three blocks of two convolutions, each block halved by max-pooling",
    **DIGITS,
    parameters=228_954,
    reference=PublishedResult("339", "val. accuracy 0.9902 after 100 epochs"),
)
def blocks_pooling(filters: tuple[int, ...] = (32, 16, 8)) -> keras.Model:
    model = keras.Sequential([keras.Input(image_shape(28, 28))])
    for count in filters:
        model.add(keras.layers.Conv2D(count, 5, padding="same", activation="relu"))
        model.add(keras.layers.Conv2D(count, 3, padding="same", activation="relu"))
        model.add(keras.layers.MaxPooling2D(2, padding="same"))
    return with_head(model)


@recipe(
    "cnn/blocks-striding",
    "the same three blocks, the second convolution of each taking every second pixel instead",
    **DIGITS,
    parameters=228_954,
    reference=PublishedResult("186", "val. accuracy 0.9873 after 100 epochs"),
)
def blocks_striding(filters: tuple[int, ...] = (32, 16, 8)) -> keras.Model:
    model = keras.Sequential([keras.Input(image_shape(28, 28))])
    for count in filters:
        model.add(keras.layers.Conv2D(count, 5, padding="same", activation="relu"))
        model.add(keras.layers.Conv2D(count, 3, strides=2, padding="same", activation="relu"))
    return with_head(model)


def with_head(model: keras.Sequential) -> keras.Model:
    """Append the classifier: flatten the feature maps, then three dense layers."""
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(512, activation="relu"))
    model.add(keras.layers.Dense(256, activation="relu"))
    model.add(keras.layers.Dense(CLASSES, activation="softmax"))
    return model


@recipe(
    "cnn/shapes",
    "five kinds of wobbly drawings, drawn anew for each batch",
    dataset="shapes",
    inputs=(step("scale", low=0.0, high=1.0), step("channel-axis")),
    targets=(step("one-hot", classes=SHAPES),),
    loss="categorical_crossentropy",
    metrics=("accuracy",),
    batch_size=64,
    epochs=10,
    validation_split=0.0,
    parameters=655_685,
    reference=PublishedResult(result="val. accuracy near 1.0, read off a figure"),
)
def shapes(filters: int = 32) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(image_shape(64, 64)),
            keras.layers.Conv2D(filters, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(SHAPES, activation="softmax"),
        ]
    )


@recipe(
    "cnn/series",
    "four forms of noisy waves, by convolutions over time",
    dataset="waveforms",
    inputs=(step("reshape", shape=(-1,)), step("standardise", axis="all")),
    **DRAWN,
    learning_rate=0.005,
    parameters=2_820,
)
def series(filters: tuple[int, int] = (16, 32), kernel: int = 5, inputs: int = 64, classes: int = FORMS) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Reshape(image_shape(inputs)),
            keras.layers.Conv1D(filters[0], kernel, padding="same", activation="relu"),
            keras.layers.MaxPooling1D(2, padding="same"),
            keras.layers.Conv1D(filters[1], kernel, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


@recipe(
    "cnn/volumes",
    "four kinds of solids in space, by convolutions over three axes",
    dataset="solids",
    inputs=(step("scale", low=0.0, high=1.0),),
    **DRAWN,
    parameters=17_060,
)
def volumes(filters: tuple[int, int] = (16, 32), units: int = 32, size: int = 16, classes: int = SOLIDS) -> keras.Model:
    """Build the model for cubes of `size` voxels an edge; the first convolution takes every fourth voxel."""
    return keras.Sequential(
        [
            keras.Input((size, size, size)),
            keras.layers.Reshape(image_shape(size, size, size)),
            keras.layers.Conv3D(filters[0], 5, strides=4, padding="same", activation="relu"),
            keras.layers.Conv3D(filters[1], 3, padding="same", activation="relu"),
            keras.layers.GlobalMaxPooling3D(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
