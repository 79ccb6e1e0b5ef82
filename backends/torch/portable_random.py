"""Our hash for PyTorch: by NumPy on a CPU, elsewhere in signed integers with masked shifts; the bits agree.

PyTorch has few unsigned operations, and each call costs microseconds on a CPU. So on a CPU, NumPy hashes chunks that
fit in the cache, in place, because new memory costs more than the arithmetic. On an accelerator, and in a step that
PyTorch compiles, PyTorch hashes everything at once.

For PyTorch a draw is one custom operation, so that a captured and replayed step draws new numbers each time.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..same_run.portable_random import KEEP_LEVELS, MULTIPLIERS, OFFSETS

_CHUNK = 2**14  # elements; a power of two of at most 2**16
_WORD_MASK = 2**32 - 1
_SIGN_SHIFT = 31  # an arithmetic shift by this gives all ones for a negative number, else zero


def random_bits(seed: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return 32 random bits for each element.

    Args:
        seed: (2,) int32, [seed, counter].

    Returns:
        `shape`, int32.
    """
    return (
        separate_random_bits(seed, shape)
        if torch.compiler.is_compiling()
        else torch.ops.trivium.random_bits(seed, shape)
    )


def dropout_mask(seed: torch.Tensor, shape: tuple[int, ...], threshold: int, scale: float) -> torch.Tensor:
    """Return a scaled dropout mask: `scale` with probability `threshold` / 65,536, else zero.

    Args:
        seed: (2,) int32, [seed, counter].

    Returns:
        `shape`, float32.
    """
    draw = separate_dropout_mask if torch.compiler.is_compiling() else torch.ops.trivium.dropout_mask
    return draw(seed, shape, threshold, scale)


def untraced(draw_seed: Callable[[Any], torch.Tensor]) -> Callable[[Any], torch.Tensor]:
    """Return Keras' `draw_seed` in a form that a compiled step can call: PyTorch's tracer cannot trace Keras' own."""
    disabled: Callable[[Any], torch.Tensor] = torch.compiler.disable(draw_seed)
    return disabled


# --- by PyTorch -----------------------------------------------------------------------------------------------------


