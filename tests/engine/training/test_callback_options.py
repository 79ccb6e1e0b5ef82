"""Settings become Keras' own callbacks, with these settings."""

import csv

import pytest

from trivium.engine.runs.callback_state import STATE_ATTRIBUTES, get_state, set_state
from trivium.engine.training.callback_options import CallbackOptions, schedule
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError
from trivium.models.recipe import Recipe

SMALL = {"recipe": "dense/small", "batch_size": 50}


def test_options_become_keras_callbacks(backend):
    import keras

    options = CallbackOptions(
        early_stopping={"monitor": "loss", "patience": 3, "min_delta": 0.5, "restore_best": True},
        reduce_on_plateau={"factor": 0.5, "patience": 2, "min_lr": 0.01, "cooldown": 4},
    )
    plateau, stopping = options.build(10)
    assert type(stopping) is keras.callbacks.EarlyStopping
    assert (stopping.monitor, stopping.patience, stopping.restore_best_weights) == ("loss", 3, True)
    assert abs(stopping.min_delta) == 0.5
    assert type(plateau) is keras.callbacks.ReduceLROnPlateau
    assert (plateau.monitor, plateau.factor, plateau.patience) == ("val_loss", 0.5, 2)
    assert (plateau.min_lr, plateau.cooldown) == (0.01, 4)


def test_a_metric_of_ones_own_is_watched_in_the_named_direction(backend, digits):
    def spread(y_true, y_pred):
        import keras

        return keras.ops.max(y_pred) - keras.ops.min(y_pred)

    def build():
        import keras

        model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[spread])
        return model

    settings = {"monitor": "val_spread", "mode": "max", "patience": 1, "min_delta": 100}
    options = CallbackOptions(early_stopping=settings)
    run = Trainer(Recipe("own", "own", build), epochs=5, callback_options=options).fit(digits)
    assert len(run.history) == 2, "nothing grows by 100"


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        ("val_mine", "Keras does not know whether more of val_mine is better: add mode=max or mode=min"),
        ("val_loss_", r"compiled with no metric 'loss_' \(it has: loss, mine\); did you mean 'val_loss'"),
    ],
)
def test_a_direction_that_nobody_knows_needs_to_be_said(backend, monitor, message):
    options = CallbackOptions(early_stopping={"monitor": monitor})
    with pytest.raises(OptionError, match=message):
        options.build(3, directions={"loss": "min", "mine": None})


def rates(text, epochs, first=1.0):
    next_rate, rate, values = schedule(text, epochs), first, []
    for epoch in range(epochs):
        rate = next_rate(epoch, rate)
        values.append(rate)
    return values


def test_the_rate_falls_by_the_schedule(tmp_path):
    assert rates("step:0.1@2,4", 5) == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert rates("exponential:0.5", 4, 8.0) == pytest.approx([8, 4, 2, 1])
    assert rates("cosine", 4, 2.0) == pytest.approx([2.0, 1.7071068, 1.0, 0.2928932])
    (tmp_path / "falls.py").write_text("def halve(epoch, rate):\n    return rate / 2 if epoch else rate\n")
    assert rates(f"{tmp_path}/falls.py:halve", 3) == [1.0, 0.5, 0.25]
    assert rates(lambda epoch: 1 / (epoch + 1), 3) == pytest.approx([1, 0.5, 1 / 3])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 0.1, r"expected a function of \(epoch, rate\), or of \(epoch\)"),
        (lambda epoch, rate: None, "no learning rate for epoch 1: TypeError"),
        (lambda epoch: -1, "the learning rate of epoch 1 must be 0 or more: -1.0"),
    ],
)
def test_a_schedule_of_ones_own_returns_a_rate(function, message):
    with pytest.raises(OptionError, match=message):
        rates(function, 1)


def test_the_schedule_is_the_optimizers_rate(backend, digits):
    rates_by_epoch = []

    import keras

    def note(epoch, logs=None):
        rates_by_epoch.append(float(watching.model.optimizer.learning_rate))

    watching = keras.callbacks.LambdaCallback(on_epoch_end=note)
    options = CallbackOptions(lr_schedule="step:0.5@1,2")
    Trainer(**SMALL, epochs=3, learning_rate=0.5, callbacks=[watching], callback_options=options).fit(digits)
    assert rates_by_epoch == pytest.approx([0.5, 0.25, 0.125])


def test_a_run_stops_early_and_has_its_best_weights(backend, digits):
    options = CallbackOptions(early_stopping={"patience": 1, "min_delta": 100, "restore_best": True})
    run = Trainer(**SMALL, epochs=9, callback_options=options).fit(digits)
    assert len(run.history) == 2
    assert run.settings["early_stopping"] == "patience=1,min_delta=100,restore_best=true"
    assert run.stopped == (
        "after epoch 2 of 9: val_loss was not better by 100 for an epoch; the weights of epoch 1 are kept"
    )
    assert run.to_json()["stopped"] == run.stopped


