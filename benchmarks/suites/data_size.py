"""How do time and error grow with the data? One recipe on waves of several lengths, and the exponent of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backends import catalog
from ...errors import OptionError
from .. import epoch_session
from ..cells import CellGroup, TimedCell
from ..measure import make_row
from ..results import STEADY, Results
from ..suite import BenchmarkOptions, compare

SUITE = "data-size"
RECIPE = "rnn/three-lstm"
WAVES = "waves:2"
SIZES = (200, 2_000, 20_000)
# The longest epochs take minutes on some backends, and no ratios are needed.
_MIN_ROUNDS = 2


def measure(
    recipe: str = RECIPE,
    backends: Sequence[str] = (),
    *,
    sizes: Sequence[int] = SIZES,
    waves: str = WAVES,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs of each length, all of a backend in the same rounds, and evaluate the models.

    The exponents are rows of their own: `time_exponent` (seconds ~ steps ** exponent) and `loss_exponent`.

    Args:
        recipe: a recipe that trains on waves.
        backends: names of backends; by default all that are installed.
        sizes: lengths of the wave in steps, two or more.
        waves: the set of waves, such as `waves:2`.
        options: how long and how precisely to measure, and where.

    Raises:
        OptionError: fewer than two sizes.
        RecipeError, BackendError, DataError: a recipe, a backend or data that cannot be used.
    """
    sizes = sorted(set(sizes))
    if len(sizes) < 2:
        raise OptionError("`sizes` needs two lengths or more, such as 200,2000")
    names = [backend.name for backend in catalog.resolve(backends)]
    groups = []
    for name in names:
        cells = [
            TimedCell(
                recipe, name, f"{size} steps", sweep_point=(("steps", size),), settings={"data": f"{waves}:{size}"}
            )
            for size in sizes
        ]
        groups.append(CellGroup(f"{recipe} on {name}", cells, []))
    arguments = {"recipe": recipe, "backends": names, "sizes": sizes, "waves": waves}
    results = compare(
        SUITE,
        groups,
        arguments,
        options or BenchmarkOptions(),
        interleaved=False,
        final_calls=lambda cell: (epoch_session.quality,),
        min_rounds=_MIN_ROUNDS,
    )
    for group in results.groups.values():
        group.rows = [row for row in group.rows if not row["metric"].endswith("_exponent")]
        group.rows += _exponents(group.rows)
    return results


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the exponent of values ~ sizes ** exponent: the least-squares slope of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _exponents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the exponents of time and loss as rows, where at least two sizes were measured."""
    exponent_rows = []
    for metric, metric_name in ((STEADY, "time_exponent"), ("loss", "loss_exponent")):
        points = sorted((row["steps"], row["median"], row["q1"], row["q3"]) for row in rows if row["metric"] == metric)
        if len(points) < 2 or min(row[2] for row in points) <= 0:
            continue
        sizes, medians, firsts, thirds = zip(*points, strict=True)
        where = {name: rows[0][name] for name in ("recipe", "backend", "device", "runner")}
        exponent_row = make_row(SUITE, where, metric_name, "1", [exponent(sizes, medians)])
        # The flattest and the steepest slope between the quartiles of the shortest and the longest.
        span = math.log(sizes[-1] / sizes[0])
        exponent_row["q1"] = min(exponent_row["median"], math.log(firsts[-1] / thirds[0]) / span)
        exponent_row["q3"] = max(exponent_row["median"], math.log(thirds[-1] / firsts[0]) / span)
        exponent_rows.append(exponent_row)
    return exponent_rows
