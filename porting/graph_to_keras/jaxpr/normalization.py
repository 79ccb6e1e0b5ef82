"""Recognise normalization layers."""

from __future__ import annotations

from ....backends.traced_program import TracedEquation
from .translator import JaxArray, Translator


def normalization(translator: Translator, equation: TracedEquation) -> JaxArray | None:
    return None
