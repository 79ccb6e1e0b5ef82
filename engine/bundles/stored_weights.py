"""Weights in a file, taken into a model that is built from something else: all of them, or those of some layers.

Keras' own format stores each layer under a name that it counts per class, and notes the layer's own name beside it. A
whole model in the older `.h5` format, or its weights, are stored under the layers' own names.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import BundleError, FileError, OptionError
from ...functions import first_of
from ...storage import safe_hdf5, safe_zip
from ...storage.regular_file import read_regular
from ..keras_model.architecture import is_auxiliary
from . import keras_files
from .bundle import Bundle

if TYPE_CHECKING:
    import h5py
    import keras

_MEMBER = "model.weights.h5"
_SUFFIX = ".weights.h5"
_LEGACY = "model_weights"
_MOST_NAMES = 5


@dataclass(frozen=True)
class StoredLayer:
    """The weights of a layer in a file.

    Attributes:
        name: the layer's.
        key: what it is stored under: its class in snake case with a number; in the older format its name.
        arrays: by their path within the layer, in the order of the file.
    """

    name: str
    key: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {path: array.shape for path, array in self.arrays.items()}


@dataclass(frozen=True)
class StoredWeights:
    """The weights in a file, by layer.

    Attributes:
        what: the name of the file in messages.
        layers: those that have weights, in the order of the file.
        is_legacy: whether they are stored in the older format, where the arrays have no paths but an order.
    """

    what: str
    layers: tuple[StoredLayer, ...]
    is_legacy: bool

    @classmethod
    def read(cls, source: Bundle | Path) -> StoredWeights:
        """Read the weights of a bundle, or of one of Keras' own files.

        Raises:
            FileError: the file is damaged or hostile.
            BundleError: its weights are not stored as HDF5.
        """
        what = "the bundle" if isinstance(source, Bundle) else str(source)
        content = source.keras_file if isinstance(source, Bundle) else read_regular(source)
        keras_files.examine(content, what)
        if not content.startswith(keras_files.HDF5):
            with safe_zip.open_checked(content, what) as archive:
                if _MEMBER not in archive.namelist():
                    raise BundleError(f"{what} holds its weights in another form than {_MEMBER}: save it again")
                content = safe_zip.read(archive, _MEMBER, what)
        with safe_hdf5.open_checked(content, what) as (file, _):
            root = file.get(_LEGACY, file)
            is_legacy = "layer_names" in root.attrs
            return cls(what, _legacy_layers(root) if is_legacy else _layers(file), is_legacy)

    def load_into(self, model: keras.Model, name: str, patterns: Sequence[str] = ()) -> None:
        """Put the weights into a model: those of all layers, or of the layers whose names match patterns.

        Args:
            model: built.
            name: of the model, for messages.
            patterns: such as `conv*`; each of these layers must be in the file under its name. Without patterns, the
                file must hold the weights of a model like this one, whose layers may have other names.

        Raises:
            OptionError: the weights do not fit; names the first layer that differs, or all that were asked for.
        """
        if not model.built:
            raise OptionError(
                f"{name}: the model declares no inputs, so it has no weights yet: begin it with keras.Input"
            )
        with tempfile.TemporaryDirectory() as folder:
            own_file = Path(folder) / f"own{_SUFFIX}"
            if not self.is_legacy:
                model.save_weights(own_file)
            own = _own_layers(model, own_file, self.is_legacy)
            pairs = self._chosen(own, name, patterns) if patterns else self._all(own, name)
            if self.is_legacy:
                _assign_legacy(model, pairs)
            else:
                _assign(model, own_file, pairs)

    def _all(self, own: Sequence[StoredLayer], name: str) -> list[tuple[StoredLayer, StoredLayer]]:
        """Return the layers of a model with those of the file: by their keys, in the older format by their order."""
        in_order = zip(own, self.layers, strict=False) if self.is_legacy else ()
        known = {layer.key: stored for layer, stored in in_order} or {layer.key: layer for layer in self.layers}
        for layer in own:
            stored = known.get(layer.key)
            if stored is None:
                raise OptionError(f"{self.what} does not fit {name}: it has no weights for the layer {layer.name}")
            if difference := self._difference(layer, stored):
                raise OptionError(f"{self.what} does not fit {name}: {difference}")
        pairs = [(layer, known[layer.key]) for layer in own]
        used = {id(stored) for _, stored in pairs}
        for stored in self.layers:
            if id(stored) not in used:
                raise OptionError(
                    f"{self.what} does not fit {name}, which has no layer for its weights of {stored.name}"
                )
        return pairs

    def _chosen(
        self, own: Sequence[StoredLayer], name: str, patterns: Sequence[str]
    ) -> list[tuple[StoredLayer, StoredLayer]]:
        """Return the layers of a model whose names match, with those of the same names in the file."""
        names = [layer.name for layer in own]
        for pattern in patterns:
            if not any(fnmatchcase(layer, pattern) for layer in names):
                raise OptionError(
                    f"`layers` {pattern}: {name} has no layer with weights of such a name "
                    f"(there are: {', '.join(names)})"
                )
        names_of = _names if self.is_legacy else _fresh_names
        known = dict(zip(names_of(self.layers), self.layers, strict=True))
        pairs, differences = [], []
        for fresh, layer in zip(names_of(own), own, strict=True):
            if not any(fnmatchcase(layer.name, pattern) for pattern in patterns):
                continue
            stored = known.get(fresh)
            if stored is None:
                differences.append(f"{layer.name} is not in it")
            elif difference := self._difference(layer, stored):
                differences.append(difference)
            else:
                pairs.append((layer, stored))
        if differences:
            raise OptionError(f"`layers`: {self.what} does not fit {name}: {first_of(differences, _MOST_NAMES)}")
        return pairs

    def _difference(self, layer: StoredLayer, stored: StoredLayer) -> str:
        """Return how the weights of a layer in the file differ from those of the model, or nothing."""
        own, received = layer.shapes, stored.shapes
        if own == received:
            return ""
        name = layer.name if layer.name == stored.name else f"{layer.name} (in the file {stored.name})"
        return f"the layer {name} has weights {_format(own)}, in the file {_format(received)}"


def _layers(root: h5py.Group) -> tuple[StoredLayer, ...]:
    """Return the layers of a file in Keras' own format, sorted by their numbers within their classes."""
    group = root.get("layers", root)
    layers = []
    for key in group:
        if key == "vars" or is_auxiliary(key):
            continue
        arrays: dict[str, np.ndarray] = {}
        group[key].visititems(lambda path, item, arrays=arrays: _collect(arrays, path, item))
        if arrays:
            name = group[key]["vars"].attrs.get("name", key) if "vars" in group[key] else key
            layers.append(StoredLayer(str(name), key, arrays))
    return tuple(layers)


