"""Training: every setting takes effect, the same seed gives the same run, and the run records its settings."""

import json
import os
import signal

import numpy as np
import pytest

import trivium
from trivium.data.dataset import Dataset, Split
from trivium.engine.runs.run import Timings
from trivium.engine.training.train import train
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError


def losses(digits, **settings):
    run = Trainer("dense/one-hidden", options={"units": 8}, **{"epochs": 2, "batch_size": 50, **settings}).fit(digits)
    return run.history["loss"]


def test_the_same_seed_gives_the_same_run(backend, digits):
    first = losses(digits, seed=3, deterministic=True)
    assert losses(digits, seed=3, deterministic=True) == first
    assert losses(digits, seed=4, deterministic=True) != first


@pytest.mark.one_environment
@pytest.mark.parametrize(
    "other", [{"learning_rate": 0.1}, {"optimizer": "sgd"}, {"batch_size": 20}, {"validation_split": 0.5}]
)
def test_every_setting_changes_the_run(backend, digits, other):
    assert losses(digits, **other) != losses(digits)


def test_the_validation_part_is_the_end_of_the_training_data_and_nothing_is_fitted_on_it(backend):
    series = np.concatenate([np.linspace(0, 1, 30), np.linspace(0, 9, 10)])
    data = Dataset("series", Split(series, series), None, (), "made here")
    preprocessing, training, validation = Trainer("rnn/lstm", validation_split=0.25).prepare(data)
    assert (len(training), len(validation)) == (27, 7)
    assert preprocessing.inputs.steps[0].high == 1.0
    assert validation.y.max() == 9.0


def test_the_history_has_an_entry_an_epoch_with_keras_names(striding_run):
    assert len(striding_run.history) == 2
    assert sorted(striding_run.history.metrics) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_the_history_is_what_keras_itself_records(backend, digits):
    from trivium.backends.same_run.randomness import portable_initial_weights, portable_permutation

    mine = Trainer("dense/one-hidden", options={"units": 8}, epochs=2, batch_size=50, seed=5, validation_split=0.25)
    recorded = mine.fit(digits).history
    x, y = (digits.train.x.reshape(300, -1) / 255.0).astype("float32"), np.eye(10)[digits.train.y]
    with portable_initial_weights(5):
        model = mine.recipe(units=8)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    for epoch in range(2):
        rows = portable_permutation(5, epoch, 225)
        expected = model.fit(
            *(x[rows], y[rows]), batch_size=50, shuffle=False, validation_data=(x[225:], y[225:]), verbose=0
        ).history
        assert set(recorded.metrics) == set(expected)
        for metric, (value,) in expected.items():
            np.testing.assert_allclose(recorded[metric][epoch], value, rtol=1e-5, err_msg=metric)


def test_the_record_of_a_run_is_complete(striding_run, backend, digits):
    record = json.loads(json.dumps(striding_run.to_json(), allow_nan=False))
    assert record["recipe"] == "cnn/striding"
    assert record["parameters"] == 114_502
    assert record["dataset"]["checksum"] == digits.checksum
    assert (record["dataset"]["train"], record["dataset"]["test"]) == (300, 100)
    assert record["settings"]["batch_size"] == 64
    assert record["settings"]["options"] == {"filters": [30, 16], "dropout": 0.2}
    assert record["environment"]["backend"] == backend.name
    assert record["environment"]["versions"][backend.name].startswith(backend.version.split("+")[0])
    assert record["evaluation"].keys() == {"loss", "accuracy"}
    assert record["best_epoch"] in (1, 2)


def test_compilation_is_told_apart_from_the_steady_epoch():
    timings = Timings(build=0.1, epochs=[5.0, 1.0, 3.0, 2.0], validation=[0.0] * 4)
    assert (timings.steady_epoch, timings.compile) == (2.0, 3.0)


def test_one_epoch_alone_says_nothing_about_compilation():
    timings = Timings(build=0.1, epochs=[5.0], validation=[0.0])
    assert (timings.steady_epoch, timings.compile) == (None, None)


def test_times_are_measured(striding_run):
    assert len(striding_run.timings.epochs) == len(striding_run.timings.validation) == 2
    assert all(seconds > 0 for seconds in striding_run.timings.epochs + striding_run.timings.validation)


