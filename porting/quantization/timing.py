"""The latency of artifacts, measured side by side in one process, which has their runtime and not Keras."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from ...functions import load_function

_MOST_RUNS, _FEWEST_RUNS = 500, 20
_SECONDS = 5.0


def time_samples(
    opener: str, paths: Sequence[str], names: list[list[str]], sample: list[np.ndarray], fixed_batch: int | None
) -> list[float]:
    """Return the median milliseconds per sample of each artifact.

    The artifacts take turns, so that whatever else the machine does slows all of them alike.

    Args:
        opener: the name of the function that opens an artifact, "module:function".
        paths: of the artifacts.
        names: the names of the inputs, and of the outputs, in the model's order.
        sample: one sample, one array per input.
        fixed_batch: the only batch size that the model accepts, or None for runs of a single sample.
    """
    artifacts = [load_function(opener)(Path(path), *names) for path in paths]
    batch = [np.repeat(array, fixed_batch or 1, axis=0) for array in sample]
    times: list[list[float]] = [[] for _ in artifacts]
    start = time.perf_counter()
    for turn in range(_MOST_RUNS):
        for artifact, own_times in zip(artifacts, times, strict=True):
            begin = time.perf_counter()
            artifact.run(batch)
            own_times.append(time.perf_counter() - begin)
        if turn >= _FEWEST_RUNS and time.perf_counter() - start > _SECONDS:
            break
    return [1_000 * median(own_times[1:]) / (fixed_batch or 1) for own_times in times]  # the first run warms up
