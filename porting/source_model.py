"""The model that is ported: a bundle, or a plain Keras model file, which has no preprocessing and no recorded inputs.

`find` builds no model. `inspect_model` and `predict_batches` run in a worker under the chosen backend and build the
model in Keras' safe mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import runtime
from ..data.dataset import Labels
from ..data.preprocessing.pipeline import Preprocessing
from ..engine.bundles import bundle as bundles
from ..engine.bundles import keras_files
from ..engine.bundles.bundle import Bundle
from ..engine.bundles.model_file import UNKNOWN_BACKEND as UNKNOWN_BACKEND
from ..engine.bundles.raw_model import raw_model
from ..engine.keras_model.inference import fixed_batch, outputs_of
from ..engine.keras_model.interface import output_names, pack
from ..engine.keras_model.loss_names import output_kinds
from ..engine.keras_model.open_axes import axis_names, output_shapes
from ..engine.verification.model_under_test import coarsest_dtype, draw_inputs
from ..errors import BundleError, DataError
from ..storage.regular_file import sha256_of
from . import loaded_models
from .artifact_runtimes import NamedBatches

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SourceModel:
    """The model that is ported.

    Attributes:
        path: the absolute path of the bundle or the model file.
    """

    path: Path

    @cached_property
    def bundle(self) -> Bundle | None:
        """The content of the bundle, or None for a model file.

        Raises:
            BundleError: the bundle cannot be read.
        """
        return None if is_model_file(self.path) else bundles.load(self.path)

    @property
    def backend(self) -> str:
        """The backend that the model was trained on, or `UNKNOWN_BACKEND`."""
        return str(self.bundle.run["environment"]["backend"]) if self.bundle else UNKNOWN_BACKEND

    @property
    def recipe(self) -> str | None:
        return self.bundle.run.get("recipe") if self.bundle else None

    @property
    def labels(self) -> Labels:
        return self.bundle.labels if self.bundle else ()

    @property
    def preprocessing(self) -> Preprocessing:
        return self.bundle.preprocessing if self.bundle else Preprocessing()

    def describe(self) -> dict[str, str]:
        """Return the name and the checksum of the file."""
        return {"name": self.path.name, "sha256": sha256_of(self.path)}


def is_model_file(path: Path) -> bool:
    """Return whether a path names a Keras model file rather than a bundle."""
    return path.suffix.lower() in keras_files.ENDINGS


def find(source: str | Path) -> SourceModel:
    """Return the model at a path: a run folder, a bundle, or a Keras model file.

    Raises:
        BundleError: nothing is there, or it is not a bundle.
        FileError: it is not a model file, or it is unsafe to open.
    """
    path = Path(source)
    if not is_model_file(path) or path.is_dir():
        model = SourceModel(bundles.locate(path).resolve())
    elif not path.is_file():
        raise BundleError(f"no model file at {path}")
    else:
        model = SourceModel(path.resolve())
        keras_files.examine(model.path, str(path))
    _ = model.bundle  # refuse a damaged bundle before a backend is started
    return model


# --- run in a worker, under the chosen backend ---------------------------------------------------------------------


def load(path: str) -> keras.Model:
    """Build the model under this process' backend, without running code from the file.

    Raises:
        BundleError: Keras refuses the file, or it would run untrusted code.
        PortError: the model does not define its inputs, and was never called.
    """
    runtime.current()
    if not is_model_file(Path(path)):
        return bundles.load(path).build()
    from .keras_to_graph.subclassed import over_inputs

    return over_inputs(keras_files.load_model(Path(path)))


def share(path: str) -> keras.Model:
    """Return the model as `load` builds it; an earlier call in this worker may have built it. Do not change it."""
    return loaded_models.share(path, load)


def take(path: str) -> keras.Model:
    """Return the model as `load` builds it, for a caller that changes it."""
    return loaded_models.take(path, load)


def share_for_port(path: str, raw: bool) -> keras.Model:
    """Return the model that is ported: with its preprocessing, for raw inputs, or without. Do not change it."""
    return raw_model(bundles.load(path)) if raw else share(path)


def take_for_port(path: str, raw: bool) -> keras.Model:
    """Return the model that is ported, for a caller that changes it."""
    return raw_model(bundles.load(path)) if raw else take(path)


def inspect_model(path: str, raw: bool | None) -> dict[str, Any]:
    """Return the interface of a model before it is ported.

    Args:
        raw: whether the port takes raw inputs; None means wherever the preprocessing can be written as layers.

    Returns:
        `raw`: whether it takes raw inputs; `reason`: if it does not and `raw` was None, why; `inputs`, `outputs`: name,
            shape and dtype of each; `axes`: the names of their axes of any length (see `open_axes.axis_names`);
            `sizes`: sizes at which to try a model with open axes; `output_kinds`: what each output holds (see
            `loss_names.output_kinds`); `size`: the only batch size that it accepts, or None; `compiled`: whether
            it has a loss and an optimizer; `dtype`: the coarsest of
            its layers; `stateful`: the layers that carry a state from batch to batch; `drawn`: random inputs for a
            model file, which has no recorded ones.

    Raises:
        DataError: raw inputs are requested, and the preprocessing cannot be written as layers.
    """
    model, reason = share(path), None
    names, kinds = output_names(model), output_kinds(model)
    if is_model_file(Path(path)):
        raw, reason = False, "a model file has no preprocessing"
    if raw is not False:
        try:
            model, raw = share_for_port(path, True), True
        except DataError as error:
            if raw:
                raise
            reason, raw = str(error), False
    shapes_by_size = output_shapes(model)
    return {
        "raw": raw,
        "reason": reason,
        "inputs": [_describe(tensor.name, tensor) for tensor in model.inputs],
        "outputs": [_describe(*output) for output in zip(names, model.outputs, strict=True)],
        "axes": axis_names(model, shapes_by_size),
        "sizes": list(shapes_by_size),
        "output_kinds": kinds,
        "size": fixed_batch(model),
        "compiled": bool(model.compiled),
        "dtype": coarsest_dtype(model),
        "stateful": [layer.name for layer in runtime.stateful_layers(model)],
        "drawn": draw_inputs(model) if is_model_file(Path(path)) else None,
    }


def predict_batches(path: str, batches: NamedBatches) -> NamedBatches:
    """Return the model's outputs under this process' backend for preprocessed batches, one array per output."""
    model = share(path)
    return {name: predict(model, arrays) for name, arrays in batches.items()}


def predict(model: keras.Model, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the model's outputs for one preprocessed batch, one array per output."""
    import keras

    if len(arrays) == len(model.outputs) == 1:
        # A framework that compiles a size once is the quicker for equal sizes; another computes their padding.
        return [outputs_of(model, arrays[0], padded=not runtime.current().evaluates_eagerly)]
    predictions = model.predict(pack(model, "input", arrays), verbose=0)
    return [np.asarray(array) for array in keras.tree.flatten(predictions)]


def _describe(name: str, tensor: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(tensor.shape), "dtype": str(tensor.dtype)}
