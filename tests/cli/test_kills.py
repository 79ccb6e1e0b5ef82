"""Runs of five kinds that are killed twenty times, or whose disk fills up, end with the bits of a whole one."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from interrupted_runs import begin, end_after, epochs_done, require_identical, require_unharmed

from trivium.backends import catalog

KILLING = Path(__file__).parents[1] / "helpers" / "killing.py"
EPOCHS = 300  # enough for all of the kills
FURTHER = ["--batch-size", "30", "--deterministic", "--checkpoint", "every=1,keep=2"]
TWO_INPUTS = """
import keras

def build():
    wide, deep = keras.Input((4,), name="wide"), keras.Input((3,), name="deep")
    hidden = keras.layers.Dropout(0.2)(keras.layers.Dense(5, activation="relu")(deep))
    joined = keras.layers.concatenate([wide, hidden])
    return keras.Model({"wide": wide, "deep": deep}, keras.layers.Dense(2, activation="softmax")(joined))
"""
RUNS = {
    "dense": ["dense/dropout", "--set", "units=8", "--data", "digits.npz"],
    "rnn": ["rnn/three-lstm", "--data", "waves:2:90"],
    "cnn": ["cnn/striding", "--set", "filters=4,3", "--data", "digits.npz"],
    "stored": ["dense/dropout", "--set", "units=8", "--data", "arrays:stored=yes"],
    "two-inputs": ["two.py:build", "--data", "two.npz"],
}
# The code of a user is named again when a run goes on.
NAMED_AGAIN = {"two-inputs": ["two.py:build"]}


@pytest.fixture
def files(here, small_digits):
    """The files that the runs read, in the current directory."""
    shutil.copy(small_digits, here / "digits.npz")
    (here / "arrays").mkdir()
    with np.load(small_digits) as arrays:
        for name, values in arrays.items():
            np.save(here / "arrays" / f"{name}.npy", values)
    generator = np.random.default_rng(0)
    wide, deep = (generator.normal(size=(60, width)).astype("float32") for width in (4, 3))
    np.savez(here / "two.npz", wide_train=wide, deep_train=deep, y_train=(wide.sum(1) > deep.sum(1)).astype("int64"))
    (here / "two.py").write_text(TWO_INPUTS)
    return here


def moments_of(random_numbers, kills):
    """Return so many moments: six at a call of the system while a checkpoint is written, else at any time."""
    calls = [(when, name) for when in ("before", "after") for name in ("replace", "fsync")]
    calls += [("after", "replace"), ("before", "fsync")]
    moments = [(*call, random_numbers.randint(4, 12)) for call in calls][:kills]
    moments += [None] * (kills - len(moments))
    random_numbers.shuffle(moments)
    return moments


def kill_and_resume(kind, backend, folder, kills, epochs):
    """Train in a folder, kill it so many times, and let it end."""
    environment = {"KERAS_BACKEND": backend}
    resume = ["train", *NAMED_AGAIN.get(kind, []), "--resume", "--out", folder]
    first = ["train", *RUNS[kind], *FURTHER, "--epochs", epochs, "--out", folder]
    random_numbers = random.Random(f"{kind} {backend}")
    for number, moment in enumerate(moments_of(random_numbers, kills), start=1):
        command = resume if (folder / "run.json").exists() else first
        training = begin(command, environment, *([(KILLING, *moment)] if moment else []))
        if moment:
            out, err = training.communicate(timeout=600)
        else:
            target = epochs_done(folder) + random_numbers.randint(0, 2)
            out, err, _ = end_after(training, folder, target, signal.SIGKILL, random_numbers.uniform(0, 0.05))
        assert training.returncode == -signal.SIGKILL, f"kill {number} {moment}: {out} {err}"
        require_unharmed(folder)
    finish(resume, environment)


def finish(command, environment):
    training = begin(command, environment)
    _, err = training.communicate(timeout=600)
    assert training.returncode == 0, err


@pytest.fixture
def busy(request):
    """As many processes that compute all the time as there are cores, if the test asks for them."""
    program = "while True: pass"
    count = (os.cpu_count() or 1) if request.param else 0
    others = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(count)]
    yield
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"], indirect=True)
@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("name", [backend.name for backend in catalog.BACKENDS if backend.trains])
@pytest.mark.usefixtures("busy")
def test_twenty_kills_at_any_moment_leave_the_same_bits(name, kind, files):
    """During epochs, while a checkpoint is written, before and after it is renamed, before the folder is flushed."""
    finish(["train", *RUNS[kind], *FURTHER, "--epochs", EPOCHS, "--out", "whole"], {"KERAS_BACKEND": name})
    kill_and_resume(kind, name, files / "run", 20, EPOCHS)
    require_identical(files / "run", files / "whole", EPOCHS)


# --- disks that fill up ---------------------------------------------------------------------------------------------

# In a mount of its own, which ends with the shell; what is left of a disk of 2 MiB decides when it is full.
ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=2m none disk
head -c $FILLED /dev/zero > disk/filler
set +e
"$PYTHON" -m trivium $FIRST --out disk/run 2> full.txt
echo $? > code.txt
rm disk/filler
"$PYTHON" -m trivium train $NAMED --resume --out disk/run || "$PYTHON" -m trivium $FIRST --out disk/run
cp -r disk/run run
"""


def can_mount():
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return shutil.which("unshare") is not None and not subprocess.run(command, capture_output=True).returncode


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("share", [0.3, 0.75])
def test_a_run_on_a_disk_that_fills_up_goes_on_to_the_same_bits_once_there_is_room(kind, share, files):
    """Of the room that a run takes, only a share is left."""
    if not can_mount():
        pytest.skip("no file system can be mounted here")
    first = ["train", *RUNS[kind], *FURTHER, "--epochs", "20"]
    finish([*first, "--out", "whole"], {})
    used = sum(
        path.stat().st_size for path in (files / "whole").rglob("*") if path.suffix in (".safetensors", ".jsonl")
    )
    (files / "disk").mkdir()
    values = {
        "FILLED": str(2**21 - int(share * used)),
        "PYTHON": sys.executable,
        "FIRST": " ".join(first),
        "NAMED": " ".join(NAMED_AGAIN.get(kind, [])),
    }
    subprocess.run(["unshare", "-rm", "sh", "-c", ON_A_SMALL_DISK], env={**os.environ, **values}, check=True)
    assert (files / "code.txt").read_text().strip() == "2"
    assert "No space left on device" in (files / "full.txt").read_text()
    require_identical(files / "run", files / "whole", 20)
