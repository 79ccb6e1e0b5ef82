"""Which checkpoints a run keeps: parsing the rules, and the files that are left in the folder."""

import os

import numpy as np
import pytest

from trivium.engine.runs import checkpoint, run_folder
from trivium.engine.runs.checkpoint_policy import DEFAULT_RULE, CheckpointRule, with_default_rule
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError, OutputError

LOGS = {"loss": 0.5, "val_loss": 0.1234}


def test_settings_become_a_rule():
    assert CheckpointRule.of({"every": 5, "keep": 3}) == CheckpointRule(every=5, keep=3)
    assert CheckpointRule.of({"keep": 3}) == CheckpointRule(every=1, keep=3)
    assert CheckpointRule.of({"best": "val_accuracy"}) == CheckpointRule(
        best="val_accuracy", name="best-val_accuracy", keep=1
    )
    assert CheckpointRule.of({"name": "model-{epoch:03d}"}) == CheckpointRule(every=1, name="model-{epoch:03d}")
    assert CheckpointRule.of({"every": 2, "weights": True}) == CheckpointRule(every=2, weights=True)


def test_a_pattern_becomes_a_name():
    pattern = CheckpointRule(name="model-{epoch:03d}-{val_loss:.3f}")
    assert pattern.file_name(7, LOGS) == "model-007-0.123.safetensors"
    assert CheckpointRule(name="w-{epoch}", weights=True).file_name(7, LOGS) == "w-7.weights.h5"


def test_a_run_can_be_resumed_by_default():
    assert with_default_rule([]) == (DEFAULT_RULE,)
    weights = CheckpointRule(every=1, weights=True)
    assert DEFAULT_RULE in with_default_rule([CheckpointRule.of({"best": "loss"}), weights])
    assert DEFAULT_RULE not in with_default_rule([CheckpointRule(every=5)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evry": 5}, "'evry' is none of every, keep, best, name, weights, mode; did you mean 'every'"),
        ({"every": 0}, "every must be 1 or more, received 0"),
        ({"every": 2.5}, "every must be 1 or more, received 2.5"),
        ({"keep": -1}, "keep must be 1 or more, received -1"),
        ({"weights": "yes"}, "weights must be true or false, received 'yes'"),
        ({"name": "model-{epoch:zz}"}, "expected a name such as model-{epoch:03d}-{val_loss:.3f}"),
        ({"name": "model-{epoch:999999999d}"}, "is no metric with a short format"),
        ({"name": "model-{epoch.__class__}"}, "is no metric with a short format"),
        ({"name": "model-{epoch[0]}"}, "is no metric with a short format"),
        ({"name": "model-{epoch:{epoch}}"}, "is no metric with a short format"),
        ({"name": "../{epoch}"}, "which may stand in a folder within the run, received '../1'"),
        ({"name": ".{epoch}"}, "expected the name of a file"),
        ({"every": 2, "best": "loss"}, "give every=… and best=… as two rules"),
        ({"best": "loss", "mode": "up"}, "mode must be auto, max, min, received 'up'"),
        ({"every": 2, "mode": "max"}, "mode=… is that of a metric: add best=METRIC"),
    ],
)
def test_invalid_rules_are_refused(settings, message):
    with pytest.raises(OptionError) as refused:
        CheckpointRule.of(settings)
    assert message in str(refused.value)


def test_two_rules_for_one_file_are_refused():
    with pytest.raises(OptionError, match="2 would be written as epoch-"):
        with_default_rule([CheckpointRule(every=1), CheckpointRule(every=5)])


@pytest.fixture
def train(backend, digits, tmp_path):
    """Train six epochs with some rules: `train(*rules, **options)` → the names of the checkpoints that are left."""

    def train_by(*rules, **options):
        options = {"recipe": "dense/small", "epochs": 6, "batch_size": 50, **options}
        rules = with_default_rule(CheckpointRule.of(settings) for settings in rules)
        with run_folder.open_run(tmp_path / "run", rules) as folder:
            train_by.run = Trainer(**options).fit(digits, run_folder=folder)
        return sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())

    return train_by


@pytest.mark.one_environment
def test_every_and_keep_choose_the_epochs(train):
    assert train({"every": 2, "keep": 2}) == ["epoch-00004.safetensors", "epoch-00006.safetensors"]


