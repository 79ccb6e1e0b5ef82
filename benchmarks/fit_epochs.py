"""Epochs by `keras.Model.fit`: as most people call it, and with the settings that an expert would choose."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..backends import catalog, runtime
from ..data.dataset import Split
from . import native

if TYPE_CHECKING:
    import keras


class FitEpochs:
    """Trains further epochs of a compiled model on arrays.

    Args:
        model: compiled, with one of Keras' own training steps.
        training: prepared samples and targets.
        batch_size: samples in a step.
        shuffle: whether each epoch has a new order, as Keras draws it.
    """

    def __init__(self, model: keras.Model, training: Split, batch_size: int, shuffle: bool):
        self._model, self._training = model, training
        self._batch_size, self._shuffle = batch_size, shuffle

    def __call__(self, epochs: int) -> None:
        with runtime.current().carry_rnn_states(self._model):
            self._model.fit(
                self._training.x,
                self._training.y,
                sample_weight=self._training.weight,
                batch_size=self._batch_size,
                epochs=epochs,
                shuffle=self._shuffle,
                verbose=0,
            )

    def tune(self) -> native.FitSettings:
        """Choose the fastest of the settings that an expert would try, by an epoch of each; return it.

        Settings that the framework refuses for this model are left out. The model's variables do not change.

        Raises:
            Exception: what the framework raises, if it refuses them all.
        """
        seconds: dict[native.FitSettings, float] = {}
        refusal: Exception | None = None
        for settings in native.fit_settings(catalog.selected().name, self._model):
            try:
                seconds[settings] = self._seconds_with(settings)
            except Exception as error:  # whatever the framework raises when it cannot compile the model
                refusal = error
        if not seconds and refusal:
            raise refusal
        best = min(seconds, key=lambda settings: seconds[settings])
        self._set(best)
        return best

    def _seconds_with(self, settings: native.FitSettings) -> float:
        """Return the seconds of the epoch after the one that compiles."""
        self._set(settings)
        with runtime.unchanged(self._model):
            self(1)
            began = time.perf_counter()
            self(1)
            return time.perf_counter() - began

    def _set(self, settings: native.FitSettings) -> None:
        self._model.steps_per_execution = settings.steps_per_execution
        self._model.jit_compile = settings.jit_compile
        self._model.train_function = None  # compiled anew
