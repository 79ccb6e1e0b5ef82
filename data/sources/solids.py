"""Solids of four kinds as voxels, drawn in random sizes, places and orientations: which one is it?"""

from __future__ import annotations

import numpy as np

from ..dataset import TEST_SHARE, VOLUMES, Dataset, split_evenly
from . import numbers

LABELS = ("ball", "cube", "ring", "rod")
SIZE = 16

# The farthest that a solid reaches from its middle, in voxels.
_REACH = (4.5, 7.0)
# How thick a ring or a rod is, as a share of its reach.
_THICKNESS = (0.2, 0.3)
# Solids that are drawn at a time.
_PART = 256
_LEAST_SAMPLES, _MOST_SAMPLES = 10, 100_000


def load(name: str, samples: str = "1000", *, seed: str = "0", test_share: str = str(TEST_SHARE)) -> Dataset:
    """Draw solids, equally many of each kind: `solids:400` draws 400.

    Args:
        seed: of the solids.
        test_share: the share of the solids to test on.

    Raises:
        DataError: a setting is no number, or out of its range.
    """
    count = numbers.whole(name, "the number of solids", samples, _LEAST_SAMPLES, _MOST_SAMPLES)
    x, y = draw(count, numbers.seed(name, seed))
    train, test = split_evenly(x, y, numbers.test_share(name, test_share))
    return Dataset(name, train, test, LABELS, f"drawn: {count} solids of four kinds", kind=VOLUMES)


def draw(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return solids (count, 16, 16, 16) uint8, 255 within them, and the numbers of their kinds (count,) int64.

    A voxel at the surface has the share of it that lies within, by its distance from the surface.
    """
    # A row for each solid: its reach, its thickness, its place and its orientation, each from 0 to 1.
    uniforms = np.random.default_rng(seed).random((count, 8))
    y = np.arange(count) % len(LABELS)
    x = np.empty((count, SIZE, SIZE, SIZE), "uint8")
    for first in range(0, count, _PART):
        part = slice(first, first + _PART)
        inside = np.clip(0.5 - _distances(y[part], uniforms[part]), 0, 1)
        x[part] = np.rint(255 * inside)
    return x, y


def _distances(kinds: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Return the distance of each voxel from the surface of each solid, (n, 16, 16, 16), negative within it."""
    reach, share = (low + u * (high - low) for u, (low, high) in zip(uniforms.T, (_REACH, _THICKNESS), strict=False))
    places = np.stack(np.meshgrid(*[np.arange(SIZE) - (SIZE - 1) / 2] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    centre = (2 * uniforms[:, 2:5] - 1) * (SIZE / 2 - reach)[:, None]
    points = (places - centre[:, None]) @ _rotations(uniforms[:, 5:])
    distances = np.empty((len(kinds), len(places)))
    for number, distance in enumerate((_from_ball, _from_cube, _from_ring, _from_rod)):
        own = kinds == number
        distances[own] = distance(points[own], reach[own, None], (share * reach)[own, None])
    return distances.reshape(-1, SIZE, SIZE, SIZE)


def _rotations(uniforms: np.ndarray) -> np.ndarray:
    """Return rotations (n, 3, 3), each as likely as any other, for numbers (n, 3) from 0 to 1 (Shoemake, 1992)."""
    from scipy.spatial.transform import Rotation

    u, v, w = uniforms.T
    quaternion = (
        *(np.sqrt(1 - u) * np.sin(2 * np.pi * v), np.sqrt(1 - u) * np.cos(2 * np.pi * v)),
        *(np.sqrt(u) * np.sin(2 * np.pi * w), np.sqrt(u) * np.cos(2 * np.pi * w)),
    )
    rotations: np.ndarray = Rotation.from_quat(np.stack(quaternion, axis=-1)).as_matrix()
    return rotations


# Each of these functions takes points (n, m, 3) around the middle of n solids, their reach and their thickness (n, 1),
# and returns the distances from the surface, (n, m).
def _from_ball(points: np.ndarray, reach: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(points, axis=-1) - reach)


def _from_cube(points: np.ndarray, reach: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    beyond = np.abs(points) - (reach / np.sqrt(3))[..., None]
    return np.asarray(np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(-1), 0))


def _from_ring(points: np.ndarray, reach: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    from_axis = np.linalg.norm(points[..., :2], axis=-1)
    return np.asarray(np.hypot(from_axis - (reach - thickness), points[..., 2]) - thickness)


def _from_rod(points: np.ndarray, reach: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    along = np.maximum(np.abs(points[..., 0]) - (reach - thickness), 0)
    return np.asarray(np.linalg.norm(np.stack([along, *np.moveaxis(points[..., 1:], -1, 0)]), axis=0) - thickness)
