"""How fast are runs off the plain path, beside the plain run of the same arithmetic?

    KERAS_BACKEND=jax python -m trivium.benchmarks.uncommon_runs

A dense model of one input and one output is trained by turns with: one whose input and output are divided in two; one
with a `train_step` of its own; the same samples as a stream of batches, and read from their files. Pictures are trained
plain, and augmented in each epoch, which computes more. Each round trains a few epochs of each; the first, which
compiles, does not count. A ratio above 1 means that the plain run is faster. The result is printed as JSON.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import catalog
from ..engine.training.train import train
from . import native
from .paired_epochs import TimedEpochs, compare
from .statistics import MIN_ROUNDS

if TYPE_CHECKING:
    import keras

    from ..engine.runs.run import Run


_FEATURES, _VALUES, _SAMPLES, _BATCH = 32, 4, 16384, 64
_EPOCHS = 5

# Trains one of the runs that are compared.
Train = Callable[[], "Run"]


def plain(make: Callable[..., keras.Model] | None = None) -> keras.Model:
    """Return a dense model, made by `keras.Sequential` or by another class of the same arguments."""
    import keras

    layers = [keras.layers.Dense(128, "relu"), keras.layers.Dense(128, "relu"), keras.layers.Dense(_VALUES)]
    # Of one name, by which initial weights are drawn.
    model = (make or keras.Sequential)([keras.Input((_FEATURES,)), *layers], name="plain")
    model.compile("adam", "mse")
    return model


def divided() -> keras.Model:
    """Return the same model with two inputs and two outputs, of half of the features and of the values each."""
    import keras

    inputs = {name: keras.Input((_FEATURES // 2,), name=name) for name in ("first", "second")}
    x = keras.layers.Concatenate()(list(inputs.values()))
    for _ in range(2):
        x = keras.layers.Dense(128, "relu")(x)
    model = keras.Model(inputs, {name: keras.layers.Dense(_VALUES // 2, name=name)(x) for name in ("low", "high")})
    model.compile("adam", {"low": "mse", "high": "mse"})
    return model


def of_own_step() -> keras.Model:
    """Return the same model with a training step of its own, of the same arithmetic."""
    return plain(native.own_step_model(catalog.selected().name))


def runs(folder: Path) -> dict[str, tuple[Train, Train]]:
    """Return, by name, the uncommon runs, each with its plain one."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(_SAMPLES, _FEATURES)).astype("float32")
    y = x[:, :_VALUES] * x[:, _VALUES : 2 * _VALUES]
    half, low = _FEATURES // 2, _VALUES // 2
    inputs = {"first": x[:, :half], "second": x[:, half:]}
    targets = {"low": y[:, :low], "high": y[:, low:]}
    np.save(folder / "x_train.npy", x)
    np.save(folder / "y_train.npy", y)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for first in range(0, _SAMPLES, _BATCH):
            yield x[first : first + _BATCH], y[first : first + _BATCH]

    def in_memory() -> Run:
        return _train(plain, (x, y))

    def of_pictures(**settings: Any) -> Train:
        return lambda: _train("cnn/striding", "mnist:sample", batch_size=256, **settings)

    return {
        "two inputs and two outputs": (lambda: _train(divided, (inputs, targets)), in_memory),
        "a train_step of its own": (lambda: _train(of_own_step, (x, y)), in_memory),
        "a stream": (lambda: _train(plain, batches, steps_per_epoch=_SAMPLES // _BATCH), in_memory),
        "files": (lambda: _train(plain, f"{folder}:stored=yes"), in_memory),
        "augmented pictures": (of_pictures(augment={"shift": 0.1}), of_pictures()),
    }


def _train(model: Any, data: Any, **settings: Any) -> Run:
    settings = {"epochs": _EPOCHS, "batch_size": _BATCH, "validation_split": 0.0, **settings}
    if "steps_per_epoch" in settings:  # nothing is held out of a stream
        del settings["validation_split"]
    return train(model, data, **settings)


def timed(pair: tuple[Train, Train]) -> tuple[Callable[[], TimedEpochs], Callable[[], TimedEpochs]]:
    """Return both ways of training as `compare` takes them."""

    def epochs_of(way: Train) -> TimedEpochs:
        run = way()
        return TimedEpochs(run.settings["plan"]["name"], run.timings.epochs)

    first, second = (functools.partial(epochs_of, way) for way in pair)
    return first, second


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, help="of each comparison")
    parser.add_argument("--runs", help="names of runs, divided by commas; by default all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = runs(Path(folder))
        chosen = options.runs.split(",") if options.runs else list(pairs)
        rows = compare({name: timed(pairs[name]) for name in chosen}, options.rounds)
    print(json.dumps({"backend": catalog.selected().name, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
