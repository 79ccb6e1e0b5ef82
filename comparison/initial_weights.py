"""How weights that were never trained had been drawn: recognised by their distribution.

The bounds and deviations are those of Keras' initializers (Glorot and Bengio, 2010; He et al., 2015; LeCun et al.,
1998) and of PyTorch's `reset_parameters`, which draws uniformly from ±1/√n, n being the fan-in, or the units of a
recurrent layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import prod, sqrt

import numpy as np

from .weight_map import WeightKey

_FEWEST = 100  # of weights that are judged: the deviation of fewer says too little
_NEAR = 0.1  # relative, of a deviation
# The largest weight over the deviation: √3 of a uniform distribution, 2.27 of a normal one that is cut off at two.
_UNIFORM, _TRUNCATED = 1.9, 2.35
_TRUNCATED_DEVIATION = 0.87962566103423978  # of a normal distribution that is cut off at two deviations
_GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}


def drawn_otherwise(
    keys: Sequence[WeightKey],
    mine: Mapping[WeightKey, np.ndarray],
    others: Mapping[WeightKey, np.ndarray],
    kinds: Mapping[str, str],
) -> Iterator[str]:
    """Yield a sentence for weights that two initializers drew, one for each pair of initializers.

    Args:
        keys: the weights that differ.
        mine, others: their values in both models, in the layout of the second.
        kinds: of the layers, as in `graph/layer_kinds.py`.
    """
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for key in keys:
        initial = [initializers_of(values[key], kinds[key[0]]) for values in (mine, others)]
        if all(initial) and not set(initial[0]) & set(initial[1]):
            groups[" or ".join(initial[0]), " or ".join(initial[1])].append(".".join(key))
    for (one, other), names in groups.items():
        yield f"{', '.join(names)}: drawn as by {one} in the first model and {other} in the second"


def initializers_of(values: np.ndarray, kind: str) -> list[str]:
    """Return the initializers that may have drawn a weight; none if nothing is recognised.

    Args:
        values: the weight in Keras' layout: (…, inputs, outputs) for a kernel.
        kind: of its layer.
    """
    if not np.any(values):
        return ["zeros"]
    if np.all(values == 1):
        return ["ones"]
    if values.ndim == 1:
        return ["a random draw"]
    if values.size < _FEWEST:
        return []
    if _is_orthogonal(values):
        return ["orthogonal"]
    deviation = float(values.std())
    spread = float(abs(values).max()) / deviation
    family = 0 if spread < _UNIFORM else 1 if spread < _TRUNCATED else 2
    expected = (_uniform(values.shape, kind), _truncated(values.shape), {"random_normal": 0.05})[family]
    return [name for name, value in expected.items() if abs(deviation / value - 1) < _NEAR]


def _uniform(shape: tuple[int, ...], kind: str) -> dict[str, float]:
    """Return the deviation of each uniform initializer."""
    fan_in, fan_out = _fans(shape)
    units = shape[-1] / _GATES[kind] if kind in _GATES else fan_in
    bounds = {
        "glorot_uniform": sqrt(6 / (fan_in + fan_out)),
        "he_uniform": sqrt(6 / fan_in),
        "lecun_uniform": sqrt(3 / fan_in),
        "random_uniform": 0.05,
        "PyTorch's default": 1 / sqrt(units),
    }
    return {name: bound / sqrt(3) for name, bound in bounds.items()}


def _truncated(shape: tuple[int, ...]) -> dict[str, float]:
    """Return the deviation of each initializer that cuts a normal distribution off, after the cut."""
    fan_in, fan_out = _fans(shape)
    deviations = {"glorot_normal": sqrt(2 / (fan_in + fan_out)), "he_normal": sqrt(2 / fan_in)}
    cut = {"truncated_normal": 0.05 * _TRUNCATED_DEVIATION}
    return {**deviations, "lecun_normal": sqrt(1 / fan_in), **cut}


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    field = prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _is_orthogonal(values: np.ndarray) -> bool:
    matrix = values.reshape(-1, values.shape[-1]).astype("float64")
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return bool(np.allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-4))
