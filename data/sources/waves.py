"""Waves: sums of sines, computed."""

from __future__ import annotations

import numpy as np

from ...errors import DataError
from ..dataset import Dataset, Split

# The increment of θ in each step of a wave.
WAVE_STEP = 0.057
WAVE_TEST_STEPS = 200
# (frequency, amplitude) of each sine; every phase is 0. Set 2 is set 1, mirrored where it falls.
WAVES = {
    0: ((1.0, 1.0), (2.0, 2.0)),
    1: ((1.1, 1.0), (1.7, 2.0), (3.1, 2.0), (7.0, 3.0)),
    2: ((1.1, 1.0), (1.7, 2.0), (3.1, 2.0), (7.0, 3.0)),
}
_MOST_STEPS = 10_000_000


def wave(number: int, steps: int, skip: int = 0) -> np.ndarray:
    """Compute `steps` values of wave set `number` from step `skip` on.

    A value is Σ amplitude · sin(frequency · θ), with θ = 0.057 · step.

    Returns:
        (steps,) float64. Set 2 is negated wherever the sum falls; its first value too, if the first step falls.
    """
    theta = WAVE_STEP * (np.arange(steps) + skip)
    curve: np.ndarray = np.sum([amp * np.sin(freq * theta) for freq, amp in WAVES[number]], axis=0)
    if number == 2:
        rise = np.diff(curve)
        falls = np.concatenate([rise[:1], rise]) < 0
        curve = np.where(falls, -curve, curve)
    return curve


def load(name: str, number: str = "0", steps: str = "200") -> Dataset:
    if number not in map(str, WAVES) or not steps.isdecimal() or int(steps) < 2:
        raise DataError(
            f"unknown dataset {name!r}: choose waves:0, waves:1 or waves:2, or waves:2:2000 for 2,000 steps"
        )
    if int(steps) > _MOST_STEPS:
        raise DataError(f"unknown dataset {name!r}: expected at most {_MOST_STEPS:,} steps")
    train = wave(int(number), int(steps))
    # The test split starts beyond the training split: a network that memorised the training values gains nothing.
    test = wave(int(number), WAVE_TEST_STEPS, skip=2 * int(steps))
    return Dataset(name, Split(train, train), Split(test, test), (), f"computed: wave set {number}, {steps} steps")
