"""Our hash for PyTorch: by NumPy on a CPU, elsewhere in signed integers with masked shifts; the bits agree.

PyTorch has few unsigned operations, and on a CPU each costs it microseconds beside the arithmetic. There NumPy goes
through pieces that fit in the cache, in place, because fresh memory costs more than the arithmetic. On an accelerator,
and in a step that PyTorch compiles, it is done in one piece by PyTorch.

To PyTorch a draw is a single operation, so that a step which is written down and replayed draws anew each time.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..same_run.portable_random import LANES, MULTIPLIERS, OFFSETS

_PIECE = 2**14  # elements; a power of two of at most 2**16
_WORD = 2**32 - 1
_SIGN = 31  # an arithmetic shift by this leaves all ones of what is negative, else zero


def words(drawn: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """32 random bits for each element.

    Args:
        drawn: (2,) int32, [seed, counter].

    Returns:
        `shape`, int32.
    """
    return _words(drawn, shape) if torch.compiler.is_compiling() else torch.ops.trivium.words(drawn, shape)


def factors(drawn: torch.Tensor, shape: tuple[int, ...], kept: int, scale: float) -> torch.Tensor:
    """`scale` for `kept` of 65,536 elements, zero for the others.

    Args:
        drawn: (2,) int32, [seed, counter].

    Returns:
        `shape`, float32.
    """
    draw = _factors if torch.compiler.is_compiling() else torch.ops.trivium.factors
    return draw(drawn, shape, kept, scale)


def untraced(draw_seed: Callable[[Any], torch.Tensor]) -> Callable[[Any], torch.Tensor]:
    """Keras' `draw_seed`, fit for a step that is compiled: PyTorch's tracer stumbles over what Keras does in it."""
    disabled: Callable[[Any], torch.Tensor] = torch.compiler.disable(draw_seed)
    return disabled


# --- by PyTorch -----------------------------------------------------------------------------------------------------


def _words(drawn: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    return _hashed(drawn, math.prod(shape)).reshape(shape)


def _factors(drawn: torch.Tensor, shape: Sequence[int], kept: int, scale: float) -> torch.Tensor:
    count = math.prod(shape)
    hashed = _hashed(drawn, (count + 1) // 2)
    lanes = torch.cat([hashed & (LANES - 1), (hashed[: count // 2] >> 16) & (LANES - 1)])
    bits = struct.unpack("i", struct.pack("f", scale))[0]
    return (((lanes - kept) >> _SIGN) & bits).view(torch.float32).reshape(shape)


def _hashed(drawn: torch.Tensor, count: int) -> torch.Tensor:
    seeds = drawn[0] + torch.tensor(OFFSETS, dtype=torch.int32, device=drawn.device)
    first, second = _mixed(seeds)
    first = _mixed(first ^ drawn[1])
    second = _mixed(first ^ second)
    return _mixed(torch.arange(count, dtype=torch.int32, device=drawn.device) ^ first, second)


def _mixed(x: torch.Tensor, between: torch.Tensor | int = 0) -> torch.Tensor:
    x = (x ^ _shifted(x, 16)) * MULTIPLIERS[0]
    x = (x ^ _shifted(x, 15) ^ between) * MULTIPLIERS[1]
    return x ^ _shifted(x, 15)


def _shifted(x: torch.Tensor, by: int) -> torch.Tensor:
    return (x >> by) & (2 ** (32 - by) - 1)


# --- by NumPy, as operations of PyTorch -----------------------------------------------------------------------------


@torch.library.custom_op(  # type: ignore[untyped-decorator]
    "trivium::words", mutates_args=(), schema="(Tensor drawn, int[] shape) -> Tensor"
)
def _words_as_one(drawn: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    if drawn.device.type != "cpu":
        return _words(drawn, shape)
    found = np.empty(math.prod(shape), np.uint32)
    for start, hashed in _pieces(drawn, len(found)):
        found[start : start + len(hashed)] = hashed
    return torch.from_numpy(found.view(np.int32)).reshape(shape)


@torch.library.custom_op(  # type: ignore[untyped-decorator]
    "trivium::factors", mutates_args=(), schema="(Tensor drawn, int[] shape, int kept, float scale) -> Tensor"
)
def _factors_as_one(drawn: torch.Tensor, shape: Sequence[int], kept: int, scale: float) -> torch.Tensor:
    if drawn.device.type != "cpu":
        return _factors(drawn, shape, kept, scale)
    count = math.prod(shape)
    half = (count + 1) // 2
    if kept == LANES:
        return torch.full(tuple(shape), scale)
    factors = torch.empty(tuple(shape), dtype=torch.float32)
    found = factors.numpy().reshape(-1)
    bound, decided = np.uint32(kept << 16), np.empty(min(half, _PIECE), bool)
    for start, hashed in _pieces(drawn, half):
        # The high lane lies where the whole word is compared; what is beside it below cannot change the answer.
        high = found[half + start : half + start + len(hashed)]
        np.multiply(np.less(hashed[: len(high)], bound, out=decided[: len(high)]), np.float32(scale), out=high)
        np.left_shift(hashed, np.uint32(16), out=hashed)
        low = found[start : start + len(hashed)]
        np.multiply(np.less(hashed, bound, out=decided[: len(low)]), np.float32(scale), out=low)
    return factors


@_words_as_one.register_fake  # type: ignore[untyped-decorator]
def _(drawn: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    return drawn.new_empty(shape, dtype=torch.int32)


@_factors_as_one.register_fake  # type: ignore[untyped-decorator]
def _(drawn: torch.Tensor, shape: Sequence[int], kept: int, scale: float) -> torch.Tensor:
    return drawn.new_empty(shape, dtype=torch.float32)


def _pieces(drawn: torch.Tensor, count: int) -> Iterator[tuple[int, np.ndarray]]:
    """The words from 0 to count - 1 in pieces, each with where it starts; a piece is overwritten by the next."""
    first, second = _key(*drawn.tolist())
    index = np.arange(min(count, _PIECE), dtype=np.uint32)
    room, shifted = np.empty_like(index), np.empty_like(index)
    fifteen, between = np.uint32(15), np.uint32(second)
    for start in range(0, count, _PIECE):
        length = min(_PIECE, count - start)
        x, y = room[:length], shifted[:length]
        # The places of a piece differ in their low bits alone, so what the first shift leaves is the same for all.
        same = first ^ start
        np.bitwise_xor(index[:length], np.uint32(same ^ same >> 16), out=x)
        np.multiply(x, np.uint32(MULTIPLIERS[0]), out=x)
        np.bitwise_xor(x, np.right_shift(x, fifteen, out=y), out=x)
        np.bitwise_xor(x, between, out=x)
        np.multiply(x, np.uint32(MULTIPLIERS[1]), out=x)
        yield start, np.bitwise_xor(x, np.right_shift(x, fifteen, out=y), out=x)


def _key(seed: int, counter: int) -> tuple[int, int]:
    first, second = (_mixed_word((seed + offset) & _WORD) for offset in OFFSETS)
    first = _mixed_word(first ^ counter & _WORD)
    return first, _mixed_word(first ^ second)


def _mixed_word(x: int) -> int:
    x = ((x ^ x >> 16) * MULTIPLIERS[0]) & _WORD
    x = ((x ^ x >> 15) * MULTIPLIERS[1]) & _WORD
    return x ^ x >> 15
