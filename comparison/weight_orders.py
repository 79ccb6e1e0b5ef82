"""How the values of one weight stand in another: the same, transposed, or with the gates of a cell in another order."""

from __future__ import annotations

import itertools

import numpy as np

# The gates of recurrent cells, in Keras' order.
_GATES = {"lstm": ("input", "forget", "cell", "output"), "gru": ("update", "reset", "new")}
_CLOSE = 1e-6


def relation(expected: np.ndarray, received: np.ndarray, kind: str) -> str | None:
    """Return what was done to one weight to give the other: a few words, or None if nothing simple was.

    Args:
        expected, received: the two weights, of one shape.
        kind: of the layer, as in `graph/layer_kinds.py`.
    """
    if expected.ndim >= 2 and _is_square(expected) and _same(expected.swapaxes(-1, -2), received):
        return "transposed"
    gates = _GATES.get(kind, ())
    if gates and expected.shape[-1] % len(gates) == 0:
        blocks = np.split(expected, len(gates), axis=-1)
        for order in itertools.permutations(range(len(gates))):
            if list(order) != sorted(order) and _same(np.concatenate([blocks[i] for i in order], -1), received):
                return f"its gates in the order {', '.join(gates[i] for i in order)}"
    for axes in [(0,), (1,), (0, 1)] if expected.ndim == 4 else []:
        if _same(np.flip(expected, axes), received):
            return f"flipped along axis {' and '.join(map(str, axes))}"
    return "negated" if _same(-expected, received) else _scaled(expected, received)


def _is_square(array: np.ndarray) -> bool:
    return bool(array.shape[-1] == array.shape[-2])


def _same(expected: np.ndarray, received: np.ndarray) -> bool:
    return bool(np.allclose(expected, received, rtol=_CLOSE, atol=_CLOSE) and np.any(expected))


def _scaled(expected: np.ndarray, received: np.ndarray) -> str | None:
    place = np.unravel_index(int(np.abs(expected).argmax()), expected.shape) if expected.size else ()
    if not expected.size or not expected[place]:
        return None
    factor = float(received[place] / expected[place])
    return f"multiplied by {factor:.6g}" if factor and _same(expected * factor, received) else None
