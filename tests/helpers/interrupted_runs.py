"""Training in a process of its own that is ended at some moment, and what its folder must hold afterwards."""

import os
import subprocess
import sys
import time

import numpy as np

from trivium.engine.runs import checkpoint
from trivium.engine.runs.run_record import read_history
from trivium.storage import tensor_file


def begin(arguments, environment=None, script=("-m", "trivium")):
    """Start the command line; return the process."""
    return subprocess.Popen(
        [str(part) for part in (sys.executable, *script, *arguments)],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def epochs_done(folder):
    """Return the number of epochs in a run's history."""
    try:
        return (folder / "history.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def end_after(training, folder, epochs, sign, wait=0.0):
    """Send a signal after so many epochs. Return standard output, standard error and the exit code."""
    while epochs_done(folder) < epochs and training.poll() is None:
        time.sleep(0.002)
    time.sleep(wait)
    training.send_signal(sign)
    out, err = training.communicate(timeout=120)
    return out, err, training.returncode


def final(folder, epochs):
    """Return the arrays of a run's last checkpoint (weights, optimizer, counters), and the checkpoint."""
    newest, passed_over = checkpoint.newest(folder / "checkpoints")
    assert passed_over == []
    assert newest.epoch == epochs
    from safetensors.numpy import load_file

    return load_file(newest.path), newest


def require_identical(folder, expected, epochs):
    """Fail unless two runs ended with the same bits and the same history."""
    (arrays, last), (expected_arrays, expected_checkpoint) = final(folder, epochs), final(expected, epochs)
    assert arrays.keys() == expected_arrays.keys()
    for name, value in expected_arrays.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)
    assert last.history == expected_checkpoint.history
    assert read_history(folder / "history.jsonl") == expected_checkpoint.history


def require_unharmed(folder):
    """Fail unless every checkpoint with a final name is complete."""
    for path in (folder / "checkpoints").glob("[!.]*"):
        tensor_file.read_record(path)
