"""Tolerances: decide whether two backends' results differ by more than rounding explains.

The effect of rounding depends on the model: batch normalisation over nearly equal values, a gradient that is zero but
for rounding, an optimizer that divides by that gradient, fifty steps that build on each other. So it is measured. One
backend repeats all measurements from initial weights that are perturbed by as much as one pass may be off. The
tolerance of a result is its change under this perturbation, times the slack of its kind, and at least the kind's
minimum.
"""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...storage.safe_json import finite
from . import parity

NamedArrays = list[tuple[str, np.ndarray]]
# The name of an array, and the number of arrays of this name before it.
ArrayKey = tuple[str, int]
# The name of an array, and the array on two backends; None where one of them lacks it.
ArrayPair = tuple[str, np.ndarray | None, np.ndarray | None]

FORWARD, TRAINING, LOSS, GRADIENTS = "forward pass", "forward pass in training", "loss", "gradients"
UPDATED, LOSSES, PREDICTIONS, METRICS = "weights after 1 step", "loss curve", "final predictions", "metrics"
# The kinds that only a backend gives that trains.
OF_TRAINING = (GRADIENTS, UPDATED, LOSSES, PREDICTIONS, METRICS)


@dataclass(frozen=True)
class Limit:
    """The limits of one kind of result.

    Attributes:
        least: the minimum tolerance, as a multiple of the tolerance of one pass (`parity.TOLERANCES`, by dtype).
        slack: the tolerance as a multiple of the result's change under perturbation.
    """

    least: float
    slack: float


# Within one forward pass, the perturbation is as large as all rounding. After it, rounding continues in every operation
# of the backward pass and in every further step, and the perturbation is only one random sample of it.
_ONE_PASS, _MANY = Limit(1, 2), Limit(10, 10)
LIMITS = {
    FORWARD: _ONE_PASS,
    TRAINING: _ONE_PASS,
    LOSS: _ONE_PASS,  # a mean over the outputs, so its error is no larger
    GRADIENTS: _MANY,  # sums over the batch and every position, whose terms cancel
    UPDATED: _MANY,  # an optimizer such as Adam takes steps equally large for small and large gradients
    LOSSES: _MANY,  # each step starts from weights with an error
    PREDICTIONS: _MANY,  # likewise
    METRICS: _MANY,  # sums over all batches, of the same predictions on every backend
}
# The smallest scale of an array, as a fraction of the largest value of its kind: a layer of zeros, or the gradient of a
# bias that the next layer cancels, has no scale of its own.
_SMALLEST_SCALE = 1e-4


@dataclass(frozen=True)
class BackendCheck:
    """One comparison of two backends.

    Attributes:
        what: the name of the check.
        backends: the two backends; the same one twice if it was compared with itself.
        difference: the difference closest to its tolerance or furthest above it, relative to the scale of its array;
            infinite if shapes differ or only one value is a number.
        tolerance: the tolerance of that difference.
        where: the layer, variable, step or output, and the index in its array.
        values: the values of the two backends there; empty if shapes differ.
        index: the position of the array among the compared arrays.
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
        """Return difference / tolerance. Above 1 the check has failed."""
        return self.difference / self.tolerance if self.tolerance else math.inf

    def to_json(self) -> dict[str, Any]:
        """Return the check as in `trivium verify --json`; values that are not finite become null."""
        return {
            "what": self.what,
            "backends": list(self.backends),
            "difference": finite(self.difference),
            "tolerance": self.tolerance,
            "where": self.where,
            "values": finite(self.values),
            "passed": self.passed,
        }


def by_kind(evidence: dict[str, Any]) -> dict[str, NamedArrays]:
    """Group one backend's evidence by kind of result, in the order in which a difference spreads."""
    passes = evidence["passes"]
    results = {
        FORWARD: passes["inference"][0] if "inference" in passes else [],
        TRAINING: passes["training"][0],
        LOSS: [("the loss of the first batch", np.array(evidence["loss"]))],
        GRADIENTS: evidence.get("gradients", []),
        UPDATED: evidence.get("updated", []),
        LOSSES: [(f"step {step}", np.array(loss)) for step, loss in enumerate(evidence.get("losses", []), 1)],
        PREDICTIONS: evidence.get("predictions", []),
        METRICS: evidence.get("metrics", []),
    }
    return {what: named for what, named in results.items() if named}


def derive_tolerances(
    dtype: str, expected: dict[str, NamedArrays], perturbed: dict[str, NamedArrays]
) -> dict[str, list[float]]:
    """Return the tolerance of each array of each kind, given the results of the perturbed run."""
    differences = {}
    for what, named in expected.items():
        limit = LIMITS[what]
        least = limit.least * parity.tolerance(dtype)
        moved = [differences.relative for differences in _differences(what, named, perturbed[what])]
        measured = [limit.slack * value if math.isfinite(value) else 0.0 for value in moved]
        if what == LOSSES:  # diverged curves may cross again by chance
            measured = list(np.maximum.accumulate(measured))
        differences[what] = [max(least, float(value)) for value in measured]
    return differences


