"""Waves of four forms, drawn with random periods, phases and heights, and noise: which form is it?"""

from __future__ import annotations

import numpy as np

from ..dataset import CURVES, TEST_SHARE, Dataset, split_evenly
from . import numbers

LABELS = ("sine", "triangle", "square", "sawtooth")

# Steps of a period, the angle at the first step, and the height of a wave.
_PERIODS = (12.0, 32.0)
_PHASES = (0.0, 2 * np.pi)
_HEIGHTS = (0.5, 1.5)
_LEAST_SAMPLES, _MOST_SAMPLES = 10, 1_000_000
_LEAST_STEPS, _MOST_STEPS = 8, 100_000


def load(
    name: str,
    samples: str = "1000",
    *,
    steps: str = "64",
    noise: str = "0.1",
    seed: str = "0",
    test_share: str = str(TEST_SHARE),
) -> Dataset:
    """Draw waves, equally many of each form: `waveforms:2000:noise=0.5` draws 2,000.

    Args:
        steps: values of a wave.
        noise: the standard deviation of what is added to each value.
        seed: of the waves.
        test_share: the share of the waves to test on.

    Raises:
        DataError: a setting is no number, or out of its range.
    """
    count = numbers.whole(name, "the number of waves", samples, _LEAST_SAMPLES, _MOST_SAMPLES)
    x, y = draw(
        count,
        numbers.whole(name, "steps", steps, _LEAST_STEPS, _MOST_STEPS),
        numbers.real(name, "noise", noise, 0, float("inf")),
        numbers.seed(name, seed),
    )
    train, test = split_evenly(x, y, numbers.test_share(name, test_share))
    return Dataset(name, train, test, LABELS, f"drawn: {count} waves of four forms", kind=CURVES)


def draw(count: int, steps: int = 64, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return waves (count, steps) float32, and the numbers of their forms (count,) int64, which follow each other."""
    from scipy import signal

    generator = np.random.default_rng(seed)
    y = np.arange(count) % len(LABELS)
    period, phase, height = (generator.uniform(low, high, (count, 1)) for low, high in (_PERIODS, _PHASES, _HEIGHTS))
    angle = 2 * np.pi * np.arange(steps) / period + phase
    forms = (np.sin, lambda angle: signal.sawtooth(angle, 0.5), signal.square, signal.sawtooth)
    x = generator.normal(0, noise, (count, steps))
    for number, form in enumerate(forms):
        x[y == number] += height[y == number] * form(angle[y == number])
    return x.astype("float32"), y
