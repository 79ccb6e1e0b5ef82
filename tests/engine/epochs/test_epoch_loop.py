"""The backend's own epochs against `keras.Model.fit`: the same order, callbacks and metrics give the same run."""

import csv
import dataclasses
import os
import signal

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.data import datasets
from trivium.engine.training.trainer import Trainer
from trivium.errors import ModelError, OptionError
from trivium.models.recipe import Recipe

MANY = 10**9
DENSE = {"recipe": "dense/one-hidden", "options": {"units": 8}, "epochs": 2, "batch_size": 50}


def two_moons():
    import keras

    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1, "sigmoid")])


def scheduled():
    import keras

    model = two_moons()
    rate = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=3, decay_rate=0.5, staircase=True)
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def with_its_own_step():
    import keras

    class Model(keras.Sequential):
        def compile(self, *arguments, **keywords):
            super().compile(*arguments, **keywords)

        def train_step(self, *arguments):
            return super().train_step(*arguments)

    return Model([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])


def eager():
    model = two_moons()
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    return model


# In each, the last batch is smaller than the others, unless the model requires full batches.
RUNS = {
    "dense": DENSE,
    "owned dropout": {"recipe": "dense/dropout", "options": {"units": 8, "dropout": 0.4}, "batch_size": 50},
    # SGD: the gradient of a bias before a batch normalisation is rounding alone, of which Adam makes full steps.
    "batch normalisation": {
        "recipe": "cnn/striding-batchnorm",
        "options": {"filters": (4, 3)},
        "batch_size": 64,
        "optimizer": "sgd",
    },
    "lstm": {"recipe": "rnn/lstm", "batch_size": 8, "validation_split": 0.2},
    "stateful": {"recipe": "rnn/stateful", "options": {"units": 4}, "validation_split": 0.2},
    "letters": {"recipe": "text/letters", "options": {"window": 4, "units": 4}, "validation_split": 0.2},
    "binary, by a rate that falls": {"recipe": Recipe("scheduled", "two moons", scheduled), "batch_size": 30},
    "a batch larger than the data": {
        "recipe": Recipe("moons", "two moons", two_moons),
        "batch_size": 5000,
        "validation_split": 0.0,
    },
}


@pytest.fixture
def data_for(digits, tmp_path):
    """A small dataset for a recipe: `data_for(recipe)`."""

    def find(recipe):
        text = tmp_path / "letters.txt"
        text.write_text("the rain in spain stays mainly in the plain " * 20)
        family = (recipe if isinstance(recipe, str) else "moons").partition("/")[0]
        names = {"rnn": "waves:0:60", "text": f"text:{text}", "moons": "moons"}
        if recipe == "cnn/striding-batchnorm":
            return with_noise(digits)
        return datasets.load(names[family]) if family in names else digits

    return find


