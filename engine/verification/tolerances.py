"""Whether two backends' evidence differs by more than rounding explains.

How far rounding goes depends on the model: batch normalisation over nearly equal values, a gradient that is zero but
for rounding, an optimizer that divides by that gradient, fifty steps that build on each other. So it is measured: one
backend does everything once more from weights nudged by as much as one pass may be off. What the nudge makes of a
result, times the slack of its kind, is what another backend may make of it; never less than the kind's least.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import parity

Named = list[tuple[str, np.ndarray]]

FORWARD, TRAINING, LOSS, GRADIENTS = "forward pass", "forward pass in training", "loss", "gradients"
UPDATED, LOSSES, PREDICTIONS = "weights after 1 step", "loss curve", "final predictions"


@dataclass(frozen=True)
class Limit:
    """How far one kind of result may be off.

    Attributes:
        least: allowed in any case, as a multiple of what one pass may be off by (`parity.TOLERANCES`, by dtype).
        slack: allowed as a multiple of what the nudge makes of the result.
    """

    least: float
    slack: float


# Within one pass the nudge is as large as all that rounding may do; after it rounding goes on, in each operation back
# through the layers and in each further step, and the nudge is one draw of many.
_ONE_PASS, _MANY = Limit(1, 2), Limit(10, 10)
LIMITS = {
    FORWARD: _ONE_PASS,
    TRAINING: _ONE_PASS,
    LOSS: _ONE_PASS,  # a mean over the outputs, no further off than they are
    GRADIENTS: _MANY,  # sums over the batch and every position, whose terms cancel
    UPDATED: _MANY,  # an optimizer such as Adam takes steps equally large for small and large gradients
    LOSSES: _MANY,  # each step starts from weights that are off already
    PREDICTIONS: _MANY,  # the same
}
# Values this much smaller than the largest of their kind count as if they were that large: a layer of zeros, or the
# gradient of a bias that the next layer takes out again, has no scale of its own.
_SMALLEST_SCALE = 1e-4


@dataclass(frozen=True)
class Check:
    """One comparison of two backends.

    Attributes:
        what: what was compared.
        backends: of which two; the same one twice when it was asked twice.
        difference: the one that is nearest to its tolerance or furthest above it, relative to the scale of its array;
            infinite where shapes differ or only one is a number.
        tolerance: how large that one may be.
        where: the layer, variable, step or output, and the place in it.
        values: what each of the two has there; empty where there is no pair of numbers.
        index: which of the arrays that were compared it is.
    """

    what: str
    backends: tuple[str, str]
    difference: float
    tolerance: float
    where: str
    values: tuple[float, ...] = ()
    index: int = 0

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance

    @property
    def excess(self) -> float:
        """The difference in terms of the tolerance: above 1 the check failed."""
        return self.difference / self.tolerance if self.tolerance else math.inf

    def to_json(self) -> dict[str, Any]:
        """As `trivium verify --json` has it; what is no finite number is null."""
        return {
            "what": self.what,
            "backends": list(self.backends),
            "difference": _finite(self.difference),
            "tolerance": self.tolerance,
            "where": self.where,
            "values": [_finite(value) for value in self.values],
            "passed": self.passed,
        }


def kinds_of(evidence: dict[str, Any]) -> dict[str, Named]:
    """What is compared in one backend's evidence, in the order in which a difference spreads."""
    passes = evidence["passes"]
    found = {
        FORWARD: passes["inference"][0] if "inference" in passes else [],
        TRAINING: passes["training"][0],
        LOSS: [("the loss of the first batch", np.array(evidence["loss"]))],
        GRADIENTS: evidence["gradients"],
        UPDATED: evidence.get("updated", []),
        LOSSES: [(f"step {step}", np.array(loss)) for step, loss in enumerate(evidence.get("losses", []), 1)],
        PREDICTIONS: evidence.get("predictions", []),
    }
    return {what: named for what, named in found.items() if named}


def allowances(dtype: str, expected: dict[str, Named], nudged: dict[str, Named]) -> dict[str, list[float]]:
    """How far each array of each kind may be off, from what a nudge made of it."""
    found = {}
    for what, named in expected.items():
        limit = LIMITS[what]
        least = limit.least * parity.tolerance(dtype)
        moved = [found.relative for found in _differences(what, named, nudged[what])]
        measured = [limit.slack * value if math.isfinite(value) else 0.0 for value in moved]
        if what == LOSSES:  # two curves that have parted may cross again, by chance
            measured = list(np.maximum.accumulate(measured))
        found[what] = [max(least, float(value)) for value in measured]
    return found


def nudge(variables: Sequence[np.ndarray], dtype: str, seed: int) -> list[np.ndarray]:
    """The variables with each float off by at most what one pass may be off by; whole numbers stay."""
    generator = np.random.default_rng(seed)
    size = parity.tolerance(dtype)
    return [
        np.asarray(value * (1 + size * generator.uniform(-1, 1, value.shape)), value.dtype)
        if value.dtype.kind == "f"
        else value
        for value in variables
    ]


def compare(
    what: str,
    backends: tuple[str, str],
    expected: Named,
    received: Named,
    allowed: Sequence[float],
    *,
    kind: str = "",
) -> Check:
    """The difference that tells most: the first above its tolerance where the order is that of the computation, else
    the largest in terms of its tolerance.

    Args:
        what: what the check is called.
        backends: where `expected` and `received` come from.
        expected, received: arrays with the names of what they belong to.
        allowed: the tolerance of each.
        kind: one of `LIMITS`, when `what` is not.
    """
    kind = kind or what
    if [array.shape for _, array in expected] != [array.shape for _, array in received]:
        return _unlike(what, backends, expected, received)
    found = _differences(kind, expected, received)
    excess = [one.relative / limit if one.relative else 0.0 for one, limit in zip(found, allowed, strict=True)]
    above = [index for index, value in enumerate(excess) if value > 1]
    in_order = kind in (FORWARD, TRAINING, LOSSES)
    index = above[0] if above and in_order else int(np.argmax(excess))
    (name, mine), (_, other) = expected[index], received[index]
    place = found[index].where
    where = name + (f" at {list(place)}" if place else "")
    values = float(mine[place]), float(other[place])
    return Check(what, backends, found[index].relative, allowed[index], where, values, index)


def _differences(kind: str, expected: Named, received: Named) -> list[parity.Difference]:
    """Each pair of arrays compared; relative to its own scale, and a loss to that of the whole curve."""
    largest = max((parity.scale_of(array) for _, array in expected), default=0.0)
    least = largest * (1.0 if kind == LOSSES else _SMALLEST_SCALE)
    return [_difference(mine, other, least) for (_, mine), (_, other) in zip(expected, received, strict=True)]


def _difference(expected: np.ndarray, received: np.ndarray, least_scale: float) -> parity.Difference:
    if expected.size == 0:
        return parity.Difference(0.0, 0.0, (), 0)
    found = parity.difference(np.atleast_1d(expected), np.atleast_1d(received), least_scale)
    return found if expected.ndim else replace(found, where=())


def _unlike(what: str, backends: tuple[str, str], expected: Named, received: Named) -> Check:
    """The check of results that cannot be compared: the first that has no counterpart of its own shape."""
    for (name, mine), (_, other) in itertools.zip_longest(expected, received, fillvalue=("", None)):
        if mine is None or other is None or mine.shape != other.shape:
            told = [array.shape if array is not None else "nothing" for array in (mine, other)]
            return Check(what, backends, math.inf, 0.0, f"{name or 'one more'}: {told[0]} against {told[1]}")
    raise AssertionError("their shapes differ")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
