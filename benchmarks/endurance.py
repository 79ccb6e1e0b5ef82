"""Does the memory of a long job stay flat? A run of hours, a search of many fits, and many predictions by one worker.

    python -m trivium.benchmarks.endurance runs/endurance --hours 2 --fits 500 --calls 1000

Each job is done on each backend, one after the other, and its resident memory is measured meanwhile: that of the
process and its workers. After the first tenth, in which compiled steps and caches come to be, it should not grow. The
samples are saved as JSON after each job, and drawn: the growth since the first tenth, in per cent. `--resume` skips the
jobs that were saved.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ..backends import catalog
from ..backends.workers.worker import Worker
from ..engine.plots import style
from ..errors import TriviumError
from ..storage.atomic import write_json
from .resident_memory import memory_while, predict_samples, process_id, resident_memory

RESULTS, PICTURE, PRINTED = "endurance.json", "endurance.png", "printed.txt"
_TRAIN = ("train", "cnn/striding", "--data", "mnist:sample", "--checkpoint", "every=1,keep=2", "--epochs", "1000000")
_SEARCH = ("search", "dense/dropout", "--data", "mnist:sample", "--part", "0.1", "--folds", "5", "--epochs", "1")
_PREDICTED = ("train", "cnn/striding", "--data", "mnist:sample", "--part", "0.1", "--epochs", "1")
_SCORES = "results.json"  # of a search, from its first score on
_ROWS = 256  # of a call that predicts
_PARTS = 10  # the first is not judged
_DISTANCE = 0.5  # seconds between two samples of a search, which is over in minutes


@dataclass(frozen=True)
class Job:
    """A job whose memory is measured while it goes on.

    Attributes:
        name: `run`, `search` or `predictions`.
        backend: that computes.
        bytes: the resident memory, in equal distances of time or of calls.
    """

    name: str
    backend: str
    bytes: tuple[int, ...]

    @property
    def reference(self) -> float:
        """The median of the second tenth, in bytes."""
        part = max(1, len(self.bytes) // _PARTS)
        return statistics.median(self.bytes[part : 2 * part] or self.bytes)

    @property
    def growth(self) -> float:
        """By which share a tenth after the second has a median above that of the second, at most.

        Where other programs need memory, the system takes back pages of libraries, so that it may be below 0.
        """
        part = max(1, len(self.bytes) // _PARTS)
        starts = range(min(2 * part, len(self.bytes) - 1), len(self.bytes), part)
        return max(statistics.median(self.bytes[start : start + part]) for start in starts) / self.reference - 1

    def to_json(self) -> dict[str, Any]:
        return {"job": self.name, "backend": self.backend, "growth": self.growth, "bytes": list(self.bytes)}


def watch_run(backend: str, folder: Path, seconds: float) -> Iterator[int]:
    """Train with checkpoints for some seconds; yield the memory."""
    arguments = (*_TRAIN, "--out", str(folder / f"run-{backend}"))
    with _trivium(backend, folder, *arguments) as process:
        yield from memory_while(process, seconds)
        process.send_signal(signal.SIGTERM)
    _require_end(process, 128 + signal.SIGTERM, folder)


def watch_search(backend: str, folder: Path, fits: int) -> Iterator[int]:
    """Search with so many fits, five of each combination; yield the memory from the first score on."""
    units = ",".join(str(8 + number) for number in range(-(-fits // 5)))
    out = folder / f"search-{backend}"
    arguments = (*_SEARCH, "--grid", f"units={units}", "--out", str(out))
    with _trivium(backend, folder, *arguments) as process:
        for memory in memory_while(process, float("inf"), _DISTANCE):
            if (out / _SCORES).exists():
                yield memory
    _require_end(process, 0, folder)


def watch_predictions(backend: str, folder: Path, calls: int) -> Iterator[int]:
    """Predict so often by one worker, with batches of two sizes by turns; yield the memory after each call."""
    run = folder / f"predicted-{backend}"
    if not run.exists():
        with _trivium(backend, folder, *_PREDICTED, "--out", str(run)) as process:
            process.wait()
        _require_end(process, 0, folder)
    generator = np.random.default_rng(0)
    with Worker(backend) as worker:
        process = psutil.Process(worker.call(process_id))
        for number in range(calls):
            x = generator.uniform(0, 255, (_ROWS - number % 2, 28, 28)).astype("float32")
            worker.call(predict_samples, str(run), x)
            yield resident_memory(process)


def _trivium(backend: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the command line. It prints into a file: a pipe that nobody reads is full after an hour, and stops it."""
    environment = {**os.environ, catalog.BACKEND_VARIABLE: backend}
    with (folder / PRINTED).open("wb") as printed:
        command = [sys.executable, "-m", "trivium", *arguments]
        return subprocess.Popen(command, env=environment, stdout=printed, stderr=subprocess.STDOUT)


