"""Quantise a LiteRT model by the options of TensorFlow's converter, which converts the Keras model a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...backends import artifacts
from .. import keras_export
from .calibration import batches_of
from .names import FLOAT16, INT8


def quantize(
    method: str,
    before: str,
    after: str,
    calibration: list[np.ndarray],
    size: int | None,
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
    samples = _batches(names, calibration, size) if method == INT8 else None
    options = artifacts.room("tensorflow").quantization_options(half=method == FLOAT16, samples=samples)
    written = keras_export.export_model(source, raw, "litert", unroll, after, description, further_options=options)
    return dict(written["versions"])


def _batches(names: list[str], calibration: list[np.ndarray], size: int | None) -> Callable[[], Iterator[Any]]:
    """Return a function that yields one batch at a time: by the names of the inputs where there are several."""

    def batches() -> Iterator[Any]:
        for arrays in batches_of(calibration, size):
            yield arrays if len(names) == 1 else dict(zip(names, arrays, strict=True))

    return batches
