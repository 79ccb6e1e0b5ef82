"""The settings of `keras.Model.fit` that an expert would try under PyTorch."""

from __future__ import annotations

from typing import Any

from ....backends.epochs import has_recurrence
from ..fit_settings import FitSettings


def fit_settings(model: Any) -> list[FitSettings]:
    """Return the settings that an expert would try: with and without PyTorch's compiler; `fit` takes one step a call.

    Of a recurrent layer, which is a loop in Python, the compiler unrolls every time step. That takes minutes.
    """
    return [FitSettings()] if has_recurrence(model) else [FitSettings(), FitSettings(jit_compile=True)]
