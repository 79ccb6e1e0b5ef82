"""How much memory does an epoch over data take that stay in their files, and how long does it take?

    python -m trivium.benchmarks.stored_data --kind npy --large 8 --small 0.008 --folder /tmp

Rows with classes are written, and a small dense model is trained on them for an epoch by `trivium train`, each in a
process of its own: `.npy` files of float32, or a `.parquet` table of float64 and words. Beside `npy`, digits train
`cnn/striding`, from memory and from files by turns. The result is printed as JSON. The files are deleted at the end.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FEATURES = 2048
CLASSES = 10
_WORDS = 12
_ROWS_AT_ONCE = 8192
# Of the sample of MNIST, so that there are as many digits as in the full set.
_COPIES = 12

_MODEL = f'''
import keras

def build(inputs):
    """A dense model on rows of numbers."""
    layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense({CLASSES}, activation="softmax")]
    return keras.Sequential([keras.Input((inputs,)), *layers])
'''


def write_arrays(folder: Path, gigabytes: float) -> Path:
    """Write `x_train.npy`, (rows, features) float32 of this size, and `y_train.npy`; return the folder."""
    rows = max(_ROWS_AT_ONCE // 8, int(gigabytes * 1e9) // (FEATURES * 4))
    generator = np.random.default_rng(0)
    folder.mkdir()
    with (folder / "x_train.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, FEATURES)})
        for start in range(0, rows, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, rows - start)
            file.write(generator.random((count, FEATURES), "float32").tobytes())
    np.save(folder / "y_train.npy", generator.integers(CLASSES, size=rows))
    return folder


def write_table(folder: Path, gigabytes: float, columns: int) -> Path:
    """Write and return a table of this size: numbers in float64, a column of words, and one of classes in words.

    Each value follows from the number of its row, so that polars writes the rows as it makes them.
    """
    import polars

    rows = max(_ROWS_AT_ONCE // 8, int(gigabytes * 1e9) // (columns * 8))
    row = polars.col("row")
    numbers = [(row.hash(seed) / 2.0**64).alias(f"number {seed}") for seed in range(columns)]
    words = [
        polars.format(f"{name} {{}}", row.hash(columns + place) % count).alias(name)
        for place, (name, count) in enumerate((("word", _WORDS), ("class", CLASSES)))
    ]
    table = polars.LazyFrame({"row": polars.int_range(rows, eager=True)}).select(*numbers, *words)
    folder.mkdir()
    table.sink_parquet(folder / "rows.parquet", row_group_size=_ROWS_AT_ONCE * 16)
    return folder / "rows.parquet"


def measure_epoch(folder: Path, data: Path) -> dict[str, Any]:
    """Train an epoch in a process of its own; return the size of the data, its peak memory and its seconds."""
    model = folder / "model.py"
    model.write_text(_MODEL)
    run = train_apart(
        f"{model}:build", str(data), folder / f"run-{data.parent.name}-{data.name}", epochs=1, batch_size=1024
    )
    return {
        "bytes": sum(file.stat().st_size for file in (data.iterdir() if data.is_dir() else [data])),
        "peak_bytes": run.peak_bytes,
        "seconds": run.seconds,
        "epoch_seconds": run.record["timings"]["epochs"][0],
        "plan": run.record["settings"]["plan"]["name"],
        "backend": run.record["environment"]["backend"],
    }


@dataclass(frozen=True)
class ProcessRun:
    """A training in a process of its own: its record, its peak memory, its seconds and those of all its processors."""

    record: dict[str, Any]
    peak_bytes: int
    seconds: float
    processor_seconds: float


def train_apart(model: str, data: str, out: Path, *, epochs: int, batch_size: int) -> ProcessRun:
    """Train by `trivium train` in a process of its own."""
    options = ["--epochs", str(epochs), "--batch-size", str(batch_size), "--out", str(out), "--json"]
    command = [sys.executable, "-m", "trivium", "train", model, "--data", data, *options]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"training on {data} failed")
    kilobyte = 1 if sys.platform == "darwin" else 1024
    seconds, record = time.perf_counter() - start, json.loads((out / "run.json").read_text())
    return ProcessRun(record, usage.ru_maxrss * kilobyte, seconds, usage.ru_utime + usage.ru_stime)


def compare_epochs(folder: Path, rounds: int) -> dict[str, Any]:
    """Train digits from memory and from files by turns; return the median seconds of an epoch, and their ratio."""
    from ..data import datasets
    from ..engine.training.trainer import Trainer

    digits = datasets.load("mnist:sample").train
    (folder / "digits").mkdir()
    np.save(folder / "digits" / "x_train.npy", np.tile(digits.x, (_COPIES, 1, 1)))
    np.save(folder / "digits" / "y_train.npy", np.tile(digits.y, _COPIES))
    seconds: dict[str, list[float]] = {"no": [], "yes": []}
    for _ in range(rounds):
        for stored, measured in seconds.items():
            dataset = datasets.load(f"{folder / 'digits'}:stored={stored}")
            measured += Trainer("cnn/striding", epochs=3).fit(dataset).timings.epochs[1:]
    memory, files = (statistics.median(measured) for measured in seconds.values())
    return {"recipe": "cnn/striding", "memory": memory, "files": files, "throughput": memory / files}


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kind", choices=("npy", "parquet"), default="npy", help="of the files")
    parser.add_argument("--columns", type=int, default=100, help="of numbers in a table")
    parser.add_argument("--large", type=float, default=8.0, help="GB of the data that stay in their files")
    parser.add_argument("--small", type=float, default=0.008, help="GB of the data that are loaded")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison with data in memory")
    parser.add_argument("--folder", type=Path, help="where to write the data; by default the system's temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder, results = Path(name), {}
        for size in ("small", "large"):
            part, gigabytes = folder / size, getattr(options, size)
            is_table = options.kind == "parquet"
            data = write_table(part, gigabytes, options.columns) if is_table else write_arrays(part, gigabytes)
            results[size] = measure_epoch(folder, data)
        results["extra_bytes"] = results["large"]["peak_bytes"] - results["small"]["peak_bytes"]
        if options.kind == "npy":
            results["digits"] = compare_epochs(folder, options.rounds)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
