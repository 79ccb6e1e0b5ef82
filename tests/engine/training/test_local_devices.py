"""Several devices against one: the same global batches give the same run."""

from pathlib import Path

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.device_group import DeviceGroup
from trivium.backends.workers.worker import Worker
from trivium.data.dataset import Dataset, Split
from trivium.errors import BackendError, OptionError, WorkerError
from trivium.models.recipe import Recipe

FUNCTIONS = Path(__file__).parents[2] / "helpers" / "functions_for_devices.py"

# 51 steps each. The last batch has one sample, so that one of two devices gets none, or five, an odd number.
RUNS = {
    "dropout, weights and validation": {
        "recipe": f"{FUNCTIONS}:dense",
        "names": ["mnist:sample", 42],
        "validation_split": 0.2,  # leaves 33
        "class_weight": "balanced",
    },
    "batch normalisation": {"recipe": f"{FUNCTIONS}:convolution", "names": ["mnist:sample", 37]},
    "lstm": {"recipe": "rnn/lstm", "names": ["waves:0:40", 37]},
}
SHORT = {"epochs": 17, "batch_size": 16, "validation_split": 0.0}


@pytest.fixture(scope="module")
def two(backend):
    """A worker whose CPU counts as two devices."""
    if runtime.cores() < 2:
        pytest.skip("two devices need two cores")
    with Worker(backend.name, devices=2) as pair:
        yield lambda function, **keywords: pair.call(f"{FUNCTIONS}:{function}", **keywords)


def require_same(one, several):
    assert one.keys() == several.keys()
    for name in one:
        np.testing.assert_allclose(several[name], one[name], rtol=1e-5, err_msg=name)


@pytest.mark.shared_out
@pytest.mark.parametrize("name", RUNS)
def test_two_devices_give_the_run_of_one(two, name):
    (one, weights, _), (several, weights_of_two, plan) = two("train", **{**SHORT, **RUNS[name]})
    assert plan == {"name": "devices", "count": 2}
    assert len(several["loss"]) == 17
    assert several["loss"][-1] < several["loss"][0]
    require_same(one, several)
    for weight, expected in zip(weights_of_two, weights, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=0, atol=2e-5)


@pytest.mark.one_environment
def test_two_processes_give_the_run_of_one_device(two):
    (one, _, _), (several, _, plan) = two("train", how="processes", **{**SHORT, **RUNS["batch normalisation"]})
    assert plan["count"] == 2
    require_same(one, several)


class Two(DeviceGroup):
    """Two devices that must not be used."""

    def __init__(self):
        super().__init__(2)

    def epochs(self, model, data, batch_size, plan):
        raise AssertionError("the model cannot be divided")


def stateful():
    import keras

    layers = [keras.layers.LSTM(2, stateful=True), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input(batch_shape=(4, 3, 1)), *layers])


def masked():
    import keras

    return keras.Sequential([keras.Input((3, 1)), keras.layers.Masking(), keras.layers.LSTM(2), keras.layers.Dense(1)])


def summed():
    import keras

    model = keras.Sequential([keras.Input((3, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", keras.losses.MeanSquaredError(reduction="sum"))
    return model


def own_step():
    import keras

    class Model(keras.Sequential):
        def train_step(self, *arguments):
            return super().train_step(*arguments)

    return Model([keras.Input((3, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])


@pytest.mark.parametrize(
    ("build", "plan", "why"),
    [
        (stateful, None, "its layers remember from one batch to the next, row by row; so on one device"),
        (
            masked,
            None,
            "its loss is a mean over what is not masked, of which shares have more or less; so on one device",
        ),
        (summed, None, "its loss is no mean over the samples of a batch; so on one device"),
        (own_step, None, "the model has a train_step of its own; so on one device"),
    ],
)
def test_a_model_that_cannot_be_divided_trains_on_one_device_and_the_run_says_why(backend, generator, build, plan, why):
    from trivium.engine.training.trainer import Trainer

    data = Dataset("waves", Split(generator.random((8, 3, 1)), generator.random((8, 1))), None, (), "drawn")
    settings = {"batch_size": 4, "epochs": 1, "validation_split": 0.0}
    run = Trainer(Recipe("own", "own", build, batch_size=4), **settings, group=Two()).fit(data)
    assert run.settings["plan"]["why"] == why
    assert run.settings["plan"]["name"] == (plan or runtime.current().plans(run.model, 2)[0].name)
    assert len(run.history) == 1


def test_too_many_devices_are_refused_in_one_line(two):
    with pytest.raises(BackendError, match=r"^1000 devices asked for, but .* ask for \d+ or fewer$"):
        two("refused", recipe=f"{FUNCTIONS}:dense", devices=1000)


@pytest.mark.parametrize(("settings", "why"), [({"rng": "native"}, "`rng` owned"), ({"plan": "fit"}, "`plan` fit")])
def test_options_that_do_not_go_with_several_devices_are_refused(settings, why):
    from trivium.engine.training.trainer import Trainer

    with pytest.raises(OptionError, match=why):
        Trainer("dense/small", devices=2, **settings)


def test_the_error_for_a_killed_process_names_its_rank(two):
    with pytest.raises(WorkerError, match=r"rank 1 of 2: .* worker was killed"):
        two("kill_one", how="processes")