def with_noise(dataset):
    """Digits without blank paper: there, rounding decides on which side of a relu all normalised pixels lie."""
    noise = np.random.default_rng(0)
    return dataset.with_inputs(lambda x: (x // 2 + noise.integers(0, 128, x.shape)).astype(x.dtype))


@pytest.fixture
def fit(data_for):
    """Train by a plan: `fit(plan, **settings)` → the run."""

    def fit_by(plan, **settings):
        return Trainer(**{"epochs": 2, "plan": plan, **settings}).fit(data_for(settings["recipe"]))

    return fit_by


@pytest.fixture
def small_chunks(monkeypatch):
    """Run one step per chunk, undo every interrupted epoch, and report every chunk."""
    monkeypatch.setattr("trivium.engine.epochs.epoch_loop._CHUNK_SECONDS", 0.0)
    monkeypatch.setattr("trivium.engine.epochs.epoch_loop._SHORT_EPOCH_SECONDS", 0.0)
    monkeypatch.setattr("trivium.engine.epochs.callbacks._SECONDS_BETWEEN_EVENTS", 0.0)


def plan_names(model, steps=MANY):
    return [plan.name for plan in runtime.current().plans(model, steps)]


def require_same(run, by_fit, plan):
    assert run.settings["plan"]["name"] == plan
    assert run.history.metrics == by_fit.history.metrics
    for metric in run.history.metrics:
        np.testing.assert_allclose(
            run.history[metric], by_fit.history[metric], rtol=0, atol=1e-5, err_msg=f"{plan} {metric}"
        )
    for weights, expected, variable in zip(
        run.model.get_weights(), by_fit.model.get_weights(), run.model.weights, strict=True
    ):
        np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-5, err_msg=f"{plan} {variable.path}")


@pytest.mark.parametrize("name", RUNS)
def test_every_plan_gives_the_run_that_fit_gives(backend, fit, name):
    by_fit = fit("fit", **RUNS[name])
    assert by_fit.settings["plan"] == {"name": "fit", "why": "asked for"}
    assert len(set(by_fit.history["loss"])) == len(by_fit.history)
    for plan in plan_names(by_fit.model):
        require_same(fit(plan, **RUNS[name]), by_fit, plan)


def test_a_learning_rate_schedule_counts_steps_on_every_plan(backend, fit):
    settings = {"recipe": Recipe("scheduled", "two moons", scheduled), "batch_size": 30, "epochs": 1}
    for plan in ["fit", *plan_names(scheduled())]:
        optimizer = fit(plan, **settings).model.optimizer
        steps = int(optimizer.iterations)
        assert steps > 3, plan
        assert float(optimizer.learning_rate) == pytest.approx(0.5 * 0.5 ** (steps // 3)), plan


def test_auto_uses_the_plan_by_the_rule_and_records_no_reason(backend, fit):
    run = fit("auto", **DENSE)
    assert run.settings["plan"] == {"name": plan_names(run.model, steps=10)[0]}


# --- callbacks ------------------------------------------------------------------------------------------------------


def outcome_of_callbacks(fit, plan, folder):
    """Return the effects of Keras' callbacks in a run whose validation loss soon falls more slowly."""
    import keras

    folder.mkdir()
    rates = []
    watching = [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 if epoch == 0 else rate),
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1, min_delta=0.1),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, min_delta=0.1),
        keras.callbacks.ModelCheckpoint(folder / "{epoch}.weights.h5", save_weights_only=True),
        keras.callbacks.CSVLogger(str(folder / "log.csv")),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: rates.append(float(watching[0].model.optimizer.learning_rate))
        ),
    ]
    run = fit(plan, **{**DENSE, "epochs": 12, "optimizer": "sgd", "callbacks": watching})
    with (folder / "log.csv").open() as lines:
        logged = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]
    weights = {}
    for path in folder.glob("*.h5"):
        run.model.load_weights(path)
        weights[path.name] = run.model.get_weights()[0]
    return run, rates, logged, weights


def test_keras_callbacks_do_the_same_at_the_same_epochs(backend, fit, tmp_path):
    expected, rates, logged, checkpoints = outcome_of_callbacks(fit, "fit", tmp_path / "fit")
    assert 2 < len(expected.history) < 12, "stopped early, but not at once"
    assert len(set(rates)) > 1, "the rate was reduced"
    for plan in plan_names(expected.model):
        run, rates_here, logged_here, checkpoints_here = outcome_of_callbacks(fit, plan, tmp_path / plan)
        assert run.settings["plan"] == {"name": plan}
        assert rates_here == rates, plan
        assert [row.keys() for row in logged_here] == [row.keys() for row in logged]
        for row, row_expected in zip(logged_here, logged, strict=True):
            assert row == pytest.approx(row_expected, abs=1e-5), plan
        assert checkpoints_here.keys() == checkpoints.keys()
        for name, weights in checkpoints_here.items():
            np.testing.assert_allclose(weights, checkpoints[name], rtol=0, atol=1e-5, err_msg=f"{plan} {name}")


