"""The settings of `keras.Model.fit` that an expert would try under JAX."""

from __future__ import annotations

from typing import Any

from ..fit_settings import FitSettings


def fit_settings(model: Any) -> list[FitSettings]:
    """Return the settings that an expert would try: the step is compiled anyway; several in a call spare callbacks."""
    return [FitSettings(1, jit_compile=True), FitSettings(32, jit_compile=True)]