@pytest.mark.one_environment
def test_the_last_epoch_is_always_kept(train):
    assert train({"every": 4}) == ["epoch-00004.safetensors", "epoch-00006.safetensors"]


@pytest.mark.one_environment
def test_without_a_rule_short_epochs_do_not_wait_for_the_disk(train):
    assert train() == ["epoch-00001.safetensors", "epoch-00006.safetensors"]


@pytest.mark.one_environment
def test_the_best_checkpoint_is_of_the_best_epoch(train, tmp_path):
    names = train({"best": "val_loss"}, {"name": "off-{epoch}", "weights": True}, learning_rate=0.1)
    history = train.run.history
    best = checkpoint.load(tmp_path / "run/checkpoints/best-val_loss.safetensors")
    assert best.epoch == int(np.argmin(history["val_loss"])) + 1
    assert sum(name.startswith("off-") for name in names) == 6


def test_plain_keras_loads_a_checkpoint_of_the_weights_alone(train, tmp_path):
    import keras

    train({"name": "w{epoch}", "weights": True})
    model = keras.models.clone_model(train.run.model)
    model.load_weights(tmp_path / "run/checkpoints/w6.weights.h5")
    for weights, expected in zip(model.get_weights(), train.run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)


@pytest.mark.one_environment
def test_an_unknown_metric_is_named(train):
    with pytest.raises(
        OptionError, match=r"best=val_acc: the model is compiled with no metric 'acc' \(it has: .*did you mean"
    ):
        train({"best": "val_acc"})
    with pytest.raises(OptionError, match="there is no metric 'val_los'"):
        train({"name": "m-{val_los:.2f}"})


@pytest.mark.one_environment
def test_a_checkpoint_that_cannot_be_written_stops_the_run_and_keeps_the_last_good_one(train, tmp_path, monkeypatch):
    import errno

    fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match=r"cannot write .*epoch-0000\d.safetensors: No space left on device"):
        train({"every": 1})
    monkeypatch.undo()
    newest, skipped = checkpoint.newest(tmp_path / "run/checkpoints")
    assert newest.epoch >= 1
    assert skipped == []


def test_an_ending_says_what_is_written():
    rule = CheckpointRule.of({"name": "models/model-{epoch:03d}-{val_loss:.3f}.h5"})
    assert rule.file_name(7, LOGS) == "models/model-007-0.123.h5"
    assert rule.is_model
    assert not rule.resumable
    assert DEFAULT_RULE in with_default_rule([rule])
    assert CheckpointRule.of({"name": "a{epoch}.h5", "weights": True}).file_name(7, LOGS) == "a7.weights.h5"
    assert CheckpointRule.of({"name": "a{epoch}.weights.h5"}).weights
    assert CheckpointRule.of({"name": "a/{epoch}"}).file_name(7, LOGS) == "a/7.safetensors"


@pytest.mark.parametrize("name", ["/{epoch}", "a/../../{epoch}", "a//{epoch}", "a/.b/{epoch}", "a\\{epoch}"])
def test_a_checkpoint_stays_within_the_run(name):
    with pytest.raises(OptionError, match="which may stand in a folder within the run"):
        CheckpointRule.of({"name": name})


@pytest.mark.one_environment
def test_whole_models_are_written_as_files_of_keras(train, tmp_path, digits):
    import keras

    assert train({"name": "models/{epoch}.h5", "keep": 2}, {"name": "last.keras"}) == [
        *("epoch-00001.safetensors", "epoch-00006.safetensors", "last.keras", "models")
    ]
    folder = tmp_path / "run/checkpoints"
    assert sorted(path.name for path in (folder / "models").iterdir()) == ["5.h5", "6.h5"]
    for path in (folder / "last.keras", folder / "models/6.h5"):
        model = keras.models.load_model(path)
        for weights, expected in zip(model.get_weights(), train.run.model.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, expected)


@pytest.mark.one_environment
def test_no_checkpoint_is_written_through_a_link(train, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()

    import keras

    def plant(epoch, logs=None):
        if epoch == 1:
            (tmp_path / "run/checkpoints").mkdir(exist_ok=True)
            (tmp_path / "run/checkpoints/models").symlink_to(outside)

    with pytest.raises(OutputError, match="models is a link to"):
        train({"name": "models/{epoch}", "every": 2}, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=plant)])
    assert not list(outside.iterdir())
