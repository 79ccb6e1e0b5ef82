"""The difference between two arrays of results, and its tolerance.

Two backends that compute the same function sum the same products in different orders, so their float32 results differ
by a few units in the last place of the *largest* values involved. Differences are therefore relative to the scale of
the whole output. Element by element, any difference in a value that cancels to nearly zero would look large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# float32 keeps 2**-24 = 6e-8 of a value; a dot product over n terms loses about √n of that, and a network stacks
# several. 1e-5 leaves room for n in the thousands and a dozen layers; a wrong kernel or a wrong axis is off by 1e-2
# and more.
TOLERANCES = {"float16": 1e-2, "bfloat16": 2e-2, "float32": 1e-5, "float64": 1e-12}


@dataclass(frozen=True)
class Difference:
    """The difference between `received` and `expected`.

    Attributes:
        absolute: the largest |received − expected|.
        relative: `absolute` divided by the scale: the largest |expected|, but at least `least_scale`.
        where: the index of the largest difference.
        samples: the number of compared samples.
    """

    absolute: float
    relative: float
    where: tuple[int, ...]
    samples: int

    def within(self, tolerance: float) -> bool:
        return self.relative <= tolerance


def difference(expected: np.ndarray, received: np.ndarray, least_scale: float = 0.0) -> Difference:
    """Compare two arrays of results, computed in float64.

    NaN against NaN and an infinity against the same infinity are equal; NaN against a number is infinitely different.

    Args:
        least_scale: a lower limit of the scale.

    Raises:
        ValueError: the shapes differ, or the arrays are empty.
    """
    if expected.size == 0:
        raise ValueError("there is nothing to compare")
    distance = distances(expected, received)
    scale = max(scale_of(expected), least_scale)
    largest = float(distance.max())
    where = tuple(int(i) for i in np.unravel_index(int(distance.argmax()), distance.shape))
    relative = 0.0 if largest == 0 else largest / scale if scale else float("inf")
    return Difference(largest, relative, where, len(expected))


def distances(expected: np.ndarray, received: np.ndarray) -> np.ndarray:
    """Return |received − expected| of each element, in float64, with NaN and infinities as in `difference`.

    Raises:
        ValueError: the shapes differ.
    """
    if expected.shape != received.shape:
        raise ValueError(f"expected shape {expected.shape}, received {received.shape}")
    e, r = expected.astype("float64"), received.astype("float64")
    same = (e == r) | (np.isnan(e) & np.isnan(r))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.nan_to_num(np.abs(r - e), nan=np.inf, posinf=np.inf))


def scale_of(values: np.ndarray) -> float:
    """Return the largest finite |value|, or 0 if there is none."""
    sizes = np.abs(values[np.isfinite(values)].astype("float64"))
    return float(sizes.max()) if sizes.size else 0.0


def tolerance(dtype: np.dtype | str) -> float:
    """Return the relative tolerance of results of a dtype; float32's for dtypes that are not floats."""
    return TOLERANCES.get(str(np.dtype(dtype)), TOLERANCES["float32"])


def probe_inputs(recorded: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Return further inputs on which to compare two models, within the range of the recorded inputs.

    Args:
        recorded: (n, …) prepared samples.

    Returns:
        Batches by name, of the dtype and sample shape of `recorded`: `random` (33 samples: two of Keras' batches of
        32, the second one partial), `single` (1 sample), and `extreme` (all lowest, all highest, all zero).
    """
    generator = np.random.default_rng(seed)
    low, high = _range(recorded)
    shape = recorded.shape[1:]
    samples = {
        "random": generator.uniform(low, high, (33, *shape)),
        "single": generator.uniform(low, high, (1, *shape)),
        "extreme": np.stack([np.broadcast_to(value, shape) for value in (low, high, 0.0)]),
    }
    if recorded.dtype.kind == "f":  # a table has gaps: so have the random samples, in the same columns
        samples["random"][np.isnan(np.resize(recorded, samples["random"].shape))] = np.nan
    return {name: batch.astype(recorded.dtype) for name, batch in samples.items()}


def resized_inputs(recorded: np.ndarray, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Return random inputs of another shape, (samples, …), within the range of the recorded inputs."""
    generator = np.random.default_rng(seed)
    return generator.uniform(np.nanmin(recorded), np.nanmax(recorded), shape).astype(recorded.dtype)


def _range(recorded: np.ndarray) -> tuple[Any, Any]:
    """Return the lowest and the highest value, for (n, features) of each feature; gaps are left out."""
    axis = 0 if recorded.ndim == 2 else None
    if recorded.dtype.kind != "f":
        return recorded.min(axis), recorded.max(axis)
    filled = np.where(np.isnan(recorded).all(axis), 0, recorded)
    return np.nanmin(filled, axis), np.nanmax(filled, axis)
