"""Models with a training step of their own train by every plan as by `fit`, and report what their step returns."""

import numpy as np
import pytest
from own_steps import own_class

import trivium
from trivium.backends import runtime

X = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
SETTINGS = {"data": (X, Y), "epochs": 3, "batch_size": 16, "validation_split": 0.2}


@pytest.fixture(scope="module")
def build(backend):
    def own():
        import keras

        layers = [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
        model = own_class(backend.name)(layers)
        model.compile("adam", "mse")
        return model

    return own


@pytest.fixture(scope="module")
def by_fit(build):
    return trivium.train(build, **SETTINGS, plan="fit")


def assert_same(run, expected):
    for epoch, expected_epoch in zip(run.history.epochs, expected.history.epochs, strict=True):
        assert epoch == pytest.approx(expected_epoch, abs=1e-6)
    for weights, expected_weights in zip(run.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_allclose(weights, expected_weights, atol=1e-6)


def test_every_plan_trains_it_as_fit(build, by_fit):
    assert {*by_fit.history.metrics} == {"loss", "highest", "val_loss", "val_highest"}
    plans = runtime.current().plans(by_fit.model, 10)
    for plan in plans:
        run = trivium.train(build, **SETTINGS, plan=plan.name)
        assert run.settings["plan"] == {"name": plan.name}
        assert_same(run, by_fit)
    assert trivium.train(build, **SETTINGS).settings["plan"] == {"name": plans[0].name}


@pytest.mark.shared_out
@pytest.mark.parametrize("name", ["fit", "evaluate", "make_train_function", "reset_metrics"])
def test_a_model_with_a_loop_of_its_own_is_trained_by_it(backend, name):
    import keras

    called = []

    def own(self, *arguments, **keywords):
        called.append(name)
        return getattr(keras.Model, name)(self, *arguments, **keywords)

    def build():
        model = type("Own", (keras.Sequential,), {name: own})([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    run = trivium.train(build, **{**SETTINGS, "epochs": 1})
    assert run.settings["plan"] == {"name": "fit", "why": f"the model has a {name} of its own"}
    assert called
