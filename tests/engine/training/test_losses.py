"""The loss of a model that names none fits its last activation, the shape of its output, and the targets."""

import numpy as np
import pytest

import trivium
from trivium.engine.training import losses
from trivium.errors import DataError, OptionError
from trivium.models.recipe import Recipe

pytestmark = pytest.mark.one_environment

CLASSES = np.array([0, 2, 1, 2])


def chosen(layer, shape, targets):
    """The loss and the metrics of a model that ends in a layer, for samples of a shape."""
    import keras

    from trivium.engine.keras_model.last_activation import last_activation

    model = keras.Sequential([keras.Input(shape), *layer])
    (output,) = model.outputs
    return losses.choose("output", tuple(output.shape), last_activation(output), targets)


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


SOFT = np.array([[0.2, 0.5, 0.3], [1, 0, 0], [0.1, 0.1, 0.8]])
SEVERAL = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    ("units", "activation", "targets", "loss", "from_logits", "metric"),
    [
        (1, "sigmoid", np.array([0.0, 1.0]), "binary_crossentropy", False, "accuracy"),
        (1, "sigmoid", np.array([0.5, 1.0]), "mean_squared_error", False, None),
        (3, "softmax", SOFT, "categorical_crossentropy", False, "accuracy"),
        (3, "softmax", SOFT.astype("float16"), "categorical_crossentropy", False, "accuracy"),
        (3, "softmax", np.eye(3, dtype=bool), "categorical_crossentropy", False, "accuracy"),
        (3, None, np.eye(3), "categorical_crossentropy", True, "accuracy"),
        (3, None, SOFT, "mean_squared_error", False, None),
        (3, "log_softmax", CLASSES, "sparse_categorical_crossentropy", True, "accuracy"),
        (3, "log_softmax", SOFT, "categorical_crossentropy", True, "accuracy"),
        (3, "sigmoid", SEVERAL, "binary_crossentropy", False, "binary_accuracy"),
        (3, "sigmoid", SEVERAL.astype("float32"), "binary_crossentropy", False, "binary_accuracy"),
        (3, None, SEVERAL, "binary_crossentropy", True, "binary_accuracy"),
        (3, None, SEVERAL.astype("float32"), "mean_squared_error", False, None),
    ],
)
def test_rows_of_probabilities_or_answers_get_their_crossentropy(
    backend, units, activation, targets, loss, from_logits, metric
):
    import keras

    received, metrics = chosen([keras.layers.Dense(units, activation)], (2,), targets)
    assert getattr(received, "name", received) == loss
    assert getattr(received, "from_logits", False) == from_logits
    assert [getattr(each, "name", each) for each in metrics] == [metric] * (metric is not None)


@pytest.mark.parametrize(
    ("units", "activation", "targets", "message"),
    [
        (1, "softmax", np.array([0, 1]), "one value under a softmax, which is always 1: end it with sigmoid"),
        (1, "tanh", np.array([0, 1]), "ends in tanh, which gives neither probabilities nor logits.* with sigmoid"),
        (3, "relu", CLASSES, "ends in relu, which gives neither probabilities nor logits.* with softmax"),
        (3, "softmax", CLASSES + 1.0, "for the classes 0 to 2, but its targets are classes from 1 to 3: number"),
        (3, None, CLASSES - 1, "targets are classes from -1 to 1: .*, or leave positions out by a loss with ignore"),
    ],
)
def test_targets_that_the_last_activation_has_no_scores_for_are_refused(backend, units, activation, targets, message):
    import keras

    with pytest.raises(DataError, match=message):
        chosen([keras.layers.Dense(units, activation)], (2,), targets)


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


def test_a_compiled_model_takes_what_the_user_gives_and_keeps_the_rest(backend):
    data = (np.array([[0.3], [-0.3]] * 10), np.array([1, 0] * 10))
    run = trivium.train(logits, data, epochs=1, learning_rate=0.25)
    assert float(run.model.optimizer.learning_rate) == 0.25
    compiled = run.to_json()["compiled"]
    assert (compiled["optimizer"]["class"], compiled["loss"]["class"]) == ("SGD", "BinaryCrossentropy")
    assert run.settings["optimizer"] is None, "the function's own, not the recipe's"
    run = trivium.train(logits, data, epochs=1, optimizer={"name": "rmsprop", "rho": 0.5}, metrics=["mae"])
    assert (type(run.model.optimizer).__name__, run.model.optimizer.rho) == ("RMSprop", 0.5)
    assert run.history.metrics[:2] == ["loss", "mae"]
    assert run.to_json()["compiled"]["loss"] == compiled["loss"]
    assert run.settings["optimizer"] == {"name": "rmsprop", "rho": 0.5}


def test_a_rate_that_is_also_the_recipes_is_given_to_a_compiled_model(backend):
    data = (np.array([[0.3], [-0.3]] * 10), np.array([1, 0] * 10))
    recipe = Recipe("own", "a model that its function compiles", logits, learning_rate=0.25)
    rates = [
        float(trivium.train(recipe, data, epochs=1, **settings).model.optimizer.learning_rate)
        for settings in ({}, {"learning_rate": 0.25}, {"learning_rate": 0.125})
    ]
    assert rates == pytest.approx([0.01, 0.25, 0.125])


def scheduled(inputs, classes):
    import keras

    model = logits(inputs, classes)
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 5)), "mse")
    return model


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.1}, "`learning_rate`: the SGD of this model follows a schedule of its own"),
        ({"optimizer": {"name": "sgd", "rho": 1}}, r"`optimizer` sgd: Keras refuses {'rho': 1}: .*rho"),
        ({"optimizer": {"name": "sdg"}}, "Keras knows no optimizer 'sdg'"),
        ({"metrics": ["mea"]}, "`metrics`: Keras knows no 'mea'; did you mean"),
    ],
)
def test_what_a_compiled_model_cannot_take_is_refused(backend, settings, message):
    with pytest.raises(OptionError, match=message):
        trivium.train(scheduled, (np.ones((20, 1)), np.array([1, 0] * 10)), epochs=1, **settings)


def compiled(inputs, classes, loss="categorical_crossentropy"):
    import keras

    model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        (
            "sparse_categorical_crossentropy",
            np.arange(9.0) % 4,
            "classes 0 to 2, but its targets are classes from 0 to 3",
        ),
        ("sparse_categorical_crossentropy", np.arange(9.0) / 2, "takes class numbers, but its targets are no whole"),
        (
            "mean_squared_error",
            np.arange(9) % 3,
            "class numbers: compile it with sparse_categorical_crossentropy",
        ),
        ("sparse_categorical_crossentropy", np.eye(3)[np.arange(9) % 3], "takes class numbers, but .* rows of 3"),
    ],
)
def test_targets_that_a_compiled_loss_does_not_take_are_refused(backend, loss, targets, message):
    with pytest.raises(DataError, match=message):
        trivium.train(compiled, (np.ones((9, 2)), targets), options={"inputs": 2, "classes": 3, "loss": loss}, epochs=1)
