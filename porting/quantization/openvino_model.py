"""Quantise an OpenVINO model: to 8 bits by NNCF, to half precision by OpenVINO's own `save_model`."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import numpy as np

from .calibration import batches_of
from .names import FLOAT16, INT8


def quantize(
    method: str, before: str, after: str, calibration: list[np.ndarray], size: int | None, *_: Any
) -> dict[str, str]:
    """Write the quantised artifact; runs in the worker of the host. See `onnx_graph.quantize`."""
    import openvino

    core = openvino.Core()
    model = core.read_model(before)
    versions = {"openvino": openvino.__version__}
    if method != FLOAT16:
        model, versions["nncf"] = _in_int8(model, method, list(batches_of(calibration, size)))
    model.set_rt_info(json.dumps(method), ["trivium", "quantization"])
    openvino.save_model(model, after, compress_to_fp16=method == FLOAT16)
    return versions


def _in_int8(model: Any, method: str, batches: list[list[np.ndarray]]) -> tuple[Any, str]:
    """Return the model in 8 bits: weights and activations, or the weights alone; and the version of NNCF."""
    os.environ.setdefault("NNCF_CI", "1")  # without it NNCF reports its use to its makers
    import nncf

    nncf.set_log_level(logging.ERROR)
    if method != INT8:
        return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM), nncf.__version__
    dataset = nncf.Dataset(batches, lambda batch: batch)
    return nncf.quantize(model, dataset, subset_size=len(batches)), nncf.__version__
