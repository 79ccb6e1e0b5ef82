"""What each part of a graph was in the Keras model that it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras

from ...graph.graph import ArrayReference


@dataclass
class Origins:
    """What each part of a graph was in the Keras model.

    Attributes:
        variables: the variable of a weight, by the name of the layer of the graph and the weight's name there.
        results: each call of a Keras layer, in order, with the arrays that it returns.
        before_activation: each Keras layer that has an activation, with the array that the activation is applied to.
    """

    variables: dict[tuple[str, str], keras.Variable] = field(default_factory=dict)
    results: list[tuple[Any, tuple[ArrayReference, ...]]] = field(default_factory=list)
    before_activation: list[tuple[Any, ArrayReference]] = field(default_factory=list)

    def __copy__(self) -> Origins:
        return Origins(dict(self.variables), list(self.results), list(self.before_activation))
