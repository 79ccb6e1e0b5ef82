"""A loss that is NaN or infinite stops the run, and the message names the step and the layer that caused it."""

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.data.dataset import Dataset, Split
from trivium.engine.runs import run_folder
from trivium.engine.runs.checkpoint_policy import CheckpointRule
from trivium.engine.runs.run_record import read_record
from trivium.engine.training.trainer import Trainer
from trivium.errors import DivergedError
from trivium.models.recipe import Recipe

EPOCHS, STEPS, BATCH = 4, 6, 5


def log_layer(name):
    import keras

    class Log(keras.layers.Layer):
        def call(self, inputs):
            return keras.ops.log(inputs)

    return Log(name=name)


def steep():
    """A quadratic loss whose gradient the learning rate overshoots, further each step."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="only")])
    model.compile(keras.optimizers.SGD(1e18), "mean_squared_error")
    return model


def steep_with_a_metric_of_its_own():
    """The same with a metric that subtracts without conversion: that works for tensors only."""
    import keras

    model = steep()
    model.compile(model.optimizer, "mean_squared_error", metrics=[lambda y, p: keras.ops.mean(y - p)])
    return model


def logarithm():
    import keras

    ones = {"use_bias": False, "kernel_initializer": "ones", "trainable": False}
    layers = [keras.layers.Dense(1, name="sum", **ones), log_layer("log"), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile(keras.optimizers.SGD(1e-6), "mean_squared_error")
    return model


def data(wrong=None):
    x = np.random.default_rng(0).uniform(1, 2, (STEPS * BATCH, 2)).astype("float32")
    if wrong is not None:
        x[wrong] = -1.0
    return Dataset("values", Split(x, x[:, 0]), None, (), "made here")


def settings(model, plan):
    recipe = Recipe("own", "own", model, shuffle=False)
    return {"recipe": recipe, "epochs": EPOCHS, "batch_size": BATCH, "validation_split": 0.0, "plan": plan}


def plans(model):
    return ["fit", *(plan.name for plan in runtime.current().plans(model, 10**9))]


def test_the_first_layer_with_an_output_that_is_not_finite_is_named_on_every_plan(backend, monkeypatch):
    monkeypatch.setattr("trivium.engine.epochs.epoch_loop._CHUNK_SECONDS", 0.0)
    for plan in plans(logarithm()):
        with pytest.raises(
            DivergedError, match=r"the loss became nan in epoch 1, step 4: log \(Log\) is the first layer"
        ):
            Trainer(**settings(logarithm, plan)).fit(data(wrong=17))


@pytest.mark.parametrize("build", [steep, steep_with_a_metric_of_its_own])
def test_a_step_that_overshoots_is_named_with_the_layer_it_spoilt(backend, build):
    for plan in plans(build()):
        with pytest.raises(DivergedError, match=r"the loss became (nan|inf) in epoch 1, step \d: ") as raised:
            Trainer(**settings(build, plan)).fit(data())
        assert "only (Dense)" in str(raised.value) or "its loss is not" in str(raised.value)


def test_the_last_good_checkpoint_is_kept(backend, tmp_path, monkeypatch):
    import keras

    monkeypatch.setattr(
        "trivium.engine.epochs.epoch_loop._SHORT_EPOCH_SECONDS", 0.0
    )  # take a snapshot before each epoch

    def spoil(epoch, logs=None):
        if epoch == 2:
            model = watching.model
            model.optimizer.learning_rate = 1e30

    watching = keras.callbacks.LambdaCallback(on_epoch_begin=spoil)
    trainer = Trainer(**settings(logarithm, "auto"), callbacks=[watching])
    with (
        pytest.raises(DivergedError, match="epoch 3, step"),
        run_folder.open_run(tmp_path / "run", [CheckpointRule(every=1)]) as folder,
    ):
        trainer.fit(data(), run_folder=folder)
    record = read_record(tmp_path / "run")
    assert record["state"] == "failed"
    assert record["error"].startswith("the loss became")
    assert sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir()) == [
        "epoch-00001.safetensors",
        "epoch-00002.safetensors",
    ]
