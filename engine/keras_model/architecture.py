"""List the layers of a saved model with their sizes, without building the model.

A `.keras` file stores weights under names that Keras numbers per class (`layers/conv2d_1/vars/0`), a legacy `.h5` file
under the layers' own names. Sizes are those of the arrays in the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...storage.safe_hdf5 import StoredArray

_OPTIMIZER = ("optimizer", "optimizer_weights")
_LEGACY = "model_weights"


@dataclass(frozen=True)
class LayerSummary:
    """A layer of a saved model.

    Attributes:
        name, kind: the layer's name and class; `kind` is None if the file holds weights only.
        parameters: the number of its weights, including those of nested layers; None if the file holds no weights.
        depth: 0 in the model itself, 1 in a nested model, and so on.
    """

    name: str
    kind: str | None
    parameters: int | None
    depth: int = 0

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def is_auxiliary(path: str) -> bool:
    """Return whether an array is no weight of the model, but belongs to the optimizer or a random generator."""
    parts = path.split("/")
    return parts[0] in _OPTIMIZER or "seed_generator" in parts


def layers_of(config: Mapping[str, Any], arrays: Mapping[str, StoredArray] | None) -> list[LayerSummary]:
    """List the layers of a model. Layers of a nested model follow the nested model.

    Args:
        config: the model as serialised by Keras; unexpected parts are skipped.
        arrays: the arrays in the same file, by path; None if the file holds the architecture only.
    """
    legacy = arrays is not None and any(path.startswith(f"{_LEGACY}/") for path in arrays)
    return list(_walk(config, None if arrays is None else _sizes(arrays), f"{_LEGACY}/" if legacy else "", legacy, 0))


def layers_of_weights(arrays: Mapping[str, StoredArray]) -> list[LayerSummary]:
    """List the layers in a weights file, by the names under which their weights are stored."""
    sizes: Counter[str] = Counter()
    for path, array in arrays.items():
        if not is_auxiliary(path):
            parts = path.removeprefix("layers/").split("/")
            sizes[parts[0] if len(parts) > 1 else ""] += array.size
    return [LayerSummary(name, None, size) for name, size in sorted(sizes.items())]


def _walk(
    config: Mapping[str, Any], sizes: Counter[str] | None, prefix: str, legacy: bool, depth: int
) -> Iterator[LayerSummary]:
    inner = config.get("config")
    entries = inner.get("layers") if isinstance(inner, dict) else inner  # a list in the oldest Sequential
    counts: Counter[str] = Counter()
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or ".ops." in str(entry.get("module")):
            continue  # an operation between layers, which has no weights
        kind, layer_config = str(entry.get("class_name")), entry.get("config")
        name = str(layer_config.get("name", "") if isinstance(layer_config, dict) else entry.get("name", ""))
        path = prefix + name if legacy else f"{prefix}layers/{_numbered(default_layer_name(kind), counts)}"
        yield LayerSummary(name, kind, None if sizes is None else sizes[path], depth)
        if isinstance(layer_config, dict) and isinstance(layer_config.get("layers"), list):
            # A legacy file stores the weights of nested layers with the nested model.
            yield from _walk(entry, None if legacy else sizes, f"{path}/", legacy, depth + 1)


def _sizes(arrays: Mapping[str, StoredArray]) -> Counter[str]:
    """Return for each group in the file the number of weights in it and its subgroups."""
    sizes: Counter[str] = Counter()
    for path, array in arrays.items():
        parts = path.split("/")
        if not is_auxiliary(path):
            sizes.update({"/".join(parts[:count]): array.size for count in range(1, len(parts))})
    return sizes


def _numbered(name: str, counts: Counter[str]) -> str:
    counts[name] += 1
    return name if counts[name] == 1 else f"{name}_{counts[name] - 1}"


@lru_cache(maxsize=1_000)
def default_layer_name(kind: str) -> str:
    """Return what Keras calls the first layer of a class: `conv2d` for `Conv2D`, in a file and in a model."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