def test_early_stopping_restores_the_best_weights(backend, fit):
    import keras

    class Weights(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.weights = []

        def on_epoch_end(self, epoch, logs=None):
            self.weights.append(self.model.get_weights())

    recorder = Weights()
    best = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    run = fit("auto", **{**DENSE, "epochs": 30, "learning_rate": 0.1, "callbacks": [recorder, best]})
    assert run.settings["plan"]["name"] != "fit"
    assert len(run.history) < 30
    lowest = int(np.argmin(run.history["val_loss"]))
    for weights, expected in zip(run.model.get_weights(), recorder.weights[lowest], strict=True):
        np.testing.assert_array_equal(weights, expected)


# --- models that need fit -----------------------------------------------------------------------------------------


@pytest.mark.shared_out
@pytest.mark.parametrize(
    ("build", "why"),
    [
        (with_its_own_step, "the model has a train_step and a compile of its own"),
        (eager, "the model was compiled to run eagerly"),
    ],
)
def test_a_model_that_needs_fit_gets_it_and_the_run_says_why(backend, fit, build, why):
    settings = {"recipe": Recipe("own", "own", build), "epochs": 1, "batch_size": 400}
    run = fit("auto", **settings)
    assert run.settings["plan"] == {"name": "fit", "why": why}
    known = plan_names(run.model)[0]
    with pytest.raises(OptionError, match=f"`plan` {known}: {why}"):
        fit(known, **settings)


def test_a_model_whose_first_step_cannot_be_compiled_is_trained_by_fit_without_a_trace(backend, fit, monkeypatch):
    kind, plans = type(runtime.current()), []
    compile_epochs = kind.compile_epochs

    def refusing(self, model, *arguments):
        runner = compile_epochs(self, model, *arguments)
        plans.append(arguments[-1].name)

        def run(start, stop):
            model.optimizer.iterations.assign(99)
            raise ValueError("no such kernel\nand more of it")

        runner.run = run
        return runner

    expected = fit("fit", **DENSE)
    monkeypatch.setattr(kind, "compile_epochs", refusing)
    run = fit("auto", **DENSE)
    why = f"{backend.title} cannot compile its epochs: no such kernel"
    assert run.settings["plan"] == {"name": "fit", "why": why}
    assert plans
    assert run.history.to_json() == expected.history.to_json()
    explained = Trainer(**DENSE).explain(datasets.load("mnist:sample")).to_json()
    assert (explained["plan"], explained["why"]) == ("fit", why)
    endless = Trainer(**DENSE)
    endless.open_ended(*endless.make_ready(datasets.load("mnist:sample")), measure=True)
    assert endless.chosen_plan == {"name": "fit", "why": why}
    with pytest.raises(ModelError, match="the model cannot be computed: ValueError: no such kernel"):
        fit(plans[0], **DENSE)


def test_a_loss_that_is_no_mean_is_validated_with_the_training_batch_size(backend, fit):
    import keras

    def summing():
        model = two_moons()
        model.compile("adam", keras.losses.BinaryCrossentropy(reduction="sum"))
        return model

    settings = {"recipe": Recipe("summing", "two moons", summing), "batch_size": 30, "epochs": 1}
    expected = fit("fit", **settings).history["val_loss"]
    for plan in plan_names(two_moons()):
        np.testing.assert_allclose(fit(plan, **settings).history["val_loss"], expected, rtol=1e-5, err_msg=plan)


def test_an_unknown_plan_is_refused_and_the_known_ones_are_named(backend, fit):
    with pytest.raises(OptionError, match=f"`plan` fastest: expected auto, fit, .*{plan_names(two_moons())[0]}"):
        fit("fastest", **DENSE)


# --- Ctrl-C ---------------------------------------------------------------------------------------------------------


def interrupt_at(epoch, step):
    """Return a listener that sends Ctrl-C once, after this step."""
    pressed = []

    def listen(event):
        if not pressed and (event["epoch"], event["step"]) == (epoch, step):
            pressed.append(event)
            os.kill(os.getpid(), signal.SIGINT)

    return listen


def test_ctrl_c_in_a_long_epoch_restores_the_weights_of_the_last_finished_one(backend, fit, small_chunks):
    import keras

    class State(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            variables = [*self.model.variables, *self.model.optimizer.variables]
            self.last = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]

    settings = {"recipe": "dense/dropout", "batch_size": 50, "epochs": 9}
    for plan in plan_names(two_moons()):
        state = State()
        run = fit(plan, **settings, callbacks=[state], listener=interrupt_at(epoch=3, step=2))
        assert run.interrupted, plan
        assert run.settings["plan"]["name"] == plan
        assert len(run.history) == 2
        for variable, expected in zip([*run.model.variables, *run.model.optimizer.variables], state.last, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), expected, err_msg=variable.path)


