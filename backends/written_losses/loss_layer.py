"""The layer that computes written losses: it calls the user's functions, and holds all the networks that they use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from ...errors import ModelError

# One number, or numbers by name.
LossValues = Any
# Computes losses of a batch: (networks, batch).
LossFunction = Callable[["Networks", "Batch"], LossValues]

LOSS, ANSWERS = "loss", "answers"


class Networks:
    """The networks of a model with written losses, as attributes by their names; `answers` is the one that answers."""

    def __init__(self, networks: Mapping[str, Any]):
        self._networks = networks

    def __getattr__(self, name: str) -> keras.Model:
        try:
            return self._networks[name]
        except KeyError:
            raise AttributeError(f"there is no network {name!r} (there are: {', '.join(self._networks)})") from None


class Batch:
    """A batch of prepared samples.

    Attributes:
        x, y: (n, …) tensors of inputs and targets, or nests of them; floats in Keras' `floatx`.
        seed: for the functions of `keras.random`: `keras.random.normal(shape, seed=batch.seed)` draws new numbers in
            each step, the same ones on every backend.
    """

    def __init__(self, x: Any, y: Any, weight: Any, seed: keras.random.SeedGenerator):
        self.x, self.y, self.seed = x, y, seed
        self._weight = weight
        self.weight_is_used = False

    @property
    def weight(self) -> Any:
        """The (n,) sample weights, or None where the data have none."""
        self.weight_is_used = True
        return self._weight


class _Answers:
    """The network that answers; its outputs for the inputs of the batch are noted, for the metrics.

    Attributes:
        outputs: of the last such call; None before.
    """

    def __init__(self, network: keras.Model, x: Any):
        self._network, self._x = network, x
        self.outputs: Any = None

    def __call__(self, inputs: Any, *arguments: Any, **keywords: Any) -> Any:
        outputs = self._network(inputs, *arguments, **keywords)
        if inputs is self._x:
            self.outputs = outputs
        return outputs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


class LossLayer(keras.layers.Layer):
    """Computes the losses of a batch.

    Args:
        functions: what computes them, by the name of the turn; a single function may compute the losses of all turns.
        networks: by name.
    """

    def __init__(self, functions: Mapping[str, LossFunction], networks: Mapping[str, keras.Model]):
        # The targets are not inputs of a layer: they stay in their own precision.
        super().__init__(name="losses", autocast=False)
        self._functions = dict(functions)
        self.networks = dict(networks)
        self.seed_generator = keras.random.SeedGenerator()
        self.built = True

    def call(
        self, x: Any, y: Any = None, weight: Any = None, turn: str | None = None, training: bool | None = None
    ) -> tuple[dict[str, Any], Any]:
        """Return the losses by name, each a number, and what `answers` has answered to x; None if it was not called.

        Args:
            x, y, weight: of the batch.
            turn: compute what this turn needs; None for all.
            training: whether the networks compute as in training, unless the function says otherwise.

        Raises:
            ModelError: a function returns something else than numbers, or ignores the sample weights.
        """
        x, y, weight = keras.tree.map_structure(_in_floatx, (x, y, weight))
        batch = Batch(x, y, weight, self.seed_generator)
        answers = _Answers(self.networks[ANSWERS], batch.x)
        networks = Networks({**self.networks, ANSWERS: answers})
        own = {turn: self._functions[turn]} if turn in self._functions else self._functions
        values: dict[str, Any] = {}
        for name, function in own.items():
            named = _by_name(function(networks, batch), name)
            if twice := values.keys() & named.keys():
                raise ModelError(f"two functions of losses return a value {sorted(twice)[0]!r}: name one otherwise")
            values |= named
        if weight is not None and not batch.weight_is_used:
            raise ModelError("the data have sample weights, but the losses do not read batch.weight: leave one out")
        return values, answers.outputs


def _in_floatx(tensor: Any) -> Any:
    """Return floats in the precision of losses, other values as they are."""
    is_float = tensor is not None and "float" in keras.backend.standardize_dtype(tensor.dtype)
    return keras.ops.cast(tensor, keras.config.floatx()) if is_float else tensor


def _by_name(returned: LossValues, name: str) -> dict[str, Any]:
    """Return what a function returned as tensors by name.

    Raises:
        ModelError: it is neither a number nor a mapping of numbers.
    """
    values = returned if isinstance(returned, Mapping) else {name: returned}
    if not values:
        raise ModelError("the losses are an empty dictionary: return one number, or several by name")
    return {str(key): _number(str(key), value) for key, value in values.items()}


def _number(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (str, list, tuple, Mapping)):
        raise ModelError(f"the losses return {type(value).__name__} as {name!r}: return a number, or several by name")
    tensor = keras.ops.convert_to_tensor(value) if isinstance(value, (int, float)) else value
    if len(tensor.shape):
        raise ModelError(
            f"the losses return {name!r} of shape {tuple(tensor.shape)} for a batch: return one number, as a mean"
        )
    return tensor
