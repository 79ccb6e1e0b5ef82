"""Read a network file of any supported format, and build the Keras model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from ...errors import PortError
from ..converters import Converters
from . import converted
from .builder import Builder
from .converted_nodes import Targets
from .foreign_graph import ForeignGraph
from .functions import FUNCTIONS
from .joins import JOINS
from .layers import LAYERS
from .onnx import graph
from .pooling import POOLING
from .recurrent import RECURRENT
from .selection import SELECTION
from .shapes import SHAPES
from .torch_export import program, program_file

HANDLERS = {**LAYERS, **POOLING, **FUNCTIONS, **SHAPES, **JOINS, **SELECTION, **RECURRENT}


def _read_program(path: Path, clean_path: Path, converter_targets: Targets) -> ForeignGraph:
    exported = program_file.read(path)
    network = program.to_graph(exported, path, converter_targets)
    clean_path.write_bytes(program_file.clean(exported))
    return network


def _read_onnx(path: Path, clean_path: Path, converter_targets: Targets) -> ForeignGraph:
    return graph.to_graph(path, converter_targets)


_READERS: dict[str, Callable[[Path, Path, Targets], ForeignGraph]] = {".pt2": _read_program, ".onnx": _read_onnx}


def read(path: Path, clean_path: Path, converter_targets: Targets = ()) -> ForeignGraph:
    """Read the network in a `.pt2` or `.onnx` file.

    Args:
        clean: receives a file that is safe to run instead of the original; not written if the original is safe.
        converter_targets: the operators for which the user has converters.

    Raises:
        PortError: the network has unsupported operators; the message names each.
        FileError: the file has another format, was truncated, or is hostile.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise PortError(f"{path} is neither a torch.export program (.pt2) nor an ONNX graph (.onnx)")
    return reader(path, clean_path, converter_targets)


def build(
    network: ForeignGraph, inference_only: bool = False, converters: Converters | None = None
) -> tuple[keras.Model, Builder]:
    """Build the Keras model, and return it with its builder.

    Args:
        inference_only: whether the model need not be trained as the network is.
        converters: the user's, by their targets.

    Raises:
        PortError: a node has no counterpart in Keras; the message names it.
    """
    builder = Builder(network, {**HANDLERS, **converted.handlers(converters or {})}, inference_only)
    return builder.build(), builder
