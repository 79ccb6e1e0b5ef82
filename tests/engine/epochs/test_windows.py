"""Data in files are trained as data in memory: the same weights and metrics to the last bit, by every plan."""

import threading

import numpy as np
import pytest

import trivium
from trivium.data import datasets
from trivium.data.augmentation import Augmentation
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError

SETTINGS = {"epochs": 2, "batch_size": 32}


@pytest.fixture(autouse=True)
def small_windows(backend, monkeypatch):
    monkeypatch.setattr("trivium.engine.epochs.windows._WINDOW_SIZE", 300_000)  # bytes: two batches of digits


@pytest.fixture(scope="module")
def stored(digits, tmp_path_factory):
    """The name of the folder with the digits as arrays."""
    folder = tmp_path_factory.mktemp("digits")
    for part, split in (("train", digits.train), ("test", digits.test)):
        np.save(folder / f"x_{part}.npy", split.x)
        np.save(folder / f"y_{part}.npy", split.y)
    return str(folder)


def trained(name, recipe="dense/small", **settings):
    return Trainer(recipe, **SETTINGS, **settings).fit(datasets.load(name))


def weights_of(run):
    return [np.array(variable.numpy()) for variable in run.model.weights]


def assert_same(run, other):
    assert run.history.epochs == other.history.epochs
    assert run.evaluation == pytest.approx(other.evaluation, rel=1e-6)
    for value, expected in zip(weights_of(run), weights_of(other), strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.shared_out
@pytest.mark.parametrize("recipe", ["dense/small", "cnn/striding"])
@pytest.mark.parametrize("plan", ["fit", "auto"])
def test_a_run_is_that_of_data_in_memory(stored, plan, recipe):
    run, expected = (trained(f"{stored}:stored={where}", recipe, plan=plan) for where in ("yes", "no"))
    assert run.settings["plan"]["name"] == expected.settings["plan"]["name"]
    assert_same(run, expected)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trivium-prefetch")]


@pytest.mark.shared_out
@pytest.mark.parametrize("validation", ["shuffled", "stratified"])
def test_held_out_samples_and_weights_of_classes_are_the_same(stored, validation):
    settings = {"validation": validation, "class_weight": "balanced"}
    run, expected = (trained(f"{stored}:stored={where}", **settings) for where in ("yes", "no"))
    assert_same(run, expected)


@pytest.mark.shared_out
@pytest.mark.parametrize("batch_size", [25, 225, 300])  # nothing left over; one batch; less than a batch
def test_every_batch_size_is_the_same(stored, batch_size):
    runs = [
        Trainer("dense/small", epochs=2, batch_size=batch_size).fit(datasets.load(f"{stored}:stored={where}"))
        for where in ("yes", "no")
    ]
    assert_same(*runs)


def test_augmented_pictures_are_the_same(stored):
    changes = Augmentation(rotation=10, shift=0.1)
    run, expected = (trained(f"{stored}:stored={where}", "cnn/striding", augment=changes) for where in ("yes", "no"))
    assert_same(run, expected)


def test_a_model_that_keeps_states_needs_the_memory(tmp_path, backend):
    import keras

    def build():
        return keras.Sequential([keras.Input((3, 2), batch_size=4), keras.layers.LSTM(2, stateful=True)])

    for part in ("x_train", "y_train"):
        np.save(tmp_path / f"{part}.npy", np.zeros((8, 3, 2) if part == "x_train" else (8, 2), "float32"))
    with pytest.raises(DataError, match=r"keeps states from batch to batch, .*: load by `stored=no`"):
        trivium.train(build, f"{tmp_path}:stored=yes", batch_size=4, validation_split=0.0)


def test_rows_that_cannot_be_prepared_are_the_users_line(tmp_path, digits):
    x = digits.train.x.astype("float32")
    np.save(tmp_path / "x_train.npy", x)
    np.save(tmp_path / "y_train.npy", digits.train.y)
    dataset = datasets.load(f"{tmp_path}:stored=yes")
    trainer = Trainer("dense/small", **SETTINGS)
    prepared = trainer.prepare(dataset)
    (tmp_path / "x_train.npy").write_bytes((tmp_path / "x_train.npy").read_bytes()[:500_000])
    for plan in ("auto", "fit"):
        with pytest.raises(DataError, match="x_train was truncated while it was in use"):
            Trainer("dense/small", plan=plan, **SETTINGS).fit(dataset, prepared)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trivium-prefetch")]


# --- drawn and changed anew -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "data", "settings"),
    [
        ("cnn/striding", "mnist:sample", {"options": {"filters": (4, 4)}, "augment": {"shift": 0.1}}),
        ("cnn/shapes", "shapes", {"options": {"filters": 2}}),
    ],
)
def test_batches_that_are_drawn_anew_are_trained_as_by_fit(backend, recipe, data, settings, monkeypatch):
    """An epoch has windows of two batches; a last one of one batch; in the first case a remainder."""
    monkeypatch.setattr("trivium.engine.epochs.windows._WINDOW_SIZE", 10**6)
    settings = {**settings, "epochs": 2, "batch_size": 160, "validation_split": 0.75 if "augment" in settings else 0.0}
    dataset = datasets.load(data)
    expected = Trainer(recipe, **settings, plan="fit").fit(dataset)
    run = Trainer(recipe, **settings).fit(dataset)
    assert run.settings["plan"]["name"] != "fit"
    for epoch, in_fit in zip(run.history.epochs, expected.history.epochs, strict=True):
        assert epoch == pytest.approx(in_fit, rel=1e-5)
    for weights, in_fit in zip(run.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_allclose(weights, in_fit, atol=1e-5)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trivium-prefetch")]
