"""Each Keras layer has the same gradients on every backend, and each loss and metric the same value, in float64."""

import compared_parts
import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers import worker

BACKENDS = [backend.name for backend in catalog.trainers()]
TOLERANCE = 1e-10
SLICE = ["LeakyReLU", "Conv2D", "MultiHeadAttention"]
# Layers that are not compared: aliases and base classes; those without gradients of their own; those of a framework;
# random augmentation and preprocessing, which are no part of a step; and those named in docs/same-run.md.
LEFT_OUT = {
    *("InputLayer", "InputSpec", "Lambda", "Layer", "Wrapper", "RNN", "StackedRNNCells", "GRUCell", "LSTMCell"),
    *("SimpleRNNCell", "FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper", "Pipeline", "ConvLSTM3D"),
    *("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup"),
    *("TextVectorization", "MelSpectrogram", "STFTSpectrogram", "MaxNumBoundingBoxes", "MixUp", "CutMix", "AugMix"),
    *("AutoContrast", "Equalization", "Solarization", "RandAugment", "ContrastLimitedAdaptiveHistogramEqualization"),
    *("AveragePooling3D", "MaxPooling3D", "AdaptiveAveragePooling3D", "AdaptiveMaxPooling3D", "SpectralNormalization"),
}


def by_backend(function, *arguments):
    return {name: worker.get(name).call(function, *arguments) for name in BACKENDS}


def require_equal(computed):
    """Require that the arrays of each name are the same on every backend, relative to the largest of the name."""
    first, *others = computed.values()
    assert all(np.isfinite(array).all() for arrays in first.values() for array in arrays)
    for other, backend in zip(others, BACKENDS[1:], strict=True):
        for name, arrays in first.items():
            scale = max(np.abs(array).max() for array in arrays) or 1.0
            for mine, theirs in zip(arrays, other[name], strict=True):
                message = f"{name}: {BACKENDS[0]} and {backend}"
                np.testing.assert_allclose(theirs, mine, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=message)


def test_every_layer_is_compared_or_left_out(backend):
    import keras

    layers = {
        getattr(keras.layers, name).__name__: name
        for name in dir(keras.layers)
        if isinstance(getattr(keras.layers, name), type) and not name.startswith("Random")
    }
    compared = {getattr(keras.layers, name).__name__ for name in compared_parts.LAYERS}
    left_out = {getattr(keras.layers, name).__name__ for name in LEFT_OUT}
    assert set(layers) - {name for name in layers if name.startswith("Random")} - compared - left_out == set()
    assert not compared & left_out


def test_a_difference_is_found():
    computed = {name: {"part": [np.ones(3)]} for name in BACKENDS[:1]}
    others = {name: {"part": [np.ones(3) + 1e-9]} for name in BACKENDS[1:]}
    require_equal({name: {"part": [np.ones(3)]} for name in BACKENDS})
    if others:
        with pytest.raises(AssertionError, match="part"):
            require_equal(computed | others)


@pytest.mark.several_backends
def test_gradients_of_some_layers_are_the_same():
    require_equal(by_backend(compared_parts.gradients, SLICE))


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("name", [name for name in compared_parts.LAYERS if name not in SLICE])
def test_gradients_of_every_layer_are_the_same(name):
    require_equal(by_backend(compared_parts.gradients, [name]))


@pytest.mark.several_backends
def test_every_loss_is_the_same():
    require_equal(by_backend(compared_parts.losses))


@pytest.mark.several_backends
def test_every_metric_is_the_same():
    require_equal(by_backend(compared_parts.metrics))
