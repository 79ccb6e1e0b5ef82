"""Portable random numbers: dropout masks and noise that have the same bits on every backend.

Each framework has its own generator, so one seed gives three different training runs. `portable_draws` replaces them
by one counter-based generator: a hash of (seed, counter, element). Seed and counter come from Keras' `SeedGenerator`,
so that the counter is the step. All Keras layers draw from it, and so do custom layers that call `keras.random`. The
model is not changed, and is saved as plain Keras.

The hash is the 32-bit mixer `[16 21f0aaad 15 735a2d97 15]`, whose avalanche bias of 0.107 is the lowest published for
two multiplications (found by TheIronBorn with Chris Wellons' hash-prospector,
https://github.com/skeeto/hash-prospector/issues/19). One word of the key is mixed in before the first step, another
before the second multiplication. It is not for cryptography. Each backend has its own fast implementation.

Not replaced: `categorical`, `shuffle`, `gamma`, `binomial` and `beta`; layers that call a framework's generator without
`keras.random` (RandomElasticTransform); and layers inside a `tf.data` pipeline under another backend.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from .. import catalog, keras_internals, runtime
from ..shard import shard_rows, whole_batch_shape

# Shift and multiply, as [16 A 15 B 15]; both mask fit in a signed 32-bit integer.
MULTIPLIERS = (0x21F0AAAD, 0x735A2D97)

# Added to a seed before it is mixed, so that seed 0 with counter 0 does not hash to 0: the golden ratio and the square
# root of two, in 32 bits.
OFFSETS = (0x1E3779B9, 0x6A09E667)

KEEP_LEVELS = 2**16  # resolution of a keep probability: each decision uses 16 bits, half of a word

REPLACED = ("uniform", "normal", "truncated_normal", "randint", "dropout")

# Bits of each dtype's significand. With more random bits, a number below one could be rounded to one.
_BITS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}


@contextlib.contextmanager
def portable_draws(generator: PortableRandom | None = None) -> Iterator[None]:
    """Within this context, Keras draws portable random numbers. It can be nested, and ends also after an exception.

    A function that is compiled within it, such as a model's training function, keeps portable draws; one compiled
    before keeps native draws. Unseeded draws follow `keras.utils.set_random_seed` as it was on entry.

    Args:
        draws: go on with these, whose draws without a seed follow those before; by default new ones.
    """
    generator = generator or PortableRandom.for_current_backend()
    _in_force.append(generator)
    try:
        replacements = {name: getattr(generator, name) for name in REPLACED}
        with keras_internals.replaced_functions(keras_internals.backend_module("random"), replacements):
            yield
    finally:
        _in_force.pop()


_in_force: list[PortableRandom] = []


def active_random() -> PortableRandom | None:
    """Return the generator that Keras draws from, or None if that is its own."""
    return _in_force[-1] if _in_force else None


class PortableRandom:
    """Portable replacements of Keras' random functions. Bits agree exactly between backends, floats to a few ulps."""

    def __init__(self, module: ModuleType, randint: Any) -> None:
        import keras

        self._keras, self._ops = keras, keras.ops
        self._room = importlib.import_module(f"..{catalog.selected().name}.portable_random", __package__)
        self._draw_seed = self._room.untraced(module.draw_seed)
        self._native_randint = randint
        self._unseeded = keras.random.SeedGenerator(name="owned_draws")

    @classmethod
    def for_current_backend(cls) -> PortableRandom:
        """Return a generator for this process' backend. Creating one takes as long as a step of a small model."""
        runtime.current()
        module = keras_internals.backend_module("random")
        return cls(module, module.randint)

    @property
    def rng_variables(self) -> list[Any]:
        """The state of unseeded draws, to be saved and restored."""
        return [self._unseeded.state]

    def uniform(self, shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
        """Draw floats from minval up to, not including, maxval, with as many random bits as the dtype's significand."""
        dtype = self._real_dtype(dtype)
        count, bits = self._integers(shape, dtype, seed)
        unit = self._ops.cast(count * 2.0**-bits, dtype)
        return unit * self._ops.cast(maxval - minval, dtype) + self._ops.cast(minval, dtype)

    def normal(self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
        """Draw normal floats by the inverse distribution function; float32 reaches 5.4 standard deviations."""
        return self._normal(shape, mean, stddev, dtype, seed, within=math.inf)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
    ) -> Any:
        """Draw normal floats within two standard deviations of the mean, without rejection."""
        return self._normal(shape, mean, stddev, dtype, seed, within=2.0)

    def randint(self, shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
        """Draw integers from minval up to, not including, maxval; minval itself if the two are equal.

        The probabilities of n values differ by at most n / 2**31. The native function handles bounds beyond 32 bits.
        """
        ops = self._ops
        static = isinstance(minval, int) and isinstance(maxval, int)
        if static and not (minval >= -(2**31) and maxval <= 2**31 - 1 and maxval - minval <= 2**31 - 1):
            return self._native_randint(shape, minval, maxval, dtype=dtype, seed=seed)
        low, high = ops.cast(minval, "int32"), ops.cast(maxval, "int32")
        bits = self._high_bits(self._random_bits(self._draw(seed), tuple(shape)), 31)
        return ops.cast(low + ops.mod(bits, ops.maximum(high - low, 1)), dtype)

    def dropout(self, inputs: Any, rate: float, noise_shape: Sequence[Any] | None = None, seed: Any = None) -> Any:
        """Drop a fraction `rate` of the inputs, in steps of 1 / 65,536, and scale the others by 1 / (1 - rate).

        Element e of n uses one half of word e mod ceil(n / 2): the low half for the first ceil(n / 2) elements, the
        high half for the others. It is kept if that half is below (1 - rate) * 65,536.
        """
        ops = self._ops
        inputs = ops.convert_to_tensor(inputs)
        if rate == 0:
            return inputs
        if rate == 1:
            return ops.zeros_like(inputs)
        sizes = ops.shape(inputs)
        requested = noise_shape if noise_shape is not None else sizes
        shape = tuple(size if length is None else length for length, size in zip(requested, sizes, strict=True))
        dtype = self._keras.backend.standardize_dtype(inputs.dtype)
        dtype = dtype if dtype in _BITS else self._keras.config.floatx()
        scale = 1 / (1 - rate)
        single = scale if dtype != "float64" else 1.0
        mask = self._room.dropout_mask(
            self._draw(seed), whole_batch_shape(shape), round((1 - rate) * KEEP_LEVELS), single
        )
        mask = shard_rows(mask, shape)
        return inputs * (ops.cast(mask, dtype) * (scale / single) if scale != single else ops.cast(mask, dtype))

    def _draw(self, seed: Any) -> Any:
        """Return the next key of a seed, as Keras does: an integer tensor [seed, counter]."""
        if seed is None:
            # Called only for its check: it raises an error in a trace, where an unseeded draw would become a constant.
            # Its numbers are not used, because its counter overflows differently on each backend.
            self._draw_seed(None)
            seed = self._unseeded
        return seed if self._ops.is_tensor(seed) else self._draw_seed(seed)

    def _normal(self, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any, within: float) -> Any:
        ops = self._ops
        dtype = self._real_dtype(dtype)
        draw_dtype = "float64" if dtype == "float64" else "float32"
        count, bits = self._integers(shape, draw_dtype, seed)
        centred = (count * 2.0 + (1.0 - 2.0**bits)) * 2.0**-bits  # odd multiples of 2**-bits in (-1, 1), each exact
        values = ops.erfinv(centred * math.erf(within / math.sqrt(2))) * math.sqrt(2)
        values = ops.cast(ops.clip(values, -within, within) if within < math.inf else values, dtype)
        return values * ops.cast(stddev, dtype) + ops.cast(mean, dtype)

    def _integers(self, shape: Any, dtype: str, seed: Any) -> tuple[Any, int]:
        """Return random integers from 0 to 2**bits - 1, as float64 for that dtype and else as float32; and `bits`."""
        ops, bits, shape = self._ops, _BITS[dtype], tuple(shape)
        key = self._draw(seed)
        if dtype != "float64":
            return ops.cast(self._high_bits(self._random_bits(key, shape), bits), "float32"), bits
        words = shard_rows(self._room.random_bits(key, (2, *whole_batch_shape(shape))), shape, axis=1)
        high, low = (ops.cast(self._high_bits(words[i], width), "float64") for i, width in enumerate((27, 26)))
        return high * 2.0**26 + low, bits

    def _random_bits(self, key: Any, shape: tuple[Any, ...]) -> Any:
        """Return 32 random bits per element; on one of several devices, those of its shard of the batch."""
        return shard_rows(self._room.random_bits(key, whole_batch_shape(shape)), shape)

    def _high_bits(self, words: Any, bits: int) -> Any:
        """Return the highest bits of each word, as integers of at least 0."""
        ops = self._ops
        return ops.bitwise_and(ops.bitwise_right_shift(words, 32 - bits), 2**bits - 1)

    def _real_dtype(self, dtype: Any) -> str:
        """Return the dtype that the backend gives for this one: JAX gives float32 for float64 unless x64 is enabled."""
        name = str(self._keras.backend.standardize_dtype(dtype or self._keras.config.floatx()))
        return (
            str(self._keras.backend.standardize_dtype(self._ops.zeros((), name).dtype)) if name == "float64" else name
        )
