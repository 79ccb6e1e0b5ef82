"""No command prints a line of a framework: neither TensorFlow's log, nor JAX's warnings, nor a banner of Keras.

Each command runs in a process of its own, because a framework speaks when it is imported.
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from trivium.backends import catalog

# What trivium itself writes on standard error: its errors and notes, and lines of progress.
OURS = re.compile(r"(trivium|warning|note): .+|.+:( +\d+%)? .+ \(\d+ s\)")

# Commands after which others are possible, in order; RUN is a run folder of the backend.
COMMANDS = {
    "train": "train cnn/striding --data d.npz --epochs 1 --out RUN",
    "a model of one's own": "train own.py:build --data d.npz --epochs 1 --out own",
    "evaluate": "evaluate RUN",
    "predict": "predict RUN d.npy --preview seen.png",
    "save": "save RUN m.h5 m.keras m.weights.h5",
    "a Keras file": "predict m.h5 prepared.npy",
    "inspect": "inspect RUN --draw m.png",
    "fine-tuning": "train --from RUN --freeze conv* --data d.npz --epochs 1 --precision mixed_bfloat16 --out finer",
    "two devices": "train cnn/striding --data d.npz --epochs 1 --devices 2 --out divided",
    "text": "train text/letters --epochs 1 --steps-per-epoch 2 --out text",
    "generate": "generate text --length 20 --temperature 0",
    "search": "search dense/dropout --data d.npz --grid units=4,8 --epochs 1 --folds 2 --out search",
    "verify": "verify dense/small --data d.npz --steps 2",
    "recipes": "recipes rnn/lstm --draw recipe.png",
    "bench": "bench epochs --recipes rnn/lstm --budget 1s --precision 100%",
    "onnx": "port RUN --to onnx",
}
OWN = """
import keras

def build():
    return keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)])
"""
FORMATS = {"tensorflow": "savedmodel", "jax": "litert", "torch": "torch-export"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data for all commands."""
    place = tmp_path_factory.mktemp("noise")
    x, y = np.random.default_rng(0).integers(0, 255, (60, 28, 28), "uint8"), np.arange(60) % 10
    np.savez(place / "d.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    np.save(place / "d.npy", x[:3])
    np.save(place / "prepared.npy", x[:3, ..., None] / np.float32(255))
    (place / "own.py").write_text(OWN)
    return place


def noise(backend, command, folder):
    """Run a command; return the lines of standard error that are not trivium's, and the exit code."""
    arguments = [f"run-{backend}" if word == "RUN" else word for word in command.split()]
    done = subprocess.run(
        [sys.executable, "-m", "trivium", *arguments],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
    )
    return [line for line in done.stderr.splitlines() if line.strip() and not OURS.fullmatch(line)], done.returncode


def test_a_training_prints_no_line_of_a_framework(backend, folder):
    """Here the user's file imports it, before trivium does."""
    assert noise(backend.name, COMMANDS["a model of one's own"], folder) == ([], 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [each.name for each in catalog.trainers()])
def test_no_command_prints_a_line_of_a_framework(name, folder):
    commands = {**COMMANDS, "format": f"port RUN --to {FORMATS[name]}", "source": f"port RUN --to source:{name}"}
    outcomes = {title: noise(name, command, folder) for title, command in commands.items()}
    assert outcomes == dict.fromkeys(commands, ([], 0))