def separate_random_bits(seed: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return what `random_bits` returns, by PyTorch's own operations."""
    return _hash(seed, math.prod(shape)).reshape(shape)


def separate_dropout_mask(seed: torch.Tensor, shape: Sequence[int], threshold: int, scale: float) -> torch.Tensor:
    """Return what `dropout_mask` returns, by PyTorch's own operations."""
    count = math.prod(shape)
    hashed = _hash(seed, (count + 1) // 2)
    lanes = torch.cat([hashed & (KEEP_LEVELS - 1), (hashed[: count // 2] >> 16) & (KEEP_LEVELS - 1)])
    bits = struct.unpack("i", struct.pack("f", scale))[0]
    return (((lanes - threshold) >> _SIGN_SHIFT) & bits).view(torch.float32).reshape(shape)


def _hash(seed: torch.Tensor, count: int) -> torch.Tensor:
    seeds = seed[0] + torch.tensor(OFFSETS, dtype=torch.int32, device=seed.device)
    first, second = _mix(seeds)
    first = _mix(first ^ seed[1])
    second = _mix(first ^ second)
    return _mix(torch.arange(count, dtype=torch.int32, device=seed.device) ^ first, second)


def _mix(x: torch.Tensor, between: torch.Tensor | int = 0) -> torch.Tensor:
    x = (x ^ _shift_right(x, 16)) * MULTIPLIERS[0]
    x = (x ^ _shift_right(x, 15) ^ between) * MULTIPLIERS[1]
    return x ^ _shift_right(x, 15)


def _shift_right(x: torch.Tensor, by: int) -> torch.Tensor:
    return (x >> by) & (2 ** (32 - by) - 1)


# --- by NumPy, as operations of PyTorch -----------------------------------------------------------------------------


@torch.library.custom_op(  # type: ignore[untyped-decorator]
    "trivium::random_bits", mutates_args=(), schema="(Tensor seed, int[] shape) -> Tensor"
)
def _random_bits_op(seed: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    if seed.device.type != "cpu":
        return separate_random_bits(seed, shape)
    words = np.empty(math.prod(shape), np.uint32)
    for start, hashed in _hashed_chunks(seed, len(words)):
        words[start : start + len(hashed)] = hashed
    return torch.from_numpy(words.view(np.int32)).reshape(shape)


@torch.library.custom_op(  # type: ignore[untyped-decorator]
    "trivium::dropout_mask", mutates_args=(), schema="(Tensor seed, int[] shape, int threshold, float scale) -> Tensor"
)
def _dropout_mask_op(seed: torch.Tensor, shape: Sequence[int], threshold: int, scale: float) -> torch.Tensor:
    if seed.device.type != "cpu":
        return separate_dropout_mask(seed, shape, threshold, scale)
    count = math.prod(shape)
    half = (count + 1) // 2
    if threshold == KEEP_LEVELS:
        return torch.full(tuple(shape), scale)
    mask = torch.empty(tuple(shape), dtype=torch.float32)
    flat = mask.numpy().reshape(-1)
    bound, is_kept = np.uint32(threshold << 16), np.empty(min(half, _CHUNK), bool)
    for start, hashed in _hashed_chunks(seed, half):
        # The high lane is the upper half of the word; the lower half cannot change the result of the comparison.
        high = flat[half + start : half + start + len(hashed)]
        np.multiply(np.less(hashed[: len(high)], bound, out=is_kept[: len(high)]), np.float32(scale), out=high)
        np.left_shift(hashed, np.uint32(16), out=hashed)
        low = flat[start : start + len(hashed)]
        np.multiply(np.less(hashed, bound, out=is_kept[: len(low)]), np.float32(scale), out=low)
    return mask


@_random_bits_op.register_fake  # type: ignore[untyped-decorator]
def _(seed: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    return seed.new_empty(shape, dtype=torch.int32)


@_dropout_mask_op.register_fake  # type: ignore[untyped-decorator]
def _(seed: torch.Tensor, shape: Sequence[int], threshold: int, scale: float) -> torch.Tensor:
    return seed.new_empty(shape, dtype=torch.float32)


def _hashed_chunks(seed: torch.Tensor, count: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the words from 0 to count - 1 in chunks, with the start of each. The next chunk overwrites the memory."""
    first, second = _key(*seed.tolist())
    index = np.arange(min(count, _CHUNK), dtype=np.uint32)
    hashed, shifted = np.empty_like(index), np.empty_like(index)
    fifteen, between = np.uint32(15), np.uint32(second)
    for start in range(0, count, _CHUNK):
        length = min(_CHUNK, count - start)
        x, y = hashed[:length], shifted[:length]
        # Positions in a chunk differ only in their low bits, so the first shift gives the same for all.
        same = first ^ start
        np.bitwise_xor(index[:length], np.uint32(same ^ same >> 16), out=x)
        np.multiply(x, np.uint32(MULTIPLIERS[0]), out=x)
        np.bitwise_xor(x, np.right_shift(x, fifteen, out=y), out=x)
        np.bitwise_xor(x, between, out=x)
        np.multiply(x, np.uint32(MULTIPLIERS[1]), out=x)
        yield start, np.bitwise_xor(x, np.right_shift(x, fifteen, out=y), out=x)


def _key(seed: int, counter: int) -> tuple[int, int]:
    first, second = (_mix_word((seed + offset) & _WORD_MASK) for offset in OFFSETS)
    first = _mix_word(first ^ counter & _WORD_MASK)
    return first, _mix_word(first ^ second)


def _mix_word(x: int) -> int:
    x = ((x ^ x >> 16) * MULTIPLIERS[0]) & _WORD_MASK
    x = ((x ^ x >> 15) * MULTIPLIERS[1]) & _WORD_MASK
    return x ^ x >> 15
