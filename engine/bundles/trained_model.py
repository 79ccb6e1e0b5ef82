"""A trained model with its preprocessing that can be pickled without the framework.

The pickle holds the bytes of a `.keras` file and JSON, but no framework objects. After unpickling, the model is built
on first use, in Keras' safe mode and under the backend of that process.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.preprocessing.pipeline import Preprocessing
from ...errors import OptionError, SampleError
from ..keras_model.inference import accepts_shape, outputs_of
from ..keras_model.interface import match_inputs
from ..keras_model.loss_names import output_kinds

if TYPE_CHECKING:
    import keras


class TrainedModel:
    """A trained model.

    Args:
        model: trained, compiled.
        preprocessing: fitted.
    """

    def __init__(self, model: keras.Model, preprocessing: Preprocessing):
        self.preprocessing = preprocessing
        self._model: keras.Model | None = model
        self._keras_file = b""
        self._submodels: dict[int, keras.Model] = {}

    @property
    def model(self) -> keras.Model:
        """Return the model. After unpickling, it is built on first access.

        Raises:
            BundleError: Keras refuses the file.
        """
        if self._model is None:
            from .bundle import Bundle

            empty = np.empty(0)
            self._model = Bundle(self._keras_file, self.preprocessing, (), {}, empty, empty).build()
        return self._model

    @property
    def output_kind(self) -> str:
        """Whether the outputs are probabilities, logits, margins or values."""
        return output_kinds(self.model)[0]

    def outputs(self, x: np.ndarray, layer: str | int | None = None) -> np.ndarray:
        """Return the outputs of the model, or of one of its layers, for raw samples (n, …).

        Raises:
            SampleError: the samples do not fit the model.
            OptionError: the model has no such layer.
        """
        prepared = match_inputs(self.model, self.preprocessing.inputs(x))
        if not accepts_shape(self.model, prepared):
            expected = ", ".join(str(tuple(tensor.shape)[1:]) for tensor in self.model.inputs)
            raise SampleError(f"a prepared sample has shape {prepared.shape[1:]} but the model takes {expected}")
        model = self.model if layer is None else self._submodel(layer)
        outputs: np.ndarray = outputs_of(model, prepared)
        return outputs

    def _submodel(self, layer: str | int) -> keras.Model:
        """Return the model that ends at a layer. It is cached, so that its compiled functions are reused."""
        import keras

        index = _layer_index([known.name for known in self.model.layers], layer)
        if index not in self._submodels:
            self._submodels[index] = keras.Model(self.model.inputs, self.model.layers[index].output)
        return self._submodels[index]

    def __getstate__(self) -> dict[str, Any]:
        from ..keras_model.model_bytes import keras_bytes

        keras_file = keras_bytes(self._model) if self._model is not None else self._keras_file
        return {"keras_file": keras_file, "preprocessing": self.preprocessing.to_json()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.preprocessing = Preprocessing.from_json(state["preprocessing"])
        self._model, self._keras_file, self._submodels = None, state["keras_file"], {}


def _layer_index(names: list[str], layer: str | int) -> int:
    """Return the index of a layer, given its index, its name, or the name that it would have in a fresh process."""
    if isinstance(layer, int) and -len(names) <= layer < len(names):
        return layer % len(names)
    if layer in names:
        return names.index(str(layer))
    counts: dict[str, int] = {}
    fresh_names = []
    for name in names:
        base = re.sub(r"_\d+$", "", name)
        fresh_names.append(f"{base}_{counts[base]}" if base in counts else base)
        counts[base] = counts.get(base, 0) + 1
    if layer not in fresh_names:
        raise OptionError(f"the model has no layer {layer!r} (it has: {', '.join(fresh_names)}, or numbers from 0)")
    return fresh_names.index(str(layer))
