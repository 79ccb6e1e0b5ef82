"""Recognise GELU, which JAX writes as arithmetic: by tanh, or exactly by the error function."""

from __future__ import annotations

import math

from ....backends.traced_program import TracedEquation, TracedValue
from .arithmetic import compute
from .translator import JaxArray, Translator

_CUBIC = 0.044715
_CLOSE = 1e-6  # relative: the numbers of a jaxpr have single precision


def gelu(translator: Translator, equation: TracedEquation) -> JaxArray | None:
    """Return the GELU that ends with a product, or None."""
    for one, other in (equation.inputs, equation.inputs[::-1]):
        for approximate, x in (("tanh", _by_tanh(translator, one, other)), ("none", _by_error(translator, one, other))):
            if x is not None:
                return compute(translator, "activation", translator.array(x), name="gelu", approximate=approximate)
    return None


def _by_tanh(translator: Translator, x: TracedValue, half: TracedValue) -> TracedValue | None:
    """Recognise x · 0.5 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))."""
    tanh = _producer(translator, _other(translator, _other(translator, half, "mul", 0.5), "add", 1.0), "tanh")
    scaled = None if tanh is None else _other(translator, tanh.inputs[0], "mul", math.sqrt(2 / math.pi))
    total = _producer(translator, scaled, "add")
    if total is None or x not in total.inputs:
        return None
    cubic = total.inputs[1] if total.inputs[0] == x else total.inputs[0]
    cube = _producer(translator, _other(translator, cubic, "mul", _CUBIC), "integer_pow")
    return x if cube is not None and cube.inputs[0] == x and cube.settings["y"] == 3 else None


def _by_error(translator: Translator, half: TracedValue, complement: TracedValue) -> TracedValue | None:
    """Recognise 0.5 · x · erfc(-x / √2)."""
    x, error = _other(translator, half, "mul", 0.5), _producer(translator, complement, "erfc")
    scaled = None if error is None else _other(translator, error.inputs[0], "mul", math.sqrt(0.5))
    negative = _producer(translator, scaled, "neg")
    return x if negative is not None and negative.inputs[0] == x else None


def _producer(translator: Translator, value: TracedValue | None, primitive: str) -> TracedEquation | None:
    """Return the equation that computes a value if it is of that primitive."""
    producer = translator.producer(value) if value is not None else None
    return producer if producer is not None and producer.primitive == primitive else None


def _other(translator: Translator, value: TracedValue | None, primitive: str, number: float) -> TracedValue | None:
    """Return what is added to or multiplied by a number to give a value; None if that is not how it is computed."""
    producer = _producer(translator, value, primitive)
    for one, other in (producer.inputs, producer.inputs[::-1]) if producer is not None else ():
        factor = translator.number(one)
        if factor is not None and math.isclose(factor, number, rel_tol=_CLOSE):
            return other
    return None
