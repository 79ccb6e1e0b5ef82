"""What do checkpoints cost? Beside the epochs that they keep, and, of a large model, beside what the disk can do.

Both sides are timed in the same rounds: an epoch and a checkpoint of what it trained; a file of as many bytes, written
in one piece after the other and flushed, and a checkpoint of a model of that size.
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

from ...backends import catalog, runtime
from ...backends.workers import worker
from ...backends.workers.worker import Listener
from ...engine.data import datasets
from ...engine.epochs import environment
from ...engine.runs import checkpoint
from ...engine.runs.history import History
from ...engine.training.trainer import Trainer
from ..measure import row
from ..statistics import Ratio, ratio

if TYPE_CHECKING:
    import keras

SUITE = "checkpoint"
RECIPE = "cnn/pooling"
PARAMETERS = 100_000_000
EPOCH, CHECKPOINT, DISK, LARGE = "epoch", "checkpoint", "disk", "large_checkpoint"

# Layers of so many units squared: none holds more than a twentieth of a hundred million weights.
_UNITS = 2048
_PIECE = 2**22  # bytes


@dataclass(frozen=True)
class Result:
    """What the suite found.

    Attributes:
        recipe, backend: of the epochs.
        samples: seconds, one a round, of `EPOCH`, `CHECKPOINT`, `DISK`, `LARGE`.
        bytes: of a checkpoint of the recipe, and of the large model.
        extra_memory: the most bytes that writing the large one held beyond those before it; None where unknown.
        environment: of the process that measured.
    """

    recipe: str
    backend: str
    samples: dict[str, list[float]]
    bytes: dict[str, int]
    extra_memory: int | None
    environment: dict[str, Any]

    @property
    def share(self) -> Ratio:
        """Of an epoch that its checkpoint takes."""
        return ratio(self.samples[CHECKPOINT], self.samples[EPOCH])

    @property
    def speed(self) -> Ratio:
        """Of a large checkpoint, as a share of the disk's."""
        return ratio(self.samples[DISK], self.samples[LARGE])

    def to_json(self) -> dict[str, Any]:
        """In the schema of all suites."""
        where = {"recipe": self.recipe, "backend": self.backend, "device": self.environment["device"]}
        at = {**where, "runner": "trivium"}
        rows = [row(SUITE, at, name, "s", seconds) for name, seconds in self.samples.items()]
        rows += [row(SUITE, at, f"{name}_size", "B", [size]) for name, size in self.bytes.items()]
        if self.extra_memory is not None:
            rows.append(row(SUITE, at, "extra_memory", "B", [self.extra_memory]))
        ratios = [
            {"suite": SUITE, **where, "of": of, "over": over, "metric": "seconds", **vars(found)}
            for of, over, found in ((CHECKPOINT, EPOCH, self.share), (DISK, LARGE, self.speed))
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
) -> Result:
    """Time epochs, checkpoints and the disk, in a worker.

    Args:
        recipe, data: of the epochs; the recipe's own data by default.
        parameters: of the large model.
        folder: on the disk to be measured; the system's own for temporary files by default.
        rounds: of each, after one that compiles.

    Raises:
        TriviumError: the backend, the recipe, the data or the folder cannot be used.
    """
    name = catalog.use(backend).name
    place = str(folder or tempfile.gettempdir())
    found = worker.get(name).call(
        f"{__name__}:_measure_here", recipe, data, parameters, place, rounds, listener=listener
    )
    return Result(recipe, name, *(found[key] for key in ("samples", "bytes", "extra_memory", "environment")))


def _measure_here(recipe: str, data: str | None, parameters: int, place: str, rounds: int) -> dict[str, Any]:
    """Run in a worker."""
    samples: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir=place, prefix="trivium-checkpoint-") as folder:
        path = Path(folder) / "kept.safetensors"
        trainer = Trainer(recipe, epochs=rounds)
        model, training = trainer.make_ready(datasets.load(data or trainer.recipe.dataset))  # type: ignore[union-attr, arg-type]
        train = partial(trainer.open_ended(model, training), 1)
        train()
        save = _saving(path, model)
        samples |= _in_turns({EPOCH: train, CHECKPOINT: save}, rounds, 0, 2 * rounds)
        sizes[CHECKPOINT] = path.stat().st_size
        large = _large(parameters)
        save = _saving(path, large)
        save()
        sizes[LARGE] = path.stat().st_size
        extra = _extra_memory(save)
        write = _sequential(Path(folder) / "plain", sizes[LARGE])
        samples |= _in_turns({DISK: write, LARGE: save}, rounds, rounds, 2 * rounds)
    return {"samples": samples, "bytes": sizes, "extra_memory": extra, "environment": environment.describe()}


def _in_turns(works: dict[str, Callable[[], None]], rounds: int, done: int, total: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        worker.report(kind="stage", title=SUITE, stage=" and ".join(works), done=done + number, total=total)
        for name in works if number % 2 == 0 else list(works)[::-1]:
            began = time.perf_counter()
            works[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def _saving(path: Path, model: keras.Model) -> Callable[[], None]:
    history = History([{"loss": 1.0, "val_loss": 1.0}] * 100)
    return lambda: checkpoint.save(path, model, len(history), history)


def _large(parameters: int) -> keras.Model:
    """Dense layers of about so many weights, compiled with an optimizer that keeps nothing."""
    import keras

    layers = max(1, round(parameters / _UNITS**2))
    stack = [keras.layers.Dense(_UNITS, use_bias=False, kernel_initializer="ones") for _ in range(layers)]
    model = keras.Sequential([keras.Input((_UNITS,)), *stack])
    model.compile("sgd", "mean_squared_error")
    return model


def _sequential(path: Path, size: int) -> Callable[[], None]:
    """Writes so many bytes to a new file, flushes them to the disk and removes it."""
    piece = np.random.default_rng(0).bytes(_PIECE)

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for start in range(0, size, _PIECE):
                file.write(piece[: size - start])
            os.fsync(file.fileno())
        path.unlink()

    return write


def _extra_memory(work: Callable[[], None]) -> int | None:
    """The most bytes of main memory that the work held beyond those before it; only Linux can tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew at what is held now
    except OSError:
        return None
    before = runtime.memory_peak()
    work()
    return runtime.memory_peak() - before
