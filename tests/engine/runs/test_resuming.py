"""A run that is resumed after an interruption ends with the same bits as the run that was never interrupted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trivium.data import datasets
from trivium.data.dataset import Dataset, Split
from trivium.engine.runs import run_folder
from trivium.engine.runs.checkpoint_policy import CheckpointRule
from trivium.engine.runs.run_record import read_history, read_record
from trivium.engine.training import saving
from trivium.engine.training.callback_options import CallbackOptions
from trivium.engine.training.trainer import Trainer
from trivium.errors import CheckpointError, OptionError, OutputError

EVERY = (CheckpointRule(every=1),)
DENSE = {"recipe": "dense/dropout", "options": {"units": 8, "dropout": 0.4}, "epochs": 6, "batch_size": 50}


class CrashError(Exception):
    pass


def crash_at(epoch):
    """Return a callback that raises an error at the beginning of an epoch."""
    import keras

    def crash(number, logs=None):
        if number == epoch:
            raise CrashError

    return keras.callbacks.LambdaCallback(on_epoch_begin=crash)


@pytest.fixture
def data(digits):
    return {"dense": digits, "cnn": digits, "rnn": datasets.load("waves:0:60")}


@pytest.fixture
def train(backend, data, tmp_path):
    """Train in a folder: `train(folder, resume=…, **settings)` → the run."""

    def train_in(name, *, resume=False, rules=EVERY, dataset=None, **settings):
        settings = {**DENSE, **settings}
        dataset = dataset or data[settings["recipe"].partition("/")[0]]
        with run_folder.open_run(tmp_path / name, rules, resume=resume) as folder:
            run = Trainer(**settings).fit(dataset, run_folder=folder)
            saving.save(run, tmp_path / name)
        return run

    return train_in


@pytest.fixture
def broken(train):
    """Train until the run crashes at the beginning of an epoch: `broken(folder, epoch, **settings)`."""

    def train_and_break(name, epoch, **settings):
        with pytest.raises(CrashError):
            train(name, **settings, callbacks=[crash_at(epoch)])

    return train_and_break


def require_identical(run, expected):
    assert run.history.epochs == expected.history.epochs
    for weights, other, variable in zip(
        run.model.get_weights(), expected.model.get_weights(), run.model.weights, strict=True
    ):
        np.testing.assert_array_equal(weights, other, err_msg=variable.path)
    for variable, other in zip(run.model.optimizer.variables, expected.model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), other.numpy(), err_msg=variable.path)


RUNS = {
    "dropout": {},
    "batch normalisation by fit": {
        "recipe": "cnn/striding-batchnorm",
        "options": {"filters": (4, 3)},
        "batch_size": 64,
        "epochs": 4,
        "plan": "fit",
    },
    "a kernel that is tuned": {"recipe": "cnn/pooling", "options": {"filters": (3, 2)}, "batch_size": 64, "epochs": 4},
    "stateful": {"recipe": "rnn/stateful", "options": {"units": 4}, "batch_size": 1, "epochs": 4},
    "augmented": {"recipe": "cnn/striding", "options": {"filters": (2, 2)}, "augment": {"shift": 0.1}, "epochs": 4},
    "native dropout": {"rng": "native", "optimizer": "rmsprop"},
}


# The daily tests run two of them: each one trains, and compiles, three times.
DAILY = ("dropout", "stateful")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in DAILY else pytest.mark.slow) for n in RUNS])
def test_a_resumed_run_ends_with_the_same_bits(backend, train, broken, name):
    settings = {"deterministic": True, **RUNS[name]}
    whole = train("whole", **settings)
    broken("broken", 2, **settings)
    settings.pop("callbacks", None)
    resumed = train("broken", resume=True, callbacks=[crash_at(99)], **settings)
    assert resumed.resumed == [{"after_epoch": 2, "backend": backend.name}]
    require_identical(resumed, whole)


# Keras draws the masks of recurrent layers in validation too.
@pytest.mark.slow
def test_dropout_inside_a_recurrent_layer_is_resumed_with_the_same_masks(train, broken, tmp_path):
    (tmp_path / "recurrent.py").write_text(
        "import keras\n"
        "def build():\n"
        "    layers = keras.layers\n"
        "    recurrent = layers.GRU(3, dropout=0.3, recurrent_dropout=0.2)\n"
        "    model = keras.Sequential([keras.Input((4, 2)), recurrent, layers.Dense(1)])\n"
        "    model.compile('adam', 'mse')\n"
        "    return model\n"
    )
    x = np.random.default_rng(0).normal(size=(60, 4, 2)).astype("float32")
    dataset = Dataset("sequences", Split(x, x[:, 0, :1]), None, (), "drawn")
    settings = {"recipe": f"{tmp_path}/recurrent.py:build", "options": {}, "epochs": 4, "batch_size": 8}
    settings |= {"validation_split": 0.4, "deterministic": True, "dataset": dataset}
    whole = train("whole", **settings)
    broken("broken", 2, **settings)
    require_identical(train("broken", resume=True, callbacks=[crash_at(99)], **settings), whole)


@pytest.mark.one_environment
def test_a_resumed_run_appends_to_the_history_and_the_times_of_the_earlier_session(backend, train, broken, tmp_path):
    broken("run", 3)
    left = read_record(tmp_path / "run")
    assert (left["state"], left["error"]) == ("failed", "CrashError")
    assert len(read_history(tmp_path / "run/history.jsonl")) == 3
    run = train("run", resume=True, callbacks=[crash_at(99)])
    record = read_record(tmp_path / "run")
    assert (record["state"], "error" in record, "process" in record) == ("finished", False, False)
    assert read_history(tmp_path / "run/history.jsonl").epochs == run.history.epochs
    assert len(run.timings.epochs) == len(run.timings.validation) == len(run.history) == 6


def test_a_resumed_run_restores_the_state_of_its_callbacks(backend, train, broken):
    options = CallbackOptions(
        early_stopping={"patience": 4, "min_delta": 0.02, "restore_best": True},
        reduce_on_plateau={"patience": 1, "factor": 0.5, "min_delta": 0.1},
        lr_schedule="step:0.5@1,6",
    )
    settings = {"epochs": 30, "optimizer": "sgd", "learning_rate": 0.5, "callback_options": options}
    whole = train("whole", **settings)
    assert 4 < len(whole.history) < 30, "it was stopped early, but not at once"
    broken("broken", 3, **settings)
    require_identical(train("broken", resume=True, **settings, callbacks=[crash_at(99)]), whole)


@pytest.mark.one_environment
def test_resuming_a_run_that_has_trained_all_epochs_only_saves_it(backend, train, tmp_path):
    whole = train("whole", epochs=3)
    record = json.loads((tmp_path / "whole/run.json").read_text())
    (tmp_path / "whole/run.json").write_text(json.dumps({**record, "state": "running"}))
    (tmp_path / "whole/bundle.trivium").unlink()
    again = train("whole", resume=True, epochs=3)
    require_identical(again, whole)
    assert (tmp_path / "whole/bundle.trivium").is_file()


@pytest.mark.one_environment
def test_a_finished_run_can_be_resumed_for_more_epochs(backend, train):
    whole = train("whole", epochs=5)
    train("short", epochs=3)
    require_identical(train("short", epochs=5, resume=True), whole)


@pytest.mark.one_environment
def test_resuming_a_finished_run_is_refused(backend, train):
    train("run", epochs=2)
    with pytest.raises(OptionError, match=r"is finished: 2 of 2 epochs; for more add `epochs` N"):
        train("run", epochs=2, resume=True)
    with pytest.raises(OptionError, match=r"`epochs` 1: the run in .* has trained 2 already"):
        train("run", epochs=1, resume=True)


@pytest.mark.one_environment
def test_every_changed_setting_is_named(backend, train, broken, digits):
    broken("run", 1)
    changed = {"seed": 5, "batch_size": 20, "learning_rate": 0.25, "options": {"units": 9, "dropout": 0.4}}
    with pytest.raises(OptionError) as refused:
        train("run", resume=True, **changed)
    for change in ("batch_size 50 → 20", "seed 1 → 5", "learning_rate none → 0.25", '"units": 8', '"units": 9'):
        assert change in str(refused.value)
    other = replace(digits, train=Split(digits.train.x[::-1], digits.train.y[::-1]))
    with pytest.raises(OptionError, match=r"data digits for tests → digits for tests \(checksum .{8} → .{8}\)"):
        train("run", resume=True, dataset=other)
    with pytest.raises(OptionError, match=r"recipe dense/dropout → dense/small"):
        train("run", resume=True, recipe="dense/small", options={})
    with pytest.raises(OptionError, match=r"lr_schedule none → cosine"):
        train("run", resume=True, callback_options=CallbackOptions(lr_schedule="cosine"))


@pytest.mark.one_environment
def test_resuming_with_other_callbacks_is_refused(backend, train, broken):
    broken("run", 1)
    with pytest.raises(CheckpointError, match="written with the callbacks LambdaCallback; go on with the same"):
        train("run", resume=True)


@pytest.mark.one_environment
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(backend, train, broken, digits, tmp_path):
    whole = train("whole")
    broken("run", 4)
    newest = tmp_path / "run/checkpoints/epoch-00004.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    (tmp_path / "run/checkpoints/.epoch-00005.a1b2_c3d.safetensors").write_bytes(b"as a kill leaves it")
    with run_folder.open_run(tmp_path / "run", EVERY, resume=True) as folder:
        assert folder.resume_from.epoch == 3
        assert "epoch-00004.safetensors was altered or truncated" in folder.skipped[0]
        run = Trainer(**DENSE, callbacks=[crash_at(99)]).fit(digits, run_folder=folder)
    require_identical(run, whole)
    assert not list((tmp_path / "run/checkpoints").glob(".*"))


def test_there_must_be_a_run_to_resume(backend, tmp_path):
    with (
        pytest.raises(OutputError, match=r"there is no run in .* to resume"),
        run_folder.open_run(tmp_path, resume=True),
    ):
        pass


@pytest.mark.one_environment
def test_a_run_is_resumed_from_checkpoints_in_a_folder_below(train, tmp_path):
    rules = (CheckpointRule.of({"name": "a/b/{epoch:03d}", "keep": 2}),)
    whole = train("whole", rules=rules)
    train("parts", rules=rules, epochs=4)
    parts = train("parts", rules=rules, resume=True)
    assert parts.history.epochs == whole.history.epochs
    names = [path.name for path in sorted((tmp_path / "parts/checkpoints/a/b").iterdir())]
    assert names == ["005.safetensors", "006.safetensors"]
