"""An ONNX file that may be hostile, read as data: its graph by the package `onnx`, its arrays here, no runtime.

An array may lie in a file of its own, which the graph names. Only files in the graph's own folder are read, none
through a link that leads out of it, and an array has as many values as there are bytes for, whatever it says.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileError, PortError, first_line

# Protobuf reads no larger ones; arrays of larger networks lie in files of their own.
_LARGEST = 2**31 - 1  # bytes
_DAMAGE = (ValueError, TypeError, KeyError, IndexError, OverflowError, OSError, MemoryError)


def load(path: Path) -> Any:
    """The model in an ONNX file, without what lies in files of its own; functions in it are put in their places.

    Raises:
        FileError: it is none, or was truncated.
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
        model = onnx.load_model_from_string(path.read_bytes())
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    except (DecodeError, *_DAMAGE, RuntimeError) as error:
        raise FileError(f"{path} is no ONNX file, or was truncated ({first_line(error, 100)})") from error
    if not model.graph.node or not model.graph.output:
        raise FileError(f"{path} is no ONNX file, or was truncated (there is no graph in it)")
    return model


def array(tensor: Any, path: Path) -> np.ndarray:
    """The values of a tensor in a model.

    Args:
        path: of the model's file, beside which arrays in files of their own lie.

    Raises:
        FileError: they are in a file elsewhere, or not as many as the tensor says.
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
            return np.array(np.frombuffer(_external(tensor, shape, dtype, path, what), dtype).reshape(shape))
        _require_values(tensor, shape, what)
        return np.array(numpy_helper.to_array(tensor))
    except _DAMAGE as error:
        raise FileError(f"{what} is damaged ({first_line(error, 100)})") from error


def _require_values(tensor: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise a FileError unless a tensor brings as many values as its shape says."""
    stored = len(tensor.raw_data) or sum(
        len(getattr(tensor, f"{kind}_data")) for kind in ("float", "int32", "int64", "double", "uint64", "string")
    )
    if math.prod(shape) > max(stored, 1) * 2:  # two values of four bits share a byte
        raise FileError(f"{what} is said to have shape {shape}, and the file has {stored:,} bytes or numbers for it")


def _external(tensor: Any, shape: tuple[int, ...], dtype: np.dtype, path: Path, what: str) -> bytes:
    """The bytes of a tensor that lie in a file of its own."""
    told = {each.key: each.value for each in tensor.external_data}
    place = _inside(told.get("location", ""), path, what)
    offset, length = int(told.get("offset") or 0), math.prod(shape) * dtype.itemsize
    said = int(told.get("length") or length)
    if offset < 0 or said != length or offset + length > place.stat().st_size:
        raise FileError(f"{what} is said to have {length:,} bytes from {offset:,} on in {place.name}, which has not")
    with place.open("rb") as stream:
        stream.seek(offset)
        return stream.read(length)


def _inside(location: str, path: Path, what: str) -> Path:
    """The file that a location names, which must be in the folder of the model, links followed."""
    folder = path.resolve().parent
    parts = location.replace("\\", "/").split("/")
    place = (folder / location).resolve() if location and "\0" not in location else folder
    if not location or location.startswith("/") or ".." in parts or not place.is_relative_to(folder):
        raise FileError(f"{what} lies in {location[:60]!r}, outside of the model's folder: not read")
    if not place.is_file():
        raise FileError(f"{what} lies in {location[:60]!r}, which is not there: put it beside the model")
    return place