def test_a_stop_after_the_last_epoch_says_which_weights_are_kept(backend):
    import keras

    from trivium.engine.runs.history import History
    from trivium.engine.training.early_stop import reason

    callback = keras.callbacks.EarlyStopping(patience=2)
    callback.stopped_epoch, callback.best_epoch = 2, 0
    history = History.from_json([{"val_loss": 1.0}] * 3)
    assert reason([callback], history, 3) == (
        "after epoch 3 of 3: val_loss was not better for 2 epochs; the weights of the last epoch are kept, not those "
        "of epoch 1, which was best"
    )
    callback.stopped_epoch = 0
    assert reason([callback], history, 3) == ""


@pytest.mark.parametrize("option", ["early_stopping", "reduce_on_plateau"])
def test_a_metric_that_is_not_measured_is_not_watched_in_silence(backend, digits, option):
    options = CallbackOptions(**{option: {"monitor": "nope", "mode": "max"}})
    with pytest.raises(OptionError, match=rf"`{option}`: there is no metric 'nope' \(there are: accuracy, loss"):
        Trainer(**SMALL, epochs=2, callback_options=options).fit(digits)


def test_a_csv_file_has_a_line_per_epoch_and_loses_the_lines_of_epochs_that_are_trained_again(
    backend, digits, tmp_path
):
    path = tmp_path / "log.csv"
    run = Trainer(**SMALL, epochs=3, callback_options=CallbackOptions(csv=path)).fit(digits)
    rows = list(csv.DictReader(path.open()))
    assert [float(row["val_loss"]) for row in rows] == pytest.approx(run.history["val_loss"])
    CallbackOptions(csv=path).build(5, first_epoch=2)
    assert list(csv.DictReader(path.open())) == rows[:2]
    path.write_text("a thesis\n")
    with pytest.raises(OptionError, match="is no log of a run: name another file"):
        CallbackOptions(csv=path).build(5, first_epoch=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"early_stopping": {"patients": 3}}, "'patients' is none of monitor, .*; did you mean 'patience'"),
        ({"early_stopping": {"patience": "soon"}}, "patience must be a whole number of 0 or more, received 'soon'"),
        ({"early_stopping": {"patience": 2.5}}, "patience must be a whole number of 0 or more, received 2.5"),
        ({"early_stopping": {"restore_best": "yes"}}, "restore_best must be true or false, received 'yes'"),
        ({"early_stopping": {"mode": "up"}}, "mode must be auto, max, min, received 'up'"),
        ({"reduce_on_plateau": {"factor": 1}}, "factor must be between 0 and 1, received 1"),
        ({"reduce_on_plateau": {"min_lr": -1}}, "min_lr must be 0 or more, received -1"),
        ({"lr_schedule": "cosin"}, "expected step:0.1@30,60, cosine, exponential"),
        ({"lr_schedule": "step:0.1"}, "expected step:0.1@30,60"),
        ({"lr_schedule": "step:2@3"}, "the factor must be between 0 and 1, received '2'"),
        ({"lr_schedule": "exponential:x"}, "the factor must be between 0 and 1, received 'x'"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        CallbackOptions(**options)


def test_monitoring_validation_needs_a_validation_part(backend, digits):
    trainer = Trainer(**SMALL, validation_split=0.0, callback_options=CallbackOptions(early_stopping={}))
    with pytest.raises(OptionError, match="val_loss is not measured without a validation part: add monitor=loss"):
        trainer.fit(digits)


def test_tensorboard_names_the_missing_packages(backend, tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"Keras needs tensorboard and .* to write these logs: pip install"):
        CallbackOptions(tensorboard=tmp_path).build(1)


def test_keras_keeps_callback_state_under_these_names(backend):
    import keras

    arguments = {"ModelCheckpoint": {"filepath": "x.keras"}}
    for name, attributes in STATE_ATTRIBUTES.items():
        callback = getattr(keras.callbacks, name)(**arguments.get(name, {}))
        callback.on_train_begin()
        assert not set(attributes) - set(vars(callback)), name


def test_the_plain_attributes_of_a_users_callback_are_its_state(backend):
    import keras
    import numpy as np

    class Own(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.best, self.numbers, self.opaque = -float("inf"), [1, 2.5, None], object()
            self.arrays = [np.arange(3), np.zeros((2, 2))]

    old, new = Own(), Own()
    new.best, new.numbers, new.arrays = 0.0, [], []
    state, arrays = get_state(old)
    set_state(new, state, arrays)
    assert (new.best, new.numbers) == (-float("inf"), [1, 2.5, None])
    np.testing.assert_array_equal(new.arrays[0], [0, 1, 2])
