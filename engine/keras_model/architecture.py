"""The layers in a model's configuration, with the arrays that are theirs: a summary of a model that is not built.

Keras files the weights under names that it counts per class (`layers/conv2d_1/vars/0`), a legacy `.h5` file under the
layers' own names. Sizes are counted from the arrays that are there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...storage.safe_hdf5 import Stored

_OPTIMIZER = ("optimizer", "optimizer_weights")
_LEGACY = "model_weights"


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name, kind: its own name, and its class; no kind where a file has weights alone.
        parameters: the number of its weights, those of layers within it included; None where the file has none.
        depth: 0 in the model itself, 1 in a model within it, …
    """

    name: str
    kind: str | None
    parameters: int | None
    depth: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def held_outside(path: str) -> bool:
    """Whether an array is no weight of the model: the optimizer's, or the counter of random numbers."""
    parts = path.split("/")
    return parts[0] in _OPTIMIZER or "seed_generator" in parts


def layers_of(config: Mapping[str, Any], arrays: Mapping[str, Stored] | None) -> list[Layer]:
    """The layers of a model, those of models within it after the layer that holds them.

    Args:
        config: as Keras serialises a model; what is not as expected is passed over.
        arrays: those in the same file, by path; None where it has only the architecture.
    """
    legacy = arrays is not None and any(path.startswith(f"{_LEGACY}/") for path in arrays)
    return list(_walk(config, None if arrays is None else _sizes(arrays), f"{_LEGACY}/" if legacy else "", legacy, 0))


def layers_of_weights(arrays: Mapping[str, Stored]) -> list[Layer]:
    """The layers in a file that has weights alone, by the names under which they are filed."""
    sizes: Counter[str] = Counter()
    for path, array in arrays.items():
        if not held_outside(path):
            parts = path.removeprefix("layers/").split("/")
            sizes[parts[0] if len(parts) > 1 else ""] += array.size
    return [Layer(name, None, size) for name, size in sorted(sizes.items())]


def _walk(
    config: Mapping[str, Any], sizes: Counter[str] | None, prefix: str, legacy: bool, depth: int
) -> Iterator[Layer]:
    inner = config.get("config")
    entries = inner.get("layers") if isinstance(inner, dict) else inner  # a list in the oldest Sequential
    counted: Counter[str] = Counter()
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or ".ops." in str(entry.get("module")):
            continue  # an operation between layers, which has no weights
        kind, own = str(entry.get("class_name")), entry.get("config")
        name = str(own.get("name", "") if isinstance(own, dict) else entry.get("name", ""))
        place = prefix + name if legacy else f"{prefix}layers/{_counted(_snake(kind), counted)}"
        yield Layer(name, kind, None if sizes is None else sizes[place], depth)
        if isinstance(own, dict) and isinstance(own.get("layers"), list):
            # In a legacy file what is within a model is filed with the model, and not apart.
            yield from _walk(entry, None if legacy else sizes, f"{place}/", legacy, depth + 1)


def _sizes(arrays: Mapping[str, Stored]) -> Counter[str]:
    """For each group in the file the number of weights in it and below."""
    sizes: Counter[str] = Counter()
    for path, array in arrays.items():
        parts = path.split("/")
        if not held_outside(path):
            sizes.update({"/".join(parts[:count]): array.size for count in range(1, len(parts))})
    return sizes


def _counted(name: str, counted: Counter[str]) -> str:
    counted[name] += 1
    return name if counted[name] == 1 else f"{name}_{counted[name] - 1}"


def _snake(kind: str) -> str:
    """`Conv2D` as `conv2d` and `BatchNormalization` as `batch_normalization`: how Keras files a layer of that class."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
