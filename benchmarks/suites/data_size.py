"""How do time and error grow with the data? One recipe on waves of several lengths, and the exponent of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backends import catalog
from ...errors import OptionError
from ..cells import Cell, Group
from ..measure import row
from ..results import STEADY, Results
from ..suite import Effort, compare

SUITE = "data-size"
RECIPE = "rnn/three-lstm"
WAVES = "waves:2"
SIZES = (200, 2_000, 20_000)
# The longest epochs take minutes on some backends, and no ratios are asked for.
_LEAST_ROUNDS = 2


def measure(
    recipe: str = RECIPE,
    backends: Sequence[str] = (),
    *,
    sizes: Sequence[int] = SIZES,
    waves: str = WAVES,
    effort: Effort | None = None,
) -> Results:
    """Time steady epochs of each length, all of a backend in the same rounds, and judge the models after as many.

    The exponents are rows of their own: `time_exponent` (seconds ~ steps ** exponent) and `loss_exponent`.

    Args:
        recipe: one that trains on waves.
        backends: names; all that are installed by default.
        sizes: steps of the wave, two lengths or more.
        waves: the set they are of, such as `waves:2`.
        effort: how much is measured.

    Raises:
        OptionError: fewer than two sizes.
        RecipeError, BackendError, DataError: what cannot be.
    """
    sizes = sorted(set(sizes))
    if len(sizes) < 2:
        raise OptionError("--sizes needs two lengths or more, such as 200,2000")
    names = [backend.name for backend in catalog.resolve(backends)]
    groups = []
    for name in names:
        cells = [
            Cell(recipe, name, f"{size} steps", at=(("steps", size),), settings={"data": f"{waves}:{size}"})
            for size in sizes
        ]
        groups.append(Group(f"{recipe} on {name}", cells, []))
    asked = {"recipe": recipe, "backends": names, "sizes": sizes, "waves": waves}
    results = compare(
        SUITE,
        groups,
        asked,
        effort or Effort(),
        together=False,
        afterwards=lambda cell: ("quality",),
        least=_LEAST_ROUNDS,
    )
    for found in results.groups.values():
        found.rows = [each for each in found.rows if not each["metric"].endswith("_exponent")]
        found.rows += _exponents(found.rows)
    return results


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the straight line through the logarithms, by least squares: values ~ sizes ** exponent."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _exponents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The exponents of time and of loss, as rows; of whatever was measured at two sizes at least."""
    made = []
    for metric, called in ((STEADY, "time_exponent"), ("loss", "loss_exponent")):
        found = sorted(
            (each["steps"], each["median"], each["q1"], each["q3"]) for each in rows if each["metric"] == metric
        )
        if len(found) < 2 or min(each[2] for each in found) <= 0:
            continue
        sizes, medians, firsts, thirds = zip(*found, strict=True)
        where = {name: rows[0][name] for name in ("recipe", "backend", "device", "runner")}
        fitted = row(SUITE, where, called, "1", [exponent(sizes, medians)])
        # The flattest and the steepest line that the quartiles of the shortest and the longest allow.
        span = math.log(sizes[-1] / sizes[0])
        fitted["q1"] = min(fitted["median"], math.log(firsts[-1] / thirds[0]) / span)
        fitted["q3"] = max(fitted["median"], math.log(thirds[-1] / firsts[0]) / span)
        made.append(fitted)
    return made
