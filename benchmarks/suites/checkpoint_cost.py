"""What do checkpoints cost, relative to the epochs between them and, for a large model, to the speed of the disk?

Both sides are timed in the same rounds: an epoch against a checkpoint of its model, and a checkpoint of a large model
against a plain file of the same size, written sequentially and flushed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import catalog
from ...backends.workers import worker
from ...backends.workers.worker import Listener
from ...data import datasets
from ...engine.epochs import environment
from ...engine.runs import checkpoint
from ...engine.runs.history import History
from ...engine.training.trainer import Trainer
from ...storage.memory import memory_peak
from ..measure import make_row
from ..statistics import Ratio, ratio

if TYPE_CHECKING:
    import keras

SUITE = "checkpoint"
RECIPE = "cnn/pooling"
PARAMETERS = 100_000_000
EPOCH, CHECKPOINT, DISK, LARGE = "epoch", "checkpoint", "disk", "large_checkpoint"

# Layers of 2048 × 2048 weights: each holds less than a twentieth of a hundred million.
_UNITS = 2048
_PIECE = 2**22  # bytes


@dataclass(frozen=True)
class CheckpointCostResult:
    """The measurements of the suite.

    Attributes:
        recipe, backend: the recipe and backend of the epochs.
        samples: seconds, one per round, of `EPOCH`, `CHECKPOINT`, `DISK`, `LARGE`.
        bytes: the size of a checkpoint of the recipe, and of the large model.
        extra_memory: the additional peak bytes while the large checkpoint is written; None where unknown.
        environment: the environment of the measuring process.
    """

    recipe: str
    backend: str
    samples: dict[str, list[float]]
    bytes: dict[str, int]
    extra_memory: int | None
    environment: dict[str, Any]

    @property
    def share(self) -> Ratio:
        """The time of a checkpoint relative to an epoch."""
        return ratio(self.samples[CHECKPOINT], self.samples[EPOCH])

    @property
    def speed(self) -> Ratio:
        """The speed of writing a large checkpoint relative to the disk's."""
        return ratio(self.samples[DISK], self.samples[LARGE])

    def to_json(self) -> dict[str, Any]:
        """Return the measurements in the schema of all suites."""
        where = {"recipe": self.recipe, "backend": self.backend, "device": self.environment["device"]}
        identity = {**where, "runner": "trivium"}
        rows = [make_row(SUITE, identity, name, "s", seconds) for name, seconds in self.samples.items()]
        rows += [make_row(SUITE, identity, f"{name}_size", "B", [size]) for name, size in self.bytes.items()]
        if self.extra_memory is not None:
            rows.append(make_row(SUITE, identity, "extra_memory", "B", [self.extra_memory]))
        ratios = [
            {"suite": SUITE, **where, "of": of, "over": over, "metric": "seconds", **vars(interval)}
            for of, over, interval in ((CHECKPOINT, EPOCH, self.share), (DISK, LARGE, self.speed))
        ]
        return {
            "schema": 1,
            "suite": SUITE,
            "environment": {self.backend: self.environment},
            "rows": rows,
            "ratios": ratios,
        }


def measure(
    recipe: str = RECIPE,
    backend: str | None = None,
    *,
    data: str | None = None,
    parameters: int = PARAMETERS,
    folder: Path | None = None,
    rounds: int = 5,
    listener: Listener | None = None,
) -> CheckpointCostResult:
    """Time epochs, checkpoints and the disk, in a worker.

    Args:
        recipe, data: the recipe of the epochs and its dataset; the recipe's own by default.
        parameters: the number of weights of the large model.
        folder: a folder on the disk to measure; by default the system's folder for temporary files.
        rounds: the number of rounds, after one that compiles.

    Raises:
        TriviumError: the backend, the recipe, the data or the folder cannot be used.
    """
    name = catalog.require_trainer(catalog.use(backend).name).name
    place = str(folder or tempfile.gettempdir())
    figures = worker.get(name).call(_measure_here, recipe, data, parameters, place, rounds, listener=listener)
    return CheckpointCostResult(
        recipe, name, *(figures[key] for key in ("samples", "bytes", "extra_memory", "environment"))
    )


def _measure_here(recipe: str, data: str | None, parameters: int, place: str, rounds: int) -> dict[str, Any]:
    """Run in a worker."""
    samples: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir=place, prefix="trivium-checkpoint-") as folder:
        path = Path(folder) / "kept.safetensors"
        trainer = Trainer(recipe, epochs=rounds)
        model, training = trainer.make_ready(trainer.load(data or datasets.portable_name(trainer.recipe.dataset)))
        train = partial(trainer.open_ended(model, training), 1)
        train()
        save = _make_save(path, model)
        samples |= _time_interleaved({EPOCH: train, CHECKPOINT: save}, rounds, 0, 2 * rounds)
        sizes[CHECKPOINT] = path.stat().st_size
        large = _large_model(parameters)
        save = _make_save(path, large)
        save()
        sizes[LARGE] = path.stat().st_size
        extra = _extra_memory(save)
        write = _make_write(Path(folder) / "plain", sizes[LARGE])
        samples |= _time_interleaved({DISK: write, LARGE: save}, rounds, rounds, 2 * rounds)
    return {"samples": samples, "bytes": sizes, "extra_memory": extra, "environment": environment.describe()}


def _time_interleaved(
    works: dict[str, Callable[[], None]], rounds: int, done: int, total: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        worker.report(kind="stage", title=SUITE, stage=" and ".join(works), done=done + number, total=total)
        for name in works if number % 2 == 0 else list(works)[::-1]:
            began = time.perf_counter()
            works[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def _make_save(path: Path, model: keras.Model) -> Callable[[], None]:
    history = History([{"loss": 1.0, "val_loss": 1.0}] * 100)
    return lambda: checkpoint.save(path, model, len(history), history)


def _large_model(parameters: int) -> keras.Model:
    """Build dense layers with about this many weights in total, and an optimizer without state."""
    import keras

    layers = max(1, round(parameters / _UNITS**2))
    stack = [keras.layers.Dense(_UNITS, use_bias=False, kernel_initializer="ones") for _ in range(layers)]
    model = keras.Sequential([keras.Input((_UNITS,)), *stack])
    model.compile("sgd", "mean_squared_error")
    return model


def _make_write(path: Path, size: int) -> Callable[[], None]:
    """Return a function that writes `size` bytes to a new file, flushes them to the disk and removes the file."""
    piece = np.random.default_rng(0).bytes(_PIECE)

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for start in range(0, size, _PIECE):
                file.write(piece[: size - start])
            os.fsync(file.fileno())
        path.unlink()

    return write


def _extra_memory(work: Callable[[], None]) -> int | None:
    """Return the additional peak bytes of main memory during `work`; None except on Linux."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak to the current bytes
    except OSError:
        return None
    before = memory_peak()
    work()
    return memory_peak() - before
