"""Five drawings as a hand would make them, no two alike: data that can be drawn afresh for every batch.

All chance is NumPy's Philox and all ink is Pillow's, so one key gives one set of drawings on every machine and backend.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ..dataset import Dataset, Split

LABELS = ("circle", "plus", "three lines", "Z", "U")
SIZE = 64
TRAIN, TEST = 640, 320

# Drawn four times as large and averaged down, which makes the edges of the strokes soft.
_FINE = 4
# All in pixels of the finished drawing.
_RADIUS = (13.0, 24.0)
_STROKE = (2.5, 5.0)
_WOBBLE = 2.5
_SMOOTH_STEPS = 6

# The control points of each drawing, from −1 to 1 with y downwards, and the strokes that run through them.
_ANGLES = np.arange(8) * np.pi / 4
_RING = np.round(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), 3)
_PLANS: tuple[tuple[np.ndarray, tuple[tuple[int, ...], ...]], ...] = (
    (_RING, ((*range(8), 0),)),
    (np.array([(0, -1), (0, 0), (0, 1), (-1, 0), (1, 0)]), ((0, 1, 2), (3, 1, 4))),
    (np.array([(x, y) for y in (-0.8, 0, 0.8) for x in (-1, 0, 1)]), ((0, 1, 2), (3, 4, 5), (6, 7, 8))),
    (np.array([(-0.9, -1), (0.9, -1), (-0.9, 1), (0.9, 1)]), ((0, 1), (1, 2), (2, 3))),
    (np.array([(-0.8, -1), (-0.8, 0.3), (0, 1), (0.8, 0.3), (0.8, -1)]), ((0, 1, 2, 3, 4),)),
)
_MOST_POINTS = max(len(points) for points, _ in _PLANS)


def load(name: str) -> Dataset:
    """640 drawings to train on and 320 to test with; `draw` makes more."""
    return Dataset(name, draw(TRAIN, (0,)), draw(TEST, (1,)), LABELS, "drawn: five wobbling shapes", draw)


def draw(count: int, key: tuple[int, ...]) -> Split:
    """`count` drawings, each of the five as likely as the others.

    Args:
        count: 0 or more.
        key: whole numbers, 0 or more; equal keys give equal drawings, and a larger count begins with the same ones.

    Returns:
        Images (count, 64, 64) uint8, white strokes on black, and labels (count,) int64.
    """
    # As a spawn key (0,) and (0, 0) differ; as entropy they would not.
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(0, spawn_key=key)))
    # One row a drawing: its class, radius, stroke, place, and the wobble of its points.
    chances = generator.random((count, 5 + 2 * _MOST_POINTS))
    labels = (chances[:, 0] * len(LABELS)).astype("int64")
    images = np.zeros((count, SIZE, SIZE), "uint8")
    for image, label, chance in zip(images, labels, chances[:, 1:], strict=True):
        image[:] = _draw_one(int(label), chance)
    return Split(images, labels)


def _draw_one(label: int, chance: np.ndarray) -> np.ndarray:
    """One drawing (64, 64) uint8 from random numbers between 0 and 1."""
    plan, strokes = _PLANS[label]
    radius, width = _between(_RADIUS, chance[0]), _between(_STROKE, chance[1])
    room = SIZE / 2 - radius - _WOBBLE - width / 2 - 1
    centre = SIZE / 2 + (2 * chance[2:4] - 1) * room
    wobble = _WOBBLE * (2 * chance[4 : 4 + 2 * len(plan)].reshape(-1, 2) - 1)
    points = centre + radius * plan + wobble
    canvas = Image.new("L", (SIZE * _FINE, SIZE * _FINE))
    pen = ImageDraw.Draw(canvas)
    for stroke in strokes:
        _draw_stroke(pen, points[list(stroke)], width, closed=stroke[0] == stroke[-1])
    return np.asarray(canvas.reduce(_FINE))


def _draw_stroke(pen: ImageDraw.ImageDraw, points: np.ndarray, width: float, closed: bool) -> None:
    """A line with round ends and bends, on the fine grid and at whole places of it."""
    places = [(int(x), int(y)) for x, y in np.rint(_smoothed(points, closed) * _FINE)]
    pen.line(places, fill=255, width=round(width * _FINE))
    half = round(width * _FINE / 2)
    for x, y in places:
        pen.ellipse((x - half, y - half, x + half, y + half), fill=255)


def _smoothed(points: np.ndarray, closed: bool) -> np.ndarray:
    """The curve through some points, (n, 2) to (m, 2): Catmull–Rom's, straight between only two points."""
    before, after = (points[-2:-1], points[1:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([before, points, after])
    a, b, c, d = (padded[place : len(points) - 1 + place, None] for place in range(4))
    t = np.arange(_SMOOTH_STEPS)[None, :, None] / _SMOOTH_STEPS
    curve = b + t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * b - a - 3 * c + d))) / 2
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + float(share) * (ends[1] - ends[0])
