"""The interface of artifacts: exported models that run without Keras.

Each backend's `artifacts.py` has `export_options(name, model)`: the options with which Keras exports a model to a
format on this backend, for batches and open axes of any length; and `exportable_loops()`, while which lasts recurrent
layers loop by operations that every format has; and `exportable_operations(model)`, while which lasts what the
exporters cannot write is computed by others. Backends whose framework serves files without Keras also have
`read(path)`, which returns an `Artifact`; it must not import Keras or need the code of the model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import catalog


@dataclass(frozen=True)
class Tensor:
    """An input or an output, as the artifact declares it.

    Attributes:
        name: the runtime's name for it.
        shape: None stands for any length.
        dtype: NumPy's name.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype}


@dataclass(frozen=True)
class Artifact:
    """An exported model, loaded by its runtime.

    Attributes:
        inputs, outputs: in the order of the arguments and results of `run`.
        run: computes the outputs of one batch from one array per input.
        versions: of the runtime.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    run: Callable[[Sequence[np.ndarray]], list[np.ndarray]]
    versions: dict[str, str]


def in_model_order(runtime_names: Sequence[str], model_names: Sequence[str]) -> list[str]:
    """Return a runtime's names in the order of the model's names; unchanged if the two are not the same set."""
    return list(model_names) if set(runtime_names) == set(model_names) else list(runtime_names)


def export_options(name: str, model: Any) -> dict[str, Any]:
    """Return the options with which Keras exports the model to a format on this process' backend."""
    return room(catalog.selected().name).export_options(name, model)  # type: ignore[no-any-return]


def exportable_loops() -> AbstractContextManager[None]:
    """While it lasts, recurrent layers of this process' backend loop over a sequence as every format can."""
    return room(catalog.selected().name).exportable_loops()  # type: ignore[no-any-return]


def exportable_operations(model: Any) -> AbstractContextManager[None]:
    """While it lasts, operations of this process' backend compute the same by what the exporters can write."""
    return room(catalog.selected().name).exportable_operations(model)  # type: ignore[no-any-return]


def room(backend: str) -> Any:
    """Return a backend's module `artifacts`; importing it imports the framework, but not Keras."""
    return importlib.import_module(f".{backend}.artifacts", __package__)
