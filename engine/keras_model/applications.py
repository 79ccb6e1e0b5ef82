"""The networks of `keras.applications` as recipes: a body that was trained on photographs, and a new head.

A recipe `applications/NAME` has the network without its classes, the pooling of its features, and a layer of classes.
It takes pixels from 0 to 255; the network's own preparation is part of the model, so that it travels with it. Which
networks there are, and how each prepares pixels, is asked of Keras.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals, runtime
from ...errors import FileError, RecipeError
from ...functions import suggest
from ...models.recipe import Recipe
from ...storage import safe_hdf5
from .public_names import public_names

if TYPE_CHECKING:
    import keras

PREFIX = "applications/"
IMAGENET = "imagenet"
_PACKAGE = "keras.applications"


def is_application(name: str) -> bool:
    """Return whether a recipe's name is that of one of Keras' networks."""
    return name.startswith(PREFIX)


def application_names() -> list[str]:
    """Return the names of the networks that Keras publishes; no framework is imported."""
    return sorted(name for name in public_names(_PACKAGE) if name[0].isupper())


def application_recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        RecipeError: Keras has no such network.
    """
    network = name.removeprefix(PREFIX)
    if network not in application_names():
        raise RecipeError(f"Keras has no network {network!r} in {_PACKAGE}{suggest(network, application_names())}")
    return Recipe(
        name,
        f"{network} of {_PACKAGE} with a new layer of classes",
        _builder(network),
        loss="sparse_categorical_crossentropy",
        metrics=("accuracy",),
        validation="auto",
    )


def begins_at_random(recipe: Recipe, options: Mapping[str, Any]) -> bool:
    """Return whether a recipe is a network whose body has learned nothing yet."""
    return is_application(recipe.name) and not options.get("weights")


def _builder(network: str) -> Any:
    def build(
        picture_shape: tuple[int, ...] = (224, 224, 3),
        classes: int = 1_000,
        weights: str | None = None,
        download: bool = False,
        pooling: str = "avg",
        dropout: float = 0.0,
    ) -> keras.Model:
        return _build(network, tuple(picture_shape), classes, weights, download, pooling, dropout)

    return build


def _build(
    network: str,
    picture_shape: tuple[int, ...],
    classes: int,
    weights: str | None,
    download: bool,
    pooling: str,
    dropout: float,
) -> keras.Model:
    """Build a network; its body is frozen if it has weights.

    Args:
        network: its name in `keras.applications`.
        picture_shape: (height, width), or with 1 or 3 channels.
        classes: the number of classes.
        weights: `imagenet`, or a file of weights of the network without its classes; None for random ones.
        download: whether Keras may download the weights; else they must be in its cache.
        pooling: of the features: `avg` or `max`.
        dropout: rate before the layer of classes.

    Raises:
        FileError: the weights are not there, or no HDF5 file.
        RecipeError: the shape is that of no picture.
    """
    runtime.current()
    import keras

    inputs = keras.Input(picture_shape, name="pixels")
    prepared = _prepare(_as_colour(inputs, picture_shape), network)
    settings = {"include_top": False, "input_tensor": prepared, "input_shape": tuple(prepared.shape)[1:]}
    if weights and weights != IMAGENET:
        _require_weights(Path(weights))
    with keras_internals.downloads(allowed=bool(download)):
        body = getattr(keras.applications, network)(**settings, pooling=pooling, weights=weights)
    for layer in body.layers if weights else ():
        layer.trainable = False
    features = keras.layers.Dropout(dropout, name="head_dropout")(body.output) if dropout else body.output
    outputs = keras.layers.Dense(classes, activation="softmax", name="head_classes")(features)
    return keras.Model(inputs, outputs, name=network.lower())


def _require_weights(path: Path) -> None:
    if not path.is_file():
        raise FileError(f"weights={path}: no such file; give {IMAGENET}, or one of the network without its classes")
    safe_hdf5.list_arrays(path, str(path))


def _as_colour(pixels: keras.KerasTensor, picture_shape: tuple[int, ...]) -> keras.KerasTensor:
    """Return pictures of three equal channels for grey ones."""
    import keras

    channels = picture_shape[2] if len(picture_shape) == 3 else 1
    if len(picture_shape) not in (2, 3) or channels not in (1, 3):
        raise RecipeError(f"the network takes pictures of (height, width, 1 or 3), received {picture_shape}")
    if len(picture_shape) == 2:
        pixels = keras.layers.Reshape((*picture_shape, 1), name="as_pixels")(pixels)
    return keras.layers.Concatenate(name="as_colour")([pixels] * 3) if channels == 1 else pixels


def _prepare(pixels: keras.KerasTensor, network: str) -> keras.KerasTensor:
    """Prepare pixels as the network's own `preprocess_input` does, by layers."""
    import keras

    order, scale, offset = _preparation(network)
    if order != (0, 1, 2):
        parts = [pixels[..., channel : channel + 1] for channel in order]
        pixels = keras.layers.Concatenate(name="in_order")(parts)
    if np.ptp(scale) or np.ptp(offset):
        mean, variance = -offset / scale, 1 / scale**2
        return keras.layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), name="prepared")(pixels)
    if scale[0] != 1 or offset[0]:
        return keras.layers.Rescaling(float(scale[0]), float(offset[0]), name="prepared")(pixels)
    return pixels


@functools.cache
def _preparation(network: str) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Return how a network prepares pixels: the order of the channels, a factor and a summand for each of them.

    `preprocess_input` is asked for black, and for each channel alone at 255.

    Raises:
        RecipeError: it does something else.
    """
    preprocess = _module_of(network).preprocess_input

    def prepared(pixel: np.ndarray) -> np.ndarray:
        return np.asarray(preprocess(pixel.reshape(1, 1, 1, 3).copy(), data_format="channels_last"), "float64").ravel()

    offset = prepared(np.zeros(3))
    matrix = np.stack([prepared(255.0 * row) - offset for row in np.eye(3)]) / 255  # (channel in, channel out)
    order = tuple(int(channel) for channel in np.abs(matrix).argmax(0))
    scale = matrix[order, range(3)]
    sample = np.array([10.0, 100.0, 200.0])
    if sorted(order) != [0, 1, 2] or not np.allclose(prepared(sample), sample[list(order)] * scale + offset, atol=1e-4):
        raise RecipeError(f"the pixels of {network} are prepared in a way that no layer has")
    return order, np.round(scale, 12), np.round(offset, 10)


def _module_of(network: str) -> Any:
    """Return the module in which Keras publishes a network's `preprocess_input`."""
    import keras

    name = getattr(keras.applications, network).__module__.rpartition(".")[2]
    return importlib.import_module(f"{_PACKAGE}.{name}")
