"""The samples for quantising: some to measure the ranges of activations on, and others to measure the accuracy on.

They are the data that the model was trained and tested on, where these can be read again, as for `trivium evaluate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.nests import Nest, arrays_of
from ...data.split import Split
from ...engine.bundles import bundle as bundles
from ...engine.bundles.bundle import Bundle
from ...engine.keras_model.interface import match_inputs, targets_in_order
from ...engine.prediction.evaluation import data_of
from ...errors import DataError

_CALIBRATION_SAMPLES = 128
_MOST_TEST_SAMPLES = 10_000
_MOST_VALUES = 2**26  # 256 MB of float32


@dataclass(frozen=True)
class Samples:
    """The samples for quantising, as the artifact takes them: one array per input.

    Attributes:
        calibration: to measure the ranges of activations on.
        calibration_source: where they are from, as text.
        test: to measure the accuracy on.
        test_source: likewise.
        targets: the prepared targets of the test samples, one array per output; None if the outputs of the artifact
            before quantising are the targets.
    """

    calibration: list[np.ndarray]
    calibration_source: str
    test: list[np.ndarray]
    test_source: str
    targets: list[np.ndarray] | None


def load_samples(path: str, raw: bool) -> dict[str, Any]:
    """Return samples of the data that a bundle's model was trained on; runs in a worker.

    Args:
        path: of the bundle.
        raw: whether to return the raw inputs, not the prepared ones.

    Returns:
        `calibration` and `test`: arrays by input; `targets`: arrays by output; `part`: the part of the data that the
        test samples are from. Or only `reason`: why the data cannot be read.
    """
    bundle = bundles.load(path)
    try:
        dataset = data_of(bundle)
        test = _choose(bundle, dataset.test or dataset.train, raw, _MOST_TEST_SAMPLES)
        calibration = _choose(bundle, dataset.train, raw, _CALIBRATION_SAMPLES)
    except DataError as error:
        return {"reason": str(error)}
    return {
        "calibration": calibration["inputs"],
        "test": test["inputs"],
        "targets": test["targets"],
        "part": "test" if dataset.test else "training",
    }


def _choose(bundle: Bundle, split: Split, raw: bool, most: int) -> dict[str, list[np.ndarray]]:
    """Return samples of a split, spread evenly, and their targets.

    Raw samples are chosen before they are prepared. Prepared ones are chosen afterwards: a series of letters is one
    sample before, and many windows after.
    """
    if raw:
        split = split.take(_spread_rows(split.x, most))
    prepared = Split(*bundle.preprocessing.pairs(split.x, split.y))
    prepared = prepared.take(slice(None) if raw else _spread_rows(prepared.x, most))
    inputs = split.x if raw else match_inputs(bundle.model, prepared.x)
    return {"inputs": arrays_of(inputs), "targets": targets_in_order(bundle.model, prepared.y)}


def _spread_rows(nest: Nest, most: int) -> np.ndarray:
    """Return the numbers of at most so many samples, spread evenly, of at most some million values in all."""
    arrays: list[Any] = arrays_of(nest)
    values = sum(math.prod(array.shape[1:]) for array in arrays)
    count = len(arrays[0])
    chosen = min(count, most, max(1, _MOST_VALUES // max(1, values)))
    rows: np.ndarray = np.arange(chosen) * count // chosen
    return rows