def tolerances_for(arrays: NamedArrays, tolerances: Mapping[ArrayKey, float]) -> list[float]:
    """Return the tolerance of each array by its name; the largest one where none has that name."""
    largest = max(tolerances.values(), default=parity.TOLERANCES["float32"])
    return [tolerances.get(key, largest) for key in by_name(arrays)]


def perturb(variables: Sequence[np.ndarray], dtype: str, seed: int) -> list[np.ndarray]:
    """Return the variables with floats perturbed by at most the tolerance of one pass. Integers do not change."""
    generator = np.random.default_rng(seed)
    size = parity.tolerance(dtype)
    return [
        np.asarray(value * (1 + size * generator.uniform(-1, 1, value.shape)), value.dtype)
        if value.dtype.kind == "f"
        else value
        for value in variables
    ]


def perturb_named(variables: NamedArrays, dtype: str, seed: int) -> NamedArrays:
    """Return variables with their names, perturbed as by `perturb`."""
    perturbed = perturb([value for _, value in variables], dtype, seed)
    return [(name, value) for (name, _), value in zip(variables, perturbed, strict=True)]


def compare(
    what: str,
    backends: tuple[str, str],
    expected: NamedArrays,
    received: NamedArrays,
    tolerances: Sequence[float],
    *,
    kind: str = "",
) -> BackendCheck:
    """Compare two backends' results. Return the check of the most telling difference.

    If the arrays are in order of computation, this is the first difference above its tolerance; otherwise the one that
    is largest relative to its tolerance.

    Args:
        what: the name of the check.
        backends: the sources of `expected` and `received`.
        expected, received: arrays with their names, by which they are paired.
        tolerances: the tolerance of each array of `expected`.
        kind: a key of `LIMITS`; by default `what`.
    """
    kind = kind or what
    pairs = pairs_by_name(expected, received)
    if not have_one_shape(expected, received):
        return _shape_mismatch(what, backends, pairs)
    received = [(name, other) for name, _, other in pairs if other is not None]
    differences = _differences(kind, expected, received)
    excess = [
        difference.relative / limit if difference.relative else 0.0
        for difference, limit in zip(differences, tolerances, strict=True)
    ]
    above = [index for index, value in enumerate(excess) if value > 1]
    in_order = kind in (FORWARD, TRAINING, LOSSES)
    index = above[0] if above and in_order else int(np.argmax(excess))
    (name, mine), (_, other) = expected[index], received[index]
    place = differences[index].where
    where = name + (f" at {list(place)}" if place else "")
    values = float(mine[place]), float(other[place])
    return BackendCheck(what, backends, differences[index].relative, tolerances[index], where, values, index)


def _differences(kind: str, expected: NamedArrays, received: NamedArrays) -> list[parity.Difference]:
    """Compare each pair of arrays, relative to its own scale; losses relative to the scale of the whole curve."""
    largest = max((parity.scale_of(array) for _, array in expected), default=0.0)
    least = largest * (1.0 if kind == LOSSES else _SMALLEST_SCALE)
    return [_difference(mine, other, least) for (_, mine), (_, other) in zip(expected, received, strict=True)]


def _difference(expected: np.ndarray, received: np.ndarray, least_scale: float) -> parity.Difference:
    if expected.size == 0:
        return parity.Difference(0.0, 0.0, (), 0)
    result = parity.difference(np.atleast_1d(expected), np.atleast_1d(received), least_scale)
    return result if expected.ndim else replace(result, where=())


def _shape_mismatch(what: str, backends: tuple[str, str], pairs: Sequence[ArrayPair]) -> BackendCheck:
    """Return the failed check of results whose shapes differ: the first array without a counterpart of its shape."""
    name, mine, other = next(pair for pair in pairs if not _is_of_one_shape(pair))
    shapes = [array.shape if array is not None else "nothing" for array in (mine, other)]
    where = f"{name}: {shapes[0]} against {shapes[1]}"
    return BackendCheck(what, backends, math.inf, 0.0, where)


def _is_of_one_shape(pair: ArrayPair) -> bool:
    _, mine, other = pair
    return mine is not None and other is not None and mine.shape == other.shape


def have_one_shape(expected: NamedArrays, received: NamedArrays) -> bool:
    """Return whether each array has a counterpart of its name and shape."""
    return all(map(_is_of_one_shape, pairs_by_name(expected, received)))


def pairs_by_name(expected: NamedArrays, received: NamedArrays) -> list[ArrayPair]:
    """Pair arrays by their names, in the order of `expected`; by their order if no name occurs on both sides.

    A weight that is trainable on one backend only stands at another place there. Arrays of one name, such as the
    outputs of a shared layer, are paired in their order. An array without a counterpart is paired with None.
    """
    mine, others = by_name(expected), by_name(received)
    if mine.keys() & others.keys():
        return [(key[0], mine.get(key), others.get(key)) for key in dict.fromkeys([*mine, *others])]
    both = itertools.zip_longest(expected, received, fillvalue=("", None))
    return [(name or other_name, array, other) for (name, array), (other_name, other) in both]


def by_name(arrays: NamedArrays) -> dict[ArrayKey, np.ndarray]:
    """Return the arrays by name, and by the number of arrays of this name before them."""
    counts: collections.Counter[str] = collections.Counter()
    named = {}
    for name, array in arrays:
        named[name, counts[name]] = array
        counts[name] += 1
    return named
