"""What does pooling cost against striding, and why? The same convolutions on every installed backend, interleaved.

The two pairs of recipes in the book show how much. The variants between them (see `variants.py`) show why: each differs
from the next by one change, so the differences of their times add up to the whole. A sweep over filters and image sizes
shows where this holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...backends import catalog
from ...models.recipe import find
from .. import epoch_session
from ..cells import CellGroup, TimedCell
from ..results import STEADY, Results
from ..statistics import excludes_one
from ..suite import BenchmarkOptions, compare
from .variants import LADDER, POOLING, STRIDING, pair

SUITE = "pooling-vs-striding"
PAIRS = (("cnn/pooling", "cnn/striding"), ("cnn/blocks-pooling", "cnn/blocks-striding"))
RECIPES = PAIRS[0]
# The part of the cost that each step of the ladder removes.
PARTS = ("activation and dropout on the larger map", "the pooling itself", "the larger convolution")
# Filters of both convolutions, and the height and width of the images.
SWEEP = tuple((filters, 28) for filters in (8, 16, 32, 64)) + tuple((16, size) for size in (14, 42, 56))
QUICK_SWEEP = ((8, 28), (16, 14))
# 512 and 1,024 of these are training samples: full batches only, since a partial batch would be compiled too.
QUICK_SAMPLES, SWEEP_SAMPLES = 683, 1_366


def published_ratios() -> str:
    """Return the published epochs of both pairs as a sentence: their ratios stand beside those that are measured."""
    seconds = [[float(find(name).reference.seconds_per_epoch) for name in names] for names in PAIRS]
    ratios = " and ".join(f"{pooling:g} s ÷ {striding:g} s = {pooling / striding:.1f}" for pooling, striding in seconds)
    return f"Published for {' and '.join(map(_pair_name, PAIRS))}: {ratios} (2014 iMac, CPU only, TensorFlow 2.4)."


def _pair_name(names: tuple[str, str]) -> str:
    return f"{names[0]} ÷ {names[1].partition('/')[2]}"


def measure(
    backends: Sequence[str] = (),
    *,
    data: str = "mnist:sample",
    why: bool = True,
    quick: bool = False,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs of both pairs, the variants between them, and a sweep, on each backend.

    Args:
        backends: names of backends; by default all that are installed.
        data: the name of a dataset or file, with its settings.
        why: also measure the second pair, the variants between, and the sweep.
        quick: use fewer samples and a shorter sweep.
        options: how long and how precisely to measure, and where.

    Raises:
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    names = [backend.name for backend in catalog.resolve(backends)]
    settings: dict[str, Any] = {"data": data, **({"samples": QUICK_SAMPLES} if quick else {})}
    groups = [group for name in names for group in _groups(name, settings, why, quick)]
    arguments = {"backends": names, "data": data, "why": why, "quick": quick}
    results = compare(SUITE, groups, arguments, options or BenchmarkOptions(), final_calls=_final_calls)
    results.extra["why"] = [part for name in names if why for part in explain(results, name)]
    return results


def _groups(backend: str, settings: dict[str, Any], why: bool, quick: bool) -> Iterator[CellGroup]:
    for of, over in PAIRS if why else PAIRS[:1]:
        cells = [TimedCell(recipe, backend, recipe, settings=settings) for recipe in (of, over)]
        yield CellGroup(f"{of} ÷ {over} on {backend}", cells, [(cells[0], cells[1])])
    if not why:
        return
    rungs = [
        TimedCell(pair.name, backend, way, sweep_point=(("way", way),), settings={**settings, "options": {"way": way}})
        for way in LADDER
    ]
    yield CellGroup(f"from pooling to striding on {backend}", rungs, list(itertools.pairwise(rungs)))
    for filters, size in QUICK_SWEEP if quick else SWEEP:
        yield _sweep_group(backend, {"samples": SWEEP_SAMPLES, **settings}, filters, size)


def _final_calls(cell: TimedCell) -> tuple[Callable[..., Any], ...]:
    """Return the calls for the recipes of the book: quality and layer times. The variants are only timed."""
    return () if cell.sweep_point else (epoch_session.quality, epoch_session.layer_times)


def _sweep_group(backend: str, settings: dict[str, Any], filters: int, size: int) -> CellGroup:
    cells = []
    for way in (POOLING, STRIDING):
        options = {"way": way, "filters": (filters, filters), "size": size}
        point = (("filters", filters), ("image_size", size), ("way", way))
        cells.append(
            TimedCell(
                pair.name,
                backend,
                way,
                sweep_point=point,
                settings={**settings, "options": options, "image_size": size},
            )
        )
    return CellGroup(f"{filters} filters, {size} pixels on {backend}", cells, [(cells[0], cells[1])])


def explain(results: Results, backend: str) -> list[dict[str, Any]]:
    """Return the parts of the cost of pooling: `{"backend", "part", "seconds", "share", "differs"}`.

    The shares add up to 1. `differs` says whether the interval of the ratio between the two variants excludes 1;
    otherwise the part's seconds are noise.

    The list is empty if a variant is missing, or if pooling costs nothing.
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
            "seconds": float(part_seconds),
            "share": float(part_seconds) / whole,
            "differs": excludes_one(step["low"], step["high"]),
        }
        for part, part_seconds, step in zip(PARTS, seconds, filter(None, steps), strict=True)
    ]


def _rung(rows: Sequence[dict[str, Any]], **values: Any) -> dict[str, Any] | None:
    """Return the first row of the ladder, not of the sweep, with these values."""
    return next(
        (row for row in rows if "filters" not in row and all(row.get(name) == value for name, value in values.items())),
        None,
    )
