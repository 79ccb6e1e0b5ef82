"""The end of a run loses no trained model: what would fail is refused before the first epoch, or becomes a warning."""

import os
import signal
import threading

import numpy as np
import pytest

import trivium
from trivium.errors import DataError, ModelError, OptionError

pytestmark = pytest.mark.one_environment

X, CLASSES = np.random.default_rng(0).normal(size=(24, 4)).astype("float32"), np.arange(24) % 3


def classes():
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])


def compiled(loss="mse", metrics=(), units=1):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
    model.compile("sgd", loss, metrics=list(metrics))
    return model


def train(build, data=(X, X[:, 0]), **settings):
    return trivium.train(build, data, **{"epochs": 1, "batch_size": 8, "plan": "fit", **settings})


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.eye(3)[CLASSES[:6]], "in y_test: .* takes class numbers, but its targets are rows of 3"),
        (CLASSES[:6] + 0.5, "in y_test: .* takes class numbers, but its targets are no whole numbers"),
        (CLASSES[:6] + 1, "in y_test: .* for the classes 0 to 2, but its targets are classes from 1 to 3"),
    ],
)
def test_a_test_split_with_other_targets_than_the_training_part_is_refused(backend, targets, message):
    with pytest.raises(DataError, match=message):
        train(classes, (X, CLASSES), test_data=(X[:6], targets))


def test_a_validation_part_with_other_targets_is_refused(backend):
    with pytest.raises(DataError, match=r"in y_val: the output \S+ has shape \(1,\) but a target has shape \(3,\)"):
        train(compiled, validation_data=(X[:6], X[:6, :3]))


class Twice:
    def __call__(self, y, predicted):
        return (y - predicted) ** 2 * 2


def own_layer(path):
    import keras

    class Own(keras.layers.Layer):
        def __init__(self, table):
            super().__init__()

        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((4,)), Own(object()), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def of_eight(path):
    import keras

    eight = keras.layers.Lambda(lambda x: keras.ops.reshape(x, (8, 4)), output_shape=(4,))
    model = keras.Sequential([keras.Input((4,)), eight, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda path: compiled(Twice()),
            "Keras cannot save the model: TypeError: Cannot serialize object .*get_config",
        ),
        (own_layer, "Keras cannot save the model: NotImplementedError: .*give the part a get_config"),
        (of_eight, "the trained model could not compute a batch of any size outside of the training: "),
    ],
)
def test_a_model_that_could_not_be_kept_is_refused_before_the_first_epoch(backend, tmp_path, build, message):
    events = []
    with pytest.raises(ModelError, match=message):
        train(lambda: build(tmp_path), out=tmp_path / "run", validation_split=0, listener=events.append)
    assert not [event for event in events if event["kind"] == "train"]
    if build is not of_eight:
        assert train(lambda: build(tmp_path)).history["loss"]  # without a folder nothing is kept


def test_a_metric_that_fails_on_the_test_split_is_a_warning(backend, tmp_path):
    import keras

    def of_eights(y, predicted):
        return keras.ops.mean(keras.ops.reshape(predicted, (8,)))

    with pytest.warns(UserWarning, match="The model was not evaluated on the test split: "):
        run = train(
            lambda: compiled(metrics=[of_eights]),
            test_data=(X[:7], X[:7, 0]),
            validation_split=0,
            out=tmp_path / "run",
        )
    assert run.evaluation is None
    assert "was not evaluated" in run.to_json()["warnings"][-1]
    assert (tmp_path / "run/bundle.trivium").is_file()


def test_ctrl_c_in_the_evaluation_keeps_the_model(backend, tmp_path, monkeypatch):
    from trivium.engine.training import run_end

    def slow(*arguments):
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
        threading.Event().wait(10)

    monkeypatch.setattr(run_end, "evaluate_model", slow)
    with pytest.warns(UserWarning, match="not evaluated on the test split: that was stopped by Ctrl-C"):
        run = train(compiled, test_data=(X[:6], X[:6, 0]), out=tmp_path / "run")
    assert run.to_json()["state"] == "finished"
    assert (tmp_path / "run/bundle.trivium").is_file()


@pytest.mark.parametrize("plan", ["fit", "auto"])
def test_a_callback_that_fails_after_the_last_epoch_is_a_warning(backend, plan):
    import keras

    class Post(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            raise RuntimeError("no connection")

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("stop here")

    with pytest.warns(UserWarning, match=r"Post.on_train_end failed \(RuntimeError: no connection\); the model is"):
        assert len(train(compiled, callbacks=[Post()], plan=plan).history) == 1
    with pytest.raises(RuntimeError, match="stop here"):
        train(compiled, callbacks=[Stop()], plan=plan)


def per_class():
    import keras

    model = classes()
    model.compile("sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score(average=None)])
    return model


@pytest.mark.parametrize("plan", ["fit", "auto"])
def test_a_metric_of_several_values_is_refused(backend, plan):
    with pytest.raises(ModelError, match=r"the metric f1_score has several values \(shape \(3,\)\).* average='macro'"):
        train(per_class, (X, np.eye(3, dtype="float32")[CLASSES]), plan=plan)


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda epoch, logs: None, "expected keras.callbacks.Callback objects, received <function"),
        ("class", r"received <class .*: call it, Callback\(\)"),
        ("epoch", r"Odd.on_epoch_end must take \(self, epoch, logs\)"),
        ("monitor", "EarlyStopping cannot go on: ValueError: EarlyStopping callback received monitor=val_nosuch"),
    ],
)
def test_callbacks_that_keras_could_not_call_are_refused(backend, callback, message):
    import keras

    class Odd(keras.callbacks.Callback):
        def on_epoch_end(self):
            pass

    known = {"class": keras.callbacks.Callback, "epoch": Odd()}
    known["monitor"] = keras.callbacks.EarlyStopping(monitor="val_nosuch")
    with pytest.raises(OptionError, match=message):
        train(compiled, callbacks=[known[callback] if isinstance(callback, str) else callback])
