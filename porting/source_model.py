"""What is ported: a bundle, or a plain Keras model file that brings nothing but its weights.

Finding one reads no model. `examine` and `answers` run in a worker, under the backend that is asked, and build it in
Keras' safe mode.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import runtime
from ..engine.bundles import bundle as bundles
from ..engine.bundles import keras_files
from ..engine.bundles.bundle import Bundle
from ..engine.bundles.raw_model import raw_model
from ..engine.keras_model.inference import fixed_batch, outputs_of
from ..engine.preprocessing.pipeline import Preprocessing
from ..engine.verification.model_under_test import ModelUnderTest, make_batches
from ..errors import BundleError, DataError, PortError

if TYPE_CHECKING:
    import keras

# For each batch an array an input, or an array an output.
Batches = dict[str, list[np.ndarray]]

LEGACY = (".h5", ".hdf5")
MODEL_FILES = (".keras", *LEGACY)
# Where nothing says on which backend a model was trained.
UNKNOWN = "keras"


@dataclass(frozen=True)
class Subject:
    """What is ported.

    Attributes:
        path: the bundle or the model file, absolute.
    """

    path: Path

    @cached_property
    def bundle(self) -> Bundle | None:
        """What a bundle holds, or None for a model file.

        Raises:
            BundleError: it cannot be read.
        """
        return None if is_model_file(self.path) else bundles.load(self.path)

    @property
    def backend(self) -> str:
        """The backend it was trained on, or `UNKNOWN`."""
        return str(self.bundle.run["environment"]["backend"]) if self.bundle else UNKNOWN

    @property
    def recipe(self) -> str | None:
        return self.bundle.run.get("recipe") if self.bundle else None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bundle.labels if self.bundle else ()

    @property
    def preprocessing(self) -> Preprocessing:
        return self.bundle.preprocessing if self.bundle else Preprocessing()

    def describe(self) -> dict[str, str]:
        """Which file it is: its name and checksum."""
        with self.path.open("rb") as stream:
            return {"name": self.path.name, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def is_model_file(path: Path) -> bool:
    """Whether a path names a Keras model file and no bundle."""
    return path.suffix.lower() in MODEL_FILES


def find(source: str | Path) -> Subject:
    """What a path names: a run's folder, a bundle, or a Keras model file.

    Raises:
        BundleError: it is not there, or no bundle.
        FileError: it is no model file, or one that nobody should open.
    """
    path = Path(source)
    if not is_model_file(path) or path.is_dir():
        model = Subject(bundles.locate(path).resolve())
    elif not path.is_file():
        raise BundleError(f"no model file at {path}")
    else:
        model = Subject(path.resolve())
        keras_files.examine(model.path, str(path))
    _ = model.bundle  # a damaged one is refused before any backend is started
    return model


# --- run in a worker, under the backend that is asked ---------------------------------------------------------------


def load(path: str) -> keras.Model:
    """The model, built anew under this process' backend without running code from the file.

    Raises:
        BundleError: Keras refuses it, or it would run code that nobody trusts.
        PortError: it names no inputs, so that nobody can tell what to give it.
    """
    runtime.current()
    if not is_model_file(Path(path)):
        return bundles.load(path).build()
    model = keras_files.load_model(Path(path))
    if not getattr(model, "inputs", None):
        raise PortError(f"{path} holds a model that names no inputs: begin it with keras.Input and save it again")
    return model


def load_as(path: str, raw: bool) -> keras.Model:
    """The model as it is ported: taking raw inputs, its preparation within, or prepared ones."""
    return raw_model(bundles.load(path)) if raw else load(path)


def examine(path: str, raw: bool | None) -> dict[str, Any]:
    """What a model takes and gives, before anything is made of it.

    Args:
        raw: whether it is to take raw inputs; None wherever its preparation has a form of layers.

    Returns:
        `raw`: whether it does; `reason`: why not, where that was left open; `inputs`: name, shape and dtype of each;
            `size`: the only batch that it takes, or None; `stateful`: the layers that remember from batch to batch;
            `drawn`: inputs for a model file, which brings none.

    Raises:
        DataError: raw inputs are asked for, and the preparation has no form of layers.
    """
    model, reason = load(path), None
    names = _output_names(model)
    if is_model_file(Path(path)):
        raw, reason = False, "a model file brings no preparation"
    if raw is not False:
        try:
            model, raw = load_as(path, True), True
        except DataError as error:
            if raw:
                raise
            reason, raw = str(error), False
    return {
        "raw": raw,
        "reason": reason,
        "inputs": [_describe(tensor.name, tensor) for tensor in model.inputs],
        "outputs": [_describe(*output) for output in zip(names, model.outputs, strict=True)],
        "size": fixed_batch(model),
        "stateful": [layer.name for layer in runtime.stateful_layers(model)],
        "drawn": _draw(path, model) if is_model_file(Path(path)) else None,
    }


def answers(path: str, batches: Batches) -> Batches:
    """What the model gives for batches of prepared inputs under this process' backend, an array an output."""
    import keras

    model = load(path)
    outputs = {}
    for name, arrays in batches.items():
        if len(arrays) == len(model.outputs) == 1:
            outputs[name] = [outputs_of(model, arrays[0])]
        else:
            predictions = model.predict(nested(model, arrays), verbose=0)
            outputs[name] = [np.asarray(array) for array in keras.tree.flatten(predictions)]
    return outputs


def nested(model: keras.Model, arrays: list[Any]) -> Any:
    """An array an input in the nest that the model takes; a plain stack has no nest."""
    import keras

    return arrays[0] if isinstance(model, keras.Sequential) else keras.tree.pack_sequence_as(model.input, arrays)


def _describe(name: str, tensor: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(tensor.shape), "dtype": str(tensor.dtype)}


def _output_names(model: keras.Model) -> list[str]:
    """The names of the layers that the outputs come from; a plain stack has one, and calls it nothing."""
    return list(getattr(model, "output_names", [model.layers[-1].name]))


def _draw(path: str, model: keras.Model) -> list[np.ndarray]:
    """Inputs that a model can take, a batch of each."""
    if not model.compiled:
        model.compile(loss="mean_squared_error")  # targets are drawn by it; they are not needed here
    inputs = make_batches(ModelUnderTest(path, is_bundle=True), model, None, 1)["x"]
    return [values[0] for values in inputs]
