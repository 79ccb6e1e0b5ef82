"""Symbolic tensors in the place of a layer's weights, while its `call` is traced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from ...backends import keras_internals
from .reader import UnreadableError


class WeightTensor(keras.KerasTensor):  # type: ignore[misc]
    """The symbolic tensor of a weight."""

    def __init__(self, variable: keras.Variable) -> None:
        super().__init__(variable.shape, variable.dtype, name=variable.name)
        self.variable = variable

    @property
    def value(self) -> WeightTensor:
        return self

    @property
    def trainable(self) -> bool:
        return bool(self.variable.trainable)

    def assign(self, value: Any) -> None:
        raise UnreadableError(f"changes its weight {self.variable.name} whenever it is called")

    assign_add = assign_sub = assign


class WeightTensors:
    """The weights of a layer and of the layers within it, as the attributes of these."""

    def __init__(self, layer: Any) -> None:
        self._tensors: dict[int, WeightTensor] = {}
        self._attributes: list[dict[str, Any]] = []
        self._originals: list[dict[str, Any]] = []
        self._replacements: list[dict[str, Any]] = []
        of_every_layer = vars(keras.layers.Layer()).keys()
        for each in keras_internals.all_layers(layer):
            own = {name: value for name, value in vars(each).items() if name not in of_every_layer}
            replaced = {name: self._replaced(value) for name, value in own.items()}
            changed = {name: own[name] for name, value in replaced.items() if value is not own[name]}
            self._attributes.append(vars(each))
            self._originals.append(changed)
            self._replacements.append({name: replaced[name] for name in changed})

    @property
    def tensors(self) -> list[WeightTensor]:
        return list(self._tensors.values())

    def put_in(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, the attributes of the layers hold symbolic tensors for weights."""
        return self._holding(self._replacements, self._originals)

    def put_back(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, the attributes of the layers hold the weights again."""
        return self._holding(self._originals, self._replacements)

    @contextlib.contextmanager
    def _holding(self, contents: list[dict[str, Any]], afterwards: list[dict[str, Any]]) -> Iterator[None]:
        self._set(contents)
        try:
            yield
        finally:
            self._set(afterwards)

    def _set(self, contents: list[dict[str, Any]]) -> None:
        # Not by `setattr`: Keras tracks what is assigned to a layer.
        for attributes, content in zip(self._attributes, contents, strict=True):
            attributes.update(content)

    def _replaced(self, value: Any) -> Any:
        """Return a value with symbolic tensors for the weights in it: itself, if there are none."""
        if isinstance(value, keras.Variable):
            if id(value) not in self._tensors:
                self._tensors[id(value)] = WeightTensor(value)
            return self._tensors[id(value)]
        if type(value) is tuple or isinstance(value, list):
            replaced = [self._replaced(item) for item in value]
            same = all(one is other for one, other in zip(replaced, value, strict=True))
            return value if same else tuple(replaced) if isinstance(value, tuple) else replaced
        if isinstance(value, Mapping):
            items = {key: self._replaced(item) for key, item in value.items()}
            return value if all(items[key] is value[key] for key in items) else items
        return value
