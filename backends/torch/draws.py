"""Our hash for PyTorch, in signed integers with masked shifts: it has few unsigned operations, and the bits agree.

On a CPU everything is done in place on pieces that fit in its cache, because each operation is a pass of its own and
fresh memory costs more than the arithmetic. The pieces are so small (below 32,768 elements) that PyTorch leaves them to
one thread: with larger ones, threads wait for each other at every step, which on idle cores halves the time and on busy
ones takes ten times as long. In a compiled step, and on an accelerator, it is done in one piece.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ..draws import LANES, MULTIPLIERS, OFFSETS

_PIECE = 24_576  # elements
_SIGN = 31  # an arithmetic shift by this leaves all ones of what is negative, else zero


def words(drawn: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """32 random bits for each element.

    Args:
        drawn: (2,) int32, [seed, counter].

    Returns:
        `shape`, int32.
    """
    found = torch.empty(math.prod(shape), dtype=torch.int32, device=drawn.device)
    if not drawn.is_meta:
        for start, hashed in _hashed(drawn, found.numel()):
            found[start : start + len(hashed)] = hashed
    return found.reshape(shape)


def factors(drawn: torch.Tensor, shape: tuple[int, ...], kept: int, scale: float) -> torch.Tensor:
    """`scale` for `kept` of 65,536 elements, zero for the others.

    Args:
        drawn: (2,) int32, [seed, counter].

    Returns:
        `shape`, float32.
    """
    count = math.prod(shape)
    half = (count + 1) // 2
    found = torch.empty(count, dtype=torch.int32, device=drawn.device)
    bits = struct.unpack("i", struct.pack("f", scale))[0]
    if not drawn.is_meta:
        for start, hashed in _hashed(drawn, half):
            low = found[start : min(start + len(hashed), half)]
            high = found[half + start : half + start + len(hashed)]
            torch.bitwise_and(hashed, LANES - 1, out=low)
            torch.bitwise_right_shift(hashed[: len(high)], 16, out=high).bitwise_and_(LANES - 1)
            for lanes in (low, high):
                lanes.sub_(kept).bitwise_right_shift_(_SIGN).bitwise_and_(bits)
    return found.view(torch.float32).reshape(shape)


def untraced(draw_seed: Callable[[Any], torch.Tensor]) -> Callable[[Any], torch.Tensor]:
    """Keras' `draw_seed`, fit for a step that is compiled: PyTorch's tracer stumbles over what Keras does in it."""
    disabled: Callable[[Any], torch.Tensor] = torch.compiler.disable(draw_seed)
    return disabled


def _hashed(drawn: torch.Tensor, count: int) -> Iterator[tuple[int, torch.Tensor]]:
    """The words from 0 to count - 1 in pieces, each with where it starts; a piece is overwritten by the next."""
    first, second = _key(drawn)
    whole = torch.compiler.is_compiling() or drawn.device.type != "cpu"
    size = max(1, count if whole else min(count, _PIECE))
    index = torch.arange(size, dtype=torch.int32, device=drawn.device)
    x, shifted = torch.empty_like(index), torch.empty_like(index)
    for start in range(0, count, size):
        length = min(size, count - start)
        piece = torch.add(index[:length], start, out=x[:length]).bitwise_xor_(first)
        yield start, _mix(piece, shifted[:length], second)


def _key(drawn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    seeds = drawn[0] + torch.tensor(OFFSETS, dtype=torch.int32, device=drawn.device)
    first, second = _mix(seeds, torch.empty_like(seeds))
    first = _mix(first ^ drawn[1], torch.empty_like(first))
    return first, _mix(first ^ second, torch.empty_like(first))


def _mix(x: torch.Tensor, shifted: torch.Tensor, between: torch.Tensor | None = None) -> torch.Tensor:
    """Mix the bits of x in place; `shifted` is room for as many."""
    x.bitwise_xor_(_shift(x, 16, shifted)).mul_(MULTIPLIERS[0])
    x.bitwise_xor_(_shift(x, 15, shifted))
    if between is not None:
        x.bitwise_xor_(between)
    x.mul_(MULTIPLIERS[1])
    return x.bitwise_xor_(_shift(x, 15, shifted))


def _shift(x: torch.Tensor, by: int, room: torch.Tensor) -> torch.Tensor:
    return torch.bitwise_right_shift(x, by, out=room).bitwise_and_(2 ** (32 - by) - 1)
