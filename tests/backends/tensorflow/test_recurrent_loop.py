"""The loop for exports computes what Keras' own loop does, with masks, backwards, and with states of any rank."""

import numpy as np
import pytest

from trivium.backends import artifacts, catalog


@pytest.fixture
def keras(backend):
    if backend != catalog.find("tensorflow"):
        pytest.skip("the loop is TensorFlow's")
    import keras

    return keras


LAYERS = {
    "last": lambda layers: layers.SimpleRNN(3),
    "all": lambda layers: layers.LSTM(3, return_sequences=True, return_state=True),
    "backwards": lambda layers: layers.GRU(3, return_sequences=True, go_backwards=True),
    "zeros": lambda layers: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),  # zeros for absent steps
    "stacked": lambda layers: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_state=True),
}


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_the_loop_computes_what_keras_computes(keras, name, is_masked, generator):
    layer = LAYERS[name](keras.layers)
    x = generator.normal(size=(4, 6, 2)).astype("float32")
    mask = generator.uniform(size=(4, 6)) < 0.6 if is_masked else None
    expected = keras.tree.flatten(layer(x, mask=mask))
    with artifacts.exportable_loops():
        received = keras.tree.flatten(layer(x, mask=mask))
    for one, other in zip(expected, received, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_the_loop_carries_states_of_pictures(keras, generator):
    layer = keras.layers.ConvLSTM2D(2, 3, return_sequences=True)
    x = generator.normal(size=(2, 4, 6, 5, 1)).astype("float32")
    expected = layer(x)
    with artifacts.exportable_loops():
        np.testing.assert_allclose(layer(x), expected, rtol=0, atol=1e-6)
