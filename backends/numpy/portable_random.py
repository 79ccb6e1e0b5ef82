"""The portable hash in NumPy's unsigned integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..same_run.portable_random import KEEP_LEVELS, MULTIPLIERS, OFFSETS


def random_bits(seed: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return 32 random bits for each element.

    Args:
        seed: (2,) integers, [seed, counter].

    Returns:
        `shape`, int32.
    """
    return _hashed(_key(seed), math.prod(shape)).view(np.int32).reshape(shape)


def dropout_mask(seed: Any, shape: tuple[int, ...], threshold: int, scale: float) -> np.ndarray:
    """Return `scale` for `threshold` of 65,536 elements, zero for the others.

    Args:
        seed: (2,) integers, [seed, counter].

    Returns:
        `shape`, float32.
    """
    count = math.prod(shape)
    hashed = _hashed(_key(seed), (count + 1) // 2)
    lanes = np.concatenate([hashed & np.uint32(KEEP_LEVELS - 1), hashed >> np.uint32(16)])[:count]
    return np.where(lanes < threshold, np.float32(scale), np.float32(0)).reshape(shape)


def untraced(draw_seed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return Keras' `draw_seed` as it is: nothing is compiled here."""
    return draw_seed


def _key(seed: Any) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.asarray(seed).astype(np.uint32)
    start, counter = numbers[:1], numbers[1:]
    first, second = (_mixed(start + np.uint32(offset)) for offset in OFFSETS)
    first = _mixed(first ^ counter)
    return first, _mixed(first ^ second)


def _hashed(key: tuple[np.ndarray, np.ndarray], count: int) -> np.ndarray:
    return _mixed(np.arange(count, dtype=np.uint32) ^ key[0], key[1])


def _mixed(x: np.ndarray, between: Any = 0) -> np.ndarray:
    x = (x ^ (x >> np.uint32(16))) * np.uint32(MULTIPLIERS[0])
    x = (x ^ (x >> np.uint32(15)) ^ np.asarray(between, np.uint32)) * np.uint32(MULTIPLIERS[1])
    return np.asarray(x ^ (x >> np.uint32(15)))
