"""Read an ONNX file that may be hostile as data: the graph by the package `onnx`, the arrays here, without a runtime.

An array may be in a separate file that the graph names. Such a file must be in the folder of the graph, also after
links are resolved, and must have enough bytes for the stated shape.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileError, PortError, first_line
from ....storage.budget import CALL_DEPTH, GRAPH_NODES
from ....storage.regular_file import open_regular, read_regular

# The limit of Protobuf; larger networks have their arrays in separate files.
_LARGEST = 2**31 - 1  # bytes
_DAMAGE = (ValueError, TypeError, KeyError, IndexError, OverflowError, OSError, MemoryError)


def load(path: Path) -> Any:
    """Read the model in an ONNX file, without external arrays. Local functions are inlined.

    Raises:
        FileError: the file has another format, or was truncated.
        PortError: the package `onnx` is not installed.
    """
    try:
        import onnx
        import onnx.inliner
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError as error:
        raise PortError("reading an ONNX file needs the package onnx; run: pip install 'trivium[onnx]'") from error
    if not path.is_file():
        raise FileError(f"no file at {path}")
    if (size := path.stat().st_size) > _LARGEST:
        raise FileError(
            f"{path} has {size:,} bytes, at most {_LARGEST:,} are read: keep its arrays in files of their own"
        )
    try:
        model = onnx.load_model_from_string(read_regular(path))
        if model.functions:
            _require_small(model, path)
            model = onnx.inliner.inline_local_functions(model)
    except (DecodeError, *_DAMAGE, RuntimeError) as error:
        raise FileError(f"{path} is no ONNX file, or was truncated ({first_line(error, 100)})") from error
    if not model.graph.node or not model.graph.output:
        raise FileError(f"{path} is no ONNX file, or was truncated (there is no graph in it)")
    return model


def _require_small(model: Any, path: Path) -> None:
    """Raise a FileError if the functions of a model become too many nodes when they are inlined, or never end.

    A function that calls another twice doubles it, so a small file can grow without limit.
    """
    bodies = {(each.domain, each.name): each.node for each in model.functions}
    counts: dict[tuple[str, str], int] = {}

    def count(nodes: Any, callers: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in callers or len(callers) > CALL_DEPTH:
                raise FileError(f"{path}: its function {node.op_type[:60]!r} calls itself, or is nested too deeply")
            if key in bodies and key not in counts:
                counts[key] = count(bodies[key], (*callers, key))
            total += counts.get(key, 1)
        return total

    if (total := count(model.graph.node, ())) > GRAPH_NODES:
        raise FileError(f"{path}: its functions become {total:,} nodes, at most {GRAPH_NODES:,} are read")


def array(tensor: Any, path: Path) -> np.ndarray:
    """Return the values of a tensor in a model.

    Args:
        path: the file of the model; external arrays are in the same folder.

    Raises:
        FileError: the values are outside the folder, or do not fit the tensor's shape.
    """
    import onnx
    from onnx import numpy_helper

    what = f"{path}: {tensor.name[:60]!r}"
    shape = tuple(int(length) for length in tensor.dims)
    if min(shape, default=0) < 0:
        raise FileError(f"{what} has shape {shape}")
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            return np.array(np.frombuffer(_external_bytes(tensor, shape, dtype, path, what), dtype).reshape(shape))
        _require_values(tensor, shape, what)
        return np.array(numpy_helper.to_array(tensor))
    except _DAMAGE as error:
        raise FileError(f"{what} is damaged ({first_line(error, 100)})") from error


def _require_values(tensor: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise a FileError unless a tensor has enough values for its shape."""
    stored = len(tensor.raw_data) or sum(
        len(getattr(tensor, f"{kind}_data")) for kind in ("float", "int32", "int64", "double", "uint64", "string")
    )
    if math.prod(shape) > max(stored, 1) * 2:  # two values of four bits share a byte
        raise FileError(f"{what} claims shape {shape}, but the file has only {stored:,} bytes or numbers for it")


def _external_bytes(tensor: Any, shape: tuple[int, ...], dtype: np.dtype, path: Path, what: str) -> bytes:
    """Return the bytes of a tensor in an external file."""
    entries = {each.key: each.value for each in tensor.external_data}
    place = _external_file(entries.get("location", ""), path, what)
    offset, length = int(entries.get("offset") or 0), math.prod(shape) * dtype.itemsize
    said = int(entries.get("length") or length)
    if offset < 0 or said != length or offset + length > place.stat().st_size:
        raise FileError(
            f"{what} should have {length:,} bytes at offset {offset:,} of {place.name}, which does not have them"
        )
    with open_regular(place) as stream:
        stream.seek(offset)
        return stream.read(length)


def _external_file(location: str, path: Path, what: str) -> Path:
    """Return the file that a location names. It must be in the folder of the model, after links are resolved."""
    folder = path.resolve().parent
    parts = location.replace("\\", "/").split("/")
    place = (folder / location).resolve() if location and "\0" not in location else folder
    if not location or location.startswith("/") or ".." in parts or not place.is_relative_to(folder):
        raise FileError(f"{what} lies in {location[:60]!r}, outside of the model's folder: not read")
    if not place.is_file():
        raise FileError(f"{what} lies in {location[:60]!r}, which does not exist: put it beside the model")
    return place
