"""Quantise a LiteRT model by the options of TensorFlow's converter, which converts the Keras model a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...backends import artifacts
from .. import keras_export
from .names import FLOAT16, INT8


def quantize(
    method: str,
    before: str,
    after: str,
    calibration: list[np.ndarray],
    source: str,
    raw: bool,
    unroll: bool,
    names: list[str],
    description: str,
) -> dict[str, str]:
    """Write the quantised artifact; runs in the worker of the host. See `onnx_graph.quantize`.

    Args:
        source, raw, unroll, description: as for `keras_export.export_model`.
        names: the names of the inputs.
    """
    samples = _samples(names, calibration) if method == INT8 else None
    options = artifacts.room("tensorflow").quantization_options(half=method == FLOAT16, samples=samples)
    return keras_export.export_model(source, raw, "litert", unroll, after, description, options)


def _samples(names: list[str], calibration: list[np.ndarray]) -> Callable[[], Iterator[Any]]:
    """Return a function that yields one sample at a time: by the names of the inputs where there are several."""

    def samples() -> Iterator[Any]:
        for row in range(len(calibration[0])):
            arrays = [array[row : row + 1] for array in calibration]
            yield arrays if len(names) == 1 else dict(zip(names, arrays, strict=True))

    return samples
