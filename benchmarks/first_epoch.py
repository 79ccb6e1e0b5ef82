"""How long does a user wait from the shell to the end of the first epoch, beside the plainest Keras script?

    python -m trivium.benchmarks.first_epoch --backends jax --models dense

Starts by turns, each in a process of its own, `trivium train` of a small model and a script that loads the same data,
builds the same model, and calls `fit`. trivium's first use has an empty cache, as on the day of its installation; its
second use has what the first left there. A ratio below 1 means that trivium is there sooner. The result is printed as
JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog
from .statistics import ratio

_BATCH = 32
_POLL_SECONDS = 0.002
_LONGEST_SECONDS = 300.0
FIRST_USE, SECOND_USE = "first use", "second use"

_HIDDEN = {
    "dense": 'layers.Flatten(), layers.Dense(64, "relu")',
    "cnn": 'layers.Reshape((28, 28, 1)), layers.Conv2D(16, 3, strides=2, activation="relu"), layers.Flatten()',
    "lstm": "layers.LSTM(32)",
}
_BUILDER = """import keras
from keras import layers


def model():
    model = keras.Sequential([keras.Input((28, 28)), {hidden}, layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
_SCRIPT = """import numpy as np
from model import model

x, y = np.load("data/x_train.npy"), np.load("data/y_train.npy")
model().fit(x, y, batch_size={batch}, epochs=1, validation_split=0.2)
open("ended", "w").close()
"""


def write_programs(folder: Path, model: str, samples: int = 1000) -> None:
    """Write the data, the model and the script into a folder."""
    generator = np.random.default_rng(0)
    (folder / "data").mkdir()
    np.save(folder / "data" / "x_train.npy", generator.random((samples, 28, 28), dtype="float32"))
    np.save(folder / "data" / "y_train.npy", generator.integers(0, 10, samples))
    (folder / "model.py").write_text(_BUILDER.format(hidden=_HIDDEN[model]), "utf-8")
    (folder / "script.py").write_text(_SCRIPT.format(batch=_BATCH), "utf-8")


def by_keras(folder: Path, backend: str) -> float:
    """Return the seconds from starting the script to the end of its epoch."""
    ended = folder / "ended"
    ended.unlink(missing_ok=True)
    return _seconds_until(ended.exists, [sys.executable, "script.py"], folder, {catalog.BACKEND_VARIABLE: backend})


def by_trivium(folder: Path, backend: str, cache: Path) -> float:
    """Return the seconds from starting `trivium train` to the end of its first epoch, with this cache of the user."""
    with tempfile.TemporaryDirectory() as parent:
        out = Path(parent, "run")
        history = out / "history.jsonl"
        command = [sys.executable, "-m", __package__.partition(".")[0], "train", "model.py:model", "--data", "data"]
        command += ["--backend", backend, "--epochs", "1", "--batch-size", str(_BATCH), "--out", str(out)]
        return _seconds_until(
            lambda: history.exists() and history.read_bytes().endswith(b"\n"),
            command,
            folder,
            {"XDG_CACHE_HOME": str(cache)},
        )


def _seconds_until(
    ended: Callable[[], bool], command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> float:
    """Start a program in a folder; return the seconds until its epoch has ended, and let it finish.

    Raises:
        ChildProcessError: it failed.
    """
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        program = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
        while not ended() and program.poll() is None and time.perf_counter() - began < _LONGEST_SECONDS:
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - began
        if program.wait(_LONGEST_SECONDS) or not ended():
            output.seek(0)
            raise ChildProcessError(f"{' '.join(command)}: {output.read().decode(errors='replace')[-2000:]}")
    return seconds


def measure(backend: str, model: str, rounds: int) -> list[dict[str, Any]]:
    """Return the seconds of both programs, and trivium ÷ Keras with its interval, for the first and the second use."""
    seconds: dict[str, list[float]] = {"keras": [], FIRST_USE: [], SECOND_USE: []}
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        write_programs(folder, model)
        by_keras(folder, backend)  # what the disk holds is then in memory for both
        for number in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                turns: list[tuple[str, Callable[[], float]]] = [
                    ("keras", lambda: by_keras(folder, backend)),
                    (FIRST_USE, lambda cache=Path(cache): by_trivium(folder, backend, cache)),  # type: ignore[misc]
                    (SECOND_USE, lambda cache=Path(cache): by_trivium(folder, backend, cache)),  # type: ignore[misc]
                ]
                for name, turn in turns[number % 2 :] + turns[: number % 2]:
                    seconds[name].append(turn())
    rows = []
    for use in (FIRST_USE, SECOND_USE):
        result = ratio(seconds[use], seconds["keras"])
        rows.append(
            {
                "backend": backend,
                "model": model,
                "use": use,
                "seconds": {name: statistics.median(seconds[name]) for name in ("keras", use)},
                "ratio": result.ratio,
                "interval": [result.low, result.high],
            }
        )
    return rows


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backends", help="divided by commas; by default all that are installed")
    parser.add_argument("--models", default=",".join(_HIDDEN), help="divided by commas; by default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="of each comparison")
    options = parser.parse_args()
    names = options.backends.split(",") if options.backends else ()
    rows = [
        row
        for backend in catalog.resolve(names)
        for model in options.models.split(",")
        for row in measure(backend.name, model, options.rounds)
    ]
    print(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
