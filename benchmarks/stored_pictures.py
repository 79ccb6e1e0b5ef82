"""What does it cost to decode pictures while a model trains on them, and what memory does it save?

    python -m trivium.benchmarks.stored_pictures --pictures 4000 --size 128 --rounds 3

Pictures in colour are written as `.jpg` files of two classes. A small convolutional model is trained on them by
`trivium train`, from memory and from their files by turns, each time in a process of its own. The result is printed as
JSON: the median seconds of an epoch after the first, the seconds of all processors, the peak memory, and how many
pictures are decoded in a second where nothing is trained. The files are deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .stored_data import ProcessRun, train_apart

_EPOCHS = 3
_BATCH_SIZE = 32
_CLASSES = ("cold", "warm")

_MODEL = '''
import keras

def build(classes):
    """A small model: each picture takes it little more than its decoding."""
    convolutions = [keras.layers.Conv2D(units, 3, strides=4, activation="relu") for units in (16, 32)]
    layers = [keras.layers.Rescaling(1 / 255), *convolutions, keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers, keras.layers.Dense(classes, activation="softmax")])
'''


def write_pictures(folder: Path, count: int, size: int) -> None:
    """Write square pictures of random clouds of colour, of each class as many."""
    generator = np.random.default_rng(0)
    for name in _CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        clouds = generator.integers(0, 256, (size // 8, size // 8, 3)).astype("uint8")
        clouds[..., 2 * (number % 2)] //= 2
        picture = Image.fromarray(clouds).resize((size, size), Image.Resampling.BICUBIC)
        picture.save(folder / _CLASSES[number % 2] / f"{number:06}.jpg", quality=90)


def measure(folder: Path, size: int, rounds: int) -> dict[str, Any]:
    """Train on pictures in memory and in their files by turns; return seconds, memory and the ratio of the epochs."""
    (folder / "model.py").write_text(_MODEL.replace("SIZE", str(size)))
    runs: dict[str, list[ProcessRun]] = {"no": [], "yes": []}
    for number in range(rounds):
        for stored, measured in runs.items():
            data, out = f"{folder / 'pictures'}:stored={stored}", folder / f"run-{number}-{stored}"
            measured.append(
                train_apart(f"{folder / 'model.py'}:build", data, out, epochs=_EPOCHS, batch_size=_BATCH_SIZE)
            )
    memory, files = (_summary(measured) for measured in runs.values())
    return {"memory": memory, "files": files, "epoch_ratio": files["epoch_seconds"] / memory["epoch_seconds"]}


def _summary(runs: list[ProcessRun]) -> dict[str, Any]:
    """Return the median seconds of an epoch after the first, those of all processors, and the peak memory."""
    record = runs[0].record
    return {
        "backend": record["environment"]["backend"],
        "plan": record["settings"]["plan"]["name"],
        "epoch_seconds": statistics.median(time for run in runs for time in run.record["timings"]["epochs"][1:]),
        "processor_seconds": statistics.median(run.processor_seconds for run in runs),
        "peak_bytes": max(run.peak_bytes for run in runs),
    }


def measure_decoding(data: Path) -> float:
    """Return how many pictures are decoded in a second, the threads included."""
    from ..data import datasets

    x = datasets.load(f"{data}:stored=yes:test_share=0").train.x
    start = time.perf_counter()
    for first in range(0, len(x), _BATCH_SIZE):
        x[first : first + _BATCH_SIZE]
    return len(x) / (time.perf_counter() - start)


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=4000, help="how many are written")
    parser.add_argument("--size", type=int, default=128, help="their height and width in pixels")
    parser.add_argument("--rounds", type=int, default=3, help="runs from memory and from files by turns")
    parser.add_argument("--folder", type=Path, help="where to write the data; by default the system's temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_pictures(folder / "pictures", options.pictures, options.size)
        results = {
            "pictures": options.pictures,
            "size": options.size,
            "decoded_bytes": options.pictures * options.size**2 * len("RGB"),
            "decoded_per_second": measure_decoding(folder / "pictures"),
            **measure(folder, options.size, options.rounds),
        }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
