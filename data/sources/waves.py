"""Waves: sums of sines, computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import DataError
from .. import data_name
from ..dataset import Dataset, Split
from . import numbers

# The increment of θ in each step of a wave.
WAVE_STEP = 0.057
WAVE_TEST_STEPS = 200
# (frequency, amplitude) of each sine; every phase is 0. Set 2 is set 1, mirrored where it falls.
WAVES = {
    0: ((1.0, 1.0), (2.0, 2.0)),
    1: ((1.1, 1.0), (1.7, 2.0), (3.1, 2.0), (7.0, 3.0)),
    2: ((1.1, 1.0), (1.7, 2.0), (3.1, 2.0), (7.0, 3.0)),
}
_MIRRORED = 2
_MOST_STEPS = 10_000_000


def wave(number: int, steps: int, skip: int = 0) -> np.ndarray:
    """Compute `steps` values of wave set `number` from step `skip` on.

    A value is Σ amplitude · sin(frequency · θ), with θ = 0.057 · step.

    Returns:
        (steps,) float64. Set 2 is negated wherever the sum falls; its first value too, if the first step falls.
    """
    curve = sum_of_sines(steps, *_sines_of(number), skip=skip)
    return mirrored_where_it_falls(curve) if number == _MIRRORED else curve


def _sines_of(number: int) -> tuple[Sequence[float], Sequence[float]]:
    """Return the frequencies and the amplitudes of a wave set."""
    frequencies, amplitudes = zip(*WAVES[number], strict=True)
    return frequencies, amplitudes


def sum_of_sines(
    steps: int,
    frequencies: Sequence[float],
    amplitudes: Sequence[float],
    phases: Sequence[float] = (),
    step: float = WAVE_STEP,
    skip: float = 0,
) -> np.ndarray:
    """Compute Σ amplitude · sin(frequency · θ + phase) for θ = step · skip, step · (skip + 1), …

    Args:
        steps: how many values.
        frequencies, amplitudes: of each sine.
        phases: of each sine, in radians; 0 by default.
        step: the increment of θ.
        skip: steps before the first value.

    Returns:
        (steps,) float64.
    """
    theta = step * (np.arange(steps) + skip)
    sines = zip(frequencies, amplitudes, phases or [0.0] * len(frequencies), strict=True)
    curve: np.ndarray = np.sum([amp * np.sin(freq * theta + phase) for freq, amp, phase in sines], axis=0)
    return curve


def mirrored_where_it_falls(curve: np.ndarray) -> np.ndarray:
    """Return the values of a curve (steps,), negated where it falls, so that it only rises; and its jumps."""
    rise = np.diff(curve)
    falls = np.concatenate([rise[:1], rise]) < 0
    return np.where(falls, -curve, curve)


def load(
    name: str,
    number: str = "",
    steps: str = "200",
    *,
    frequencies: str = "",
    amplitudes: str = "",
    phases: str = "",
    step: str = str(WAVE_STEP),
    skip: str = "0",
    mirrored: str = "",
) -> Dataset:
    """Compute a wave of a set, `waves:1:2000`, or of one's own sines, `waves::2000:frequencies=1,2.5:amplitudes=2,1`.

    The test split has 200 steps, and begins as many steps after the training split as that has.

    Args:
        number: of the set; 0 by default.
        steps: of the training split.
        frequencies: of the sines; they take the place of a set.
        amplitudes, phases: one for each frequency; 1 and 0 by default.
        step: the increment of θ from one step to the next.
        skip: steps before the first.
        mirrored: whether the curve is negated where it falls: yes or no; by default as the set says.

    Raises:
        DataError: there is no such set, or a setting is no number or out of its range.
    """
    count = numbers.whole(name, "the number of steps", steps, 2, _MOST_STEPS)
    increment = numbers.real(name, "step", step, 1e-9, 1e9)
    first = numbers.whole(name, "skip", skip, 0, _MOST_STEPS)
    sines, is_mirrored = _sines(name, number, frequencies, amplitudes, phases)
    if mirrored:
        is_mirrored = data_name.parse_flag("mirrored", mirrored)

    def curve(steps: int, skip: int) -> np.ndarray:
        values = sum_of_sines(steps, *sines, step=increment, skip=skip)
        return mirrored_where_it_falls(values) if is_mirrored else values

    # The test split begins beyond the training split: a network that memorised the training values gains nothing.
    train, test = curve(count, first), curve(WAVE_TEST_STEPS, first + 2 * count)
    what = f"{len(sines[0])} sines" if frequencies else f"wave set {number or 0}"
    return Dataset(name, Split(train, train), Split(test, test), (), f"computed: {what}, {count} steps")


def _sines(
    name: str, number: str, frequencies: str, amplitudes: str, phases: str
) -> tuple[tuple[Sequence[float], Sequence[float], Sequence[float]], bool]:
    """Return the frequencies, amplitudes and phases of the sines, and whether their sum is mirrored where it falls."""
    if not frequencies:
        if amplitudes or phases:
            raise DataError(f"{name}: amplitudes and phases are those of frequencies of one's own: add frequencies")
        if (number or "0") not in map(str, WAVES):
            raise DataError(
                f"unknown dataset {name!r}: choose waves:0, waves:1 or waves:2, or waves:2:2000 for 2,000 steps; or "
                "sines of your own, such as waves:frequencies=1,2.5"
            )
        return (*_sines_of(int(number or 0)), ()), int(number or 0) == _MIRRORED
    if number:
        raise DataError(f"{name}: set {number} has its own sines: leave out the set, or `frequencies`")
    texts = {"frequencies": frequencies, "amplitudes": amplitudes, "phases": phases}
    values = {key: numbers.reals(name, key, text) if text else [] for key, text in texts.items()}
    count = len(values["frequencies"])
    for key in ("amplitudes", "phases"):
        if values[key] and len(values[key]) != count:
            raise DataError(f"{name}: there are {count} frequencies and {len(values[key])} {key}: give one for each")
    return (values["frequencies"], values["amplitudes"] or [1.0] * count, values["phases"]), False