def _collect(arrays: dict[str, np.ndarray], path: str, item: Any) -> None:
    if hasattr(item, "shape") and not is_auxiliary(path):
        arrays[path] = np.array(item)


def _legacy_layers(root: h5py.Group) -> tuple[StoredLayer, ...]:
    layers = []
    for name in map(safe_hdf5.text_of, root.attrs["layer_names"]):
        if name not in root:
            raise FileError(f"there are no weights of {name!r}, which the file lists")
        names = [safe_hdf5.text_of(weight) for weight in root[name].attrs.get("weight_names", ())]
        arrays = {str(number): np.array(root[name][weight]) for number, weight in enumerate(names)}
        if arrays:
            layers.append(StoredLayer(name, name, arrays))
    return tuple(layers)


def _legacy_variables(layer: keras.Layer) -> list[keras.Variable]:
    """Return the weights of a layer in the order of the older format."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _own_layers(model: keras.Model, own_file: Path, is_legacy: bool) -> list[StoredLayer]:
    """Return the layers of a model as the file would have them, in the model's order."""
    if is_legacy:
        weights = {layer.name: _legacy_variables(layer) for layer in model.layers}
        named = {name: {str(n): _empty(v.shape) for n, v in enumerate(own)} for name, own in weights.items() if own}
        return [StoredLayer(name, name, arrays) for name, arrays in named.items()]
    with safe_hdf5.open_checked(own_file, model.name) as (file, _):
        stored = {layer.name: layer for layer in _layers(file)}
    return [stored[layer.name] for layer in model.layers if layer.name in stored]


def _empty(shape: Any) -> np.ndarray:
    """Return an array of this shape that takes no memory."""
    return np.broadcast_to(np.float32(0), tuple(shape))


def _assign_legacy(model: keras.Model, pairs: Sequence[tuple[StoredLayer, StoredLayer]]) -> None:
    for layer, stored in pairs:
        variables = _legacy_variables(model.get_layer(layer.name))
        for variable, array in zip(variables, stored.arrays.values(), strict=True):
            variable.assign(array)


def _assign(model: keras.Model, own_file: Path, pairs: Sequence[tuple[StoredLayer, StoredLayer]]) -> None:
    """Write the arrays into the model's own file, and let Keras load it: Keras alone knows each array's variable."""
    import h5py

    with h5py.File(own_file, "r+") as file:
        group = file.get("layers", file)
        for layer, stored in pairs:
            for path, array in stored.arrays.items():
                group[layer.key][path][...] = array
    model.load_weights(own_file)


def _names(layers: Sequence[StoredLayer]) -> list[str]:
    return [layer.name for layer in layers]


def _fresh_names(layers: Sequence[StoredLayer]) -> list[str]:
    """Return the names of layers, the automatic ones as Keras counts them in a fresh process."""
    counts: Counter[str] = Counter()
    names = []
    for layer in sorted(layers, key=lambda layer: _number(layer.key)):
        base = _without_number(layer.name)
        if base != _without_number(layer.key):
            names.append((layer, layer.name))
            continue
        names.append((layer, f"{base}_{counts[base]}" if counts[base] else base))
        counts[base] += 1
    by_layer = {id(layer): name for layer, name in names}
    return [by_layer[id(layer)] for layer in layers]


def _without_number(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _number(name: str) -> int:
    number = re.search(r"_(\d+)$", name)
    return int(number[1]) if number else 0


def _format(shapes: dict[str, tuple[int, ...]]) -> str:
    return first_of([str(shape) for shape in shapes.values()], _MOST_NAMES) or "none"
