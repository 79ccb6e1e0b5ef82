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


def in_order(found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Names as a runtime lists them, in the order of the model's own: by name where all are known, else as they are."""
    return list(wanted) if set(found) == set(wanted) else list(found)


def export_options(name: str, model: Any) -> dict[str, Any]:
    """What the room of this process' backend says that Keras' export of the model to a format must be told."""
    room = importlib.import_module(f".{catalog.selected().name}.artifacts", __package__)
    return room.export_options(name, model)  # type: ignore[no-any-return]
