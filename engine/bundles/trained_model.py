"""A trained model with its preparation, which travels between processes as the bytes of a `.keras` file.

A pickle of it holds those bytes and JSON, no object of a framework; whoever reads it builds the model when it is first
asked, in Keras' safe mode and under its own backend.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import OptionError
from ..keras_model.inference import outputs_of
from ..preprocessing.pipeline import Preprocessing

if TYPE_CHECKING:
    import keras


class Fitted:
    """A trained model.

    Args:
        model: trained, compiled.
        preprocessing: fitted.
    """

    def __init__(self, model: keras.Model, preprocessing: Preprocessing):
        self.preprocessing = preprocessing
        self._model: keras.Model | None = model
        self._keras_file = b""
        self._parts: dict[int, keras.Model] = {}

    @property
    def model(self) -> keras.Model:
        """Built when it is first asked for, where it was unpickled.

        Raises:
            BundleError: Keras refuses the file.
        """
        if self._model is None:
            from .bundle import Bundle

            nothing = np.empty(0)
            self._model = Bundle(self._keras_file, self.preprocessing, (), {}, nothing, nothing).build()
        return self._model

    @property
    def from_logits(self) -> bool:
        """Whether the outputs are still to be made probabilities of."""
        return bool(getattr(self.model.loss, "from_logits", False))

    def outputs(self, x: np.ndarray, layer: str | int | None = None) -> np.ndarray:
        """What the model, or one of its layers, answers to raw samples (n, …).

        Raises:
            DataError: they are not what the model takes.
            OptionError: there is no such layer.
        """
        prepared = self.preprocessing.inputs(x)
        model = self.model if layer is None else self._up_to(layer)
        return outputs_of(model, prepared)

    def _up_to(self, layer: str | int) -> keras.Model:
        """The model that ends at a layer; the same one each time, because it may have been compiled."""
        import keras

        number = _number_of([each.name for each in self.model.layers], layer)
        if number not in self._parts:
            self._parts[number] = keras.Model(self.model.inputs, self.model.layers[number].output)
        return self._parts[number]

    def __getstate__(self) -> dict[str, Any]:
        from .bundle import keras_bytes

        kept = keras_bytes(self._model) if self._model is not None else self._keras_file
        return {"keras_file": kept, "preprocessing": self.preprocessing.to_json()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.preprocessing = Preprocessing.from_json(state["preprocessing"])
        self._model, self._keras_file, self._parts = None, state["keras_file"], {}


def _number_of(names: list[str], layer: str | int) -> int:
    """The place of a layer among these, by number, name, or the name that it would have in a fresh process."""
    if isinstance(layer, int) and -len(names) <= layer < len(names):
        return layer % len(names)
    if layer in names:
        return names.index(str(layer))
    seen: dict[str, int] = {}
    fresh = []
    for name in names:
        base = re.sub(r"_\d+$", "", name)
        fresh.append(f"{base}_{seen[base]}" if base in seen else base)
        seen[base] = seen.get(base, 0) + 1
    if layer not in fresh:
        raise OptionError(f"the model has no layer {layer!r} (it has: {', '.join(fresh)}, or numbers from 0)")
    return fresh.index(str(layer))
