"""The settings of `keras.Model.fit` that an expert would try under TensorFlow."""

from __future__ import annotations

from typing import Any

from ....backends.epochs import has_convolutions
from ..fit_settings import FitSettings
from .devices import compiles_convolutions


def fit_settings(model: Any) -> list[FitSettings]:
    """Return the settings that an expert would try: several steps in a call, and XLA where it is not known to be slow.

    See `devices.py` about convolutions.
    """
    plain, compiled = FitSettings(32), FitSettings(32, jit_compile=True)
    return [plain, compiled] if compiles_convolutions() or not has_convolutions(model) else [plain]
