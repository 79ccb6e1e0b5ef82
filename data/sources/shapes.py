"""Five kinds of drawings with wobbly, hand-like strokes, no two alike, which can be drawn anew for each batch.

NumPy's Philox makes the random numbers and Pillow draws, so a key gives the same drawings on every machine and backend.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ..dataset import Dataset, Split

LABELS = ("circle", "plus", "three lines", "Z", "U")
SIZE = 64
TRAIN, TEST = 640, 320

# Drawings are made four times as large and averaged down, which softens the edges of the strokes.
_OVERSAMPLING = 4
# In pixels of the finished drawing.
_RADIUS = (13.0, 24.0)
_STROKE = (2.5, 5.0)
_WOBBLE = 2.5
_SMOOTH_STEPS = 6

# The control points of each kind, from −1 to 1 with y downwards, and the strokes through them.
_ANGLES = np.arange(8) * np.pi / 4
_RING = np.round(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), 3)
_OUTLINES: tuple[tuple[np.ndarray, tuple[tuple[int, ...], ...]], ...] = (
    (_RING, ((*range(8), 0),)),
    (np.array([(0, -1), (0, 0), (0, 1), (-1, 0), (1, 0)]), ((0, 1, 2), (3, 1, 4))),
    (np.array([(x, y) for y in (-0.8, 0, 0.8) for x in (-1, 0, 1)]), ((0, 1, 2), (3, 4, 5), (6, 7, 8))),
    (np.array([(-0.9, -1), (0.9, -1), (-0.9, 1), (0.9, 1)]), ((0, 1), (1, 2), (2, 3))),
    (np.array([(-0.8, -1), (-0.8, 0.3), (0, 1), (0.8, 0.3), (0.8, -1)]), ((0, 1, 2, 3, 4),)),
)
_MAX_POINTS = max(len(points) for points, _ in _OUTLINES)


def load(name: str) -> Dataset:
    """Load 640 drawings for training and 320 for testing; `draw` makes more."""
    return Dataset(name, draw(TRAIN, (0,)), draw(TEST, (1,)), LABELS, "drawn: five wobbling shapes", draw)


def draw(count: int, key: tuple[int, ...]) -> Split:
    """Make `count` drawings; the five kinds are equally likely.

    Args:
        count: 0 or more.
        key: integers, 0 or more; equal keys give equal drawings, and a larger count begins with the same drawings.

    Returns:
        Images (count, 64, 64) uint8, white strokes on black, and labels (count,) int64.
    """
    # (0,) and (0, 0) give different seeds as spawn keys, but equal seeds as entropy.
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(0, spawn_key=key)))
    # One row per drawing: its class, radius, stroke width, position, and the wobble of its points.
    uniforms = generator.random((count, 5 + 2 * _MAX_POINTS))
    labels = (uniforms[:, 0] * len(LABELS)).astype("int64")
    images = np.zeros((count, SIZE, SIZE), "uint8")
    for image, label, uniform in zip(images, labels, uniforms[:, 1:], strict=True):
        image[:] = _draw_one(int(label), uniform)
    return Split(images, labels)


def _draw_one(label: int, uniform: np.ndarray) -> np.ndarray:
    """Make one drawing, (64, 64) uint8, from random numbers between 0 and 1."""
    outline, strokes = _OUTLINES[label]
    radius, width = _interpolate(_RADIUS, uniform[0]), _interpolate(_STROKE, uniform[1])
    room = SIZE / 2 - radius - _WOBBLE - width / 2 - 1
    centre = SIZE / 2 + (2 * uniform[2:4] - 1) * room
    wobble = _WOBBLE * (2 * uniform[4 : 4 + 2 * len(outline)].reshape(-1, 2) - 1)
    points = centre + radius * outline + wobble
    canvas = Image.new("L", (SIZE * _OVERSAMPLING, SIZE * _OVERSAMPLING))
    pen = ImageDraw.Draw(canvas)
    for stroke in strokes:
        _draw_stroke(pen, points[list(stroke)], width, closed=stroke[0] == stroke[-1])
    return np.asarray(canvas.reduce(_OVERSAMPLING))


def _draw_stroke(pen: ImageDraw.ImageDraw, points: np.ndarray, width: float, closed: bool) -> None:
    """Draw a line with round ends and bends through integer points of the oversampled grid."""
    pixels = [(int(x), int(y)) for x, y in np.rint(_catmull_rom(points, closed) * _OVERSAMPLING)]
    pen.line(pixels, fill=255, width=round(width * _OVERSAMPLING))
    half = round(width * _OVERSAMPLING / 2)
    for x, y in pixels:
        pen.ellipse((x - half, y - half, x + half, y + half), fill=255)


def _catmull_rom(points: np.ndarray, closed: bool) -> np.ndarray:
    """Return the Catmull–Rom spline through some points, (n, 2) to (m, 2); two points give a straight line."""
    predecessor, successor = (points[-2:-1], points[1:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([predecessor, points, successor])
    a, b, c, d = (padded[shift : len(points) - 1 + shift, None] for shift in range(4))
    t = np.arange(_SMOOTH_STEPS)[None, :, None] / _SMOOTH_STEPS
    curve = b + t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * b - a - 3 * c + d))) / 2
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _interpolate(ends: tuple[float, float], share: float) -> float:
    return ends[0] + float(share) * (ends[1] - ends[0])
