"""Points on the arms of a spiral."""

from __future__ import annotations

import numpy as np


def spirals(
    samples: int, arms: int = 5, turns: float = 1.0, noise: float = 0.02, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw points on spirals of Archimedes that begin in the middle, at equal angles from each other.

    An arm has the points (r cos φ, r sin φ) with r from 0 to 1 and φ = 2π (turns · r + arm / arms); the radii are
    equally far apart.

    Args:
        samples: points in all; the first arms have one more where they cannot have equally many.
        arms: how many arms, a class each.
        turns: how often an arm goes round.
        noise: the standard deviation of what is added to each coordinate.
        seed: of the noise.

    Returns:
        (samples, 2) float64 points, and (samples,) int64 arms, from 0.
    """
    arm = np.arange(samples) % arms
    place, count = np.arange(samples) // arms, np.bincount(arm, minlength=arms)[arm]
    radius = (place + 1) / count
    angle = 2 * np.pi * (turns * radius + arm / arms)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return points + np.random.default_rng(seed).normal(0, noise, points.shape), arm
