"""Photographs of handwritten digits, drawn: lighting, lines on the paper, a board, and a table around the sheet."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Strokes in a box of 1 by 1, as (x, y).
STROKES = {
    "2": [(0.1, 0.2), (0.3, 0.0), (0.6, 0.05), (0.65, 0.3), (0.05, 0.95), (0.75, 0.95)],
    "4": [(0.45, 0.0), (0.1, 0.6), (0.75, 0.6), (0.55, 0.6), (0.55, 0.3), (0.55, 1.0)],
    "7": [(0.0, 0.05), (0.65, 0.05), (0.25, 1.0)],
}
SIZE = (640, 480)


def ink(digits, size=SIZE, pen=20, height=220):
    """Return the ink, 0 to 1, of digits that stand side by side in the middle of a picture of (height, width)."""
    picture = Image.new("L", size[::-1], 0)
    step = 0.95 * height
    left, top = (size[1] - step * (len(digits) - 0.25)) / 2, (size[0] - height) / 2
    for place, digit in enumerate(digits):
        points = [(left + place * step + x * height, top + y * height) for x, y in STROKES[digit]]
        ImageDraw.Draw(picture).line(points, fill=255, width=pen, joint="curve")
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)), "float64") / 255


def light(kind, size=SIZE):
    """Return the brightness of the paper."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / np.array(size)[:, None, None]
    if kind == "shadow":
        return 190 - 70 * np.exp(-(((x - 0.2) / 0.3) ** 2 + ((y - 0.85) / 0.2) ** 2))
    if kind == "vignette":
        return 200 * (1 - 1.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))
    if kind == "side":
        return 60 + 175 * (1 - x) ** 1.5
    return np.full(size, 190.0)


def lines(size=SIZE, *, squared=False, slope=0.0, pitch=36):
    """Return how much of each pixel is a printed line, 0 to 1."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    on = (y + slope * x) % pitch < 3
    return on | ((x - slope * y) % pitch < 3) if squared else on


def photograph(digits, lighting="", *, printed=None, size=SIZE, noise=4.0, chalk=False):
    """Return a photograph in grey, (height, width) uint8."""
    paper = light(lighting, size) * (0.35 if chalk else 1)
    if printed is not None:
        paper = paper * (1 - 0.3 * printed)
    strokes = 0.9 * ink(digits, size)
    values = paper * (1 - strokes) + strokes * (190 if chalk else 0.2 * paper)
    return np.clip(values + np.random.default_rng(0).normal(0, noise, size), 0, 255).astype("uint8")


def on_table(sheet, angle=5):
    """Return a photograph of a sheet that lies askew on a dark table with grain."""
    height, width = (side + 160 for side in sheet.shape)
    grain = 60 + 12 * np.sin(np.arange(height) / 7)[:, None] + np.random.default_rng(1).normal(0, 5, (height, width))
    table = Image.fromarray(grain.clip(0, 255).astype("uint8"))
    picture, mask = Image.fromarray(sheet), Image.new("L", sheet.shape[::-1], 255)
    turned = (image.rotate(angle, Image.Resampling.BILINEAR, expand=True) for image in (picture, mask))
    table.paste(next(turned), (60, 50), next(turned))
    return np.asarray(table)