def test_ctrl_c_in_a_short_epoch_lets_the_epoch_finish(backend, fit, small_chunks, monkeypatch):
    monkeypatch.setattr("trivium.engine.epochs.epoch_loop._SHORT_EPOCH_SECONDS", 60.0)
    run = fit("auto", **{**DENSE, "epochs": 9}, listener=interrupt_at(epoch=2, step=2))
    assert run.interrupted
    assert len(run.history) == 2
    assert int(run.model.optimizer.iterations) == 2 * 5


def test_ctrl_c_in_the_first_epoch_is_raised(backend, fit, small_chunks):
    heard = []

    def listen(event):
        heard.append(event["step"])
        interrupt(event)

    interrupt = interrupt_at(epoch=1, step=2)
    with pytest.raises(KeyboardInterrupt):
        fit("auto", **DENSE, listener=listen)
    assert heard[-1] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_an_epoch_of_fit_restores_the_weights_of_the_last_finished_one_too(backend, fit):
    import keras

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (2, 1):
                os.kill(os.getpid(), signal.SIGINT)

        def on_epoch_end(self, epoch, logs=None):
            variables = [*self.model.variables, *self.model.optimizer.variables]
            self.last = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]

    interrupt = Interrupt()
    run = fit("fit", recipe="dense/dropout", batch_size=50, epochs=9, callbacks=[interrupt])
    assert (run.interrupted, run.settings["plan"]["name"], len(run.history)) == (True, "fit", 2)
    for variable, expected in zip([*run.model.variables, *run.model.optimizer.variables], interrupt.last, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), expected, err_msg=variable.path)


# --- epochs that follow earlier ones --------------------------------------------------------------------------------


@pytest.mark.shared_out
@pytest.mark.parametrize("augment", [None, {"shift": 0.1}])
def test_a_run_in_two_parts_is_the_same_as_in_one(backend, digits, augment):
    import keras

    class Epochs(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.begun, self.ended = [], []

        def on_epoch_begin(self, epoch, logs=None):
            self.begun.append(epoch)

        def on_epoch_end(self, epoch, logs=None):
            self.ended.append((epoch, self.params["epochs"]))

    settings = {"recipe": "dense/dropout", "options": {"layers": 1, "units": 8}, "batch_size": 75, "augment": augment}
    for plan in ["fit"] if augment else ["fit", *plan_names(two_moons())]:
        whole, parts = Trainer(**settings, epochs=3, plan=plan), Trainer(**settings, epochs=1, plan=plan)
        weights = []
        for trainer in (whole, parts):
            model, training = trainer.make_ready(digits)
            data = trainer._batches(model, digits, trainer.prepare(digits)[0], training)
            trainer.run_epochs(model, data, None)
            if trainer is parts:
                trainer.resolved, heard = dataclasses.replace(trainer.resolved, epochs=3), Epochs()
                trainer.run_epochs(model, data, None, [heard], first_epoch=1)
                assert (heard.begun, heard.ended) == ([1, 2], [(1, 3), (2, 3)]), plan
            weights.append(model.get_weights())
        for weight, expected in zip(*weights, strict=True):
            np.testing.assert_array_equal(weight, expected, err_msg=plan)


def test_layers_are_tuned_by_a_plan_and_not_by_fit(backend, fit, monkeypatch):
    import keras

    kind, entered = type(runtime.current()), []
    tuned = kind.tuned
    monkeypatch.setattr(kind, "tuned", lambda self, model: (entered.append(model), tuned(self, model))[1])
    watching = keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: None)
    for settings, times in (({}, 1), ({"callbacks": [watching]}, 0), ({"plan": "fit"}, 0)):
        entered.clear()
        fit(**{"plan": "auto", **DENSE, "epochs": 1, **settings})
        assert len(entered) == times, settings


# --- epochs without an end ------------------------------------------------------------------------------------------


def test_an_open_ended_run_is_the_same_as_a_long_run(backend, digits):
    whole = Trainer(**{**DENSE, "epochs": 3})
    expected = whole.fit(digits)
    trainer = Trainer(**DENSE)
    model, training = trainer.make_ready(digits)
    train = trainer.open_ended(model, training)
    train(1)
    train(2)
    assert trainer.chosen_plan["name"] in plan_names(model)
    assert int(model.optimizer.iterations) == 3 * 5
    for weights, other in zip(model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_allclose(weights, other, rtol=0, atol=1e-5)
