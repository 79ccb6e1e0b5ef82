"""What does pooling cost against striding, and why? The same convolutions on every installed backend, interleaved.

The two pairs of the book say how much. The rungs between them (see `variants.py`) say why: each is one change away from
the next, so the differences of their times add up to the whole. A sweep over filters and image sizes says where it
holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...backends import catalog
from ..cells import Cell, Group
from ..results import STEADY, Results
from ..statistics import excludes_one
from ..suite import Effort, compare
from .variants import LADDER, POOLING, STRIDING, pair

SUITE = "pooling-vs-striding"
PAIRS = (("cnn/pooling", "cnn/striding"), ("cnn/blocks-pooling", "cnn/blocks-striding"))
RECIPES = PAIRS[0]
# What goes from each rung of the ladder to the next.
PARTS = ("activation and dropout on the larger map", "the pooling itself", "the larger convolution")
# Filters of both convolutions, and the height and width of the images.
SWEEP = tuple((filters, 28) for filters in (8, 16, 32, 64)) + tuple((16, size) for size in (14, 42, 56))
QUICK_SWEEP = ((8, 28), (16, 14))
# Of these 512 and 1,024 are trained on, whole batches: one that is not whole would be compiled too.
QUICK_SAMPLES, SWEEP_SAMPLES = 683, 1_366


def measure(
    backends: Sequence[str] = (),
    *,
    data: str = "mnist:sample",
    why: bool = True,
    quick: bool = False,
    effort: Effort | None = None,
) -> Results:
    """Time steady epochs of both pairs, of what lies between, and of a sweep, on each backend.

    Args:
        backends: names; all that are installed by default.
        data: a dataset's name.
        why: also the second pair, the rungs between, and the sweep.
        quick: fewer samples and a shorter sweep.
        effort: how much is measured.

    Raises:
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    names = [backend.name for backend in catalog.resolve(backends)]
    settings: dict[str, Any] = {"data": data, **({"samples": QUICK_SAMPLES} if quick else {})}
    groups = [group for name in names for group in _groups(name, settings, why, quick)]
    asked = {"backends": names, "data": data, "why": why, "quick": quick}
    results = compare(SUITE, groups, asked, effort or Effort(), afterwards=_questions)
    results.more["why"] = [each for name in names if why for each in explain(results, name)]
    return results


def _groups(backend: str, settings: dict[str, Any], why: bool, quick: bool) -> Iterator[Group]:
    for of, over in PAIRS if why else PAIRS[:1]:
        cells = [Cell(recipe, backend, recipe, settings=settings) for recipe in (of, over)]
        yield Group(f"{of} ÷ {over} on {backend}", cells, [(cells[0], cells[1])])
    if not why:
        return
    rungs = [
        Cell(pair.name, backend, way, at=(("way", way),), settings={**settings, "options": {"way": way}})
        for way in LADDER
    ]
    yield Group(f"from pooling to striding on {backend}", rungs, list(itertools.pairwise(rungs)))
    for filters, size in QUICK_SWEEP if quick else SWEEP:
        yield _swept(backend, {"samples": SWEEP_SAMPLES, **settings}, filters, size)


def _questions(cell: Cell) -> tuple[str, ...]:
    """The recipes of the book are judged, and looked into layer by layer; what lies between is only timed."""
    return () if cell.at else ("quality", "layer_times")


def _swept(backend: str, settings: dict[str, Any], filters: int, size: int) -> Group:
    cells = []
    for way in (POOLING, STRIDING):
        options = {"way": way, "filters": (filters, filters), "size": size}
        at = (("filters", filters), ("image_size", size), ("way", way))
        cells.append(
            Cell(pair.name, backend, way, at=at, settings={**settings, "options": options, "image_size": size})
        )
    return Group(f"{filters} filters, {size} pixels on {backend}", cells, [(cells[0], cells[1])])


def explain(results: Results, backend: str) -> list[dict[str, Any]]:
    """What makes up the costs of pooling: `{"backend", "part", "seconds", "share", "differs"}` each.

    The shares add up to 1. `differs` is whether the two rungs that a part lies between differ beyond the interval of
    their ratio; where they do not, the part's seconds are noise.

    Empty where a rung is missing, or where pooling costs nothing.
    """
    medians = [_rung(results.rows, metric=STEADY, backend=backend, way=way) for way in LADDER]
    steps = [_rung(results.ratios, backend=backend, of=of, over=over) for of, over in itertools.pairwise(LADDER)]
    if None in (*medians, *steps):
        return []
    seconds = -np.diff([row["median"] for row in medians if row])
    whole = float(seconds.sum())
    if whole <= 0:
        return []
    return [
        {
            "backend": backend,
            "part": part,
            "seconds": float(each),
            "share": float(each) / whole,
            "differs": excludes_one(step["low"], step["high"]),
        }
        for part, each, step in zip(PARTS, seconds, filter(None, steps), strict=True)
    ]


def _rung(rows: Sequence[dict[str, Any]], **values: Any) -> dict[str, Any] | None:
    """The first row with these values that is of the ladder and not of the sweep."""
    return next(
        (row for row in rows if "filters" not in row and all(row.get(name) == each for name, each in values.items())),
        None,
    )
