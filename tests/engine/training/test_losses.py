"""The loss of a model that names none fits its last activation, the shape of its output, and the targets."""

import numpy as np
import pytest

import trivium
from trivium.engine.training import losses
from trivium.errors import DataError, OptionError

pytestmark = pytest.mark.one_environment

CLASSES = np.array([0, 2, 1, 2])


def chosen(layer, shape, targets):
    """The loss and the metrics of a model that ends in a layer, for samples of a shape."""
    import keras

    model = keras.Sequential([keras.Input(shape), *layer])
    (output,) = model.outputs
    return losses.choose("output", tuple(output.shape), losses.last_activation(model, "output"), targets)


def test_class_numbers_under_a_softmax_are_sparse(backend):
    import keras

    dense = [keras.layers.Dense(3, "softmax")]
    for targets in (CLASSES, CLASSES[:, None], CLASSES.astype("float32"), CLASSES[:, None].astype("float32")):
        assert chosen(dense, (2,), targets) == ("sparse_categorical_crossentropy", ("accuracy",))
    assert (
        chosen([keras.layers.Dense(3), keras.layers.Softmax()], (2,), CLASSES)[0] == "sparse_categorical_crossentropy"
    )


def test_class_numbers_for_a_linear_output_are_learned_from_logits(backend):
    import keras

    for layers in (
        [keras.layers.Dense(3)],
        [keras.layers.Dense(3), keras.layers.Activation("linear"), keras.layers.Dropout(0.1)],
    ):
        loss, metrics = chosen(layers, (2,), CLASSES)
        assert isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
        assert loss.from_logits
        assert metrics == ("accuracy",)
    loss, (accuracy,) = chosen([keras.layers.Dense(1)], (2,), np.array([0, 1, 1]))
    assert isinstance(loss, keras.losses.BinaryCrossentropy)
    assert loss.from_logits
    assert (accuracy.name, float(accuracy([[1.0]], [[0.2]]))) == ("accuracy", 1.0)


def test_masks_and_tags_are_classes_of_each_position(backend):
    import keras

    masks = np.zeros((4, 8, 8), "uint8")
    for targets in (masks, masks[..., None]):
        assert chosen([keras.layers.Conv2D(3, 1, activation="softmax")], (8, 8, 1), targets)[0] == (
            "sparse_categorical_crossentropy"
        )
    tags = np.zeros((4, 5), "int64")
    assert chosen([keras.layers.Dense(3, "softmax")], (5, 2), tags)[0] == "sparse_categorical_crossentropy"


def test_other_targets_keep_their_losses(backend):
    import keras

    assert chosen([keras.layers.Dense(1, "sigmoid")], (2,), np.array([0, 1])) == ("binary_crossentropy", ("accuracy",))
    assert chosen([keras.layers.Dense(1)], (2,), np.array([0.5, 1.5])) == ("mean_squared_error", ())
    assert chosen([keras.layers.Dense(3, "softmax")], (2,), np.eye(3, dtype="float32"))[0] == "categorical_crossentropy"
    assert chosen([keras.layers.Dense(2)], (2,), np.ones((4, 2)))[0] == "mean_squared_error"


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 2)])
def test_targets_that_would_be_broadcast_are_refused(backend, shape):
    import keras

    with pytest.raises(DataError, match=r"the output output has shape \(2,\) but a target has shape"):
        chosen([keras.layers.Dense(2)], (2,), np.full((4, *shape), 0.5))


def logits(inputs, classes):
    import keras

    layers = [keras.Input((inputs,)), keras.layers.Dense(1, kernel_initializer="ones")]
    model = keras.Sequential(layers)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    return model


def test_logits_are_predicted_as_probabilities(backend):
    from trivium.engine.bundles.bundle import Bundle

    run = trivium.train(logits, (np.array([[0.3], [-0.3]] * 10), np.array([1, 0] * 10)), epochs=1, learning_rate=1e-9)
    entries = trivium.predict(Bundle.of(run), np.array([[0.3], [-0.3]])).to_json()
    assert [entry["label"] for entry in entries] == ["1", "0"]
    assert entries[0]["probability"] == pytest.approx(1 / (1 + np.exp(-0.3)), rel=1e-4)
    assert entries[1]["probability"] == pytest.approx(1 / (1 + np.exp(-0.3)), rel=1e-4)


def test_a_compiled_model_takes_the_learning_rate_and_refuses_another_optimizer(backend):
    data = (np.array([[0.3], [-0.3]] * 10), np.array([1, 0] * 10))
    assert float(trivium.train(logits, data, epochs=1, learning_rate=0.25).model.optimizer.learning_rate) == 0.25
    with pytest.raises(OptionError, match="`optimizer` rmsprop: logits compiles its model with SGD: leave the option"):
        trivium.train(logits, data, optimizer="rmsprop")


def compiled(inputs, classes, loss="categorical_crossentropy"):
    import keras

    model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        (
            "categorical_crossentropy",
            np.arange(9) % 3,
            "class numbers: compile it with sparse_categorical_crossentropy",
        ),
        ("sparse_categorical_crossentropy", np.eye(3)[np.arange(9) % 3], "takes class numbers, but .* rows of 3"),
    ],
)
def test_targets_that_a_compiled_loss_does_not_take_are_refused(backend, loss, targets, message):
    with pytest.raises(DataError, match=message):
        trivium.train(compiled, (np.ones((9, 2)), targets), options={"inputs": 2, "classes": 3, "loss": loss}, epochs=1)
