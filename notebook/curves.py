"""Curves of a training as inline SVG.

matplotlib takes a tenth of a second for such a picture, and its colours are those of one theme; a picture of a few
lines of text is made anew while a model trains, in about a millisecond.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from .elements import element
from .parts import text_of

# The colours of `engine/plots/style.py`; each has a contrast of at least 3 with white and with near-black (WCAG 2.1).
TRAINING, VALIDATION, QUIET = "#0072b2", "#d55e00", "#808080"
_WIDTH, _HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 288, 22, 144
# More points than pixels only cost time.
_MOST_POINTS = 240
_MOST_METRICS = 6
_VALIDATION = "val_"
Epochs = Mapping[int, Mapping[str, float]]


def curves(epochs: Epochs, *, last: int | None = None, best: int | None = None) -> list[Element]:
    """Return a plot for each metric, side by side, with training and validation in it, and a legend.

    Args:
        epochs: the metrics of each finished epoch, by its number from 1.
        last: the number of the last epoch of the axis; by default the last finished one.
        best: the epoch to mark.
    """
    epochs = dict(sorted(epochs.items()))
    names = list(dict.fromkeys(name for metrics in epochs.values() for name in metrics))
    metrics = [name for name in names if not name.startswith(_VALIDATION)]
    metrics.sort(key=lambda name: name == "loss")
    if not metrics:
        return []
    ends = min(epochs), max(last or 0, *epochs)
    plots = [_plot(name, epochs, ends, best) for name in metrics[:_MOST_METRICS]]
    rest = ", ".join(metrics[_MOST_METRICS:])
    note = element("p", f"not drawn: {rest}", class_="quiet") if rest else None
    is_validated = any(name.startswith(_VALIDATION) for name in names)
    return [element("div", *plots, class_="curves"), _legend(is_validated, best), *([] if note is None else [note])]


def _legend(is_validated: bool, best: int | None) -> Element:
    keys: list[Element | str] = [_key(TRAINING), "training"]
    if is_validated:
        keys += [_key(VALIDATION), "validation"]
    if best is not None:
        keys += [_key(QUIET, "dotted"), f"best epoch ({best})"]
    return element("p", *keys)


def _key(colour: str, line: str = "solid") -> Element:
    return element("span", class_="key", style=f"border-top: 3px {line} {colour}")


@dataclass(frozen=True)
class _Scale:
    """Places values between two ends of a picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def _plot(metric: str, epochs: Epochs, ends: tuple[int, int], best: int | None) -> Element:
    lines = {TRAINING: _points(metric, epochs), VALIDATION: _points(_VALIDATION + metric, epochs)}
    values = [value for points in lines.values() for _, value in points]
    ticks = _ticks(min(values), max(values)) if values else [0.0]
    across = _Scale(*ends, _LEFT, _RIGHT)
    down = _Scale(ticks[0], ticks[-1], _BOTTOM, _TOP)
    parts = [*_grid(ticks, down), *_epoch_labels(ends, across)]
    if best is not None and ends[0] <= best <= ends[1]:
        parts.append(_line(across(best), _TOP, across(best), _BOTTOM, stroke_dasharray="2 3"))
    for colour, points in lines.items():
        parts += _curve([(across(epoch), down(value)) for epoch, value in points], colour)
    name = f"{metric}, epochs {ends[0]} to {ends[1]}"
    title = element("text", metric, x=_LEFT, y=12, font_weight="bold", font_size=12)
    frame = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": name}
    return element("svg", title, *parts, **frame)


def _points(name: str, epochs: Epochs) -> list[tuple[int, float]]:
    """Return the finite values of a metric; of very many epochs every few, and the last."""
    points = [(epoch, metrics[name]) for epoch, metrics in epochs.items() if name in metrics]
    finite = [(epoch, value) for epoch, value in points if math.isfinite(value)]
    step = math.ceil(len(finite) / _MOST_POINTS) or 1
    return [*finite[:-1:step], *finite[-1:]]


def _curve(points: Sequence[tuple[float, float]], colour: str) -> list[Element]:
    """Return a line, and a dot at its end, where the newest value is."""
    if not points:
        return []
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    line = element("polyline", points=text, fill="none", stroke=colour, stroke_width=2, stroke_linejoin="round")
    x, y = points[-1]
    return [line, element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, fill=colour)]


def _grid(ticks: Sequence[float], down: _Scale) -> list[Element]:
    parts = []
    for tick in ticks:
        y = round(down(tick), 1)
        parts.append(_line(_LEFT, y, _RIGHT, y, stroke_opacity=0.35))
        parts.append(element("text", text_of(tick), x=_LEFT - 6, y=y + 4, text_anchor="end"))
    return parts


def _epoch_labels(ends: tuple[int, int], across: _Scale) -> list[Element]:
    y = _BOTTOM + 16
    if ends[0] == ends[1]:
        return [element("text", f"epoch {ends[0]}", x=across(ends[0]), y=y, text_anchor="middle")]
    first = element("text", f"epoch {ends[0]}", x=_LEFT, y=y)
    return [first, element("text", str(ends[1]), x=_RIGHT, y=y, text_anchor="end")]


def _line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Element:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", **{**ends, "stroke": QUIET, **attributes})


def _ticks(low: float, high: float) -> list[float]:
    """Return round values from the end below to the end above: multiples of 1, 2 or 5 times a power of ten."""
    least = (high - low) / 4
    if not least > abs(high) * 1e-12:  # all values are the same, but for rounding
        return [low]
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    return [count * step for count in range(math.floor(low / step), math.ceil(high / step) + 1)]
