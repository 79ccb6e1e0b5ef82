"""Callbacks that watch single batches see, between two steps of every plan, what they see in `fit`."""

import numpy as np
import pytest

import trivium
from trivium.backends import runtime

X = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
SETTINGS = {"data": (X, X.sum(1, keepdims=True)), "epochs": 3, "batch_size": 16, "validation_split": 0.2}
STEPS = 4  # 56 samples


def build():
    import keras

    layers = [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def warm_up(stop=None):
    """Return a callback that sets the learning rate of each batch, and notes the metrics and weights after it.

    Args:
        stop: the epoch and the batch after which it stops the training.
    """
    import keras

    class WarmUp(keras.callbacks.Callback):
        seen = ()

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.001 * (batch + 1)

        def on_train_batch_end(self, batch, logs=None):
            weights = float(np.abs(self.model.get_weights()[0]).sum())
            self.seen = (*self.seen, {"batch": batch, "weights": weights, **{k: float(v) for k, v in logs.items()}})
            self.model.stop_training = (self.epoch, batch) == stop

    return WarmUp()


@pytest.mark.parametrize("stop", [None, (1, 2)])
def test_every_plan_shows_a_callback_each_batch_and_takes_what_it_changes(backend, stop):
    expected_seen = warm_up(stop)
    expected = trivium.train(build, **SETTINGS, plan="fit", callbacks=[expected_seen])
    assert len(expected_seen.seen) == (3 * STEPS if stop is None else STEPS + 3)
    for plan in runtime.current().plans(build(), 10):
        watching = warm_up(stop)
        run = trivium.train(build, **SETTINGS, plan=plan.name, callbacks=[watching])
        assert run.settings["plan"] == {"name": plan.name}
        for seen, in_fit in zip(watching.seen, expected_seen.seen, strict=True):
            assert seen == pytest.approx(in_fit, rel=1e-5)
        for epoch, in_fit in zip(run.history.epochs, expected.history.epochs, strict=True):
            assert epoch == pytest.approx(in_fit, rel=1e-5)
        for weights, in_fit in zip(run.model.get_weights(), expected.model.get_weights(), strict=True):
            np.testing.assert_allclose(weights, in_fit, atol=1e-6)


@pytest.mark.shared_out
@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"])
def test_every_hook_is_called_for_each_batch(backend, hook):
    import keras

    heard = []
    kind = type("Watching", (keras.callbacks.Callback,), {hook: lambda self, batch, logs=None: heard.append(batch)})
    run = trivium.train(build, **{**SETTINGS, "epochs": 1}, callbacks=[kind()])
    assert run.settings["plan"]["name"] != "fit"
    assert heard == [*range(STEPS)]


@pytest.mark.one_environment
def test_a_hook_that_is_set_on_the_callback_itself_counts_too(backend):
    import keras

    heard = []
    watching = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(batch))
    trivium.train(build, **{**SETTINGS, "epochs": 1}, callbacks=[watching])
    assert heard == [*range(STEPS)]


@pytest.mark.one_environment
@pytest.mark.parametrize(
    ("callback", "why"),
    [
        (lambda keras, path: keras.callbacks.BackupAndRestore(path), "BackupAndRestore restores a run of `fit`"),
        (
            lambda keras, path: keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: None),
            "LambdaCallback watches single batches of the validation",
        ),
    ],
)
def test_some_callbacks_need_fit_and_the_run_says_why(backend, callback, why, tmp_path):
    import keras

    watching = callback(keras, str(tmp_path / "backup"))
    run = trivium.train(build, **{**SETTINGS, "epochs": 1}, callbacks=[watching])
    assert run.settings["plan"] == {"name": "fit", "why": f"the callback {why}"}
