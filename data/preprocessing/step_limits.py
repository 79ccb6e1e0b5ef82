"""What the steps of a preparation from a file may make of the data: refused before a sample is prepared.

A step of a few bytes can describe any amount of memory: a dtype of a million letters, a window of a billion values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ...errors import DataError
from ...storage.budget import AXES, SIZE, STEPS
from .transforms import Cast, Transform

_SHAPES = ("shape", "before")
# Settings from which memory is taken; a mean or the end of a range may be any number.
_SIZES = (*_SHAPES, "classes", "length", "horizon", "stride", "size", "axis")


def require_plausible(steps: Sequence[Transform]) -> None:
    """Raise a DataError unless steps from a file are few, of plausible sizes, and cast to plain numbers.

    Raises:
        DataError: they are not; it names the step.
    """
    if len(steps) > STEPS:
        raise DataError(f"the preparation has {len(steps):,} steps, at most {STEPS} are read")
    for step in steps:
        if isinstance(step, Cast):
            _require_plain_numbers(step)
        for field in fields(step):  # type: ignore[arg-type]
            value = getattr(step, field.name)
            if field.name in _SIZES:
                _require_size(step, field.name, value)
            if field.name in _SHAPES and isinstance(value, tuple) and len(value) > AXES:
                raise DataError(f"the step {step.kind!r} has {len(value)} axes, at most {AXES} are read")


def _require_size(step: Transform, name: str, value: Any) -> None:
    numbers = value if isinstance(value, tuple) else (value,)
    largest = max((abs(number) for number in numbers if isinstance(number, int)), default=0)
    if largest > SIZE:
        raise DataError(f"the step {step.kind!r} has {name} {largest:,}, at most {SIZE:,} is read")


def _require_plain_numbers(step: Cast) -> None:
    for name in (step.dtype, step.before):
        if name is not None and not _is_plain_number(name):
            raise DataError(f"the step 'cast' casts to {name[:40]!r}, expected the dtype of numbers such as float32")


def _is_plain_number(name: str) -> bool:
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError):
        return False
    return dtype.kind in "biuf" and dtype.name == name
