"""Quantise an ONNX graph by ONNX Runtime's own tools: `onnxruntime.quantization`, and its converter to float16.

For `int8` only operators with weights are quantised: they make the file smaller. To quantise every small operator of an
unrolled LSTM as well made the file twice as large, and it was no faster (`rnn/lstm`: 36 against 17 kB).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .calibration import batches_of
from .names import FLOAT16, INT8

if TYPE_CHECKING:
    import onnx

_WITH_WEIGHTS = ("Conv", "ConvTranspose", "MatMul", "Gemm", "Gather")
# ONNX Runtime 1.31 crashes (signal 11) when it loads a graph in which it can fuse a float16 transposition and product:
# microsoft/onnxruntime#28136 is the same fusion in float64. Until that is mended transpositions stay in float32.
_NOT_IN_FLOAT16 = "Transpose"


def quantize(
    method: str, before: str, after: str, calibration: list[np.ndarray], size: int | None, *_: Any
) -> dict[str, str]:
    """Write the quantised artifact; runs in the worker of the host.

    Args:
        method: the name of the method.
        before, after: the paths of the artifact and of the quantised one.
        calibration: samples to measure the ranges of activations on, one array per input, in the graph's order.
        size: the only batch size that the model accepts, or None.

    Returns:
        The versions of the packages that quantised it.
    """
    import onnx
    import onnxruntime

    original = onnx.load(before)
    if method == FLOAT16:
        model = _in_float16(original)
    else:
        with tempfile.TemporaryDirectory() as folder:
            model = _in_int8(method, before, Path(folder), batches_of(calibration, size))
    properties = {entry.key: entry.value for entry in original.metadata_props}
    del model.metadata_props[:]  # the tool leaves notes of its own steps
    onnx.helper.set_model_props(model, {**properties, "quantization": f'"{method}"'})
    onnx.save(model, after)
    return {"onnxruntime": onnxruntime.__version__}


def _in_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with weights and operators in float16; inputs and outputs keep their dtypes."""
    from onnxruntime.transformers import float16

    blocked = [*float16.DEFAULT_OP_BLOCK_LIST, _NOT_IN_FLOAT16]
    return float16.convert_float_to_float16(model, keep_io_types=True, op_block_list=blocked)


def _in_int8(method: str, before: str, folder: Path, batches: Iterator[list[np.ndarray]]) -> onnx.ModelProto:
    import onnx
    from onnxruntime import quantization

    simplified, quantized = folder / "simplified.onnx", folder / "quantized.onnx"
    quantization.quant_pre_process(before, str(simplified), skip_symbolic_shape=True)
    if method == INT8:
        model = onnx.load(str(simplified))
        reader = _BatchReader([value.name for value in model.graph.input], batches)
        options: dict[str, Any] = {"per_channel": True, "nodes_to_quantize": _nodes_with_weights(model)}
        quantization.quantize_static(str(simplified), str(quantized), reader, **options)
    else:
        quantization.quantize_dynamic(str(simplified), str(quantized))
    return onnx.load(str(quantized))


def _nodes_with_weights(model: onnx.ModelProto) -> list[str]:
    weights = {tensor.name for tensor in model.graph.initializer}
    candidates = [node for node in model.graph.node if node.op_type in _WITH_WEIGHTS]
    # The indices of a Gather may be constant as well: its weights are the table, its first input.
    return [node.name for node in candidates if weights & {*node.input[: 1 if node.op_type == "Gather" else 2]}]


class _BatchReader:
    """Gives ONNX Runtime one batch at a time, and None after the last: a `CalibrationDataReader` by its method."""

    def __init__(self, names: Sequence[str], batches: Iterator[list[np.ndarray]]) -> None:
        self._batches = (dict(zip(names, arrays, strict=True)) for arrays in batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
