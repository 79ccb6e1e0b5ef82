"""Random weights under which a network computes something: a check of a dead or exploded network would say nothing.

Kernels keep the scale of their inputs. The statistics of batch normalisation are those of random inputs, each then
changed a little, so that no layer's output vanishes or grows with the depth of the network.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends import keras_internals

_SAMPLES = 8
# Channels that are always zero must not be divided by their variance.
_LEAST_VARIANCE = 0.05


def draw(name: str, shape: tuple[int, ...], fan_in: int, generator: np.random.Generator) -> np.ndarray:
    """Return a weight: a kernel of order 1/√fan_in, a small shift, or a scale around one."""
    if len(shape) > 1:
        return np.asarray(generator.normal(0, np.sqrt(2 / fan_in), shape), "float32")
    if name.endswith(("bias", "beta")):
        # Above zero: where a relu cuts half of its inputs, a deep random network amplifies rounding at every layer.
        return np.asarray(generator.normal(0.5, 0.2, shape), "float32")
    return np.asarray(generator.uniform(0.7, 1.3, shape), "float32")


def statistics(mean: np.ndarray, variance: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the running mean and variance of a layer, each changed at random."""
    variance = np.maximum(variance, _LEAST_VARIANCE) * generator.uniform(0.8, 1.25, variance.shape)
    return (
        np.asarray(mean + 0.1 * np.sqrt(variance) * generator.normal(size=mean.shape), "float32"),
        np.asarray(variance, "float32"),
    )


def randomize_model(model: Any, seed: int = 0) -> None:
    """Draw all weights of a Keras model, except those that a layer has adapted to data."""
    import keras

    generator = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(draw(weight.path, tuple(weight.shape), _fan_in_keras(weight), generator))
    normalizations = [
        each for each in keras_internals.all_layers(model) if isinstance(each, keras.layers.BatchNormalization)
    ]
    if not normalizations:
        return
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    model([_random_input(tensor, generator) for tensor in model.inputs], training=True)
    for layer, momentum in zip(normalizations, momenta, strict=True):
        layer.momentum = momentum
        running = [keras.ops.convert_to_numpy(each) for each in (layer.moving_mean, layer.moving_variance)]
        for weight, value in zip(
            (layer.moving_mean, layer.moving_variance), statistics(running[0], running[1], generator), strict=True
        ):
            weight.assign(value)


def _fan_in_keras(weight: Any) -> int:
    """Return how many values a weight adds up: all axes but the last, and for a depthwise kernel its window alone."""
    shape = tuple(weight.shape)
    if "embedding" in weight.path.rpartition("/")[2]:
        return 2
    if "depthwise" in weight.path:
        return int(np.prod(shape[:-2]))
    return int(np.prod(shape[:-1]))


def _random_input(tensor: Any, generator: np.random.Generator) -> np.ndarray:
    shape = (_SAMPLES, *tensor.shape[1:])
    if "int" in str(tensor.dtype):
        return generator.integers(0, 2, shape).astype(str(tensor.dtype))
    return generator.normal(size=shape).astype("float32")
