"""A model outside of Keras: what a runtime that serves a file is asked for, and the two of the frameworks' own.

A room's `artifacts.py` has `export_options(name, model)`: what Keras' export to a format must be told on this backend
for a batch of any size. The rooms whose framework serves files without Keras also have `read(path)`, which gives an
`Artifact`; nothing in it may import Keras or need the code of the model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import catalog


@dataclass(frozen=True)
class Tensor:
    """An input or output of an artifact, as the artifact itself declares it.

    Attributes:
        name: as its runtime addresses it.
        shape: with None where any length is taken.
        dtype: as NumPy calls it.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype}


@dataclass(frozen=True)
class Artifact:
    """A model that its runtime has loaded.

    Attributes:
        inputs, outputs: in the order in which `run` takes and gives them.
        run: the outputs for one batch; an array an input.
        versions: of the runtime.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    run: Callable[[Sequence[np.ndarray]], list[np.ndarray]]
    versions: dict[str, str]


def in_model_order(runtime_names: Sequence[str], model_names: Sequence[str]) -> list[str]:
    """Names as a runtime lists them, in the order of the model's own: by name where all are known, else as they are."""
    return list(model_names) if set(runtime_names) == set(model_names) else list(runtime_names)


def export_options(name: str, model: Any) -> dict[str, Any]:
    """What the room of this process' backend says that Keras' export of the model to a format must be told."""
    return room(catalog.selected().name).export_options(name, model)  # type: ignore[no-any-return]


def room(backend: str) -> Any:
    """Return a backend's module `artifacts`; importing it imports the framework, but not Keras."""
    return importlib.import_module(f".{backend}.artifacts", __package__)
