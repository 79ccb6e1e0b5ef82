"""What file it is, read into a form, and the model that is built of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from ...errors import PortError
from .builder import Builder
from .foreign_graph import Form
from .functions import FUNCTIONS
from .joins import JOINING
from .layers import LAYERS
from .onnx import graph
from .pooling import POOLING
from .recurrent import RECURRENT
from .shapes import SHAPES
from .torch_export import program, program_file

HANDLERS = {**LAYERS, **POOLING, **FUNCTIONS, **SHAPES, **JOINING, **RECURRENT}


def _program(path: Path, clean: Path) -> Form:
    found = program_file.read(path)
    form = program.to_form(found, path)
    clean.write_bytes(program_file.clean(found))
    return form


def _onnx(path: Path, clean: Path) -> Form:
    return graph.to_form(path)


_READERS: dict[str, Callable[[Path, Path], Form]] = {".pt2": _program, ".onnx": _onnx}


def read(path: Path, clean: Path) -> Form:
    """The network in a `.pt2` or `.onnx` file.

    Args:
        clean: where a file goes that is to be run in place of it; nothing is written where the file itself can be.

    Raises:
        PortError: it has operators that are not covered; each is named.
        FileError: it is none, was truncated, or a hostile one.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise PortError(f"{path} is neither a torch.export program (.pt2) nor an ONNX graph (.onnx)")
    return reader(path, clean)


def build(form: Form) -> tuple[keras.Model, Builder]:
    """The Keras model, and what it was made by.

    Raises:
        PortError: a node has no counterpart in Keras; it is named.
    """
    builder = Builder(form, HANDLERS)
    return builder.build(), builder
