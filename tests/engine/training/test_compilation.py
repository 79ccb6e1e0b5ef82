"""An optimizer, a loss and metrics of the user: names or objects, recorded, and refused where they do not fit."""

import json

import numpy as np
import pytest

import trivium
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.training import compilation
from trivium.errors import DataError, OptionError

pytestmark = pytest.mark.one_environment

X = np.linspace(-1, 1, 64, dtype="float32").reshape(16, 4)
VALUES = X @ np.array([1.0, -2.0, 0.5, 3.0], "float32")
CLASSES = (VALUES > 0).astype("int64")


def build(units=1, activation=None):
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation=activation)])


def build_compiled():
    model = build()
    model.compile("sgd", "mse")
    return model


def test_names_are_taken_as_keras_takes_them(backend):
    run = trivium.train(build, (X, VALUES), epochs=1, loss="mae", metrics=["mse"], optimizer="sgd")
    assert set(run.history.epochs[0]) >= {"loss", "mean_squared_error"} or "mse" in run.history.epochs[0]
    assert (run.settings["loss"], run.settings["metrics"], run.settings["optimizer"]) == ("mae", ["mse"], "sgd")
    assert run.model.loss == "mae"


def test_objects_are_copied_and_recorded_and_come_back_with_the_bundle(backend):
    import keras

    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), momentum=0.9)
    settings = {
        "optimizer": optimizer,
        "loss": keras.losses.MeanSquaredLogarithmicError("sum", name="own"),
        "metrics": [keras.metrics.MeanAbsoluteError("off")],
    }
    runs = [trivium.train(build, (X, VALUES), epochs=2, **settings) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].history["loss"], runs[1].history["loss"])
    assert not optimizer.built
    assert "off" in runs[0].history.epochs[0]
    recorded = runs[0].settings
    assert recorded["loss"] == {"class": "MeanSquaredLogarithmicError", "config": {"name": "own", "reduction": "sum"}}
    assert recorded["optimizer"]["config"]["momentum"] == 0.9
    rebuilt = Bundle.of(runs[0]).build()
    assert rebuilt.loss.reduction == "sum"
    assert rebuilt.optimizer.momentum == pytest.approx(0.9)


def test_arguments_that_keras_forgets_are_kept_by_run_bundle_and_copies(backend):
    import keras

    from trivium.engine.keras_model.float64 import to_float64

    settings = {"loss": keras.losses.Huber(0.25), "metrics": [keras.metrics.CosineSimilarity("alike", axis=0)]}
    run = trivium.train(build, (X, VALUES[:, None]), epochs=1, **settings)
    assert run.settings["loss"]["config"]["delta"] == 0.25
    assert run.settings["metrics"][0]["config"]["axis"] == 0
    expected = run.model.evaluate(X, VALUES[:, None], verbose=0)
    by_hand = keras.losses.Huber(0.25)(VALUES[:, None], run.model.predict(X, verbose=0))
    assert expected[0] == pytest.approx(float(by_hand), rel=1e-5)
    for model in (Bundle.of(run).build(), to_float64(run.model)):
        assert model.evaluate(X, VALUES[:, None], verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_loss_of_each_output_is_a_dictionary(backend):
    import keras

    def two():
        inputs = keras.Input((4,))
        outputs = [keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")]
        return keras.Model(inputs, outputs)

    y = {"a": VALUES, "b": -VALUES}
    run = trivium.train(two, (X, y), epochs=1, loss={"a": "mse", "b": "mae"}, metrics={"b": ["mse"]})
    assert any(name.startswith("b_") for name in run.history.epochs[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "hubber"}, "`loss`: Keras knows no 'hubber'; did you mean 'huber'"),
        ({"loss": {"prise": "mse"}}, "`loss`: the model has no output 'prise'"),
        ({"metrics": ["mea"]}, "`metrics`: Keras knows no 'mea'; did you mean"),
        ({"optimizer": "adm"}, "Keras knows no optimizer 'adm'"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(backend, settings, message):
    with pytest.raises(OptionError, match=message):
        trivium.train(build, (X, VALUES), epochs=1, **settings)


def test_a_loss_that_does_not_fit_the_targets_is_refused(backend):
    with pytest.raises(DataError, match="a loss that takes rows of 2 values"):
        trivium.train(lambda: build(2, "softmax"), (X, CLASSES), epochs=1, loss="mse", metrics=["accuracy"])


def test_class_numbers_become_rows_for_a_loss_of_the_user(backend):
    settings = {"epochs": 2, "metrics": ["accuracy"]}
    rows, numbers = (
        trivium.train(lambda: build(2, "softmax"), (X, CLASSES), loss=f"{kind}categorical_crossentropy", **settings)
        for kind in ("", "sparse_")
    )
    np.testing.assert_allclose(rows.history["loss"], numbers.history["loss"], rtol=1e-5)


def test_options_that_no_record_holds_are_recorded_by_their_names(backend, tmp_path):
    import keras

    options = {"activation": keras.activations.tanh, "units": np.int64(1)}
    settings = {"epochs": np.int64(1), "learning_rate": np.float32(0.5), "loss": keras.losses.Huber, "metrics": "mae"}
    trivium.train(build, (X, VALUES), options=options, out=tmp_path / "run", **settings)
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["settings"]["options"] == {"units": 1, "activation": "tanh"}
    assert (record["compiled"]["loss"]["class"], record["compiled"]["metrics"]) == ("Huber", ["mae"])
    assert record["compiled"]["optimizer"]["config"]["learning_rate"] == 0.5


def test_a_model_that_compiles_itself_takes_another_loss(backend):
    run = trivium.train(build_compiled, (X, VALUES), epochs=1, loss="mae")
    assert run.model.loss == "mae"


@pytest.mark.plain
def test_functions_and_nests_are_described_by_their_names():
    assert compilation.describe({"a": ["mse", test_functions_and_nests_are_described_by_their_names], "b": None}) == {
        "a": ["mse", "test_functions_and_nests_are_described_by_their_names"],
        "b": None,
    }
