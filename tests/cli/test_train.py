"""`trivium train`: its files and its output; a training that is refused leaves no files."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.engine.bundles import bundle as bundles
from trivium.engine.runs.run_record import read_history
from trivium.models import recipe as recipes

WAVES = ["rnn/lstm", "--data", "waves:0:20", "--epochs", "1", "--batch-size", "16"]
DIGITS = ["cnn/striding", "--epochs", "1", "--data"]
FILES = {"bundle.trivium", "run.json", "history.jsonl", "curves.png", "predictions.png"}

MODEL = '''
import keras

def build(units: int = 10):
    """A model of one layer."""
    layers = [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(units, activation="softmax")]
    return keras.Sequential(layers)
'''


# --- what it leaves -------------------------------------------------------------------------------------------------


def test_a_run_is_kept_where_it_was_asked_for(cli, here, backend):
    shown = cli("train", *WAVES, "--out", "deep/down")
    assert shown.code == 0
    assert {path.name for path in (here / "deep/down").iterdir()} == FILES | {"checkpoints"}
    assert "data        computed: wave set 0, 20 steps" in shown.out
    assert "last epoch  loss " in shown.out
    assert "s for the one epoch, compilation included" in shown.out
    assert f"rnn/lstm on {backend.title}: 100% epoch 1/1  loss" in shown.err


@pytest.mark.one_environment
def test_json_is_the_run_with_every_option_in_force_and_recorded(cli, here, backend):
    options = ["--optimizer", "sgd", "--learning-rate", "0.5", "--seed", "7", "--validation-split", "0.4"]
    run = json.loads(cli("train", *WAVES, *options, "--set", "units=2", "--set", "window=5", "--json").out)
    folder = here / "runs/rnn-lstm"  # that of a run that was given none
    assert {os.path.basename(file) for file in run.pop("files")} == FILES
    record = json.loads((folder / "run.json").read_text())
    assert len(record.pop("signature")) == 64  # of this account, and no part of the result
    assert run == record
    assert run["history"] == read_history(folder / "history.jsonl").to_json()
    assert run["settings"].pop("plan")["name"] in [
        p.name for p in runtime.current().plans(recipes.find("rnn/lstm")(), 10)
    ]
    assert run["settings"] == {
        "options": {"units": 2, "window": 5, "features": 1, "outputs": 1, "cell": "lstm"},
        "epochs": 1,
        "batch_size": 16,
        "validation_split": 0.4,
        "optimizer": "sgd",
        "learning_rate": 0.5,
        "seed": 7,
        "rng": "owned",
        "deterministic": False,
    }
    assert (run["schema"], run["recipe"], run["best_epoch"], run["interrupted"]) == (1, "rnn/lstm", 1, False)
    assert run["asked"]["assignments"] == ["units=2", "window=5"]
    assert run["asked"]["seed"] == 7
    assert run["parameters"] == 4 * ((1 + 2 + 1) * 2) + 3
    assert run["environment"]["backend"] == backend.name
    assert set(run["history"][0]) == {"loss", "val_loss"}
    assert set(run["evaluation"]) == {"loss", "rms_error"}
    assert run["timings"]["steady_epoch"] is None
    assert len(run["timings"]["epochs"]) == 1
    optimizer = bundles.load(folder).model.optimizer
    assert (type(optimizer).__name__, float(optimizer.learning_rate)) == ("SGD", 0.5)


def test_an_earlier_run_is_moved_aside(cli, here, saved_runs):
    shutil.copytree(saved_runs["lstm"], here / "run")
    first = (here / "run/bundle.trivium").read_bytes()
    shown = cli("train", *WAVES, "--seed", "1", "--out", "run")
    assert "earlier     the run that was there is now run.1" in shown.out
    assert (here / "run.1/bundle.trivium").read_bytes() == first
    assert json.loads((here / "run/run.json").read_text())["settings"]["seed"] == 1


@pytest.mark.one_environment
def test_a_model_of_ones_own_gets_a_loss_by_its_labels(cli, here, small_digits):
    (here / "my_model.py").write_text(f"print('loaded')\n{MODEL}")
    shown = cli("train", "my_model.py:build", "--data", small_digits, "--epochs", "1", "--json")
    run = json.loads(shown.out)  # nothing but the JSON
    assert "loaded\n" in shown.err
    assert (run["recipe"], run["parameters"]) == ("my_model.py:build", 7850)
    assert run["dataset"]["source"] == str(small_digits)
    assert (run["dataset"]["train"], run["dataset"]["test"]) == (60, 20)
    assert set(run["history"][0]) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert set(run["evaluation"]) == {"accuracy", "loss"}
    assert (here / "runs/my_model-build/mistakes.png").is_file()


@pytest.mark.one_environment
def test_weights_of_classes_and_precision_are_recorded_and_taken_up_again(cli, here, small_digits):
    (here / "my_model.py").write_text(MODEL)
    arguments = [
        "my_model.py:build",
        "--data",
        small_digits,
        "--class-weight",
        "7=5, 1=0.5",
        "--precision",
        "mixed_bfloat16",
    ]
    first = json.loads(cli("train", *arguments, "--epochs", "1", "--out", "run", "--json").out)
    settings = {"class_weight": {"7": 5.0, "1": 0.5}, "precision": "mixed_bfloat16"}
    assert {name: first["settings"][name] for name in settings} == settings
    assert bundles.load(here / "run").run["settings"]["precision"] == "mixed_bfloat16"
    resumed = cli("train", "my_model.py:build", "--resume", "--out", "run", "--epochs", "2", "--json")
    again = json.loads(resumed.out)
    assert {name: again["settings"][name] for name in settings} == settings
    assert len(again["history"]) == 2
    other = cli("train", *arguments[:-3], "7=6", "--resume", "--out", "run", "--epochs", "3")
    assert other.code == 2
    assert 'class_weight {"7": 5.0, "1": 0.5} → {"7": 6.0}' in other.complaint


# --- what it turns down ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs must be 1 or more, received 0"),
        (["--epochs", "-3"], "epochs must be 1 or more, received -3"),
        (["--batch-size", "0"], "batch size must be 1 or more, received 0"),
        (["--batch-size", "-1"], "batch size must be 1 or more, received -1"),
        (["--validation-split", "1.0"], "validation split must be 0 or more and less than 1, received 1"),
        (["--validation-split", "-0.1"], "validation split must be 0 or more"),
        (["--validation-split", "nan"], "validation split must be 0 or more"),
        (["--validation-split", "0.999"], "a validation split of 0.999 leaves nothing to train on"),
        (["--learning-rate", "0"], "learning rate must be above 0, received 0"),
        (["--learning-rate", "inf"], "learning rate must be above 0, received inf"),
        (["--seed", "-1"], "seed must be from 0 to 2**32 - 1, received -1"),
        (["--class-weight", "even"], "--class-weight even: 'even' has no value: expected NAME=VALUE"),
        (["--class-weight", "balanced"], "waves:0:20 has no classes: use sample_weight"),
        (["--optimizer", "nosuch"], "Keras knows no optimizer 'nosuch' (try adam, sgd, rmsprop)"),
        (
            ["--set", "unit=4"],
            "rnn/lstm has no option 'unit' (it has: window, units, features, outputs, cell); did you mean 'units'",
        ),
        (["--set", "units"], "--set units: expected NAME=VALUE"),
        (["--set", "units=0"], "units=0, features=1, outputs=1, cell='lstm') cannot be built: "),
        (["--set", "window=30"], "shorter than the window of 30"),
        (["--data", "wave:0"], "unknown dataset 'wave:0'; did you mean 'waves'"),
        (["--data", "waves:7"], "choose waves:0, waves:1 or waves:2"),
        (["--data", "mnist:smaple"], "choose mnist, mnist:full or mnist:sample"),
    ],
)
def test_an_invalid_option_is_refused(refused, arguments, message):
    assert message in refused("train", *WAVES, *arguments, "--out", "deep/run")


def spoil(digits, how):
    """Arrays of an `.npz` file with one thing wrong."""
    x, y = digits.train.x[:60], digits.train.y[:60]
    floats = x.astype("float32")
    floats[3, 4, 5] = np.nan
    high, low = y.astype("int64"), y.astype("int64")
    high[7], low[7] = 10, -1
    return {
        "missing array": {"x_train": x},
        "wrong shape": {"x_train": x[:, :10, :10], "y_train": y},
        "flat": {"x_train": x.reshape(60, -1), "y_train": y},
        "colour": {"x_train": np.stack([x] * 3, -1), "y_train": y},
        "strings": {"x_train": x.astype("str"), "y_train": y},
        "objects": {"x_train": x.astype("object"), "y_train": y},
        "complex": {"x_train": x.astype("complex64"), "y_train": y},
        "NaN": {"x_train": floats, "y_train": y},
        "NaN label": {"x_train": x, "y_train": np.full(60, np.nan)},
        "unequal lengths": {"x_train": x, "y_train": y[:59]},
        "unequal test lengths": {"x_train": x, "y_train": y, "x_test": x[:5], "y_test": y[:4]},
        "label too high": {"x_train": x, "y_train": high},
        "label below zero": {"x_train": x, "y_train": low},
        "real labels": {"x_train": x, "y_train": y.astype("float32")},
        "already scaled": {"x_train": (x / 255).astype("float32"), "y_train": y},
        "no sample": {"x_train": x[:0], "y_train": y[:0]},
        "one sample": {"x_train": x[:1], "y_train": y[:1]},
        "0-d": {"x_train": np.array(1.0), "y_train": np.array(1)},
    }[how]


SPOILT = {
    "missing array": "no y_train in it (it has: x_train)",
    "wrong shape": "(10, 10, 1) but the model takes (28, 28, 1)",
    "flat": "expected grey images (n, height, width), received shape (",
    "colour": "expected grey images (n, height, width), received shape (",
    "strings": "x_train: expected numbers, received dtype <U",
    "objects": "cannot be read as arrays",
    "complex": "x_train: expected numbers, received dtype complex64",
    "NaN": "x_train: 1 of its values are NaN or infinite, the first at index (3, 4, 5)",
    "NaN label": "y_train: 60 of its values are NaN or infinite",
    "unequal lengths": "x_train has 60 samples but y_train has 59",
    "unequal test lengths": "x_test has 5 samples but y_test has 4",
    "label too high": "the data have 11 classes but the model has outputs for 10",
    "label below zero": "the data have 11 classes but the model has outputs for 10",
    "real labels": "expected integer labels (n,), received (",
    "already scaled": "already scaled, expected 0 to 255",
    "no sample": "there is no sample in it (shape (0, 28, 28))",
    "one sample": "leaves nothing to train on",
    "0-d": "there is no sample in it (shape ())",
}


@pytest.mark.parametrize("how", SPOILT)
def test_data_that_cannot_be_trained_on_are_refused(refused, digits, tmp_path, how):
    path = tmp_path / "data.npz"
    np.savez(path, **spoil(digits, how))
    line = refused("train", *DIGITS, path)
    assert line.startswith(f"trivium: {path}")
    assert SPOILT[how] in line


@pytest.mark.parametrize("keep", [0, 10, 500, -1000, -30, -1])
def test_a_truncated_file_is_refused(refused, small_digits, keep):
    small_digits.write_bytes(small_digits.read_bytes()[:keep])
    line = refused("train", *DIGITS, small_digits)
    assert f"{small_digits}: cannot be read as arrays, truncated or not NumPy's" in line


def test_a_file_that_is_missing_or_something_else_is_refused(refused, tmp_path):
    assert "nosuch.npz: no such file" in refused("train", *DIGITS, "nosuch.npz")
    other = tmp_path / "other.npz"
    other.write_text("x,y\n1,2\n")
    assert "cannot be read as arrays" in refused("train", *DIGITS, other)
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    assert "one array, expected an archive of several" in refused("train", *DIGITS, tmp_path / "one.npz")


def test_a_folder_of_data_that_holds_none_is_refused(refused, here, monkeypatch):
    monkeypatch.setenv("TRIVIUM_DATA", str(here))
    assert f"TRIVIUM_DATA is {here}, but there is no mnist.npz in it" in refused("train", "cnn/striding")


def test_a_recipe_without_data_of_its_own_asks_for_some(refused, tmp_path):
    (tmp_path / "my_model.py").write_text(MODEL)
    assert "brings no data of its own: add --data FILE.npz" in refused("train", tmp_path / "my_model.py:build")


# --- where it writes ------------------------------------------------------------------------------------------------


def test_a_folder_of_something_else_is_left_alone(refused, here):
    (here / "thesis").mkdir()
    (here / "thesis/chapter.txt").write_text("years of work")
    line = refused("train", *WAVES, "--out", "thesis")
    assert line == "trivium: thesis exists and is not a run (no run.json in it): choose another --out"


def test_a_file_is_no_folder(refused, here):
    (here / "file").write_text("something")
    assert refused("train", *WAVES, "--out", "file") == "trivium: file is a file: choose another --out"
    assert "cannot use file/below: Not a directory" in refused("train", *WAVES, "--out", "file/below")


def disk_full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_what_was_there_bit_for_bit(refused, here, saved_runs, monkeypatch):
    shutil.copytree(saved_runs["lstm"], here / "run")
    monkeypatch.setattr(os, "fsync", disk_full)
    line = refused("train", *WAVES, "--out", "run", with_progress=True)
    assert line == "trivium: cannot write run/run.json: No space left on device"


def test_a_run_that_is_stopped_before_its_first_epoch_leaves_nothing(cli, here, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("trivium.engine.training.trainer.Trainer.run_epochs", stop)
    assert cli("train", *WAVES, "--out", "deep/run").code == 130
    assert list(here.iterdir()) == []


def test_ctrl_c_keeps_the_epochs_that_are_done(backend, here):
    arguments = ["train", "rnn/lstm", "--epochs", "1000000", "--batch-size", "200", "--out", "run"]
    training = subprocess.Popen(
        [sys.executable, "-m", "trivium", *arguments],
        env={**os.environ, "FORCE_COLOR": "1"},  # the bar of a terminal moves at once, a log's line takes seconds
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    shown = b""
    while b"loss" not in shown:  # until an epoch is done
        more = training.stderr.read1()
        assert more, f"it ended by itself: {shown}"
        shown += more
    training.send_signal(signal.SIGINT)
    try:
        out, err = training.communicate(timeout=30)
    finally:
        training.kill()
    assert training.returncode == 0, err
    run = json.loads((here / "run/run.json").read_text())
    assert run["interrupted"] is True
    assert f"Stopped after {len(run['history'])} of 1000000 epochs; they are kept." in out.decode()
    assert 1 <= len(run["history"]) <= len(run["timings"]["epochs"])
    assert bundles.load(here / "run").run == {name: value for name, value in run.items() if name != "signature"}


def test_a_class_that_is_not_validated_is_a_warning_that_names_the_option(cli, here):
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), "uint8")
    np.savez(here / "sorted.npz", x_train=images, y_train=np.repeat([0, 1], 20))
    arguments = ("train", "dense/small", "--data", "sorted.npz", "--epochs", "1", "--out", "run")
    shown = cli(*arguments)
    assert shown.code == 0
    assert "so that the validation part lacks 0: add --validation stratified." in shown.err
    assert "validation  25% of the training data, the last of them" in shown.out
    again = cli(*arguments, "--validation", "stratified")
    assert "warning" not in again.err
    assert "validation  25% of the training data, stratified by class" in again.out


def test_a_text_model_writes_samples_and_goes_on_with_them(cli, refused, here):
    (here / "text.txt").write_text("the cat sat on the mat. " * 20)
    settings = ["--data", "text:text.txt", "--set", "units=4", "--set", "window=4", "--batch-size", "16"]
    samples = ["--samples", "every=1,temperatures=0.5+1,length=5"]
    shown = cli(
        "train", "text/letters", "--data", "text:text.txt", *settings, "--epochs", "1", *samples, "--out", "run"
    )
    assert "run/samples.txt" in shown.out
    assert cli("train", "--resume", "--epochs", "2", "--out", "run").code == 0
    lines = (here / "run/samples.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("epoch")] == ["epoch 1", "epoch 2"]
    assert [line.strip() for line in lines if "temperature" in line] == ["temperature 0.5", "temperature 1"] * 2
    line = refused("train", "rnn/lstm", "--epochs", "1", "--samples", "every=1", "--out", "other")
    assert "--samples are texts, and rnn/lstm is no text model: leave it out" in line
    assert "--samples: every must be a whole number" in refused("train", "text/letters", "--samples", "every=x")
