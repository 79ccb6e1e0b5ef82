"""What an output holds: its last activation in the graph, or by its values; and what a user's own loss takes."""

import numpy as np
import pytest

pytestmark = pytest.mark.one_environment


def outputs():
    """Outputs by the name of their last activation."""
    import keras
    from keras import layers, ops

    x = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    shared = layers.Dense(3, "softmax")
    shared(layers.Dense(2)(x))  # a layer's other call says nothing
    return {
        "softmax": ops.softmax(layers.Dense(3)(x)),
        "sigmoid": layers.Reshape((1, 1))(layers.Dropout(0.1)(ops.sigmoid(layers.Dense(1)(x)))),
        "linear": layers.Activation("linear")(inner(layers.Dense(4, "softmax")(x))),
        "log_softmax": layers.Dense(3, "log_softmax")(x),
        "relu": layers.ReLU()(layers.Dense(3)(x)),
        "tanh": layers.TimeDistributed(layers.Dense(2, "tanh"))(layers.Reshape((2, 2))(x)),
    }


@pytest.mark.parametrize("name", ["softmax", "sigmoid", "linear", "log_softmax", "relu", "tanh"])
def test_the_last_activation_is_found_in_the_graph(backend, name):
    import keras

    from trivium.engine.keras_model.last_activation import last_activation

    assert last_activation(outputs()[name]) is getattr(keras.activations, name)


def test_what_the_graph_does_not_tell_is_unknown(backend):
    import keras
    from keras import layers, ops

    from trivium.engine.keras_model.last_activation import last_activation

    x = keras.Input((4,))
    sigmoid = layers.Dense(1, "sigmoid")(x)
    for output in (
        layers.Lambda(lambda values: ops.softmax(values))(layers.Dense(3)(x)),
        layers.Average()([sigmoid, layers.Dense(1, "sigmoid")(x)]),
        layers.Dense(1)(x) * sigmoid,
        layers.Dense(1, activation=lambda values: 1 / (1 + ops.exp(-values)))(x),
        layers.BatchNormalization()(layers.Dense(3)(x)),
        x,
    ):
        assert last_activation(output) is None


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([[0.2, 0.8], [0.5, 0.5]], "softmax"),
        ([[0.2], [0.8]], "sigmoid"),
        ([[0.2, 0.2], [0.8, 0.9]], "sigmoid"),
        ([[0.2], [1.1]], "linear"),
        ([[0.0], [0.0]], "linear"),
    ],
)
def test_values_tell_what_the_graph_does_not(backend, values, name):
    import keras

    from trivium.engine.keras_model.last_activation import activation_by_values

    assert activation_by_values(np.array(values)) is getattr(keras.activations, name)


def test_the_loss_follows_from_the_graph_and_the_values(backend):
    import keras
    from keras import layers, ops

    import trivium

    def average(inputs):
        x = keras.Input((inputs,))
        return keras.Model(x, layers.Average()([layers.Dense(1, "sigmoid")(x), layers.Dense(1, "sigmoid")(x)]))

    def gate(inputs):
        x = keras.Input((inputs,))
        return keras.Model(x, layers.Dense(1)(x) * layers.Dense(1, "sigmoid")(x))

    def operation(inputs):
        x = keras.Input((inputs,))
        return keras.Model(x, ops.sigmoid(layers.Dense(1)(x)))

    data = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2
    for build, from_logits in ((average, False), (gate, True), (operation, False)):
        loss = trivium.train(build, data, epochs=1).model.loss
        assert getattr(loss, "name", loss) == "binary_crossentropy"
        assert getattr(loss, "from_logits", False) == from_logits