@pytest.mark.one_environment
def test_the_listener_hears_of_every_epoch_in_order(backend, digits):
    heard = []
    Trainer("dense/one-hidden", options={"units": 4}, epochs=3, batch_size=50, listener=heard.append).fit(digits)
    places = [(event["epoch"], event["step"]) for event in heard]
    assert places == sorted(places)
    assert places[-1] == (3, 5)
    assert all(event["epochs"] == 3 and event["steps"] == 5 for event in heard)
    assert heard[-1]["logs"].keys() >= {"loss", "val_accuracy"}


def test_ctrl_c_keeps_the_finished_epochs(backend, digits, monkeypatch):
    import keras

    monkeypatch.setattr("trivium.engine.epochs.epoch_loop._SHORT_EPOCH_SECONDS", 0.0)  # undo every epoch that is cut

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (2, 1):
                os.kill(os.getpid(), signal.SIGINT)

    run = Trainer("dense/one-hidden", epochs=9, batch_size=50, callbacks=[Interrupt()]).fit(digits)
    assert run.interrupted
    assert len(run.history) == 2
    assert run.evaluation["accuracy"] > 0.2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be 1 or more, received 0"),
        ({"batch_size": -1}, "batch size must be 1 or more, received -1"),
        ({"validation_split": 1.0}, "validation split must be 0 or more and less than 1, received 1"),
        ({"learning_rate": 0.0}, "learning rate must be above 0, received 0"),
        ({"epochs": 1.5}, "epochs must be a whole number, received 1.5"),
        ({"batch_size": True}, "batch size must be a whole number, received True"),
        ({"learning_rate": [0.1]}, "learning rate must be a number, received list: give a schedule to an `optimizer`"),
        ({"seed": -1}, "seed must be from 0"),
    ],
)
def test_an_impossible_setting_is_refused(settings, message):
    with pytest.raises(OptionError, match=message):
        Trainer("cnn/striding", **settings)


def test_an_unknown_optimizer_is_refused(backend, digits):
    with pytest.raises(OptionError, match="Keras knows no optimizer 'adamm'"):
        Trainer("cnn/striding", optimizer="adamm", epochs=1).fit(digits)


def test_data_of_the_wrong_shape_are_an_error_that_shows_both_shapes(backend):
    x = np.zeros((8, 10, 10), "uint8")
    data = Dataset("small.npz", Split(x, np.zeros(8, int)), None, (), "made here")
    with pytest.raises(DataError, match=r"has shape \(10, 10, 1\) but the model takes \(28, 28, 1\)"):
        Trainer("cnn/striding", epochs=1).fit(data)


def test_labels_out_of_range_name_data_and_recipe(backend, digits):
    wrong = Dataset("odd.npz", Split(digits.train.x, digits.train.y + 5), None, (), "made here")
    with pytest.raises(DataError, match=r"odd.npz: cnn/striding cannot take this: labels range from 5 to 14"):
        Trainer("cnn/striding", epochs=1).fit(wrong)


@pytest.mark.one_environment
def test_train_takes_names(backend):
    run = train("rnn/lstm", "waves:0:20", epochs=1, batch_size=8, options={"window": 5})
    assert run.model.inputs[0].shape[1:] == (5, 1)
    assert run.dataset.name == "waves:0:20"


def test_the_rms_error_is_on_the_scale_of_the_data(lstm_run):
    data = lstm_run.dataset.test
    x, _ = lstm_run.preprocessing.pairs(data.x, data.y)
    predicted = lstm_run.preprocessing.targets.inverse(lstm_run.model.predict(x, verbose=0))[:, 0]
    expected = np.sqrt(np.mean((predicted - data.y[3:]) ** 2))
    assert lstm_run.evaluation["rms_error"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.one_environment
def test_samples_are_taken_in_their_order_where_that_is_asked_for(backend):
    import keras

    x = np.random.default_rng(0).normal(size=(70, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    again.compile(keras.optimizers.SGD(0.1), "mse")
    shuffled = keras.models.clone_model(model)
    shuffled.set_weights(model.get_weights())
    shuffled.compile(keras.optimizers.SGD(0.1), "mse")
    settings = {"epochs": 2, "batch_size": 16, "validation_split": 0.0}
    run = trivium.train(model, (x, x.sum(axis=1)), shuffle=False, **settings)
    again.fit(x, x.sum(axis=1), epochs=2, batch_size=16, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], again.get_weights()[0], atol=1e-6)
    assert run.settings["shuffle"] is False
    other = trivium.train(shuffled, (x, x.sum(axis=1)), **settings)
    assert np.abs(other.model.get_weights()[0] - model.get_weights()[0]).max() > 1e-5
    assert "shuffle" not in other.settings
