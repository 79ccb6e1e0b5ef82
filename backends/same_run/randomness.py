"""One seed, one run: initial weights and the order of samples, the same on every backend.

Each framework has its own generator, so the same seed gives three different models. Here both come from NumPy's
Philox, with a key that says what the numbers are for: another layer or another epoch does not change the rest.
Dropout and noise, which are drawn inside compiled steps, are in `backends/same_run/portable_random.py`.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..replaced_methods import original_method, overridden
from .initializers import DISTRIBUTIONS, Units

if TYPE_CHECKING:
    import keras


def portable_permutation(seed: int, epoch: int, samples: int) -> np.ndarray:
    """Return the sample order of one epoch; it does not depend on earlier calls.

    Returns:
        (samples,) int64, a permutation of 0 to samples - 1.
    """
    return np.argsort(_philox("order", seed, epoch).random_raw(samples), kind="stable").astype(np.int64)


@contextlib.contextmanager
def portable_initial_weights(seed: int) -> Iterator[None]:
    """Within this context, the initial weights of Keras layers depend on the seed and on their path alone.

    The path is that of the variable, such as `sequential_3/dense_7/kernel`. The numbers in it come from counters that
    Keras keeps for the whole process. They are therefore replaced by numbers in order of first appearance, so that the
    same model gets the same weights whatever was built before. If an initializer has its own seed, that is part of the
    key.

    Random initializers draw from NumPy, also if another initializer calls them; all other initializers are called
    unchanged. Weights outside layers (`keras.Variable`) are drawn by the framework.

    Python's `random` is seeded too: Keras draws from it the seeds of dropout layers, and of initializers that some
    layers copy with a new seed (`EinsumDense`, hence `MultiHeadAttention`).
    """
    import keras

    random.seed(seed)
    layer_class = keras.layers.Layer
    keras_method = original_method(layer_class, "add_weight")
    weights = _WeightFactory(seed)

    def add_weight(layer: keras.Layer, *arguments: Any, **keywords: Any) -> keras.Variable:
        return weights.add(functools.partial(keras_method, layer), arguments, keywords)

    with overridden([(layer_class, "add_weight", add_weight)]):
        yield


class _WeightFactory:
    """Adds weights to layers, and counts the names of variables, within one context."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._names: dict[str, dict[str, int]] = collections.defaultdict(dict)
        self._paths: collections.Counter[str] = collections.Counter()

    def add(
        self, add_weight: Callable[..., keras.Variable], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> keras.Variable:
        """Add the weight as zeros, then assign its values: its path is known only after it was created.

        Within Keras' stateless scopes, a variable is initialised later, by the initializer that it was created with;
        by then that initializer has its key.
        """
        positional = list(arguments)
        if len(positional) > 1:
            positional[1] = initializer = _KeyedInitializer(positional[1])
        else:
            keywords["initializer"] = initializer = _KeyedInitializer(keywords.get("initializer"))
        variable = add_weight(*positional, **keywords)
        initializer.key = (self._seed, *self._canonical(variable.path))
        if initializer.filled_with_zeros:
            variable.assign(initializer(tuple(variable.shape), dtype=variable.dtype))
        return variable

    def _canonical(self, path: str) -> tuple[str, int]:
        """Return the path with renumbered names, and the number of earlier variables with the same path."""
        parts = []
        for name in path.split("/"):
            base = re.sub(r"_\d+$", "", name)
            number = self._names[base].setdefault(name, len(self._names[base]))
            parts.append(f"{base}:{number}")
        canonical = "/".join(parts)
        self._paths[canonical] += 1
        return canonical, self._paths[canonical] - 1


class _KeyedInitializer:
    """Wraps an initializer: returns zeros while it has no key, then draws the initializer's values with that key."""

    def __init__(self, initializer: Any) -> None:
        self._initializer = initializer
        self.key: tuple[Any, ...] | None = None
        self.filled_with_zeros = False

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        import keras

        if self.key is None:
            self.filled_with_zeros = True
            return keras.ops.zeros(shape, dtype=dtype)
        default = "glorot_uniform" if "float" in str(dtype) else "zeros"  # the defaults of Keras' add_weight
        initializer = keras.initializers.get(default if self._initializer is None else self._initializer)
        with _keyed_draws(self.key):
            return initializer(shape, dtype=dtype)


@contextlib.contextmanager
def _keyed_draws(key: tuple[Any, ...]) -> Iterator[None]:
    """Within this context, random initializers draw with this key and the number of earlier draws with it."""
    import keras

    draws = itertools.count()

    def calling(name: str) -> Callable[..., Any]:
        def call(initializer: Any, shape: Sequence[int], dtype: Any = None) -> Any:
            units = _uniform_source(*key, _initializer_seed(initializer), next(draws))
            return _tensor(DISTRIBUTIONS[name](units, shape, initializer), dtype)

        return call

    replacements = [(getattr(keras.initializers, name), "__call__", calling(name)) for name in DISTRIBUTIONS]
    with overridden(replacements):
        yield


def _tensor(values: np.ndarray, dtype: Any) -> Any:
    """Convert float64 values to a tensor. NumPy rounds to float32, so that every backend gets the same values."""
    import keras

    dtype = keras.backend.standardize_dtype(dtype or keras.config.floatx())
    values = values if dtype == "float64" else values.astype(np.float32)
    return keras.ops.cast(keras.ops.convert_to_tensor(values), dtype)


def _initializer_seed(initializer: Any) -> Any:
    """Return the seed that the user gave to an initializer, or None; for a seed generator, its initial seed."""
    seed = initializer.get_config().get("seed")
    return seed["config"]["seed"] if isinstance(seed, dict) else seed


def _uniform_source(*key: Any) -> Units:
    """Return a source of uniform floats in (0, 1): the midpoints of 2**52 equal intervals."""
    generator = _philox("weights", *key)
    return lambda count: ((generator.random_raw(count) >> np.uint64(12)) + 0.5) * 2.0**-52


def _philox(*key: Any) -> np.random.Philox:
    """Return the generator for a key of numbers and names; a change in any part gives an unrelated generator."""
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return np.random.Philox(key=int.from_bytes(digest[:16], "little"))
