"""Callbacks asked for in words are Keras' own, with the settings that were asked for."""

import csv

import pytest

from trivium.engine.runs.callback_state import REMEMBERED, put_back, state_of
from trivium.engine.training.callback_options import Watching, schedule
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError

SMALL = {"recipe": "dense/small", "batch_size": 50}


def test_words_become_keras_callbacks(backend):
    import keras

    words = Watching(
        early_stopping="monitor=loss,patience=3,min_delta=0.5,restore_best=true",
        reduce_on_plateau="factor=0.5,patience=2,min_lr=0.01,cooldown=4",
    )
    plateau, stopping = words.build(10)
    assert type(stopping) is keras.callbacks.EarlyStopping
    assert (stopping.monitor, stopping.patience, stopping.restore_best_weights) == ("loss", 3, True)
    assert abs(stopping.min_delta) == 0.5
    assert type(plateau) is keras.callbacks.ReduceLROnPlateau
    assert (plateau.monitor, plateau.factor, plateau.patience) == ("val_loss", 0.5, 2)
    assert (plateau.min_lr, plateau.cooldown) == (0.01, 4)


def rates(text, epochs, first=1.0):
    falls, rate, found = schedule(text, epochs), first, []
    for epoch in range(epochs):
        rate = falls(epoch, rate)
        found.append(rate)
    return found


def test_the_rate_falls_as_the_words_say(tmp_path):
    assert rates("step:0.1@2,4", 5) == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert rates("exponential:0.5", 4, 8.0) == pytest.approx([8, 4, 2, 1])
    assert rates("cosine", 4, 2.0) == pytest.approx([2.0, 1.7071068, 1.0, 0.2928932])
    (tmp_path / "falls.py").write_text("def halve(epoch, rate):\n    return rate / 2 if epoch else rate\n")
    assert rates(f"{tmp_path}/falls.py:halve", 3) == [1.0, 0.5, 0.25]


def test_the_schedule_is_the_optimizers_rate(backend, digits):
    seen = []

    import keras

    def note(epoch, logs=None):
        seen.append(float(watching.model.optimizer.learning_rate))

    watching = keras.callbacks.LambdaCallback(on_epoch_end=note)
    words = Watching(lr_schedule="step:0.5@1,2")
    Trainer(**SMALL, epochs=3, learning_rate=0.5, callbacks=[watching], watching=words).fit(digits)
    assert seen == pytest.approx([0.5, 0.25, 0.125])


def test_a_run_stops_early_and_has_its_best_weights(backend, digits):
    words = Watching(early_stopping="patience=1,min_delta=100,restore_best=true", csv=None)
    run = Trainer(**SMALL, epochs=9, watching=words).fit(digits)
    assert len(run.history) == 2
    assert run.settings["early_stopping"] == "patience=1,min_delta=100,restore_best=true"


def test_a_csv_file_has_a_line_an_epoch_and_loses_those_that_are_trained_again(backend, digits, tmp_path):
    path = tmp_path / "log.csv"
    run = Trainer(**SMALL, epochs=3, watching=Watching(csv=path)).fit(digits)
    rows = list(csv.DictReader(path.open()))
    assert [float(row["val_loss"]) for row in rows] == pytest.approx(run.history["val_loss"])
    Watching(csv=path).build(5, begin=2)
    assert list(csv.DictReader(path.open())) == rows[:2]
    path.write_text("a thesis\n")
    with pytest.raises(OptionError, match="is no log of a run: name another file"):
        Watching(csv=path).build(5, begin=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"early_stopping": "patients=3"}, "'patients=3' is not one of .* with a value; did you mean 'patience'"),
        ({"early_stopping": "patience=soon"}, "patience must be 0 or more, received 'soon'"),
        ({"early_stopping": "restore_best=yes"}, "restore_best must be true or false, received 'yes'"),
        ({"early_stopping": "patience"}, "'patience' is not one of"),
        ({"reduce_on_plateau": "factor=1"}, "factor must be between 0 and 1, received 1"),
        ({"reduce_on_plateau": "min_lr=-1"}, "min_lr must be 0 or more, received '-1'"),
        ({"lr_schedule": "cosin"}, "expected step:0.1@30,60, cosine, exponential"),
        ({"lr_schedule": "step:0.1"}, "expected step:0.1@30,60"),
        ({"lr_schedule": "step:2@3"}, "the factor must be between 0 and 1, received '2'"),
        ({"lr_schedule": "exponential:x"}, "the factor must be between 0 and 1, received 'x'"),
    ],
)
def test_words_that_mean_nothing_are_refused(words, said):
    with pytest.raises(OptionError, match=said):
        Watching(**words)


def test_what_is_never_measured_cannot_be_waited_for(backend, digits):
    trainer = Trainer(**SMALL, validation_split=0.0, watching=Watching(early_stopping=""))
    with pytest.raises(OptionError, match="val_loss is not measured without a validation part: add monitor=loss"):
        trainer.fit(digits)


def test_tensorboard_says_what_it_needs(backend, tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"Keras needs tensorboard and .* to write these logs: pip install"):
        Watching(tensorboard=tmp_path).build(1)


def test_keras_still_remembers_under_these_names(backend):
    import keras

    made = {"ModelCheckpoint": {"filepath": "x.keras"}}
    for name, attributes in REMEMBERED.items():
        callback = getattr(keras.callbacks, name)(**made.get(name, {}))
        callback.on_train_begin()
        assert not set(attributes) - set(vars(callback)), name


def test_a_callback_of_ones_own_remembers_what_is_plain(backend):
    import keras
    import numpy as np

    class Own(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.best, self.seen, self.open = -float("inf"), [1, 2.5, None], object()
            self.kept = [np.arange(3), np.zeros((2, 2))]

    was, new = Own(), Own()
    new.best, new.seen, new.kept = 0.0, [], []
    state, arrays = state_of(was)
    put_back(new, state, arrays)
    assert (new.best, new.seen) == (-float("inf"), [1, 2.5, None])
    np.testing.assert_array_equal(new.kept[0], [0, 1, 2])
