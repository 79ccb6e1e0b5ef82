"""The numbers in the settings of drawn data, such as `noise=0.2` and `frequencies=1.1,1.7`."""

from __future__ import annotations

import math

from ...errors import DataError


def whole(name: str, setting: str, text: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`.

    Raises:
        DataError: it is none.
    """
    number = int(text) if text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 20 else None
    if number is None or not least <= number <= most:
        raise DataError(f"{name}: {setting} must be a whole number from {least:,} to {most:,}, received {text!r}")
    return number


def real(name: str, setting: str, text: str, least: float, most: float) -> float:
    """Return a finite number from `least` to `most`.

    Raises:
        DataError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and least <= number <= most):
        limits = f"of {least:g} or more" if math.isinf(most) else f"from {least:g} to {most:g}"
        limits = limits if math.isfinite(least) else ""
        raise DataError(f"{name}: {setting} must be a number {limits}".rstrip() + f", received {text!r}")
    return number


def reals(name: str, setting: str, text: str, least: float = -math.inf, most: float = math.inf) -> list[float]:
    """Return numbers that commas divide, each as by `real`."""
    return [real(name, setting, each, least, most) for each in text.split(",")]


def seed(name: str, text: str) -> int:
    """Return the seed of what is drawn, as by `whole`."""
    return whole(name, "seed", text, 0, 2**32 - 1)


def test_share(name: str, text: str) -> float:
    """Return the share of the samples to test on, as by `real`: some are left to train on."""
    return real(name, "test_share", text, 0, 0.9)
