"""`trivium train --workers`: a run on a Ray cluster is like any other run, also when a process dies."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers import executors
from trivium.engine.runs import checkpoint

TRAIN = ["train", "dense/dropout", "--set", "units=8", "--batch-size", "25", "--deterministic"]


@pytest.mark.several_backends
def test_a_run_on_a_cluster_goes_on_without_one(cli, here, backend, small_digits, ray_address):
    executors.release()  # what other tests have left warm
    there = ["--workers", "2", "--address", ray_address]
    shown = cli(*TRAIN, "--data", small_digits, "--epochs", "2", *there, "--out", "run")
    assert shown.code == 0, shown
    assert "run by      2 processes, each on its share of every batch" in shown.out
    recorded = json.loads((here / "run" / "run.json").read_text())["asked"]
    assert recorded["epochs"] == 2
    assert not {"workers", "address"} & recorded.keys()
    alone = cli("train", "--resume", "--out", "run", "--epochs", "3", "--json")
    assert alone.code == 0, alone
    run = json.loads(alone.out)
    assert run["resumed"] == [{"after_epoch": 2, "backend": backend.name}]
    whole = cli(*TRAIN, "--data", small_digits, "--epochs", "3", "--out", "whole", "--json")
    assert run["history"] == [pytest.approx(logs, abs=1e-5) for logs in json.loads(whole.out)["history"]]


def test_what_does_not_go_with_workers_is_one_line(refused, small_digits):
    line = refused(*TRAIN, "--data", small_digits, "--address", "10.0.0.1:6379")
    assert line == "trivium: --address 10.0.0.1:6379 needs workers: add --workers N"
    line = refused(*TRAIN, "--data", small_digits, "--workers", "2", "--devices", "2")
    assert line == "trivium: --devices 2 is for this machine, --workers 2 for a cluster: choose one"


def begin(*arguments, backend):
    return subprocess.Popen(
        [sys.executable, "-m", "trivium", *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(training):
    out, err = training.communicate(timeout=600)
    assert training.returncode == 0, f"{out} {err}"


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("name", [backend.name for backend in catalog.BACKENDS if backend.trains])
def test_when_the_leading_process_is_killed_the_run_goes_on_from_its_last_checkpoint(
    name, here, small_digits, ray_address
):
    """Its workers end with it, or the resumed run would have no CPUs."""
    there = ["--workers", "2", "--address", ray_address]
    arguments = [*TRAIN, "--data", small_digits, "--epochs", "40", "--checkpoint", "every=1,keep=2", *there, "--out"]
    finish(begin(*arguments, "whole", backend=name))
    training, history = begin(*arguments, "run", backend=name), here / "run" / "history.jsonl"
    while training.poll() is None and not (history.exists() and history.read_bytes().count(b"\n") >= 5):
        time.sleep(0.01)
    training.send_signal(signal.SIGKILL)
    assert training.wait(timeout=60) == -signal.SIGKILL
    finish(begin("train", "--resume", "--out", "run", *there, backend=name))
    checkpoints = [checkpoint.newest(here / run / "checkpoints")[0] for run in ("run", "whole")]
    assert [each.epoch for each in checkpoints] == [40, 40]
    from safetensors.numpy import load_file

    ours, expected = (load_file(each.path) for each in checkpoints)
    assert ours.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(ours[path], value, err_msg=path)
    (resumed,) = json.loads((here / "run" / "run.json").read_text())["resumed"]
    assert resumed["after_epoch"] >= 4  # an epoch's checkpoint follows its line in the history