def _require_end(process: subprocess.Popen[bytes], code: int, folder: Path) -> None:
    if process.returncode != code:
        last = (folder / PRINTED).read_text("utf-8", errors="replace")[-300:]
        raise TriviumError(f"the command ended with {process.returncode}, expected {code}: {last}")


def draw(jobs: Sequence[Job], path: Path) -> None:
    """Draw the growth of the memory in each job, a curve for each backend."""
    names = list(dict.fromkeys(job.name for job in jobs))
    with style.style():
        fig, plots = style.figure(len(names))
        for axes, name in zip(plots, names, strict=True):
            for job, colour in zip((job for job in jobs if job.name == name), style.CLASSES, strict=False):
                growth = 100 * (np.array(job.bytes) / job.reference - 1)
                label = f"{catalog.find(job.backend).title}, {job.reference / 1e6:,.0f} MB"
                axes.plot(np.linspace(0, 100, len(growth)), growth, label=label, color=colour, linewidth=1)
            axes.axhspan(-3, 3, color=style.DATA, alpha=0.15, linewidth=0)
            axes.set(title=name, xlabel="% of the job", ylim=(-40, 40))
            axes.legend(loc="lower right", fontsize=8)
        plots[0].set_ylabel("resident memory, % above the second tenth")
        style.save(fig, path)


def main() -> None:
    """Do the jobs; save and draw their memory."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    watches: dict[str, Callable[[str], Iterator[int]]] = {
        "predictions": lambda backend: watch_predictions(backend, options.folder, options.calls),
        "search": lambda backend: watch_search(backend, options.folder, options.fits),
        "run": lambda backend: watch_run(backend, options.folder, 3600 * options.hours),
    }
    backends = catalog.resolve(options.backends.split(",") if options.backends else ())
    jobs = _read(options.folder / RESULTS) if options.resume else []
    done = {(job.name, job.backend) for job in jobs}
    for name, backend in itertools.product(options.jobs.split(","), backends):
        if (name, backend.name) in done:
            continue
        print(f"{name} on {backend.name}", file=sys.stderr, flush=True)
        jobs.append(Job(name, backend.name, tuple(watches[name](backend.name))))
        print(f"  grew by {jobs[-1].growth:.1%}", file=sys.stderr, flush=True)
        write_json(options.folder / RESULTS, {"jobs": [job.to_json() for job in jobs]})
        draw(jobs, options.folder / PICTURE)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="for the results and the runs")
    parser.add_argument("--backends", help="divided by commas; by default all that are installed")
    parser.add_argument("--jobs", default="predictions,search,run", help="divided by commas; by default %(default)s")
    parser.add_argument("--hours", type=float, default=2.0, help="of the run; by default %(default)s")
    parser.add_argument("--fits", type=int, default=500, help="of the search; by default %(default)s")
    parser.add_argument("--calls", type=int, default=1000, help="that predict; by default %(default)s")
    parser.add_argument("--resume", action="store_true", help="skip the jobs that the folder has results of")
    return parser.parse_args()


def _read(path: Path) -> list[Job]:
    if not path.is_file():
        return []
    records = json.loads(path.read_text("utf-8"))["jobs"]
    return [Job(record["job"], record["backend"], tuple(record["bytes"])) for record in records]


if __name__ == "__main__":
    main()
